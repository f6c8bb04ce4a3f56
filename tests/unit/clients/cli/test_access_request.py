"""`narrowgate access-request` at a police unit that asked up to opened records, and at a company that deposited."""

import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.protocol.errors import BadInput, NotFound
from clients.cli import run
from clients.cli.access_request import _terms
from clients.cli.main import app
from clients.depositing import deposit_index, local_references
from clients.depositing.deposit_folder import all_deposits
from clients.depositing.series_folder import SeriesFolder, SeriesState
from clients.home import Home
from clients.persons.access_answer import Decided, answer, decisions, due
from clients.persons.access_document import Withheld, day
from clients.persons.access_search import Part, Person, search
from clients.persons.access_terms import AccessTerms
from tests.case_story import CaseStory
from tests.gate_world import BUNDLE
from tests.world import POLICE, phone

DAY = 86_400
KNOWN, UNKNOWN = "+44 7700 900007", "+44 7700 900055"


class Desk:
    """A copy of one agency's home, and its command line."""

    def __init__(self, story: CaseStory, folder: Path, party: str) -> None:
        self.folder = folder
        self.directory = Path(shutil.copytree(story.world.folder / party, folder / party))
        self.now = story.world.now
        self.list = folder / "person.csv"
        self.authority: str | None = "Authority of the example State, 1 Example Street"
        self.ask(KNOWN)

    @property
    def home(self) -> Home:
        return Home.open(self.directory, os.urandom)

    def ask(self, *numbers: str) -> None:
        self.list.write_text("phone\n" + "".join(f"{each}\n" for each in numbers))

    def call(self, command: str, *more: object, code: int = 0) -> Result:
        words = ["access-request", command, str(self.directory), *map(str, more)]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == code, result.output + result.stderr
        assert "7700" not in result.output + result.stderr
        return result

    def answer(self, *more: object, code: int = 0, terms: str = "eu-led", out: str = "answer.md") -> Any:
        options = ("--terms", terms, "--number", "SAR-1", "--identity-checked", "Passport shown at the desk")
        rest: tuple[object, ...] = ("--decided-by", "Officer for data protection", "--bundle", BUNDLE)
        if self.authority is not None and terms == "eu-led" and "--authority" not in more:
            rest = (*rest, "--authority", self.authority)
        result = self.call(
            "answer", self.list, *options, *rest, "--out", self.folder / out, "--json", *more, code=code
        )
        return json.loads(result.stdout)

    def text(self, out: str = "answer.md") -> str:
        return " ".join((self.folder / out).read_text().split())


@pytest.fixture
def police(story: CaseStory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(run, "clock", story.world.clock)
    return Desk(story, tmp_path, POLICE)


@pytest.fixture
def company(story: CaseStory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(run, "clock", story.world.clock)
    return Desk(story, tmp_path, "company-1")


def test_a_persons_identifiers_are_read_from_a_file_with_any_header(police: Desk) -> None:
    found = json.loads(police.call("find", police.list, "--json").stdout)
    police.list.write_text("Kontakt;Notiz\n07700 900007;by post\n")
    assert "No column with identifiers" in police.call("find", police.list, code=6).stderr
    options = ("--column", "Kontakt=phone", "--default-region", "GB")
    assert json.loads(police.call("find", police.list, *options, "--json").stdout) == found


def test_a_person_is_told_what_was_asked_received_and_opened_and_why(police: Desk) -> None:
    police.answer()
    text = police.text()
    assert "identifier 1 of your list" in text
    assert "Purpose: investigate trafficker" in text
    assert "were told that other agencies know identifier 1 of your list: Company 1, Company 2" in text
    assert "which were not named to us" in text  # the hits, before it was told who
    assert "we opened 2 record(s), deposited by company-1, company-2" in text
    assert "Nothing was found that we shared" in text
    assert "complain" in text
    assert "7700" not in text
    assert "CASE-1" not in text
    assert "officer-1" not in text
    document = json.loads((police.folder / "answer.json").read_text())
    assert [section["title"] for section in document["sections"]][-1] == "Your rights"
    assert stat.S_IMODE((police.folder / "answer.md").stat().st_mode) == 0o600


def test_whoever_decides_sees_the_cases_first(police: Desk) -> None:
    found = json.loads(police.call("find", police.list, "--json").stdout)
    assert {each["case_reference"] for each in found["asked"]} == {"CASE-1"}
    assert [each["opened"] for each in found["asked"] if each["tier"] == "payload"] == [2]
    police.ask(UNKNOWN)
    assert json.loads(police.call("find", police.list, "--json").stdout)["asked"] == []


def test_a_company_tells_what_it_deposited_and_to_whom_it_may_go(company: Desk) -> None:
    company.answer(terms="eu-gdpr")
    text = company.text()
    assert "Identifier 1 of your list (phone), shared on" in text
    assert "Who may be told: police" in text
    assert "Kept until" in text
    assert "No question of ours was found" in text


def test_a_line_that_cannot_be_read_stops_the_search(police: Desk) -> None:
    police.ask(KNOWN, "call me")
    result = police.answer(code=6)
    assert "nothing was searched" in result["detail"]
    assert not (police.folder / "answer.md").exists()


def test_silence_reads_the_same_whether_something_is_held_or_nothing(police: Desk) -> None:
    withheld = ("--withhold", "all=inquiry", "--silent", "--reason", "An inquiry runs.")
    look = ("--look-again", day(police.now + 30 * DAY))
    police.answer(*withheld, *look, out="known.md")
    police.ask(UNKNOWN)
    police.answer(*withheld, *look, out="unknown.md")
    assert (police.folder / "known.md").read_bytes() == (police.folder / "unknown.md").read_bytes()
    assert (police.folder / "known.json").read_bytes() == (police.folder / "unknown.json").read_bytes()
    text = police.text("known.md")
    assert "neither confirms nor denies" in text
    assert "An inquiry runs" not in text
    assert "inquiry, investigation" not in text
    found = {decision.payload.found for decision in decisions(police.home)}
    assert len(found) == 2, "the decision knows, the document does not"


def test_one_part_is_withheld_on_its_ground_and_the_others_are_told(police: Desk) -> None:
    police.answer(
        *("--withhold", "opened=rights_of_others", "--reason", "Another person's report."),
        *("--look-again", day(police.now + 30 * DAY)),
    )
    text = police.text()
    assert (
        "About this part nothing is told: to protect the rights and freedoms of others (article 15(1)(e))"
        in text
    )
    assert "record(s), deposited by" not in text
    assert "Purpose: investigate trafficker" in text
    assert "Another person's report" not in text


def test_what_was_withheld_comes_due_until_it_is_looked_at_again(police: Desk, story: CaseStory) -> None:
    first = police.answer(
        *("--withhold", "all=inquiry", "--reason", "An inquiry runs."),
        *("--look-again", day(police.now + 30 * DAY)),
    )
    assert due(police.home, police.now) == ()
    listed = json.loads(police.call("due", "--within", "31", "--json").stdout)["due"]
    assert [each["answer_id"] for each in listed] == [first["answer_id"]]
    assert listed[0]["overdue"] is False
    assert listed[0]["terms"] == "eu-led"
    police.answer("--again", first["answer_id"], out="later.md")
    assert json.loads(police.call("due", "--all", "--json").stdout)["due"] == []
    assert "Nothing is to be looked at again" in police.call("due").stdout
    assert "looked at again before" in police.answer("--again", first["answer_id"], code=6)["detail"]


@pytest.fixture(scope="module")
def led() -> AccessTerms:
    return _terms(BUNDLE, "eu-led")


def _decided(**changes: Any) -> Decided:
    usual = {
        "decided_by": "Officer",
        "reference": "SAR-1",
        "identity_checked": "Passport",
        "authority": "Authority of the example State",
    }
    return Decided(**{**usual, **changes})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"decided_by": " "}, "who decided"),
        ({"withheld": (Withheld(Part.ASKED, "because", False),)}, "no such ground"),
        ({"withheld": (Withheld(Part.ASKED, "inquiry", False),)}, "supervisory authority"),
        ({"withheld": (Withheld(Part.ASKED, "inquiry", False),), "reason": "It runs."}, "Name the day"),
        (
            {
                "withheld": (Withheld(Part.ASKED, "inquiry", False),),
                "reason": "x",
                "look_again_at": 9_999_999_999,
            },
            "within 180 days",
        ),
        ({"withheld": (Withheld(Part.ASKED, "inquiry", False),) * 2}, "withheld twice"),
        ({"reason": "Nothing withheld."}, "Nothing is withheld"),
    ],
)
def test_a_decision_that_the_law_does_not_allow_writes_nothing(
    police: Desk, led: AccessTerms, changes: dict[str, Any], says: str
) -> None:
    home = police.home
    with pytest.raises(BadInput, match=says):
        answer(
            home,
            Person((phone(7),)),
            led,
            _decided(**changes),
            now=police.now,
            random_bytes=os.urandom,
        )
    assert list(decisions(home)) == []


def test_a_law_without_silence_is_not_silent_and_a_company_has_no_police_terms(company: Desk) -> None:
    silent = ("--withhold", "all=prevention", "--silent", "--reason", "x", "--look-again", "2027-01-01")
    assert "do not let an agency be silent" in company.answer(*silent, terms="eu-gdpr", code=6)["detail"]
    assert "These terms are for police" in company.answer(code=6)["detail"]
    assert "--terms is one of eu-gdpr, eu-led" in company.answer(terms="../limits", code=6)["detail"]


def test_an_answer_that_is_not_there_or_withheld_nothing_cannot_be_looked_at_again(
    police: Desk, led: AccessTerms
) -> None:
    home = police.home

    def give(again: bytes | None) -> bytes:
        person = Person((phone(7),))
        decided = _decided(again=again)
        done = answer(home, person, led, decided, now=police.now, random_bytes=os.urandom)
        return done.decision.payload.answer_id

    with pytest.raises(NotFound):
        give(bytes(16))
    with pytest.raises(BadInput, match="Nothing was withheld"):
        give(give(None))


def test_a_closed_series_is_found_by_reference_alone_and_said_to_be_closed(company: Desk) -> None:
    home = company.home
    (deposit,) = all_deposits(home)
    series = SeriesFolder(home, deposit.declaration.payload.series_id)
    person = Person((phone(7),), ("H-1",))
    assert [each.place for each in search(home, person, company.now).deposited] == [1]
    token = next(deposit_index.rows(home.vault, deposit.deposit_id)).token
    series.erase_keys()
    series.move_to(SeriesState.CLOSED, company.now)
    held = search(home, person, company.now)
    assert (held.deposited, held.closed) == ((), (deposit.deposit_id,))
    width = local_references.width_for(len("H-1; H-2"))
    rows = local_references.sealed_rows(home.vault, deposit.deposit_id, token, "H-1; H-2", width)
    local_references.write(home.vault, deposit.deposit_id, width, rows)
    (found,) = search(home, person, company.now).deposited
    assert (found.place, found.reference) == (None, "H-1; H-2")
    assert search(home, Person((), ("H-3",)), company.now).deposited == ()
    after = SeriesFolder(home, series.series_id).manifest.payload.conditions.retain_until
    assert search(home, person, after).closed == ()


def test_where_a_law_wants_to_be_told_how_to_reach_the_authority_the_answer_tells_it(
    police: Desk, company: Desk
) -> None:
    police.authority = None
    assert "article 14" in police.answer(code=6)["detail"]
    assert not (police.folder / "answer.md").exists()
    assert "500 characters" in police.answer("--authority", "x" * 501, code=6)["detail"]
    police.answer("--authority", "Authority of the example State, 1 Example Street")
    assert "How to reach it: Authority of the example State, 1 Example Street" in police.text()
    police.answer(terms="uk-law-enforcement")
    assert "Wycliffe House" in police.text()
    police.answer("--authority", "Its successor, 2 Example Street", terms="uk-law-enforcement")
    assert "Wycliffe House" not in police.text()
    company.answer(terms="eu-gdpr")
    assert "How to reach it" not in company.text()


def test_a_company_in_the_kingdom_withholds_on_a_schedule_to_the_act_and_is_never_silent(
    company: Desk,
) -> None:
    look = ("--reason", "A friend told us.", "--look-again", day(company.now + 30 * DAY))
    withheld = ("--withhold", "deposited=rights_of_others", *look)
    assert (
        "let an agency be silent" in company.answer(*withheld, "--silent", terms="uk-gdpr", code=6)["detail"]
    )
    company.answer(*withheld, terms="uk-gdpr")
    text = company.text()
    assert "(Schedule 2 paragraph 16 to the Data Protection Act 2018). It will be looked at again" in text
    assert "Weigh what paragraph 16(3) lists" not in text, "the note is for whoever decides"
    assert "A friend told us" not in text
    assert "You have the right to complain to us, and we acknowledge it within 30 days (section 164A" in text
    assert (
        "no such ground"
        in company.answer("--withhold", "all=inquiry", *look, terms="uk-gdpr", code=6)["detail"]
    )


def test_an_answer_says_that_no_lawyer_has_read_the_law_until_one_has(police: Desk, led: AccessTerms) -> None:
    police.answer()
    assert (
        "No lawyer has read these articles. They were compared with public copies on 2026-11-26"
        in police.text()
    )
    document = json.loads((police.folder / "answer.json").read_text())
    assert (document["lawyer"], document["compared_on"]) == (None, "2026-11-26")
    read = led.model_copy(update={"terms": led.terms.model_copy(update={"lawyer": "A. Lawyer, 2027-01-11"})})
    done = answer(police.home, Person((phone(7),)), read, _decided(), now=police.now, random_bytes=os.urandom)
    assert "No lawyer" not in done.document.markdown()
    assert done.document.members()["lawyer"] == "A. Lawyer, 2027-01-11"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "uk-gdpr",
            ("Safe is 28 days", "rights_of_others", "paragraph 16(3)", "--silent is refused", "Open: "),
        ),
        (
            "eu-led",
            ("sets no number of days", "article 15(1)(a)", "neither confirmed nor denied", "--authority"),
        ),
        (
            "ke",
            (
                "Safe is 7 days",
                "described by others",
                "Read by no lawyer",
                "Regulation 9 itself was not read",
            ),
        ),
    ],
)
def test_whoever_decides_is_shown_the_law_with_its_grounds_and_what_is_open(
    name: str, says: tuple[str, ...]
) -> None:
    result = CliRunner().invoke(app, ["access-request", "terms", name, "--bundle", str(BUNDLE)])
    assert result.exit_code == 0, result.stderr
    for words in says:
        assert words in result.stdout
    shown = CliRunner().invoke(app, ["access-request", "terms", name, "--bundle", str(BUNDLE), "--json"])
    assert json.loads(shown.stdout)["terms"]["name"] == name


def test_a_law_that_a_lawyer_has_read_is_shown_with_the_lawyer(tmp_path: Path) -> None:
    shutil.copytree(BUNDLE / "rights", tmp_path / "rights")
    file = tmp_path / "rights" / "eu-led.toml"
    file.write_text(file.read_text().replace("[terms]", '[terms]\nlawyer = "A. Lawyer, 2027-01-11"'))
    result = CliRunner().invoke(app, ["access-request", "terms", "eu-led", "--bundle", str(tmp_path)])
    assert "Read by: A. Lawyer, 2027-01-11" in result.stdout
