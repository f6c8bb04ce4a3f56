"""`narrowgate request retractions` and `acknowledge`: what was told and is taken back since, and what was done on it.

Rule: no identifier is printed, only how many a notice is about. `clients.retractions` acts.
"""

import datetime
from typing import Annotated, Any

import typer

from broker.protocol.errors import BadInput
from broker.protocol.messages.consent import RetractionGround
from clients.cli import run
from clients.home import Home
from clients.retractions import Received, Retractions

_GROUNDS = {
    RetractionGround.CONSENT_REVOKED: "the person revoked their consent",
    RetractionGround.WITHDRAWN: "the contributor took it back",
}


def retractions(directory: run.HomeFolder, space_id: run.SpaceId = None, as_json: run.Json = False) -> None:
    """Fetch the notices that something you were told is taken back, and list those you have not acknowledged.

    That they were shown to you is logged. Each must be acknowledged in time: an auditor sees those that are not.
    """
    home = run.open_home(directory)
    found = _acts(home, space_id).fetch()
    run.show(
        {"notices": [_facts(each) for each in found]},
        "\n".join(map(_words, found)) or "Nothing that you were told is taken back.",
        as_json=as_json,
    )


def acknowledge(
    directory: run.HomeFolder,
    notice_id: Annotated[
        str, typer.Argument(metavar="NOTICE_ID", help="As `narrowgate request retractions` printed it.")
    ],
    officer: Annotated[str, typer.Option("--officer", help="Who acts: a short name, as in the claims.")],
    erased: Annotated[
        bool, typer.Option("--erased", help="Erase it from this home now, and say so.")
    ] = False,
    kept_on: Annotated[
        str | None,
        typer.Option("--kept-on", metavar="GROUND", help="Keep it, on this lawful ground; name nobody."),
    ] = None,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Act on a notice and sign what you did: erased, or kept on a lawful ground.

    With --erased the hits, sources and opened records it is about go from this home. What lies elsewhere (files written
    with --out, a case folder, your own case system) you erase first: your signature says that it is done.
    """
    if erased == (kept_on is not None):
        raise BadInput("Say one of two: --erased, or --kept-on with the lawful ground.")
    home = run.open_home(directory)
    identifier = run.identifier(notice_id, 16, "NOTICE_ID")
    said = _acts(home, space_id).acknowledge(identifier, officer, kept_on)
    run.show(
        {"notice_id": notice_id, "done": said.done.value, "acknowledged_at": said.acknowledged_at},
        f"Signed and recorded: {said.done.value}.",
        as_json=as_json,
    )


def _acts(home: Home, space_id: str | None) -> Retractions:
    space = home.space(run.space_id(space_id)).payload
    return Retractions(home, space, run.caller(home), run.clock)


def _facts(each: Received) -> dict[str, Any]:
    notice = each.notice.payload
    return {
        "notice_id": notice.notice_id.hex(),
        "request_id": notice.request_id.hex(),
        "ground": notice.ground.value,
        "identifiers": each.identifiers,
        "opened_records": each.opened,
        "noticed_at": notice.noticed_at,
        "due_at": notice.due_at,
    }


def _words(each: Received) -> str:
    notice = each.notice.payload
    until = datetime.datetime.fromtimestamp(notice.due_at, datetime.UTC).date().isoformat()
    return (
        f"{notice.notice_id.hex()}  {_GROUNDS[notice.ground]}: {len(notice.places)} match(es) of request "
        f"{notice.request_id.hex()}, {each.identifiers} identifier(s) and {each.opened} opened record(s) here; "
        f"acknowledge by {until}: narrowgate request acknowledge"
    )
