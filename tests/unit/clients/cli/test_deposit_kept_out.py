"""A person withdraws, and the nightly file still has them: they stay out, by line, until they agree anew."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.protocol.messages.base import encode
from broker.protocol.messages.consent import ConsentTerms, ContestState
from broker.protocol.messages.vocabulary import (
    AgencyKind,
    Collection,
    Consent,
    PayloadCategory,
    Purpose,
    Subject,
)
from broker.store import deposits as broker_rows
from clients.cli.main import app
from clients.deposit_changes.kept_out import UNUSED_SECONDS, KeptOut
from clients.deposit_changes.taking_back import TakingBack
from clients.depositing import local_references
from clients.depositing.deposit_folder import all_deposits
from clients.home import Home
from clients.persons.contesting import Contesting
from tests.contributor_case import CONDITIONS, DAY_SECONDS, ContributorCase

pytestmark = pytest.mark.all_only

ON_CONSENT = CONDITIONS.model_copy(
    update={
        "contributor_kind": AgencyKind.HELPLINE,
        "permitted_readers": (AgencyKind.POLICE,),
        "lawful_ground": "consent",
        "collection": Collection.USER_REPORT,
        "inclusion_criterion": "The caller asked us to tell others",
        "subject": Subject.VICTIM,
        "consent": Consent.GIVEN,
        "permitted_purposes": (Purpose.IDENTIFY_VICTIM,),
        "retain_until": CONDITIONS.retain_until - 30 * DAY_SECONDS,
    }
)
WITH_PAYLOAD = ON_CONSENT.model_copy(update={"payload_category": PayloadCategory.OWN_REPORT})
GB = ("--default-region", "GB")
TONIGHT = "phone,reference\n07700 900101,H-17\n07700 900102,H-17\n07700 900103,H-18\n"


class Desk:
    """A helpline's desk with a nightly file, at a real broker."""

    def __init__(self, case: ContributorCase) -> None:
        self.case = case
        self.home = case.company.vault.directory
        self.file = case.folder / "tonight.csv"
        self.conditions = case.folder / "conditions.json"
        self.conditions.write_bytes(encode(ON_CONSENT))

    def call(self, *words: str | Path, code: int = 0) -> Result:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == code, result.output + result.stderr
        assert "7700" not in result.output + result.stderr
        return result

    def json(self, *words: str | Path) -> Any:
        return json.loads(self.call(*words, "--json").stdout)

    def sync(self, text: str, *more: str | Path) -> tuple[list[int], list[int]]:
        """What changed (new, gone, replaced, unchanged), and the lines that were left out."""
        self.file.write_text(text)
        options = ("--conditions", self.conditions, "--default-region", "GB", "--reason", "Nightly export")
        told = self.json("deposit", "sync", self.home, self.file, *options, *more)
        assert told["left_out_rows"] == len(told["left_out"])
        (series,) = told["series"]
        changes = [series[name] for name in ("new", "gone", "replaced", "unchanged")]
        return changes, [row["line"] for row in told["left_out"]]

    def add(self, text: str, *more: str | Path) -> Any:
        self.file.write_text(text)
        options = ("--conditions", self.conditions, "--default-region", "GB")
        return self.json("deposit", "add", self.home, self.file, *options, *more)

    def replace(self, text: str) -> Any:
        self.file.write_text(text)
        return self.json("deposit", "replace", self.home, self.file, "--reason", "Corrected", *GB)

    def called(self) -> list[set[str]]:
        """What each record that serves is called here, in order."""
        opened = Home.open(self.home, os.urandom)
        found = [
            set(local_references.parts(text))
            for deposit in all_deposits(opened)
            for _, text in local_references.all_references(deposit)
        ]
        return sorted(found, key=sorted)

    def versions(self) -> list[int]:
        """The record versions of what lies at the broker, without test records."""
        found = []
        with self.case.broker.database.read() as connection:
            for deposit in all_deposits(Home.open(self.home, os.urandom)):
                stored = broker_rows.find(connection, deposit.deposit_id)
                assert stored is not None
                test = deposit.declaration.payload.self_test_token
                records = broker_rows.all_records(connection, stored.deposit_number)
                found += [each.record_version for each in records if each.token != test]
        return found

    def withdraw(self, reference: str) -> None:
        opened = Home.open(self.home, os.urandom)
        acts = TakingBack(opened, self.case.caller(opened), self.case.clock, os.urandom)
        acts.withdraw_reference(reference, "Taken back")

    def consent(self, reference: str, given_at: int) -> None:
        paper = self.case.folder / "consent.json"
        terms = ConsentTerms(
            purposes=ON_CONSENT.permitted_purposes,
            readers=ON_CONSENT.permitted_readers,
            highest_tier=ON_CONSENT.highest_tier,
            words_shown="May we tell others?",
            how_given="On the telephone",
            taken_by="Desk",
            given_at=given_at,
            until_at=ON_CONSENT.retain_until,
        )
        paper.write_bytes(encode(terms))
        papers = ("--paper", paper, "--conditions", self.conditions)
        self.call("consent", "record", self.home, "--reference", reference, *papers)

    def contest(self, reference: str) -> None:
        self._contesting().contest(reference, "Not hers")

    def decide(self, reference: str, state: ContestState) -> None:
        self._contesting().decide(reference, state, "Looked into")

    def _contesting(self) -> Contesting:
        opened = Home.open(self.home, os.urandom)
        return Contesting(opened, self.case.caller(opened), self.case.clock, os.urandom)

    def records(self) -> int:
        """How many records lie at the broker, without test records."""
        return sum(self.case.stored().values())


@pytest.fixture
def desk(tmp_path: Path, commands_reach: Callable[[ContributorCase], None]) -> Iterator[Desk]:
    case = ContributorCase(tmp_path)
    commands_reach(case)
    case.company = case.agency("survivors-helpline", AgencyKind.HELPLINE)
    case.found()
    yield Desk(case)
    case.close()


def test_what_a_person_took_back_is_put_in_again_by_neither_sync_nor_add_until_they_agree_anew(
    desk: Desk,
) -> None:
    desk.consent("H-17", desk.case.now)
    assert desk.sync(TONIGHT) == ([3, 0, 0, 0], [])
    desk.withdraw("H-17")
    assert desk.records() == 1
    assert desk.sync(TONIGHT) == ([0, 0, 0, 1], [2, 3])
    assert [row["line"] for row in desk.add(TONIGHT)["left_out"]] == [2, 3]
    assert desk.records() == 1 + 1, "the one of the other person, in a deposit of its own"

    # The reference was dropped from the export, or is another one: the identifier is known all the same.
    renamed = TONIGHT.replace("101,H-17", "101,").replace("102,H-17", "102,H-99")
    assert desk.sync(renamed)[1] == [2, 3]
    # A new number of the same person: the reference is.
    assert desk.sync(TONIGHT + "07700 900104,H-17\n")[1] == [2, 3, 5]

    # An older consent does not lift it; a later one does.
    desk.consent("H-17", desk.case.now)
    assert desk.sync(TONIGHT)[1] == [2, 3]
    desk.case.now += 60
    desk.consent("H-17", desk.case.now)
    changes, left_out = desk.sync(TONIGHT)
    assert (changes[0], left_out) == (2, [])
    # And is itself withdrawn.
    desk.case.now += 60
    desk.withdraw("H-17")
    assert desk.sync(TONIGHT)[1] == [2, 3]


def test_a_later_consent_for_other_conditions_lets_nothing_in(desk: Desk) -> None:
    desk.sync(TONIGHT)
    desk.withdraw("H-17")
    desk.case.now += 60
    desk.consent("H-17", desk.case.now)
    wider = ON_CONSENT.model_copy(update={"permitted_jurisdictions": ("IE", "NL", "DE")})
    desk.conditions.write_bytes(encode(wider))
    assert [row["line"] for row in desk.add(TONIGHT)["left_out"]] == [2, 3]


def test_the_lines_are_in_the_file_of_refused_rows_and_words_say_why(desk: Desk, tmp_path: Path) -> None:
    desk.sync(TONIGHT)
    desk.withdraw("H-17")
    desk.file.write_text(TONIGHT)
    options = ("--conditions", desk.conditions, "--default-region", "GB", "--reason", "Nightly export")
    refused = tmp_path / "refused.csv"
    told = desk.call("deposit", "sync", desk.home, desk.file, *options, "--refused", refused)
    assert "line 2, 3: Left out: it was taken back because a person withdrew." in told.stderr
    assert "2 rows were left out" in told.stderr
    lines = refused.read_text().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["line", "2", "3"]
    assert "7700" not in refused.read_text()
    assert "H-17" not in told.output + told.stderr


def test_what_still_serves_under_another_reference_is_not_taken_back_by_a_mark(desk: Desk) -> None:
    desk.add("phone,reference\n07700 900101,H-17\n")
    desk.add("phone,reference\n07700 900101,H-18\n07700 900102,H-18\n")
    desk.withdraw("H-17")
    assert desk.records() == 2
    assert desk.sync("phone,reference\n07700 900101,H-18\n07700 900102,H-18\n") == ([0, 0, 0, 2], [2])
    assert desk.records() == 2


def test_numbers_taken_back_from_a_list_on_a_persons_word_stay_out_and_mistakes_do_not(desk: Desk) -> None:
    desk.sync(TONIGHT)
    for number, more in (("101", ("--consent-withdrawn",)), ("103", ())):
        mistaken = desk.case.folder / "list.csv"
        mistaken.write_text(f"phone\n07700 900{number}\n")
        options = ("--reason", "Taken back", "--default-region", "GB", *more)
        desk.call("deposit", "withdraw-identifiers", desk.home, mistaken, *options)
    assert desk.records() == 1
    changes, left_out = desk.sync(TONIGHT)
    assert (changes[0], left_out) == (1, [2])
    assert desk.records() == 2


def test_marks_hold_under_a_new_salt_and_while_the_export_has_the_row(desk: Desk) -> None:
    desk.sync(TONIGHT)
    desk.withdraw("H-17")
    rosters = desk.case.founder(Home.open(desk.home, os.urandom))
    desk.case.pin(rosters.rotate_salt(None))
    renamed = TONIGHT.replace("H-17", "")
    assert [row["line"] for row in desk.add(renamed, "--dry-run")["left_out"]] == [2, 3]

    desk.case.now += UNUSED_SECONDS - DAY_SECONDS
    assert [row["line"] for row in desk.add(renamed, "--dry-run")["left_out"]] == [2, 3]
    desk.case.now += UNUSED_SECONDS - DAY_SECONDS
    assert [row["line"] for row in desk.add(renamed, "--dry-run")["left_out"]] == [2, 3]
    desk.case.now += UNUSED_SECONDS
    assert desk.add(renamed, "--dry-run")["left_out"] == []
    assert not KeptOut(Home.open(desk.home, os.urandom), desk.case.now, os.urandom).marks()


def test_what_is_contested_stays_out_until_it_is_decided_whatever_anybody_agreed_to(desk: Desk) -> None:
    desk.sync(TONIGHT)
    home = Home.open(desk.home, os.urandom)
    KeptOut(home, desk.case.now, os.urandom).keep_out("contested", references=["H-17"])
    desk.case.now += 60
    desk.consent("H-17", desk.case.now)
    assert desk.sync(TONIGHT) == ([0, 2, 0, 1], [2, 3])
    KeptOut(home, desk.case.now, os.urandom).end("contested", [], ["H-17"], None)
    assert desk.sync(TONIGHT) == ([2, 0, 0, 1], [])


def test_what_was_upheld_goes_in_again_with_the_very_same_file_by_add_as_by_sync(desk: Desk) -> None:
    desk.add(TONIGHT)
    desk.contest("H-17")
    assert [row["line"] for row in desk.add(TONIGHT, "--dry-run")["left_out"]] == [2, 3]
    desk.decide("H-17", ContestState.UPHELD)
    told = desk.add(TONIGHT)
    (put_back,) = told["deposits"]
    assert (told["left_out"], put_back["records"], put_back["elsewhere"]) == ([], 2, 1)
    assert desk.records() == 3
    assert desk.sync(TONIGHT) == ([0, 0, 0, 3], [])
    words = desk.call("deposit", "add", desk.home, desk.file, "--conditions", desk.conditions, *GB).stdout
    assert "1 phone: was deposited before and serves; 2 more of the file serve in other deposits" in words

    desk.contest("H-17")
    desk.decide("H-17", ContestState.WITHDRAWN)
    assert [row["line"] for row in desk.add(TONIGHT, "--dry-run")["left_out"]] == [2, 3]
    assert desk.sync(TONIGHT) == ([0, 0, 0, 1], [2, 3])


SHARED = "phone,reference,note\n07700 900101,H-17,{0}\n07700 900101,H-18,{0}\n07700 900102,H-18,{0}\n"


def test_replacing_leaves_out_whose_person_withdrew_and_takes_their_part_out_of_what_is_shared(
    desk: Desk,
) -> None:
    desk.conditions.write_bytes(encode(WITH_PAYLOAD))
    desk.add(SHARED.format("first"))
    desk.withdraw("H-17")
    assert desk.records() == 2, "one holds what another person gave too"
    told = desk.replace(SHARED.format("second"))
    assert [row["line"] for row in told["left_out"]] == [2]
    assert told["left_out"][0]["reason"].startswith("Left out: it was taken back because a person withdrew.")
    assert [each["records"] for each in told["deposits"]] == [2]
    assert desk.called() == [{"H-18"}, {"H-18"}]

    desk.case.now += 60
    desk.consent("H-17", desk.case.now)
    desk.consent("H-18", desk.case.now)
    told = desk.replace(SHARED.format("third"))
    assert (told["left_out_rows"], [each["records"] for each in told["deposits"]]) == (0, [2])
    assert desk.called() == [{"H-17", "H-18"}, {"H-18"}]


def test_what_serves_under_another_reference_is_not_replaced_while_the_identifier_is_kept_out(
    desk: Desk,
) -> None:
    desk.conditions.write_bytes(encode(WITH_PAYLOAD))
    desk.add("phone,reference,note\n07700 900101,H-17,first\n")
    desk.add("phone,reference,note\n07700 900101,H-18,first\n")
    desk.withdraw("H-17")
    before = desk.versions()
    for renamed in ("H-18", "H-99", "H-17"):
        desk.file.write_text(f"phone,reference,note\n07700 900101,{renamed},second\n")
        words = ("deposit", "replace", desk.home, desk.file, "--reason", "Corrected", *GB)
        refused = desk.call(*words, code=6).stderr
        assert "line 2: Left out: it was taken back because a person withdrew." in refused
        assert "1 rows were left out, since they were taken back; --json names their lines." in refused
        assert "Every line was left out, so nothing was replaced." in refused
    assert desk.versions() == before == [1]
    desk.case.now += 60
    desk.consent("H-18", desk.case.now)
    assert desk.replace("phone,reference,note\n07700 900101,H-18,second\n")["left_out"] == []
    assert desk.versions() == [2]


def test_what_is_contested_is_not_replaced_until_it_is_upheld(desk: Desk) -> None:
    desk.conditions.write_bytes(encode(WITH_PAYLOAD))
    desk.add(SHARED.format("first"))
    desk.contest("H-17")
    told = desk.replace(SHARED.format("second"))
    assert [(row["line"], row["reason"][:25]) for row in told["left_out"]] == [
        (2, "Left out: it is contested")
    ]
    assert desk.called() == [{"H-18"}, {"H-18"}]
    desk.decide("H-17", ContestState.UPHELD)
    assert desk.replace(SHARED.format("third"))["left_out"] == []
    assert desk.called() == [{"H-17", "H-18"}, {"H-18"}]
