"""Erasing a record of the log: on an order, recorded, all of it or nothing, and not while its request is under way."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.audit.log import AuditLog
from broker.audit.records import RecordErased
from broker.erasing import Erased, erase
from broker.gate.bundle import Bundle, load
from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted, Unavailable
from broker.protocol.messages.base import decode
from broker.protocol.messages.erasure import ErasureGround, order
from broker.protocol.messages.vocabulary import Purpose, RecordKind
from broker.refusals import GateRefusal
from broker.store import requests
from broker.store.log import read_records
from clients.cli import main
from tests import rules
from tests.databases import Databases
from tests.exchange_story import COMPANIES, Story, token
from tests.threats.test_canary import spellings
from tests.unit.broker.test_exchange import kinds, size

pytestmark = pytest.mark.all_only

POLICIES = Path(__file__).parents[3] / "policies"
CASE = "CANARY-CASE-OF-ERASURE"
COURT = (ErasureGround.COURT_ORDER, "Court of Example, letter 7", "It was unlawfully obtained.")


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """The real rules."""
    return load(POLICIES)


@pytest.fixture
def story(tmp_path: Path, bundle: Bundle, database_url: str) -> Iterator[Story]:
    """Three companies hold tokens 0 to 4 each."""
    made = Story(tmp_path, bundle, database_url=database_url)
    for company in COMPANIES[:3]:
        made.deposit(company, [token(index) for index in range(5)])
    yield made
    made.stop()


def erased(story: Story, index: int, kind: RecordKind) -> Erased:
    """A court orders it."""
    return erase(story.broker.database, story.broker.audit, order(index, kind, *COURT), story.now)


def stored(story: Story, index: int) -> tuple[bytes | None, bytes | None]:
    """Record and salt."""
    with story.broker.database.read() as connection:
        (found,) = read_records(connection, index, index + 1)
    return found.record, found.salt


def test_a_refusal_is_erased_with_its_papers_and_an_entry_says_on_whose_word(
    story: Story, databases: Databases
) -> None:
    request = story.request(purpose=Purpose.GENERAL_INTELLIGENCE, case_reference=CASE)
    with pytest.raises(GateRefusal):
        story.file(request)
    index = size(story) - 1
    record, salt = stored(story, index)
    assert record is not None
    assert salt is not None
    held = databases.files(story.broker.settings.database_url)
    assert any(salt in data for data in held)
    assert any(needle in data for data in held for needle in spellings(CASE.encode())[2:]), "in the papers"
    done = erased(story, index, RecordKind.REFUSED)
    assert (done.leaf_index, done.kind, done.log_index) == (index, RecordKind.REFUSED, index + 1)
    said, _ = stored(story, index + 1)
    assert decode(RecordErased, said or b"").ordered_by == "Court of Example, letter 7"
    assert stored(story, index) == (None, None)
    with story.broker.database.read() as connection:
        kept = requests.find(connection, request.payload.request_id)
        assert kept is not None
        assert kept.submission == b""
        story.broker.audit.start(connection)
    story.broker.database.empty_wal()
    files = databases.files(story.broker.settings.database_url)
    assert not any(salt in data or CASE.encode() in data for data in files)
    if (
        databases.name == "sqlite"
    ):  # PostgreSQL keeps the papers' old row until it vacuums (docs/data-model.md)
        assert not any(needle in data for data in files for needle in spellings(CASE.encode()))
    # The refusal cannot be given again: its receipt is gone.
    with pytest.raises(Unavailable, match="erased"):
        story.file(request)


def test_a_request_under_way_keeps_its_records_until_it_is_over(story: Story) -> None:
    request = story.request()
    admission = story.file(request)
    index = size(story) - 1
    with pytest.raises(Conflict, match="under way"):
        erased(story, index, RecordKind.ADMITTED)
    story.answer(request, story.tokens(admission, [token(1)]))
    assert kinds(story, index) == ["ADMITTED", "TOKENS", "RELEASE", "RELEASED"]
    for place, kind in enumerate(("ADMITTED", "TOKENS", "RELEASE", "RELEASED"), start=index):
        erased(story, place, RecordKind(kind))
    # Nothing goes on from it, and its answer is not given again.
    with pytest.raises(Unavailable, match="erased"):
        story.answer(request, story.tokens(admission, [token(1)]))


def test_a_permit_that_nobody_used_in_its_time_is_over(story: Story) -> None:
    story.file(story.request())
    story.now += story.broker.settings.permit_hours * 3600
    assert erased(story, size(story) - 1, RecordKind.ADMITTED).kind is RecordKind.ADMITTED


def test_what_cannot_be_recorded_is_not_erased(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    index = kinds(story).index("SERIES_OPENED")
    before = stored(story, index)

    def full(*_: object, **__: object) -> None:
        raise Unavailable("The step could not be recorded, so it was not taken.")

    monkeypatch.setattr(AuditLog, "append", full)
    with pytest.raises(Unavailable):
        erased(story, index, RecordKind.SERIES_OPENED)
    assert stored(story, index) == before


def test_what_may_not_be_erased_is_refused_and_nothing_is_recorded(story: Story) -> None:
    opened, activated = kinds(story).index("SERIES_OPENED"), kinds(story).index("BUNDLE_ACTIVATED")
    said = erased(story, opened, RecordKind.SERIES_OPENED).log_index
    before = size(story)
    with pytest.raises(BadInput, match="of the kind BUNDLE_ACTIVATED"):
        erased(story, activated, RecordKind.REFUSED)
    with pytest.raises(Conflict, match="in force"):
        erased(story, activated, RecordKind.BUNDLE_ACTIVATED)
    with pytest.raises(Conflict, match="erased before"):
        erased(story, opened, RecordKind.SERIES_OPENED)
    with pytest.raises(NotPermitted, match="never erased"):
        erased(story, said, RecordKind.RECORD_ERASED)
    with pytest.raises(NotFound):
        erased(story, before, RecordKind.REFUSED)
    assert size(story) == before


@pytest.mark.parametrize(("ordered_by", "reason"), [("", "It was."), ("  ", "It was."), ("Court", " ")])
def test_an_order_says_whose_and_why(ordered_by: str, reason: str) -> None:
    with pytest.raises(BadInput):
        order(1, RecordKind.REFUSED, ErasureGround.COURT_ORDER, ordered_by, reason)


def test_the_operator_erases_a_record_of_a_stopped_broker(tmp_path: Path, bundle: Bundle) -> None:
    directory = tmp_path / "broker"
    words = ("--ground", "court_order", "--ordered-by", "Court, letter 7", "--reason", "Unlawful.", "--json")

    def called(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(main.app, ["broker", *arguments], prog_name="narrowgate")
        return done.exit_code, done.stdout

    assert called("init", str(directory))[0] == 0
    rules.activate_in_folder(directory)
    first = ("erase-record", str(directory), "0", "--kind", "BUNDLE_ACTIVATED", *words, "--trial")
    assert called(*first)[0] == 6
    assert called("erase-record", str(directory), "0", "--kind", "NO_SUCH", *words, "--trial")[0] == 2
    changed = rules.forbidding(tmp_path / "changed", "release", "true")
    rules.activate_in_folder(directory, rules.sign_rules(changed, rules.FIRST_VALID_FROM + 1, bundle.digest))
    code, said = called(*first)
    assert (code, json.loads(said)) == (0, {"leaf_index": 0, "kind": "BUNDLE_ACTIVATED", "log_index": 2})
