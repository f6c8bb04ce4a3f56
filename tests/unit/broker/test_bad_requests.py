"""A request on which something goes wrong inside is refused in words, is in the log as refused, and costs nothing."""

import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from broker import exchange
from broker.api import problems
from broker.audit.records import RequestRefused
from broker.gate.bundle import load
from broker.gate.decide import replay
from broker.protocol import leaves
from broker.protocol.documents import sign
from broker.protocol.errors import BadInput, NarrowgateError
from broker.protocol.messages.base import decode
from broker.protocol.messages.requests import RequestSubmission
from broker.refusals import GateRefusal
from broker.store import tables
from broker.store.log import SqlLogStorage
from tests import rules
from tests.exchange_story import COMPANIES, Story, key_of, token

POLICIES = Path(__file__).parents[3] / "policies"
OVERFLOW = "context.now * 9223372036854775807 > 0"
Stories = Callable[[str], Story]


@pytest.fixture
def with_an_erring_rule(tmp_path: Path, database_url: str) -> Iterator[Stories]:
    """A story whose rules have one more, about the action named, that cannot be evaluated; "" for none."""
    opened: list[Story] = []

    def open_story(action: str) -> Story:
        source = erring(tmp_path, action) if action else None
        bundle = load(source or POLICIES)
        opened.append(Story(tmp_path, bundle, database_url=database_url, first_rules=source))
        return opened[-1]

    yield open_story
    for story in opened:
        story.stop()


def erring(tmp_path: Path, action: str) -> Path:
    copy = Path(shutil.copytree(POLICIES, tmp_path / "policies"))
    (copy / "limits" / "more.cedar").write_text(
        '@id("X1") @reason("r") @law("l") '
        f'forbid (principal, action == Narrowgate::Action::"{action}", resource) when {{ {OVERFLOW} }};'
    )
    return rules.sign_rules(copy)


def kinds(story: Story) -> list[str]:
    with story.broker.database.read() as connection:
        size = story.broker.audit.size(connection)
        return [leaves.parse_leaf(leaf).kind for leaf in SqlLogStorage(connection).leaves(0, size)]


def spent(story: Story) -> int:
    with story.broker.database.read() as connection:
        return len(connection.execute(select(tables.ledger.c.entry)).all())


def serve(story: Story) -> None:
    for company in COMPANIES[:3]:
        story.deposit(company, [token(index) for index in range(5)])


def told(error: NarrowgateError) -> str:
    """What the caller is answered: a problem in words, with no trace of the program."""
    status, body = problems.render(error, 0)
    text = body.decode()
    assert 400 <= status < 500, text
    assert "Traceback" not in text
    assert ".py" not in text
    return text


def test_a_request_over_which_the_engine_errs_is_refused_and_logged_as_that(
    with_an_erring_rule: Stories,
) -> None:
    story = with_an_erring_rule("admit")
    serve(story)
    request = story.request()
    with pytest.raises(GateRefusal) as refused:
        story.file(request)
    assert refused.value.told.rules == ("ENGINE",)
    assert "could not be evaluated" in told(refused.value)
    assert kinds(story)[-1] == "REFUSED"
    assert spent(story) == 0
    record = decode(RequestRefused, refused.value.receipt.record)
    decision = replay(story.bundle, record.decision)
    assert (decision.allowed, decision.rules) == (False, ("ENGINE",))
    again = len(kinds(story))
    with pytest.raises(GateRefusal) as repeated:
        story.file(request)
    assert repeated.value.told == refused.value.told
    assert len(kinds(story)) == again


def test_a_result_over_which_the_engine_errs_does_not_leave_and_is_logged(
    with_an_erring_rule: Stories,
) -> None:
    story = with_an_erring_rule("release")
    serve(story)
    request = story.request()
    admission = story.file(request)
    with pytest.raises(GateRefusal) as refused:
        story.answer(request, story.tokens(admission, [token(3)]))
    assert refused.value.told.rules == ("ENGINE",)
    assert "could not be evaluated" in told(refused.value)
    assert kinds(story)[-2:] == ["RELEASE", "FAILED"]


def test_a_deposit_over_which_the_engine_errs_is_not_taken_and_logged(with_an_erring_rule: Stories) -> None:
    story = with_an_erring_rule("deposit")
    with pytest.raises(GateRefusal) as refused:
        story.deposit(COMPANIES[0], [token(1)])
    assert refused.value.told.rules == ("ENGINE",)
    assert "could not be evaluated" in told(refused.value)
    assert kinds(story)[-1] == "DEPOSIT_REFUSED"


def test_a_ledger_whose_sums_overflow_refuses_and_is_logged(with_an_erring_rule: Stories) -> None:
    story = with_an_erring_rule("")
    serve(story)
    with story.broker.database.write() as connection:
        for number in range(3):
            connection.execute(
                insert(tables.ledger).values(
                    space_id=story.space.space_id,
                    requester="unit-1",
                    request_id=bytes([number]) * 16,
                    charged_at=story.now - 40 * 86_400 * (number % 2),
                    identifiers=2**30,
                    hits=2**30,
                    epsilon_millis=2**30,
                )
            )
    with pytest.raises(GateRefusal) as refused:
        story.file(story.request())
    assert refused.value.told.rules == ("L10",)
    assert kinds(story)[-1] == "REFUSED"


def test_a_broker_whose_clock_stepped_back_finds_no_finding_in_force_and_logs_that(
    with_an_erring_rule: Stories,
) -> None:
    story = with_an_erring_rule("")
    serve(story)
    submission = story.submission(story.request())
    story.now -= 3600
    with pytest.raises(GateRefusal) as refused:
        exchange.file_request(story.broker, story.caller("unit-1"), submission)
    assert "L01a" in refused.value.told.rules
    assert kinds(story)[-2:] == ["REFUSED", "CLOCK_WENT_BACK"]


@pytest.mark.parametrize("word", ["+447700900123", "hіts", ""], ids=["unknown", "look-alike", "empty"])
def test_a_word_that_nobody_knows_files_no_request_and_is_not_repeated(
    with_an_erring_rule: Stories, word: str
) -> None:
    story = with_an_erring_rule("")
    serve(story)
    before = kinds(story)
    good = story.request()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydantic says of the copy what the broker is to say
        bad = sign(good.payload.model_copy(update={"tier": word}), key_of("unit-1"))
    submission = RequestSubmission(request=bad.document, findings=())
    with pytest.raises(BadInput) as refused:
        exchange.file_request(story.broker, story.caller("unit-1"), submission)
    said = told(refused.value)
    assert "tier" in said
    assert not word or word not in json.loads(said)["detail"]
    assert kinds(story) == before
