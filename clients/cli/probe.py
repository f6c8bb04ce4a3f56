"""`narrowgate audit probe plan` and `check`: does the log show what was done with test identifiers of nobody?

Rule: parse, call, print. Neither makes a call; between them, a contributor deposits and a requester asks by their usual
commands. Whatever is missing exits with 4.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from broker.protocol import documents
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Disclosure, Request
from broker.protocol.messages.vocabulary import Tier
from clients.auditing.mirrored import MirroredLog
from clients.auditing.probe import Asked, HandedBack, ProbeReport, check
from clients.cli import run
from clients.probing import Probing
from clients.writers.csv_text import csv_text

app = run.application("Probe: have test identifiers deposited and asked about, and look for it in the log.")


@app.command()
def plan(
    directory: run.HomeFolder,
    contributor: Annotated[str, typer.Option("--contributor", metavar="ID", help="Who deposits the probe.")],
    requester: Annotated[str, typer.Option("--requester", metavar="ID", help="Who asks about it.")],
    consent: Annotated[
        str,
        typer.Option(
            "--consent", metavar="TEXT", help="Where the contributor consented, such as its letter."
        ),
    ],
    signals: Annotated[
        Path,
        typer.Option(
            "--signals", metavar="FILE", help="Where to write what the contributor deposits (.csv)."
        ),
    ],
    identifiers: Annotated[
        Path,
        typer.Option(
            "--identifiers", metavar="FILE", help="Where to write what the requester asks about (.csv)."
        ),
    ],
    deposited: Annotated[int, typer.Option("--deposited", help="How many identifiers are deposited.")] = 12,
    asked: Annotated[int, typer.Option("--asked", help="How many of them are asked about.")] = 5,
    others: Annotated[
        int, typer.Option("--others", help="How many are asked about besides, that nobody deposited.")
    ] = 7,
    identifier_type: Annotated[
        str | None, typer.Option("--type", help="email or phone; email where the space compares it.")
    ] = None,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Draw test identifiers of reserved ranges, and write the two files to hand to a contributor and a requester.

    The plan stays sealed in your home: which of the identifiers are asked about, nobody else knows.
    """
    home = run.open_home(directory)
    space = home.space(run.space_id(space_id)).payload
    made = Probing(home, space, run.clock, run.random_bytes).plan(
        contributor,
        requester,
        consent,
        identifier_type=identifier_type,
        deposited=deposited,
        asked=asked,
        others=others,
    )
    run.write_private(signals, _column(made.identifier_type, made.signals), "signals")
    run.write_private(identifiers, _column(made.identifier_type, made.question), "identifiers")
    run.show(
        {
            "probe_id": made.probe_id.hex(),
            "identifier_type": made.identifier_type,
            "deposited": made.deposited,
            "asked": made.asked,
            "others": made.others,
            "signals": str(signals),
            "identifiers": str(identifiers),
        },
        f"Probe {made.probe_id.hex()} is planned. It is about test identifiers, and about nobody.\n"
        f"Hand {signals} to {contributor}, which deposits it: narrowgate deposit add. It hands back the deposit's id.\n"
        f"Hand {identifiers} to {requester}, which asks at the tier hits: narrowgate request prepare, then send. It\n"
        "hands back the request; and, if you want to see a refusal, another for a purpose that the rules refuse.\n"
        "Then: narrowgate audit verify, and narrowgate audit probe check",
        as_json=as_json,
    )


@app.command("check")
def check_probe(
    directory: run.HomeFolder,
    probe: Annotated[str, typer.Argument(metavar="PROBE_ID", help="As `probe plan` printed it.")],
    deposit: Annotated[
        str | None, typer.Option("--deposit", metavar="HEX", help="The deposit's id, from the contributor.")
    ] = None,
    request: Annotated[
        str | None,
        typer.Option("--request", metavar="FILE|HEX", help="The request, signed, as a file; or its id."),
    ] = None,
    case: Annotated[
        str | None,
        typer.Option("--case", metavar="TEXT", help="Instead: the case's reference in the request."),
    ] = None,
    refused: Annotated[
        str | None,
        typer.Option("--refused", metavar="FILE|HEX", help="The request that should have been refused."),
    ] = None,
    hits: Annotated[
        int | None,
        typer.Option("--hits", metavar="N", help="How many hits the requester was told of.", min=0),
    ] = None,
    disclosure: Annotated[
        Path | None,
        typer.Option(
            "--disclosure", metavar="FILE", help="The answer that the broker signed, from the requester."
        ),
    ] = None,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Look for the probe in your mirror of the log: each step once, in order, in time, with the numbers planned.

    Run `narrowgate audit verify` before. What was not handed back is not looked for, and said to be. Exits with 4 if
    anything is missing or otherwise.
    """
    home = run.open_home(directory)
    space = home.space(run.space_id(space_id)).payload
    made = Probing(home, space, run.clock, run.random_bytes).find(run.identifier(probe, 16, "PROBE_ID"))
    if request is not None and case is not None:
        raise BadInput("Name the request either by --request or by --case.")
    told = None if disclosure is None else _signed(space, disclosure)
    handed = HandedBack(
        deposit_id=None if deposit is None else run.identifier(deposit, 32, "--deposit").hex(),
        answered=Asked(case=case) if case is not None else _asked(space, request, "--request"),
        refused=_asked(space, refused, "--refused"),
        told_hits=_told_hits(told, hits),
        disclosure_digest=None if told is None else told.digest.hex(),
    )
    report = check(MirroredLog(home, space).entries(), made, handed)
    run.show(_members(report), _words(report, made.consent), as_json=as_json)
    if not report.complete:
        raise typer.Exit(int(run.ExitCode.VERIFICATION_FAILED))


def _column(kind: str, values: tuple[str, ...]) -> str:
    return csv_text((kind,), *((each,) for each in values))


def _asked(space: Space, named: str | None, option: str) -> Asked | None:
    """A request by its file or its id. Raises BadInput or VerificationFailed."""
    if named is None:
        return None
    path = Path(named)
    if len(named) > 255 or not path.is_file():
        return Asked(request_id=run.identifier(named, 16, option).hex())
    keys = {documents.key_identifier(each.signing_key): each.signing_key for each in space.members}
    signed = documents.verify(Request, run.read_document(path, "the request"), keys)
    return Asked(request_id=signed.payload.request_id.hex(), request_digest=signed.digest.hex())


def _signed(space: Space, path: Path) -> documents.Signed[Disclosure]:
    text = run.read_document(path, "the broker's answer")
    try:
        return documents.verify(Disclosure, text, space.broker_signing_key)
    except VerificationFailed:
        raise VerificationFailed(
            "The answer in that file is not signed by the broker's pinned key."
        ) from None


def _told_hits(told: documents.Signed[Disclosure] | None, hits: int | None) -> int | None:
    """How many hits the signed answer tells, else what the requester said. A count tells no number of hits."""
    if told is None or told.payload.tier is Tier.COUNT:
        return hits
    return len(told.payload.matched)


def _members(report: ProbeReport) -> dict[str, Any]:
    return {
        "complete": report.complete,
        "steps": [
            {"step": each.name, "entries": list(each.entries), "wrong": each.wrong} for each in report.steps
        ],
        "not_looked_for": list(report.not_looked_for),
        "erased_since": report.erased,
    }


def _words(report: ProbeReport, consent: str) -> str:
    lines = [f"Planted with the contributor's consent: {consent}."]
    for each in report.steps:
        entries = f"entry {', '.join(map(str, each.entries))}" if each.entries else "no entry"
        lines.append(f"  {'MISSING' if each.wrong else 'found'}: {each.name} ({entries})")
        if each.wrong:
            lines.append(f"    {each.wrong}")
    lines += [f"Not looked for: {each}." for each in report.not_looked_for]
    if report.erased:
        lines.append(
            f"{report.erased} records were erased since the plan; what is missing may be among them."
        )
    lines.append(
        "The log shows all of it."
        if report.complete
        else "The log does not show all of it. Ask broker and requester."
    )
    return "\n".join(lines)
