"""One request of the demo, from papers to answer: prepared, found, approved, sent; and on to the next tier.

Rule: each step is a command of the party whose step it is, with the files that were handed to it; the report keeps
what came of each request.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients.demo import papers
from clients.demo.data import ContributorFile
from clients.demo.parties import DESK, Party
from clients.demo.processes import DemoFailed
from clients.demo.story import REFUSED, Story


@dataclass(frozen=True)
class Asked:
    """A request that was prepared: whose, its name in the report, its id, and the files that go round with it."""

    party: Party
    name: str
    tier: str
    request_id: str
    request: Path
    finding: Path
    """Where the legal desk's finding will be."""


def prepare(
    story: Story, party: Party, case: str, file: ContributorFile, tier: str, claims: dict[str, Any]
) -> Asked:
    """The requester blinds a file and signs a request about it."""
    paper, request = _papers(story, party, case, claims)
    asked = ("--tier", tier, "--claims", paper, "--default-region", "GB", "--out", request, "--json")
    done = story.run(party, "request", "prepare", story.home(party), file.path, *asked).json()
    return _asked(story, party, case, tier, done["request_id"], request)


def climb(
    story: Story, before: Asked, case: str, tier: str, claims: dict[str, Any], file: ContributorFile | None
) -> Asked:
    """The requester signs a request for the next tier about matches that it confirmed before."""
    paper, request = _papers(story, before.party, case, claims)
    chosen = _chosen(file)
    arguments = (before.request_id, "--claims", paper, "--out", request, *chosen, "--json")
    done = story.run(before.party, "request", "climb", story.home(before.party), *arguments).json()
    if done["tier"] != tier:
        raise DemoFailed(f"After {before.tier} came {done['tier']}, not {tier}.")
    return _asked(story, before.party, case, tier, done["request_id"], request)


def confirm(story: Story, asked: Asked, officer: str, file: ContributorFile | None = None) -> None:
    """A person looks at the matches, or at those of a file, and signs that they are the same."""
    arguments = (asked.request_id, "--officer", officer, *_chosen(file), "--json")
    done = story.run(asked.party, "request", "confirm", story.home(asked.party), *arguments).json()
    story.narrator.says(
        asked.party.name, f"looked at the matches: {officer} signed for {done['confirmed']} of them."
    )


def find(story: Story, asked: Asked, **answers: Any) -> Path:
    """The legal desk checks the papers and signs what it found: what was claimed, but for `answers`."""
    home = story.home(DESK)
    template = home / f"{asked.name}-answers.json"
    story.run(DESK, "desk", "answers", home, asked.request, "--out", template)
    if answers:
        papers.write(template, papers.read(template) | answers)
    arguments = ("--answers", template, "--out", asked.finding)
    story.run(DESK, "desk", "find", home, asked.request, *arguments)
    return asked.finding


def approve(story: Story, asked: Asked, *people: Party) -> list[Path]:
    """Each person reads request and finding, and signs exactly them."""
    signed = []
    for person in people:
        command = "review" if person.capacity in ("judge", "independent_reviewer") else "approve"
        out = story.home(person) / f"{asked.name}-approval.jws"
        arguments = (asked.request, "--finding", asked.finding, "--out", out, "--json")
        done = story.run(person, command, "sign", story.home(person), *arguments).json()
        story.narrator.says(
            person.name, f"read request and finding, and signed as {done['capacity'].replace('_', ' ')}."
        )
        signed.append(out)
    return signed


def send(
    story: Story, asked: Asked, approvals: list[Path] | None = None, expect: tuple[int, ...] = (0,)
) -> dict[str, Any]:
    """The requester files the request with its papers, has it evaluated, and reads the answer."""
    files = [item for file in approvals or () for item in ("--approval", file)]
    shown = " --approval ..." * len(approvals or ())
    story.narrator.command(
        f"request send {asked.party.party_id} {asked.request_id[:8]}... --finding finding.jws{shown}"
    )
    arguments = (asked.request_id, "--finding", asked.finding, *files, "--json")
    sent = story.run(asked.party, "request", "send", story.home(asked.party), *arguments, expect=expect)
    result: dict[str, Any] = sent.json() | {"exit_code": sent.code, "request_id": asked.request_id}
    return result


def ask(
    story: Story,
    party: Party,
    case: str,
    file: ContributorFile,
    tier: str,
    claims: dict[str, Any] | None = None,
    *,
    answers: dict[str, Any] | None = None,
    by: tuple[Party, ...] = (),
    expect: tuple[int, ...] = (0,),
) -> tuple[Asked, dict[str, Any]]:
    """One matching request from papers to answer."""
    stated = claims or papers.claims(case, int(time.time()))
    asked = prepare(story, party, case, file, tier, stated)
    find(story, asked, **(answers or {}))
    return asked, send(story, asked, approve(story, asked, *by), expect)


def record(
    story: Story,
    name: str,
    tier: str,
    result: dict[str, Any],
    expected_hits: int | None = None,
    payloads: dict[str, Any] | None = None,
) -> None:
    """Put a request and its answer into the report."""
    sources: dict[str, int] = {}
    for source in result.get("sources", []):
        name_of, number = source["contributor"], len(source["identifiers"])
        sources[name_of] = sources.get(name_of, 0) + number
    story.requests.append(
        {
            "case": name,
            "tier": tier,
            "told": result.get("tier"),
            "outcome": result.get("outcome", "DENY"),
            "rules": result.get("rules", []),
            "reasons": result.get("reasons", []),
            "law": result.get("law", []),
            "missed": result.get("missed", []),
            "identifiers": result.get("identifiers"),
            "hits": result.get("hits"),
            "expected_hits": expected_hits,
            "sources": sources,
            "payloads": payloads,
        }
    )


def refused(story: Story, asked: Asked, result: dict[str, Any], lane: str = "") -> None:
    """Report a refusal and tell it; of the clauses that were missed, those of one lane."""
    if result["exit_code"] != REFUSED:
        raise DemoFailed(f"The request {asked.name} was to be refused, and was not.")
    record(story, asked.name, asked.tier, result)
    missed = [line for line in result["missed"] if lane and line.startswith(lane)]
    story.narrator.refusal(result["rules"], result["reasons"], result["law"], missed)


def check_hits(result: dict[str, Any], expected: frozenset[str]) -> None:
    """Hold the hits of an answer against a plain comparison of the files."""
    found = frozenset(text.partition("|")[2] for text in result["matched"])
    if found != expected:
        raise DemoFailed(
            f"The requester got {len(found)} hits, and a plain comparison gives {len(expected)}."
        )


def _papers(story: Story, party: Party, case: str, claims: dict[str, Any]) -> tuple[Path, Path]:
    home = story.home(party)
    return papers.write(home / f"{case}-claims.json", claims), home / f"{case}-request.jws"


def _asked(story: Story, party: Party, case: str, tier: str, request_id: str, request: Path) -> Asked:
    return Asked(party, case, tier, request_id, request, story.home(DESK) / f"{case}-finding.jws")


def _chosen(file: ContributorFile | None) -> tuple[str | Path, ...]:
    return () if file is None else ("--identifiers", file.path, "--default-region", "GB")
