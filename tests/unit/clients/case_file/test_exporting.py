"""A case folder is all of a case, the same each time, and nothing of what hit nothing."""

import base64
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.protocol.errors import BadInput, Conflict
from broker.protocol.messages.vocabulary import Tier
from clients.case_file.checks import check_case
from clients.case_file.exporting import export
from clients.case_file.folder import read_folder
from clients.case_file.layout import MANIFEST
from clients.home import Home
from clients.requesting.request_folder import RequestFolder
from tests.case_story import ASKED, OPENED, SELECTED, CaseStory, plaintext
from tests.world import POLICE, phone


def test_the_whole_ladder_is_there_and_passes_every_check(story: CaseStory) -> None:
    report = check_case(story.files)
    assert report.manifest.payload.requests == (story.hits, story.sources, story.payload)
    assert (report.manifest.payload.officer, report.manifest.payload.case_reference) == (
        "officer-1",
        "CASE-1",
    )
    assert [step.tier for step in report.papers.steps] == [Tier.HITS, Tier.SOURCES, Tier.PAYLOAD]
    assert [len(step.approvals) for step in report.papers.steps] == [0, 2, 2]
    assert (report.entries, report.records, report.trial, report.pinned) == (9, 4, True, False)
    shown = {
        (paper.opened.contributor, paper.opened.identifier): paper.plaintext
        for paper in report.papers.records
    }
    assert shown == {
        (name, phone(number)): plaintext(name, number)
        for name in ("company-1", "company-2")
        for number in OPENED
    }


def test_exported_twice_it_is_the_same_but_for_the_time(story: CaseStory) -> None:
    again = story.export("again")
    assert again == story.files
    later = story.export("later", now=story.world.now + 60)
    assert {name for name in later if later[name] != story.files[name]} == {MANIFEST}


def test_only_its_owner_can_read_it(story: CaseStory) -> None:
    for path in [story.world.folder / "case", *(story.world.folder / "case").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_what_is_there_already_is_not_touched(story: CaseStory, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("empty", "link"):
        with pytest.raises(Conflict):
            export(
                story.world.homes[POLICE],
                story.payload,
                tmp_path / name,
                story.world.now,
                story.world.random("x"),
            )
    assert sorted(each.name for each in tmp_path.iterdir()) == ["empty", "link"]


def test_a_folder_that_cannot_be_written_leaves_nothing(story: CaseStory, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        export(
            story.world.homes[POLICE],
            story.payload,
            tmp_path / "none" / "case",
            story.world.now,
            story.world.random("x"),
        )
    assert list(tmp_path.iterdir()) == []


def test_a_case_can_end_at_hits_or_sources(story: CaseStory) -> None:
    hits = check_case(story.export("hits", story.hits)).papers.steps
    assert [each.identifier for each in hits[-1].found.found] == [phone(3), phone(7), phone(8), phone(13)]
    sources = check_case(story.export("sources", story.sources)).papers.steps
    assert [len(step.found.found) for step in sources] == [2, 2]


def test_a_count_shows_no_identifier(story: CaseStory) -> None:
    counted = story.world.ask(map(phone, range(30)), Tier.COUNT)
    report = check_case(story.export("count", counted.request_id))
    assert report.papers.steps[0].found.found == ()
    assert b"a number with noise" in story.export("count again", counted.request_id)["INDEX.txt"]
    assert not [data for data in read_folder(story.world.folder / "count").values() if b"phone/1|" in data]


def test_records_that_were_not_opened_are_shown_sealed(story: CaseStory) -> None:
    report = check_case(story.unopened)
    assert report.records == 0
    opening = report.papers.steps[-1].opening
    assert opening is not None
    assert len(opening.records) == 4


def test_without_an_answer_there_is_nothing_to_export(story: CaseStory, tmp_path: Path) -> None:
    prepared = story.world.prepare([phone(3)])
    with pytest.raises(Conflict, match="not answered"):
        export(
            story.world.homes[POLICE],
            prepared.request_id,
            tmp_path / "x",
            story.world.now,
            story.world.random("x"),
        )


def test_after_the_retention_there_is_nothing_to_export(story: CaseStory, tmp_path: Path) -> None:
    shutil.copytree(story.world.folder / POLICE, tmp_path / "home")
    home = Home.open(tmp_path / "home", story.world.random("x"))
    RequestFolder(home.vault, story.hits).forget(story.world.now)
    with pytest.raises(Conflict, match="retention"):
        export(home, story.payload, tmp_path / "x", story.world.now, story.world.random("x"))


# --- what is not in it ---


def spellings(data: bytes, depth: int = 4) -> Iterator[bytes]:
    """The data, and all that stands in it in base64url or hexadecimal, within one another."""
    yield data
    if depth:
        for word in re.findall(rb"[A-Za-z0-9_-]{16,}", data):
            yield from spellings(
                base64.urlsafe_b64decode(word[: len(word) - (len(word) % 4 == 1)] + b"=="), depth - 1
            )
            if re.fullmatch(rb"[0-9a-f]+", word) and len(word) % 2 == 0:
                yield bytes.fromhex(word.decode())


def test_no_hash_blind_salt_or_other_identifier_is_in_it(story: CaseStory) -> None:
    home = story.world.homes[POLICE]
    folder = RequestFolder(home.vault, story.hits)
    everything = b"\n".join(part for data in story.files.values() for part in spellings(data))
    (batch,) = folder.plan().batches
    secrets = [batch.hashes[at : at + 64] for at in range(0, len(batch.hashes), 64)]
    secrets += [batch.blinds[at : at + 32] for at in range(0, len(batch.blinds), 32)]
    secrets += [batch.points[at : at + 32] for at in range(0, len(batch.points), 32)]
    secrets.append(home.salt(story.world.space))
    kept = folder.tokens()
    assert kept is not None
    secrets.append(kept.submission.nonce)
    assert len(secrets) == 3 * len(ASKED) + 2
    assert not [secret for secret in secrets if secret in everything]
    for number in ASKED:
        assert (phone(number).encode() in everything) == (number in SELECTED)
    matched = check_case(story.files).papers.steps[0]
    sent = {
        item.tokens[at : at + 16] for item in kept.submission.lists for at in range(0, len(item.tokens), 16)
    }
    told = [token for token in sent if token in everything]
    answer = folder.answer()
    assert answer is not None
    # The tokens of hits stand in the signed disclosure; those that hit nothing stand nowhere.
    assert matched.disclosure
    assert set(told) == {hit.token for hit in answer.hit_tokens}
