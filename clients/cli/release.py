"""`narrowgate release`: a contributor sees which of its own records are to be opened, and releases or refuses."""

import datetime
from pathlib import Path
from typing import Annotated

import typer

from broker.protocol.messages.ladder import ContributorRelease, ReleaseAsk
from broker.protocol.messages.vocabulary import Authority
from broker.protocol.tokens import TOKEN_BYTES
from clients.cli import run
from clients.deposit_changes.releasing import Releasing
from clients.depositing import local_references
from clients.depositing.deposit_folder import DepositFolder
from clients.home import Home
from clients.remote import readable

app = run.application("Contributor: release your own records that a permit asks for, or refuse to.")

PermitId = Annotated[
    str, typer.Argument(metavar="PERMIT_ID", help="As `narrowgate release list` printed it.")
]
SeriesOption = Annotated[
    str | None,
    typer.Option("--series", metavar="HEX", help="Needed only if several of your series are asked."),
]


@app.command("list")
def list_asks(directory: run.HomeFolder, space_id: run.SpaceId = None, as_json: run.Json = False) -> None:
    """List what you are asked: on what grounds, until when, and which of your records by your own reference.

    That you looked is written into the broker's log. If you do not answer in time, that refuses.
    """
    home = run.open_home(directory)
    asks = _releasing(home, space_id).asks()
    listed = [{**_fields(ask), "references": _references(home, ask)} for ask in asks]
    lines = [_words(ask, _references(home, ask)) for ask in asks]
    run.show({"asks": listed}, "\n".join(lines) or "You are asked for nothing.", as_json=as_json)


@app.command()
def give(
    directory: run.HomeFolder,
    permit_id: PermitId,
    series: SeriesOption = None,
    reason: Annotated[str, typer.Option("--reason", help="Kept with your answer; name nobody.")] = "",
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Release the records: once the rules and the key holders agree, the requester can open them."""
    _answer(directory, permit_id, True, reason, series, space_id, as_json)


@app.command()
def refuse(
    directory: run.HomeFolder,
    permit_id: PermitId,
    reason: Annotated[str, typer.Option("--reason", help="Why, in a sentence; name nobody.")],
    series: SeriesOption = None,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Refuse: your records stay closed. What others release is not touched by it."""
    _answer(directory, permit_id, False, reason, series, space_id, as_json)


def _answer(
    directory: Path,
    permit_id: str,
    released: bool,
    reason: str,
    series: str | None,
    space_id: str | None,
    as_json: bool,
) -> None:
    home = run.open_home(directory)
    named = None if series is None else run.identifier(series, 32, "--series")
    permit = run.identifier(permit_id, 16, "PERMIT_ID")
    answer: ContributorRelease = _releasing(home, space_id).answer(permit, released, reason, named).payload
    run.show(
        {"permit_id": permit_id, "series_id": answer.series_id.hex(), "released": answer.released},
        "Released. Your answer is signed and recorded."
        if released
        else "Refused. Your answer is signed and recorded.",
        as_json=as_json,
    )


def _releasing(home: Home, space_id: str | None) -> Releasing:
    return Releasing(home, home.space(run.space_id(space_id)).payload, run.caller(home), run.clock)


def _references(home: Home, ask: ReleaseAsk) -> list[str | None]:
    """What this contributor calls each of the records, None where it kept no reference."""
    deposit = DepositFolder(home, ask.deposit_id)
    tokens = [ask.tokens[at : at + TOKEN_BYTES] for at in range(0, len(ask.tokens), TOKEN_BYTES)]
    return [local_references.find(deposit, token) for token in tokens]


def _fields(ask: ReleaseAsk) -> dict[str, object]:
    return ask.model_dump(mode="json", exclude={"tokens", "request_digest"})


def _words(ask: ReleaseAsk, references: list[str | None]) -> str:
    until = datetime.datetime.fromtimestamp(ask.until_at, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    named = ", ".join(readable(each) if each else "(no reference kept)" for each in references)
    state = "answered" if ask.answered else f"answer before {until}: narrowgate release give|refuse"
    return readable(
        f"{ask.permit_id.hex()}  {len(references)} of your records ({ask.payload_category}): {named}; "
        f"{ask.requester} asks for {ask.purpose} in a case of {ask.offence}, on {ask.instrument}"
        f"{_behind(ask)}; {state}"
    )


def _behind(ask: ReleaseAsk) -> str:
    """Which authorities stand behind the instrument; consent has none."""
    words = (("issued by", ask.issued_by), ("validated by", ask.validated_by))
    return "".join(f", {word} {who}" for word, who in words if who is not Authority.NONE)
