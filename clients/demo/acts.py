"""The demo's first and last acts: deposits, a count, requests that are refused, a withdrawal.

Rule: hits and counts are held against a plain comparison of the generated files, and refusals are told in the rules'
own words.
"""

import time
from typing import Any

from clients.demo import papers
from clients.demo.asking import ask, check_hits, record, refused
from clients.demo.data import ContributorFile
from clients.demo.parties import BORDER, COMPANY, HELPLINE, NGO, PAYMENTS, POLICE, SUPERVISOR, Party
from clients.demo.processes import DemoFailed
from clients.demo.story import REFUSED, Story, tell_together

_NO = (REFUSED,)


def deposit(story: Story, party: Party, file: ContributorFile, **changes: Any) -> list[str]:
    """One contributor masks and deposits one file, under its kind's conditions but for `changes`.

    Returns the series' ids."""
    paper = papers.conditions(party.kind or "", party.jurisdiction, now=int(time.time()), **changes)
    conditions = papers.write(story.home(party) / f"{file.path.stem}-conditions.json", paper)
    story.narrator.command(f"deposit add {party.party_id} {file.path.name} --conditions {conditions.name}")
    arguments = ("--conditions", conditions, "--default-region", "GB", "--json")
    done = story.run(party, "deposit", "add", story.home(party), file.path, *arguments).json()
    records = sum(item["records"] for item in done["deposits"])
    if records != len(file.identifiers) or done["refused_rows"] != file.malformed:
        raise DemoFailed(f"The {party.name} deposited other records than its file holds.")
    known = next((item for item in story.deposits if item["contributor"] == party.party_id), None)
    if known is None:
        known = {"contributor": party.party_id, "records": 0, "refused_rows": 0}
        story.deposits.append(known)
    known["records"] += records
    known["refused_rows"] += file.malformed
    story.narrator.says(
        party.name,
        f"read {file.rows} rows: {records} different identifiers, {file.malformed} rows refused by line and reason.",
    )
    return [item["series_id"] for item in done["deposits"]]


def contributors_deposit(story: Story) -> list[str]:
    """Five contributors deposit six files. Returns the series of the file that will be withdrawn."""
    data, disputed = story.data, list[str]()
    purposes = ["identify_victim", "investigate_trafficker", "locate_missing", "disrupt_advert"]

    def company(aside: Story) -> None:
        readers = ["police", "company"]
        wide = {"permitted_readers": readers, "permitted_purposes": purposes, "transfer_ground": "safeguards"}
        deposit(aside, COMPANY, data.company, **wide)

    def payments(aside: Story) -> None:
        deposit(aside, PAYMENTS, data.payments)
        bare = {"subject": "other", "payload_category": "none", "highest_tier": "hits"}
        disputed.extend(deposit(aside, PAYMENTS, data.payments_disputed, **bare))

    def others(aside: Story) -> None:
        deposit(aside, NGO, data.ngo)
        deposit(aside, HELPLINE, data.helpline)
        deposit(aside, BORDER, data.border)

    story.narrator.act("Five contributors mask their own files and deposit them, each on its own conditions")
    tell_together(story, (company, payments, others))
    story.narrator.saw(
        (
            ("each contributor", "its own file, and nothing of the others'"),
            ("the broker", "tokens and sealed records of one size: no identifier, no salt, no key"),
            ("the holders", "one share each of keys they cannot use alone"),
        )
    )
    return disputed


def police_counts(story: Story) -> None:
    """The police unit asks how many of its identifiers are known at all."""
    narrator, data = story.narrator, story.data
    narrator.act("The police unit asks: how many of our 40 identifiers does anybody know?")
    _, result = ask(story, POLICE, "CASE-2026-104-count", data.police, "count")
    exact = data.pairs(data.company, data.payments, data.payments_disputed, data.ngo)
    story.count.update(noised=result["noised_count"], exact=exact)
    record(story, "CASE-2026-104-count", "count", result)
    narrator.result(f"about {result['noised_count']} matches (noise was added; the exact number was {exact})")
    narrator.saw(
        (
            ("the unit", "one noised number over three contributors"),
            ("each holder", "that the rules admit this case; 40 blinded points"),
            ("the broker", "tokens, and the exact number of matches; not which identifiers"),
        )
    )


def fishing(story: Story) -> None:
    """Too many identifiers at once."""
    story.narrator.act("Fishing: every contact of a telephone, 600 identifiers at once")
    refused(story, *ask(story, POLICE, "CASE-2026-105-fishing", story.data.fishing, "hits", expect=_NO))


def hidden_purpose(story: Story) -> None:
    """The form says one thing, the papers another."""
    story.narrator.act(
        "Immigration enforcement behind another stated purpose; the legal desk read the papers"
    )
    found = {"purpose": "immigration_enforcement", "offence": "immigration_only"}
    name, file = "CASE-2026-106-hidden", story.data.police
    refused(story, *ask(story, POLICE, name, file, "hits", answers=found, expect=_NO))


def no_lane(story: Story) -> None:
    """There is no way from companies to an NGO."""
    story.narrator.act("A lane that does not exist: an NGO asks what companies hold")
    refused(story, *ask(story, NGO, "CASE-2026-107-lane", story.data.police, "hits", expect=_NO))


def outside_mandate(story: Story) -> None:
    """The founders gave the border police one purpose."""
    story.narrator.act("Outside the mandate: border police, there for traffickers, ask about victims")
    claims = papers.claims("CASE-2026-115-mandate", int(time.time()), basis_jurisdiction="DE", place="DE")
    name, file = "CASE-2026-115-mandate", story.data.border
    refused(story, *ask(story, BORDER, name, file, "hits", claims, expect=_NO), lane="G2")


def withdrawal(story: Story, series: list[str]) -> None:
    """A contributor withdraws a file; it cannot be matched any more."""
    narrator, data = story.narrator, story.data
    narrator.act("The payments company withdraws its disputed file")
    for one in series:
        arguments = ("--reason", "The accounts were blocked by mistake", "--json")
        done = story.run(PAYMENTS, "deposit", "withdraw", story.home(PAYMENTS), one, *arguments).json()
        narrator.says(
            "Payments company",
            f"withdrew a series; {done['destruction_receipts']} holders signed that they erased it.",
        )
    # The fourth time that the unit finds some of them in a month: somebody has to approve it (L10a).
    _, result = ask(story, POLICE, "CASE-2026-104-again", data.police, "hits", by=(SUPERVISOR,))
    expected = data.hits(data.company, data.payments, data.ngo)
    check_hits(result, expected)
    record(story, "CASE-2026-104-again", "hits", result, len(expected))
    narrator.result(
        f"the same question now finds {result['hits']}; a plain comparison without that file: {len(expected)}"
    )
