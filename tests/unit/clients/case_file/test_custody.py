"""A folder goes from hand to hand: each signs for all before, and only who has it can hand it on."""

from pathlib import Path

import pytest

from broker.protocol import documents
from broker.protocol.errors import Conflict, NotPermitted
from broker.protocol.messages.vocabulary import Role
from clients.case_file.checks import CheckFailed, check_case
from clients.case_file.exporting import hand_over
from clients.case_file.folder import add_hand_over, read_folder, write_folder
from clients.case_file.papers import HandOver
from clients.home import Home, Persona
from tests.case_story import CaseStory


def copy(story: CaseStory, tmp_path: Path) -> Path:
    folder = tmp_path / "case"
    write_folder(folder, story.files, story.world.random("copy"))
    return folder


def court(story: CaseStory, tmp_path: Path, name: str = "District court", party_id: str = "court-1") -> Home:
    persona = Persona(party_id, name, Role.AUDITOR, "NL")
    return Home.create(
        tmp_path / f"home-{party_id}", persona, now=story.world.now, random_bytes=story.world.random("c")
    )


def give(story: CaseStory, folder: Path, home: Home, to: str) -> None:
    hand_over(home, folder, to, story.world.now + 60, story.world.random("custody"))


def test_from_police_to_prosecutor_to_court(story: CaseStory, tmp_path: Path) -> None:
    folder, judge = copy(story, tmp_path), court(story, tmp_path)
    give(story, folder, story.world.homes["unit-1"], "Prosecutor 1")
    give(story, folder, story.world.homes["prosecutor-1"], "District court")
    give(story, folder, judge, "Archive")
    chain = check_case(read_folder(folder)).custody
    assert [(each.party_id, each.to, each.known) for each in chain] == [
        ("unit-1", "Prosecutor 1", True),
        ("prosecutor-1", "District court", True),
        ("court-1", "Archive", False),
    ]
    assert chain[2].kid == judge.identity.kid


def test_only_who_has_the_folder_hands_it_on(story: CaseStory, tmp_path: Path) -> None:
    folder = copy(story, tmp_path)
    with pytest.raises(NotPermitted):
        give(story, folder, story.world.homes["prosecutor-1"], "District court")
    give(story, folder, story.world.homes["unit-1"], "prosecutor-1")
    # A stranger who took the name of a person of the space is not that person.
    with pytest.raises(NotPermitted):
        give(story, folder, court(story, tmp_path, "prosecutor-1", "stranger-1"), "District court")
    with pytest.raises(NotPermitted):
        give(story, folder, story.world.homes["unit-1"], "somebody else")
    assert len(check_case(read_folder(folder)).custody) == 1


def test_a_hand_over_that_was_taken_out_or_changed_is_found(story: CaseStory, tmp_path: Path) -> None:
    folder = copy(story, tmp_path)
    give(story, folder, story.world.homes["unit-1"], "Prosecutor 1")
    give(story, folder, story.world.homes["prosecutor-1"], "District court")
    files = read_folder(folder)
    first, second = files["custody/1.jws"], files["custody/2.jws"]
    rest = {name: data for name, data in files.items() if not name.startswith("custody/")}
    for custody in (
        {"custody/2.jws": second},
        {"custody/1.jws": second},
        {"custody/1.jws": second, "custody/2.jws": first},
        {"custody/1.jws": first[:-1], "custody/2.jws": second},
        {"custody/1.jws": first, "custody/2.jws": second, "custody/note": b"x"},
        {"custody/1.jws": b"\xff"},
    ):
        with pytest.raises(CheckFailed) as caught:
            check_case(rest | custody)
        assert caught.value.name == "custody"
    # The stated limit: the newest can be taken away, and the folder is what it was before.
    assert len(check_case(rest | {"custody/1.jws": first}).custody) == 1


def test_a_hand_over_signs_for_this_folder_alone(story: CaseStory, tmp_path: Path) -> None:
    folder = copy(story, tmp_path)
    give(story, folder, story.world.homes["unit-1"], "Prosecutor 1")
    moved = story.export("elsewhere", now=story.world.now + 1) | {
        "custody/1.jws": read_folder(folder)["custody/1.jws"]
    }
    with pytest.raises(CheckFailed) as caught:
        check_case(moved)
    assert caught.value.name == "custody"


def test_a_name_of_the_space_needs_its_key(story: CaseStory, tmp_path: Path) -> None:
    impostor = court(story, tmp_path, "Unit 1", "unit-1")
    folder = copy(story, tmp_path)
    give(story, folder, story.world.homes["unit-1"], "Prosecutor 1")
    files = read_folder(folder)
    true = documents.unverified_payload(HandOver, files["custody/1.jws"].decode())
    false = documents.sign(true.model_copy(update={"enrolment": impostor.enrolment}), impostor.signing_key)
    with pytest.raises(CheckFailed, match="another key"):
        check_case(files | {"custody/1.jws": false.document.encode()})


def test_time_does_not_run_backwards(story: CaseStory, tmp_path: Path) -> None:
    files, home = dict(story.files), story.world.homes["unit-1"]
    folder = copy(story, tmp_path)
    give(story, folder, home, "Prosecutor 1")
    true = documents.unverified_payload(HandOver, read_folder(folder)["custody/1.jws"].decode())
    early = documents.sign(true.model_copy(update={"handed_at": story.world.now - 1}), home.signing_key)
    with pytest.raises(CheckFailed, match="older"):
        check_case(files | {"custody/1.jws": early.document.encode()})


def test_a_broken_folder_is_not_handed_over(story: CaseStory, tmp_path: Path) -> None:
    folder = copy(story, tmp_path)
    (folder / "records" / "1" / "plaintext").write_bytes(b"{}")
    with pytest.raises(CheckFailed):
        give(story, folder, story.world.homes["unit-1"], "Prosecutor 1")
    assert not (folder / "custody").exists()


def test_of_two_who_hand_over_at_once_one_is_told(story: CaseStory, tmp_path: Path) -> None:
    folder = copy(story, tmp_path)
    add_hand_over(folder, 1, "a.b.c", story.world.random("custody"))
    with pytest.raises(Conflict):
        add_hand_over(folder, 1, "d.e.f", story.world.random("custody"))
    assert [each.name for each in (folder / "custody").iterdir()] == ["1.jws"]
    assert (folder / "custody" / "1.jws").read_text() == "a.b.c"
