"""The demo's story, act by act: who does what, what each party could see, and every figure as it came out.

Rule: an act runs the parties' commands and returns what they printed; nothing is computed that a party could not
know, but for the truth of the generated files, against which the results are held.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clients.demo import papers, parties
from clients.demo.data import ContributorFile, DemoData
from clients.demo.narration import Narrator
from clients.demo.parties import COMPANY, DESK, NGO, PAYMENTS, POLICE, Party, Places
from clients.demo.processes import DemoFailed, Finished, Processes

REFUSED = 3


@dataclass
class Story:
    """What the acts share: the processes, the places, the data, and the report that grows."""

    processes: Processes
    places: Places
    data: DemoData
    narrator: Narrator
    deposits: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    count: dict[str, int] = field(default_factory=dict)
    log: dict[str, Any] = field(default_factory=dict)

    def run(self, party: Party, *arguments: str | Path, expect: tuple[int, ...] = (0,)) -> Finished:
        """Run a command as `party`."""
        return self.processes.run(party.party_id, arguments, expect)

    def home(self, party: Party) -> Path:
        """The party's folder."""
        return self.places.home(party)


def deposit(story: Story, party: Party, file: ContributorFile, paper: dict[str, Any]) -> list[str]:
    """One contributor masks and deposits one spreadsheet. Returns the series' ids."""
    conditions = papers.write(story.home(party) / f"{file.path.stem}-conditions.json", paper)
    story.narrator.command(f"deposit add {party.party_id} {file.path.name} --conditions {conditions.name}")
    arguments = ("--conditions", conditions, "--default-region", "GB", "--json")
    done = story.run(party, "deposit", "add", story.home(party), file.path, *arguments).json()
    records = sum(item["records"] for item in done["deposits"])
    if records != len(file.identifiers) or done["refused_rows"] != file.malformed:
        raise DemoFailed(f"The {party.name} deposited other records than its file holds.")
    known = next((item for item in story.deposits if item["contributor"] == party.party_id), None)
    if known is None:
        story.deposits.append(
            {"contributor": party.party_id, "records": records, "refused_rows": file.malformed}
        )
    else:
        known["records"] += records
        known["refused_rows"] += file.malformed
    story.narrator.says(
        party.name,
        f"read {file.rows} rows: {records} different identifiers, {file.malformed} rows refused by line and reason.",
    )
    return [item["series_id"] for item in done["deposits"]]


def ask(
    story: Story,
    party: Party,
    case: str,
    file: ContributorFile,
    tier: str,
    *,
    answers: dict[str, Any] | None = None,
    expect: tuple[int, ...] = (0, REFUSED),
) -> dict[str, Any]:
    """One matching request from papers to answer: prepare, the legal desk's finding, send."""
    desk_home, home = story.home(DESK), story.home(party)
    claims = papers.write(home / f"{case}-claims.json", papers.claims(case, int(time.time())))
    request, finding = home / f"{case}-request.jws", home / f"{case}-finding.jws"
    asked = ("--tier", tier, "--claims", claims, "--default-region", "GB", "--out", request, "--json")
    prepared = story.run(party, "request", "prepare", home, file.path, *asked).json()
    template = desk_home / f"{case}-answers.json"
    story.run(DESK, "desk", "answers", desk_home, request, "--out", template)
    if answers:
        papers.write(template, papers.read(template) | answers)
    story.run(DESK, "desk", "find", desk_home, request, "--answers", template, "--out", finding)
    story.narrator.command(
        f"request send {party.party_id} {prepared['request_id'][:8]}... --finding finding.jws"
    )
    sent = story.run(
        party, "request", "send", home, prepared["request_id"], "--finding", finding, "--json", expect=expect
    )
    result: dict[str, Any] = sent.json() | {"exit_code": sent.code, "request_id": prepared["request_id"]}
    return result


def record(story: Story, case: str, tier: str, result: dict[str, Any], expected_hits: int | None) -> None:
    """Put a request and its answer into the report."""
    story.requests.append(
        {
            "case": case,
            "tier": tier,
            "outcome": result.get("outcome", "DENY"),
            "rules": result.get("rules", []),
            "reasons": result.get("reasons", []),
            "law": result.get("law", []),
            "identifiers": result.get("identifiers"),
            "hits": result.get("hits"),
            "expected_hits": expected_hits,
        }
    )


def contributors_deposit(story: Story) -> list[str]:
    """Three contributors deposit four files. Returns the series of the file that will be withdrawn."""
    narrator, now = story.narrator, int(time.time())
    narrator.act(2, "Three contributors mask their own files and deposit them")
    police = ["police"]
    deposit(
        story,
        COMPANY,
        story.data.company,
        papers.conditions("company", "IE", subject="suspect", readers=police, now=now),
    )
    deposit(
        story,
        PAYMENTS,
        story.data.payments,
        papers.conditions("company", "NL", subject="suspect", readers=police, now=now),
    )
    disputed = papers.conditions("company", "NL", subject="other", readers=police, now=now)
    series = deposit(story, PAYMENTS, story.data.payments_disputed, disputed)
    deposit(
        story,
        NGO,
        story.data.ngo,
        papers.conditions("ngo", "DE", subject="possible_victim", readers=police, now=now),
    )
    narrator.saw(
        (
            ("each contributor", "its own file, and nothing of the others'"),
            ("the broker", "tokens and sealed records of one size: no identifier, no salt, no key"),
            ("the holders", "one share each of keys they cannot use alone"),
        )
    )
    return series


def police_counts(story: Story) -> None:
    """The police unit asks how many of its identifiers are known at all."""
    narrator, data = story.narrator, story.data
    narrator.act(3, "The police unit asks: how many of our 40 identifiers does anybody know?")
    result = ask(story, POLICE, "CASE-2026-104-count", data.police, "count", expect=(0,))
    exact = data.pairs(data.company, data.payments, data.payments_disputed, data.ngo)
    story.count = {"noised": result["noised_count"], "exact": exact}
    record(story, "CASE-2026-104-count", "count", result, None)
    narrator.result(f"about {result['noised_count']} matches (noise was added; the exact number was {exact})")
    narrator.saw(
        (
            ("the unit", "one noised number over three contributors"),
            ("each holder", "that the rules admit this case; 40 blinded points"),
            ("the broker", "tokens, and the exact number of matches; not which identifiers"),
        )
    )


def police_hits(story: Story) -> None:
    """The police unit asks which of its identifiers are known."""
    narrator, data = story.narrator, story.data
    narrator.act(4, "The police unit asks: which of them?")
    result = ask(story, POLICE, "CASE-2026-104-hits", data.police, "hits", expect=(0,))
    expected = data.hits(data.company, data.payments, data.payments_disputed, data.ngo)
    _check_hits(result, expected)
    record(story, "CASE-2026-104-hits", "hits", result, len(expected))
    narrator.result(
        f"{result['hits']} of 40 are known; a plain comparison of the files gives {len(expected)}"
    )
    narrator.saw(
        (
            ("the unit", "which of its own identifiers are known; not to whom, and nothing of the rest"),
            ("the contributors", "nothing of who was asked about"),
        )
    )


def refusals(story: Story) -> None:
    """Three requests that the rules refuse."""
    narrator, data = story.narrator, story.data
    narrator.act(5, "Fishing: every contact of a telephone, 600 identifiers at once")
    result = ask(story, POLICE, "CASE-2026-105-fishing", data.fishing, "hits", expect=(REFUSED,))
    _refused(story, "CASE-2026-105-fishing", result)
    narrator.act(6, "Immigration enforcement behind another stated purpose; the legal desk read the papers")
    found = {"purpose": "immigration_enforcement", "offence": "immigration_only"}
    hidden = ask(story, POLICE, "CASE-2026-106-hidden", data.police, "hits", answers=found, expect=(REFUSED,))
    _refused(story, "CASE-2026-106-hidden", hidden)
    narrator.act(7, "A lane that does not exist: an NGO asks what companies hold")
    result = ask(story, NGO, "CASE-2026-107-lane", data.police, "hits", expect=(REFUSED,))
    _refused(story, "CASE-2026-107-lane", result)


def withdrawal(story: Story, series: list[str]) -> None:
    """A contributor withdraws a file; it cannot be matched any more."""
    narrator, data = story.narrator, story.data
    narrator.act(9, "The payments company withdraws its disputed file")
    for one in series:
        arguments = ("--reason", "The accounts were blocked by mistake", "--json")
        done = story.run(PAYMENTS, "deposit", "withdraw", story.home(PAYMENTS), one, *arguments).json()
        narrator.says(
            "Payments company",
            f"withdrew a series; {done['destruction_receipts']} holders signed that they erased it.",
        )
    result = ask(story, POLICE, "CASE-2026-104-again", data.police, "hits", expect=(0,))
    expected = data.hits(data.company, data.payments, data.ngo)
    _check_hits(result, expected)
    record(story, "CASE-2026-104-again", "hits", result, len(expected))
    narrator.result(
        f"the same question now finds {result['hits']}; a plain comparison without that file: {len(expected)}"
    )


def _refused(story: Story, case: str, result: dict[str, Any]) -> None:
    record(story, case, "hits", result, None)
    story.narrator.refusal(result["rules"], result["reasons"], result["law"])


def _check_hits(result: dict[str, Any], expected: frozenset[str]) -> None:
    found = frozenset(text.partition("|")[2] for text in result["matched"])
    if found != expected:
        raise DemoFailed(f"The unit got {len(found)} hits, and a plain comparison gives {len(expected)}.")


__all__ = [
    "Story",
    "contributors_deposit",
    "parties",
    "police_counts",
    "police_hits",
    "refusals",
    "withdrawal",
]
