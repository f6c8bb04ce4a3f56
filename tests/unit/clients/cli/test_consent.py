"""`narrowgate consent` at a helpline's desk: opened, followed, withdrawn, and what the person is not told."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.protocol import documents
from broker.protocol.messages.consent import ConsentTerms
from broker.protocol.messages.ladder import ContributorRelease
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import Consent
from broker.store import deposits as broker_rows
from clients.cli.main import app
from clients.deposit_changes.sieve import Sieve
from clients.depositing.deposit_folder import DepositFolder, KeptAsk, all_deposits
from clients.depositing.local_references import all_references
from clients.home import Home
from clients.persons import consent_record
from clients.persons.consent_case import Cases, OpenedCase, Step
from tests.contributor_case import CONDITIONS, ContributorCase, Killed

pytestmark = pytest.mark.all_only

REFERENCES = {
    "phone/1|+447700900101": "H-17",
    "phone/1|+447700900102": "H-17; H-18",
    "phone/1|+447700900103": "H-18",
    "phone/1|+447700900104": "H-19",
}
ROWS = [(text, b'{"signals":[]}') for text in REFERENCES]
PERMIT = bytes(range(16))


class Desk:
    """The helpline's desk: its home, and the last number and PIN that were given out."""

    def __init__(self, case: ContributorCase, patch: pytest.MonkeyPatch) -> None:
        self.case = case
        self.patch = patch
        self.number = ""

    def call(self, *words: str, code: int = 0) -> Result:
        arguments = ["consent", words[0], str(self.case.company.vault.directory), *words[1:]]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == code, result.output + result.stderr
        assert "7700" not in result.output + result.stderr
        return result

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.call(*words, "--json", code=code).stdout)

    def open(self, reference: str, *more: str) -> None:
        given = self.json("open", "--reference", reference, *more)
        self.number = given["number"]
        self.patch.setenv("NARROWGATE_PIN", given["pin"])

    @property
    def deposit(self) -> DepositFolder:
        (found,) = all_deposits(Home.open(self.case.company.vault.directory, os.urandom))
        return found

    def asked_about(self, reference: str) -> None:
        """What `narrowgate release list` keeps once the helpline looked."""
        tokens = [token for token, text in all_references(self.deposit) if text == reference]
        self.deposit.keep_ask(
            KeptAsk(
                permit_id=PERMIT,
                series_id=self.deposit.declaration.payload.series_id,
                tokens=b"".join(tokens),
                asked_at=self.case.now,
                until_at=self.case.now + 86_400,
            )
        )

    def answered(self, released: bool) -> None:
        series_id = self.deposit.declaration.payload.series_id
        said = ContributorRelease(
            permit_id=PERMIT,
            request_digest=bytes(32),
            series_id=series_id,
            released=released,
            reason="",
            answered_at=self.case.now,
        )
        name = f"releases/{PERMIT.hex()}/{series_id.hex()}.jws"
        home = self.case.company
        home.vault.write_text(name, documents.sign(said, home.signing_key).document)

    def cases(self) -> Cases:
        return Cases(Home.open(self.case.company.vault.directory, os.urandom), self.case.now, os.urandom)

    def left_out(self, conditions: Conditions = CONDITIONS) -> list[str]:
        """The references of which a file's row would be left out."""
        home = Home.open(self.case.company.vault.directory, os.urandom)
        sieve = Sieve(home, home.space().payload, self.case.now, os.urandom)
        return sorted(
            called
            for text, called in REFERENCES.items()
            if sieve.why_left_out(text, called, conditions) is not None
        )

    def at_the_broker(self) -> int:
        with self.case.broker.database.read() as connection:
            stored = broker_rows.find(connection, self.deposit.deposit_id)
            assert stored is not None
            return len(list(broker_rows.all_records(connection, stored.deposit_number))) - 1


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commands_reach: Callable[[ContributorCase], None]
) -> Iterator[Desk]:
    case = ContributorCase(tmp_path)
    commands_reach(case)
    monkeypatch.setattr("clients.persons.consent_case._LOG2_N", 10)
    space = case.found().payload
    series_id = case.contributor().open_series(space, "phone", CONDITIONS)
    case.contributor().deposit(series_id, ROWS, references=REFERENCES)
    yield Desk(case, monkeypatch)
    case.close()


def test_a_person_follows_and_withdraws_and_only_tokens_leave_the_home(desk: Desk) -> None:
    desk.open("H-19")
    calls = len(desk.case.wire.calls)
    told = desk.json("follow", desk.number)
    assert (told["records"], told["withdrawn_at"]) == (1, None)
    assert len(desk.case.wire.calls) == calls, "following calls nobody"
    done = desk.json("withdraw", desk.number)
    assert (done["records"], done["complete"], desk.at_the_broker()) == (1, True, 3)
    on_disk = b"".join(path.read_bytes() for path in desk.case.folder.glob("broker.sqlite3*"))
    for secret in ("H-19", desk.number, desk.number.replace("-", ""), os.environ["NARROWGATE_PIN"]):
        assert secret.encode() not in on_disk
    told = desk.json("follow", desk.number)
    assert (told["records"], told["withdrawn_at"]) == (0, desk.case.now)
    assert "It was withdrawn on" in desk.call("follow", desk.number).stdout
    assert desk.json("withdraw", desk.number)["records"] == 0


def test_what_two_people_gave_is_not_taken_back_by_one_unless_the_desk_says_so(desk: Desk) -> None:
    desk.open("H-17")
    done = desk.json("withdraw", desk.number)
    assert (done["records"], done["shared"], done["complete"]) == (1, 1, False)
    assert desk.json("follow", desk.number)["withdrawn_at"] is None
    assert "another person gave too" in desk.call("withdraw", desk.number).stdout
    done = desk.json("withdraw", desk.number, "--shared-too")
    assert (done["records"], done["complete"], desk.at_the_broker()) == (1, True, 2)


def test_the_last_of_sixty_callers_about_one_number_is_found_and_withdraws(desk: Desk) -> None:
    callers = [f"H-2026-{number:03d}" for number in range(60)]
    series_id = desk.deposit.declaration.payload.series_id
    text = "phone/1|+447700900105"
    called = {text: "; ".join(callers)}
    made = desk.case.contributor().deposit(series_id, [(text, b'{"signals":[]}')], references=called)
    desk.open(callers[-1])
    assert desk.json("follow", desk.number)["records"] == 1
    done = desk.json("withdraw", desk.number)
    assert (done["records"], done["shared"], done["complete"]) == (0, 1, False)
    assert desk.json("follow", desk.number)["withdrawn_at"] is None
    assert desk.json("withdraw", desk.number, "--shared-too")["records"] == 1
    assert DepositFolder(desk.case.company, made.deposit_id).entry.identifiers == 0


def test_under_a_mistyped_reference_nothing_counts_as_withdrawn(desk: Desk) -> None:
    desk.open("h-19")
    done = desk.json("withdraw", desk.number)
    assert (done["records"], done["complete"], desk.at_the_broker()) == (0, False, 4)
    said = desk.call("withdraw", desk.number).stdout
    assert "Nothing is held under this case's reference" in said
    assert "Nobody can find them" not in said
    assert desk.json("follow", desk.number)["withdrawn_at"] is None


def test_a_withdrawal_killed_after_the_last_record_went_is_complete_when_it_is_run_again(desk: Desk) -> None:
    desk.open("H-19")
    real = Cases.note

    def note(cases: Cases, opened: OpenedCase, step: Step) -> OpenedCase:
        if step == "withdrawn":
            raise Killed
        return real(cases, opened, step)

    arguments = ["consent", "withdraw", str(desk.case.company.vault.directory), desk.number]
    with desk.patch.context() as patch:
        patch.setattr(Cases, "note", note)
        with pytest.raises(Killed):
            CliRunner().invoke(app, arguments)
    assert desk.at_the_broker() == 3
    done = desk.json("withdraw", desk.number)
    assert (done["records"], done["complete"]) == (0, True)
    assert desk.json("follow", desk.number)["withdrawn_at"] == desk.case.now


def test_nobody_withdraws_for_somebody_else(desk: Desk) -> None:
    desk.open("H-18")
    theirs = desk.number
    desk.open("H-19")
    result = desk.call("withdraw", theirs, code=6)
    assert "do not belong together" in result.stderr
    assert desk.at_the_broker() == 4


def test_a_typing_slip_in_the_number_is_no_wrong_pin(desk: Desk) -> None:
    desk.open("H-19")
    slip = "2" if desk.number[0] != "2" else "3"
    assert "is wrong, or two are swapped" in desk.call("follow", slip + desk.number[1:], code=6).stderr
    assert desk.json("follow", desk.number)["wrong_pins_before"] == 0


@pytest.mark.parametrize(
    ("released", "state", "words"),
    [
        (None, "waiting", "have not answered yet"),
        (True, "agreed", "we agreed"),
        (False, "refused", "We refused"),
    ],
)
def test_a_person_is_told_that_somebody_asked_and_never_who(
    desk: Desk, released: bool | None, state: str, words: str
) -> None:
    desk.open("H-19", "--may-tell-asked")
    assert desk.json("follow", desk.number)["asked"] == "no"
    desk.asked_about("H-19")
    if released is not None:
        desk.answered(released)
    assert desk.json("follow", desk.number)["asked"] == state
    said = desk.call("follow", desk.number).stdout
    assert words in said
    assert "payments-company" not in said


def test_where_the_law_forbids_it_the_answer_is_the_same_whether_somebody_asked(desk: Desk) -> None:
    desk.open("H-19")
    before = desk.call("follow", desk.number).stdout
    desk.asked_about("H-19")
    desk.answered(True)
    assert desk.call("follow", desk.number).stdout == before
    assert "may not be told" in before


def test_an_ask_about_somebody_elses_record_is_not_told(desk: Desk) -> None:
    desk.open("H-19", "--may-tell-asked")
    desk.asked_about("H-18")
    assert desk.json("follow", desk.number)["asked"] == "no"


def test_a_closed_series_is_said_to_need_the_helpline(desk: Desk) -> None:
    desk.open("H-19")
    desk.case.contributor().close(desk.deposit.declaration.payload.series_id)
    assert desk.json("follow", desk.number)["closed"] == 1
    done = desk.json("withdraw", desk.number)
    assert (done["records"], done["complete"]) == (0, False)
    assert done["closed_deposits"] == [desk.deposit.deposit_id.hex()]


def test_what_was_asked_goes_with_the_deposit(desk: Desk) -> None:
    desk.asked_about("H-19")
    deposit = desk.deposit
    assert len(deposit.asks()) == 1
    deposit.move_to("withdrawn", desk.case.now)
    assert deposit.asks() == ()


def test_the_pin_is_asked_for_without_an_echo(desk: Desk) -> None:
    desk.open("H-19")
    pin = os.environ["NARROWGATE_PIN"]
    desk.patch.delenv("NARROWGATE_PIN")
    words = ["consent", "follow", str(desk.case.company.vault.directory), desk.number, "--json"]
    result = CliRunner().invoke(app, words, input=f"{pin}\n")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["records"] == 1
    assert pin not in result.output
    desk.patch.setenv("NARROWGATE_PIN", " ")
    assert "six digits" in desk.call("follow", desk.number, code=6).stderr


def test_whoever_forgot_the_pin_gets_another_from_the_helpline(desk: Desk) -> None:
    desk.open("H-19")
    fresh = desk.json("new-pin", "--reference", "H-19", "--identity-checked", "She called back; Ada")
    assert "do not belong" in desk.call("follow", desk.number, code=6).stderr
    desk.patch.setenv("NARROWGATE_PIN", fresh["pin"])
    assert desk.json("follow", fresh["number"])["records"] == 1


def test_a_person_contests_and_follows_it_and_what_they_say_stays_in_the_home(desk: Desk) -> None:
    desk.open("H-19")
    done = desk.json("contest", desk.number, "--said", "canary: never hers")
    assert (done["records"], done["complete"], desk.at_the_broker()) == (1, True, 3)
    told = desk.json("follow", desk.number)
    assert (told["records"], told["contest"]["state"], told["withdrawn_at"]) == (0, "contested", None)
    assert "It is not decided" in desk.call("follow", desk.number).stdout
    (listed,) = desk.json("contested")["contested"]
    assert (listed["reference"], listed["said"], listed["state"]) == (
        "H-19",
        "canary: never hers",
        "contested",
    )
    decided = desk.json("decide", "--reference", "H-19", "--upheld", "--reason", "The recording says it")
    assert decided["state"] == "upheld"
    said = desk.call("follow", desk.number).stdout
    assert "What we hold is right" in said
    assert "Why: The recording says it" in said
    assert "decided before: upheld" in _decided(desk, "--withdrawn", code=6).stderr
    on_disk = b"".join(path.read_bytes() for path in desk.case.folder.glob("broker.sqlite3*"))
    for secret in ("H-19", desk.number, "canary"):
        assert secret.encode() not in on_disk


def _decided(desk: Desk, *how: str, code: int = 0) -> Result:
    return desk.call("decide", "--reference", "H-19", *how, "--reason", "As we found", code=code)


def test_the_agency_contests_its_own_record_and_a_slip_holds_nothing_back(desk: Desk) -> None:
    assert (
        "Nothing is deposited"
        in desk.call("contest", "--reference", "H-91", "--said", "Wrong row", code=6).stderr
    )
    assert desk.json("contested")["contested"] == []
    assert desk.json("contest", "--reference", "H-19", "--said", "Wrong row")["records"] == 1
    assert "one of two" in desk.call("contest", "--said", "Wrong row", code=6).stderr
    assert "one of two" in _decided(desk, code=6).stderr
    assert "in a sentence" in desk.call("contest", "--reference", "H-19", "--said", " ", code=6).stderr
    assert "It stays out" in _decided(desk, "--withdrawn").stdout


def test_nobody_contests_for_somebody_else(desk: Desk) -> None:
    desk.open("H-18")
    theirs = desk.number
    desk.open("H-19")
    assert "do not belong" in desk.call("contest", theirs, "--said", "Not mine", code=6).stderr
    assert (desk.at_the_broker(), desk.json("contested")["contested"]) == (4, [])


def test_who_contested_and_then_takes_it_back_ends_it(desk: Desk) -> None:
    desk.open("H-19")
    desk.json("contest", desk.number, "--said", "Not mine")
    done = desk.json("withdraw", desk.number)
    assert (done["records"], done["complete"]) == (0, True)
    told = desk.json("follow", desk.number)
    assert (told["contest"]["state"], told["withdrawn_at"]) == ("withdrawn", desk.case.now)
    assert desk.json("withdraw", desk.number)["complete"]


def test_what_is_contested_in_a_closed_series_is_said_to_be_still_there(desk: Desk) -> None:
    desk.open("H-19")
    desk.case.contributor().close(desk.deposit.declaration.payload.series_id)
    assert "can still be found" in desk.call("contest", desk.number, "--said", "Not mine").stdout
    assert desk.json("follow", desk.number)["records"] == 1


def test_a_case_that_is_contested_is_not_forgotten_and_what_was_upheld_is(desk: Desk) -> None:
    desk.open("H-19")
    desk.json("contest", desk.number, "--said", "Not mine")
    desk.case.now += 2 * 365 * 86_400
    assert desk.json("follow", desk.number)["contest"]["state"] == "contested"
    _decided(desk, "--upheld")
    desk.case.now += 365 * 86_400
    assert desk.json("contested")["contested"] == []


def _let_in(
    desk: Desk, code: int = 0, why: str = "She meant another case", by: str = "Evening desk"
) -> Result:
    return desk.call("let-in", desk.number, "--why", why, "--by", by, code=code)


def test_what_was_withdrawn_by_mistake_goes_in_again_on_the_persons_word_and_the_case_says_who_and_why(
    desk: Desk,
) -> None:
    """These conditions do not rest on consent, so there is none to record."""
    desk.open("H-19")
    assert "Nothing is kept out" in _let_in(desk, code=6).stderr
    desk.json("withdraw", desk.number)
    assert desk.left_out() == ["H-19"]
    desk.case.now += 60
    calls = len(desk.case.wire.calls)
    assert "Noted." in _let_in(desk).stdout
    assert len(desk.case.wire.calls) == calls
    assert desk.left_out() == []
    assert desk.json("follow", desk.number)["withdrawn_at"] is None
    (case,) = (opened.case for opened in desk.cases().every())
    (step,) = (each for each in case.steps if each.step == "let_in")
    assert (step.at, step.remark, step.by) == (desk.case.now, "She meant another case", "Evening desk")

    desk.case.now += 60
    desk.json("withdraw", desk.number)
    assert desk.left_out() == ["H-19"], "a later withdrawal holds"


def test_nobody_lets_in_for_somebody_else_or_without_saying_who_and_why(desk: Desk) -> None:
    desk.open("H-19")
    theirs = desk.number
    desk.json("withdraw", desk.number)
    desk.case.now += 60
    desk.open("H-18")
    for why, by in (("", "Desk"), ("A slip", " "), ("w" * 401, "Desk")):
        assert "both are kept in the case" in _let_in(desk, code=6, why=why, by=by).stderr
    _let_in(desk)
    assert desk.left_out() == ["H-19"], "another person's word lets in what is theirs"
    assert "do not belong" in desk.call("let-in", theirs, "--why", "Slip", "--by", "Desk", code=6).stderr
    assert desk.left_out() == ["H-19"]


def test_what_rests_on_consent_is_let_in_by_a_consent_alone(desk: Desk) -> None:
    on_consent = CONDITIONS.model_copy(update={"consent": Consent.GIVEN})
    desk.open("H-19")
    desk.json("withdraw", desk.number)
    desk.case.now += 60
    _let_in(desk)
    assert desk.left_out(on_consent) == ["H-19"]
    terms = ConsentTerms(
        purposes=CONDITIONS.permitted_purposes,
        readers=CONDITIONS.permitted_readers,
        highest_tier=CONDITIONS.highest_tier,
        words_shown="May we tell others?",
        how_given="On the telephone",
        taken_by="Desk",
        given_at=desk.case.now,
        until_at=CONDITIONS.retain_until,
    )
    consent_record.record(
        desk.case.company, "H-19", terms, on_consent, now=desk.case.now, random_bytes=os.urandom
    )
    assert desk.left_out(on_consent) == []
    assert "narrowgate consent record" in _let_in(desk, code=6).stderr
