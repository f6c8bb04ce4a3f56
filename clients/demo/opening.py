"""The last step of the ladder: contributors release or refuse their own records, and the requester opens the rest.

Rule: a contributor sees its own reference and never an identifier; what was opened is told by number and kind, and
held against the generated files. The records themselves stay in the requester's folder.
"""

import csv
import json
from collections import Counter
from typing import Any

from clients.demo.asking import Asked
from clients.demo.data import ContributorFile
from clients.demo.parties import Party
from clients.demo.processes import DemoFailed
from clients.demo.story import Story


def answer_release(story: Story, contributor: Party, asked: Asked, reason: str | None = None) -> None:
    """A contributor looks at what it is asked, and releases its records, or refuses with a reason."""
    home = story.home(contributor)
    listed = story.run(contributor, "release", "list", home, "--json").json()["asks"]
    asks = [each for each in listed if not each["answered"]]
    if not asks:
        raise DemoFailed(f"The {contributor.name} was asked for no release.")
    for ask in asks:
        references = ", ".join(ask["references"])
        story.narrator.command(f"release list {contributor.party_id}")
        story.narrator.says(
            contributor.name,
            f"is asked for {len(ask['references'])} of its records, by its own reference: {references}. "
            f"The {ask['requester']} asks, to {ask['purpose'].replace('_', ' ')}, on {ask['instrument']}.",
        )
        permit, word = ask["permit_id"], "give" if reason is None else "refuse"
        said = () if reason is None else ("--reason", reason)
        story.narrator.command(f"release {word} {contributor.party_id} {permit[:8]}...")
        arguments = (permit, "--series", ask["series_id"], *said, "--json")
        story.run(contributor, "release", word, home, *arguments)
        quoted = "released them." if reason is None else f'refused: "{reason}"'
        story.narrator.says(contributor.name, quoted)


def submit_again(story: Story, asked: Asked) -> dict[str, Any]:
    """The requester fetches the answer that contributors were waited for."""
    story.narrator.command(f"request submit {asked.party.party_id} {asked.request_id[:8]}...")
    arguments = (story.home(asked.party), asked.request_id, "--json")
    sent = story.run(asked.party, "request", "submit", *arguments)
    result: dict[str, Any] = sent.json() | {"exit_code": sent.code, "request_id": asked.request_id}
    return result


def open_records(
    story: Story, asked: Asked, kind: str, holders: dict[Party, ContributorFile]
) -> dict[str, Any]:
    """The requester opens what was released; it must be what its contributors wrote in their files."""
    out = story.home(asked.party) / f"{asked.name}-opened.json"
    story.narrator.command(f"request open {asked.party.party_id} {asked.request_id[:8]}... --out opened.json")
    arguments = (story.home(asked.party), asked.request_id, "--out", out, "--json")
    opened = story.run(asked.party, "request", "open", *arguments).json()
    records = json.loads(out.read_text())
    names = {party.party_id: party.name for party in holders}
    notes = {party.party_id: _notes(file) for party, file in holders.items()}
    for record in records:
        written = notes.get(record["contributor"], frozenset())
        if not {each["attributes"]["note"] for each in record["record"]["signals"]} <= written:
            raise DemoFailed("A record opened to something that its contributor did not write.")
    by = Counter(record["contributor"] for record in records)
    if opened["payloads"] != len(records) or set(by) != set(names):
        raise DemoFailed("Not every record that was released opened.")
    told = ", ".join(f"{number} of the {names[name]}" for name, number in sorted(by.items()))
    story.narrator.result(
        f"{len(records)} records opened ({kind.replace('_', ' ')}), as their contributors wrote them: {told}"
    )
    return {"opened": len(records), "by_contributor": dict(sorted(by.items())), "category": kind}


def _notes(file: ContributorFile) -> frozenset[str]:
    with file.path.open(encoding="utf-8", newline="") as lines:
        return frozenset(row["note"] for row in csv.DictReader(lines))
