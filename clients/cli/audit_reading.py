"""`narrowgate audit search`, `anomalies` and `report`: what an auditor reads in her own mirror, offline.

Rule: nothing is asked of the broker and nothing is written but the report; the mirror is verified again as it is read
(`clients.auditing.mirrored`). What is found is no failure: `anomalies` exits with 0, and with 4 only when asked to by
--strict. Days are of UTC, from midnight on.
"""

import dataclasses
import datetime
import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.protocol.errors import BadInput
from broker.protocol.messages.vocabulary import Outcome, RecordKind, Tier
from clients.auditing.anomalies import Looked, look
from clients.auditing.findings import Known, Numbers
from clients.auditing.mirrored import Entry, MirroredLog
from clients.auditing.noised import MOST_MILLIS, KnownRules, Noise, listings
from clients.auditing.report import Report, make
from clients.auditing.report_page import page
from clients.auditing.report_text import comma_separated, markdown, members
from clients.auditing.search import Wanted
from clients.auditing.search import search as find
from clients.cli import run
from clients.published import Published, check_over, check_period
from clients.remote import visible

_Day = Annotated[str | None, typer.Option("--since", metavar="DATE", help="From this day on, as 2027-01-31.")]
_Until = Annotated[
    str | None, typer.Option("--until", metavar="DATE", help="Up to, not including, this day.")
]


def search(
    directory: run.HomeFolder,
    case: Annotated[
        str | None,
        typer.Option("--case", metavar="TEXT", help="In the case's reference, or the request's id."),
    ] = None,
    agency: Annotated[
        str | None, typer.Option("--agency", metavar="ID", help="Who acted, or whose request it is.")
    ] = None,
    law: Annotated[
        str | None, typer.Option("--law", metavar="TEXT", help="In the law cited, or in the instrument.")
    ] = None,
    rule: Annotated[str | None, typer.Option("--rule", metavar="ID", help="A rule that decided.")] = None,
    outcome: Annotated[Outcome | None, typer.Option("--outcome", help="What was decided.")] = None,
    kind: Annotated[
        RecordKind | None, typer.Option("--kind", metavar="KIND", help="The kind of entry, such as REFUSED.")
    ] = None,
    since: _Day = None,
    until: _Until = None,
    tier: Annotated[Tier | None, typer.Option("--tier", help="The tier decided or disclosed.")] = None,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """List the mirrored entries that fit, newest last: index, time, kind, agency, tier, outcome and rules.

    All that is named must fit. Nothing is asked of the broker.
    """
    wanted = Wanted(
        case=case,
        agency=agency,
        law=law,
        rule=rule,
        outcome=None if outcome is None else outcome.value,
        kind=None if kind is None else kind.value,
        since=None if since is None else _seconds(since, "--since"),
        until=None if until is None else _seconds(until, "--until"),
        tier=None if tier is None else tier.value,
    )
    log = _mirrored(directory, space_id)
    # What is told of each is all that is kept, and told once the whole mirror was verified again.
    if as_json:
        told = [_entry(each) for each in find(log.entries(), wanted)]
        run.print_json({"size": log.checkpoint.size, "entries": told})
    else:
        lines = [_line(each) for each in find(log.entries(), wanted)]
        run.show({}, "\n".join(lines) if lines else "No entry fits.", as_json=False)


def anomalies(
    directory: run.HomeFolder,
    bundle: Annotated[
        list[Path] | None,
        typer.Option("--bundle", metavar="FOLDER", help="Your copy of the rules, or a folder of several."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 if anything was found, or not looked for.")
    ] = False,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Say what to look at first in the mirrored log: each anomaly with its entries and what it means.

    Nothing is asked of the broker. An anomaly is a reason to look, and not a verdict.
    """
    log = _mirrored(directory, space_id)
    space = run.open_home(directory).space(run.space_id(space_id)).payload
    looked = look(log.entries(), Known(_numbers(bundle or []), space))
    run.show(_looked(looked, log.checkpoint.size), _words(looked, log.checkpoint.size), as_json=as_json)
    if strict and (looked.findings or looked.left_out):
        raise typer.Exit(int(run.ExitCode.VERIFICATION_FAILED))


class ReportFormat(StrEnum):
    """How the report is written."""

    MARKDOWN = "markdown"
    CSV = "csv"
    HTML = "html"
    JSON = "json"


def report(
    directory: run.HomeFolder,
    since: Annotated[str, typer.Option("--since", metavar="DATE", help="From this day on, as 2027-01-31.")],
    until: Annotated[str, typer.Option("--until", metavar="DATE", help="Up to, not including, this day.")],
    written: Annotated[
        ReportFormat, typer.Option("--format", help="How to write it.")
    ] = ReportFormat.MARKDOWN,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there, not on standard output.")
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(
            "--epsilon",
            metavar="E",
            help="Add noise (differential privacy) instead of withholding, such as 1.",
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            "--bundle", metavar="FOLDER", help="With --epsilon: your copy of the rules, for lists by rule."
        ),
    ] = None,
    not_for_publication: Annotated[
        bool,
        typer.Option(
            "--not-for-publication",
            help="For your own eyes: any days, not only a whole calendar month, quarter or year; says so on the page.",
        ),
    ] = False,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Write a transparency report for the public: counts alone, small numbers withheld, delayed by 30 days.

    Nothing is asked of the broker. It names no case, officer, request or identifier. With --epsilon every number has
    noise instead. A calendar month, quarter or year is told once, and the same report is written ever after.
    """
    if bundle is not None and epsilon is None:
        raise BadInput("--bundle is for a report with noise: name --epsilon too.")
    if not_for_publication and epsilon is not None:
        raise BadInput("--epsilon is for a report to publish. Leave it out for a look of your own.")
    period = (_seconds(since, "--since"), _seconds(until, "--until"))
    if not not_for_publication:
        check_period(*period)
    log = _mirrored(directory, space_id)
    home = run.open_home(directory)
    space = home.space(run.space_id(space_id)).payload
    noise = None
    if epsilon is not None:
        noise = Noise(_millis(epsilon), None if bundle is None else _known(bundle))

    def counted() -> Report:
        checkpoint, noised = log.checkpoint, None
        if noise is not None:
            noised = (noise.epsilon_millis, lambda inside: listings(inside, space, noise))
        return make(
            log.entries(), space, checkpoint.size, checkpoint.root, *period, run.clock(), noised=noised
        )

    if not_for_publication:
        made = dataclasses.replace(counted(), for_publication=False)
    else:
        published = Published(home, space.space_id)
        kept = published.find(*period, None if noise is None else noise.epsilon_millis)
        made = kept or check_over(counted())
        if kept is None:
            published.keep(made)
    value, chosen = members(made), ReportFormat.JSON if as_json and out is None else written
    if chosen is ReportFormat.JSON:
        text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    else:
        writers = {
            ReportFormat.MARKDOWN: markdown,
            ReportFormat.CSV: comma_separated,
            ReportFormat.HTML: page,
        }
        text = writers[chosen](made)
    if out is None:
        # A spreadsheet's lines end in a carriage return, which is layout; whatever else a record could hold is not.
        typer.echo("\r\n".join(map(visible, text.split("\r\n"))), nl=False)
        return
    run.write_output(out, text)
    words = f"Written: {out}, from {value['since']} up to, not including, {value['until']}."
    run.show({"out": str(out), "since": value["since"], "until": value["until"]}, words, as_json=as_json)


def _millis(epsilon: float) -> int:
    """Epsilon in thousandths, so that parts of it add up to it. Raises BadInput."""
    if not 0.001 <= epsilon <= MOST_MILLIS / 1000:
        raise BadInput("--epsilon is a number from 0.001 to 10, such as 1: the smaller, the more noise.")
    return round(epsilon * 1000)


def _known(folder: Path) -> KnownRules:
    """The words of the auditor's bundle. Raises BadInput for a folder that is none."""
    # Imported on use, as below.
    from clients.replay import load_all

    bundles = load_all([folder])
    if len(bundles) != 1:
        raise BadInput("--bundle is one folder of rules, those that were in force in the period.")
    (rules,) = bundles.values()
    words = {
        each.id: f"{each.reason} ({each.law})"
        for each in rules.rules.values()
        if "'admit'" in str(rules.syntax[each.id]["action"])  # no rule about deposits or results
    }
    gateways = [name for name in words if rules.rules[name].effect == "permit"]
    return KnownRules(
        instruments=tuple(sorted(rules.instruments)),
        gateways={name: words[name] for name in gateways},
        refusals={name: text for name, text in words.items() if name not in gateways},
    )


def _mirrored(directory: Path, space_id: str | None) -> MirroredLog:
    home = run.open_home(directory)
    return MirroredLog(home, home.space(run.space_id(space_id)).payload)


def _numbers(bundles: Sequence[Path]) -> dict[str, Numbers]:
    """The numbers of the auditor's bundles by digest. Raises BadInput for a folder that is none."""
    if not bundles:
        return {}
    # Imported on use: reading rules needs the extra [policy], reading the log does not.
    from clients.replay import load_all

    names = Numbers.__dataclass_fields__
    return {
        digest.hex(): Numbers(**{name: getattr(bundle.limits, name) for name in names})
        for digest, bundle in load_all(bundles).items()
    }


def _seconds(day: str, option: str) -> int:
    """Midnight UTC of a day, Unix seconds. Raises BadInput."""
    try:
        parsed = datetime.date.fromisoformat(day)
    except ValueError:
        raise BadInput(f"{option} is a day, written as 2027-01-31.") from None
    return int(datetime.datetime(parsed.year, parsed.month, parsed.day, tzinfo=datetime.UTC).timestamp())


def _time(seconds: int) -> str:
    return f"{datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC):%Y-%m-%d %H:%M:%S}Z"


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "index": entry.index,
        "recorded_at": entry.recorded_at,
        "kind": entry.kind,
        "agency": entry.agency,
        "tier": entry.tier,
        "outcome": entry.outcome,
        "rules": list(entry.rules),
        "case": None if entry.about is None else entry.about.claims.case_reference,
        "erased": entry.record is None,
    }


def _line(entry: Entry) -> str:
    erased = "erased" if entry.record is None else None
    columns = (entry.agency, entry.tier, entry.outcome, " ".join(entry.rules) or erased)
    told = "  ".join(each or "-" for each in columns)
    return f"{entry.index:>7}  {_time(entry.recorded_at)}  {entry.kind:<18}  {told}"


def _looked(looked: Looked, size: int) -> dict[str, Any]:
    return {
        "size": size,
        "findings": [
            {
                "anomaly": each.anomaly.value,
                "entries": list(each.entries),
                "party": each.party,
                "detail": each.detail,
                "meaning": each.meaning,
            }
            for each in looked.findings
        ],
        "left_out": [
            {"anomalies": [name.value for name in each.anomalies], "reason": each.reason}
            for each in looked.left_out
        ],
    }


def _words(looked: Looked, size: int) -> str:
    lines = [f"Anomalies found in {size} entries: {len(looked.findings)}."]
    for each in looked.findings:
        who = f", {each.party}" if each.party else ""
        lines.append(f"  {each.anomaly}{who}: {each.detail}")
        entries = "entry" if len(each.entries) == 1 else "entries"
        lines.append(f"    {entries} {', '.join(map(str, each.entries))}. {each.meaning}")
    for left in looked.left_out:
        lines.append(f"Not looked for: {', '.join(left.anomalies)}. {left.reason}")
    return "\n".join(lines)
