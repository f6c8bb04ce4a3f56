"""`narrowgate request retractions` and `acknowledge`: what was told and is taken back since, and what was done on it.

Rule: no identifier is printed, only how many a notice is about. `clients.requesting.retractions` acts.
"""

import datetime
from typing import Annotated, Any

import typer

from broker.protocol.errors import BadInput
from broker.protocol.messages.consent import RetractionDone, RetractionGround
from clients.cli import run
from clients.home import Home
from clients.requesting.retractions import Received, Retractions

_GROUNDS = {
    RetractionGround.CONSENT_REVOKED: "the person revoked their consent",
    RetractionGround.WITHDRAWN: "the contributor took it back",
    RetractionGround.CONTESTED: "somebody says that it is wrong or not theirs",
    RetractionGround.STANDS_AGAIN: "it was contested, and is right",
}


def retractions(directory: run.HomeFolder, space_id: run.SpaceId = None, as_json: run.Json = False) -> None:
    """Fetch the notices that something you were told is taken back, contested, or stands again; list the open ones.

    That they were shown to you is logged. Each must be acknowledged in time: an auditor sees those that are not.
    """
    home = run.open_home(directory)
    found = _acts(home, space_id).fetch()
    run.show(
        {"notices": [_facts(each) for each in found]},
        "\n".join(map(_words, found)) or "Nothing that you were told is taken back or contested.",
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
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="Of what is contested: do not use it until the next notice.")
    ] = False,
    noted: Annotated[bool, typer.Option("--noted", help="Of what stands again: you have read it.")] = False,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Act on a notice and sign what you did: erased, kept on a lawful ground, set aside, or noted.

    With --erased the hits, sources and opened records it is about go from this home. What lies elsewhere (files written
    with --out, a case folder, your own case system) you erase first: your signature says that it is done. What is
    contested may be set aside instead: until you are told how it ended, this home exports nothing of that request.
    """
    said_done = [
        done
        for done, given in (
            (RetractionDone.ERASED, erased),
            (RetractionDone.KEPT, kept_on is not None),
            (RetractionDone.RESTRICTED, set_aside),
            (RetractionDone.NOTED, noted),
        )
        if given
    ]
    if len(said_done) != 1:
        raise BadInput(
            "Say one: --erased, --kept-on with the lawful ground, --set-aside for what is contested, or --noted for "
            "what stands again."
        )
    home = run.open_home(directory)
    identifier = run.identifier(notice_id, 16, "NOTICE_ID")
    said = _acts(home, space_id).acknowledge(identifier, officer, kept_on, said_done[0])
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
