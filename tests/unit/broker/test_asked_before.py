"""What an agency asked before weighs on what it is told now: asks about one target, counts that lie near others."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from broker import retention, series
from broker.gate.bundle import Bundle, load
from broker.gate.decision import Decision
from broker.gate.facts import ReleaseFacts, Result
from broker.protocol.documents import sign
from broker.protocol.messages.base import decode
from broker.protocol.messages.requests import Disclosure, LegalBasis, ReleaseDecided
from broker.protocol.messages.series import Withdrawal
from broker.protocol.messages.vocabulary import RecordKind, Tier
from broker.refusals import GateRefusal
from broker.store import tables
from tests.databases import Databases
from tests.exchange_story import COMPANIES, Story, key_of, token

pytestmark = pytest.mark.all_only

POLICIES = Path(__file__).parents[3] / "policies"
DAY_SECONDS = 86_400
OFTEN = 3
"""Ladders that may find one target in 30 days without an approver (limits.toml)."""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """The real rules."""
    return load(POLICIES)


@pytest.fixture
def story(tmp_path: Path, bundle: Bundle, database_url: str) -> Iterator[Story]:
    """Three companies hold tokens 0 to 4 each."""
    story = Story(tmp_path, bundle, database_url=database_url)
    for company in COMPANIES[:3]:
        story.deposit(company, map(token, range(5)))
    yield story
    story.stop()


def lasting(story: Story) -> LegalBasis:
    """A legal basis that is in force for a day from now."""
    return story.claims.basis.model_copy(update={"valid_until": story.now + DAY_SECONDS})


def ask(story: Story, numbers: Iterable[int], requester: str = "unit-1") -> Disclosure:
    """Ask for hits, in a case of its own."""
    asked = [token(number) for number in numbers]
    request = story.request(max(20, len(asked)), requester=requester, basis=lasting(story))
    return story.answer(request, story.tokens(story.file(request), asked))


def count(story: Story, numbers: Iterable[int], requester: str = "unit-1") -> Disclosure:
    """Ask for a count of at least ten."""
    asked = [token(number) for number in numbers]
    request = story.request(len(asked), Tier.COUNT, requester, basis=lasting(story))
    return story.answer(request, story.tokens(story.file(request), asked))


def refused(story: Story, asking: Callable[[], object]) -> tuple[str, ...]:
    """The rules that refuse it, on the result: nothing but the refusal is recorded."""
    with pytest.raises(GateRefusal) as caught:
        asking()
    assert kinds(story)[-3:] == ["TOKENS", "RELEASE", "FAILED"]
    return caught.value.told.rules


def kinds(story: Story) -> list[str]:
    """The kinds of all entries."""
    with story.broker.database.read() as connection:
        size = story.broker.audit.size(connection)
        return [story.broker.audit.receipt(connection, index).kind.value for index in range(size)]


def newest_result(story: Story) -> Result:
    """What the newest release was decided on."""
    with story.broker.database.read() as connection:
        for index in reversed(range(story.broker.audit.size(connection))):
            receipt = story.broker.audit.receipt(connection, index)
            if receipt.kind is RecordKind.RELEASE:
                record = decode(ReleaseDecided, receipt.record)
                facts = decode(Decision, record.decision.encode()).facts
                assert isinstance(facts, ReleaseFacts)
                return facts.result
    raise AssertionError("nothing was released")


def epsilons(story: Story) -> list[int]:
    """The privacy loss of each request, in order."""
    with story.broker.database.read() as connection:
        query = select(tables.ledger.c.epsilon_millis).order_by(tables.ledger.c.entry)
        return list(connection.execute(query).scalars())


def kept(story: Story) -> int:
    """How many lists of counts are kept."""
    with story.broker.database.read() as connection:
        query = select(func.count()).select_from(tables.counted_sets)
        return int(connection.execute(query).scalar_one())


# --- one target ---


def test_a_target_that_was_found_often_is_told_once_more_only_with_an_approver(
    story: Story, bundle: Bundle
) -> None:
    assert bundle.limits.target_asks == OFTEN
    for _ in range(OFTEN):
        assert ask(story, [1, 99]).matched == (token(1),)
    assert refused(story, lambda: ask(story, [1, 2, 99])) == ("L10a",)
    assert newest_result(story).target_asks == OFTEN
    # What was refused told of nothing, so the others of its set may be asked about as before.
    assert ask(story, [2, 99]).matched == (token(2),)
    story.now += bundle.limits.target_days * DAY_SECONDS
    assert ask(story, [1]).matched == (token(1),)


def test_what_matches_nothing_may_be_asked_about_again_and_again(story: Story) -> None:
    for _ in range(OFTEN + 2):
        assert ask(story, [99]).matched == ()
    assert newest_result(story).target_asks == 0


def test_how_often_others_found_a_target_is_recorded_and_refuses_nobody(story: Story) -> None:
    for _ in range(OFTEN):
        ask(story, [1], "unit-2")
    assert ask(story, [1]).matched == (token(1),)
    result = newest_result(story)
    assert (result.target_asks, result.target_asks_by_anyone) == (0, OFTEN)


def test_records_that_were_taken_back_are_no_target_any_more(story: Story) -> None:
    for _ in range(OFTEN):
        ask(story, [1])
    withdraw_all(story)
    for company in COMPANIES[:3]:
        story.deposit(company, [token(1)])
    assert ask(story, [1]).matched == (token(1),)


def test_matched_tokens_are_kept_for_as_long_as_the_rules_look_back(story: Story, bundle: Bundle) -> None:
    hasty = story.broker.settings.model_copy(update={"match_days": 1})
    object.__setattr__(story.broker, "settings", hasty)
    for _ in range(OFTEN):
        ask(story, [1])
    story.now += (bundle.limits.target_days - 1) * DAY_SECONDS
    retention.purge(story.broker)
    assert refused(story, lambda: ask(story, [1])) == ("L10a",)


# --- counts near one another ---


def test_a_count_that_differs_by_nine_from_an_earlier_one_is_refused_and_by_ten_is_told(story: Story) -> None:
    count(story, range(50))
    assert refused(story, lambda: count(story, range(9, 50))) == ("L15a",)
    assert newest_result(story).nearest_count == 9
    # Exchanged for others: each is one less and one more.
    assert refused(story, lambda: count(story, range(4, 54))) == ("L15a",)
    assert count(story, range(10, 50)).noised_count is not None
    assert newest_result(story).nearest_count == 10
    # Nothing was told of those refused, so nothing was spent, and nothing is compared with them.
    assert epsilons(story) == [500, 0, 0, 500]
    assert kept(story) == 6


def test_a_refused_count_says_to_ask_for_hits_and_these_are_told(story: Story) -> None:
    count(story, range(50))
    with pytest.raises(GateRefusal) as caught:
        count(story, range(49))
    assert "Ask for hits" in caught.value.told.reasons[0]
    assert len(ask(story, range(49)).matched) == 5


def test_the_very_same_count_is_told_again_with_the_same_noise(story: Story) -> None:
    told = {count(story, range(50)).noised_count for _ in range(3)}
    assert len(told) == 1
    assert newest_result(story).nearest_count is None
    # It is kept once, since each sketch more would say more; it weighs from the last time it was told.
    assert kept(story) == 3
    story.now += 20 * DAY_SECONDS
    count(story, range(50))
    story.now += 20 * DAY_SECONDS
    assert retention.purge(story.broker).counted_sets == 0
    assert refused(story, lambda: count(story, range(49))) == ("L15a",)


def test_the_same_set_over_one_deposit_more_is_refused_since_the_difference_is_one_contributors(
    story: Story,
) -> None:
    count(story, range(50))
    story.deposit(COMPANIES[3], [token(7)])
    assert refused(story, lambda: count(story, range(50))) == ("L15a",)
    assert newest_result(story).nearest_count == 0


def test_a_list_of_one_deposit_is_compared_whatever_is_sent_for_the_others(story: Story) -> None:
    first = story.request(50, Tier.COUNT)
    tokens = story.tokens(story.file(first), map(token, range(50)))
    story.answer(first, tokens)
    second = story.request(50, Tier.COUNT)
    admission = story.file(second)
    behind_junk = {tokens.lists[0].deposit_id: [token(number) for number in range(49)]}
    hidden = story.tokens(admission, map(token, range(1000, 1050)), behind_junk)
    assert refused(story, lambda: story.answer(second, hidden)) == ("L15a",)


def test_another_agencys_counts_and_those_of_a_month_ago_are_not_compared_with(story: Story) -> None:
    count(story, range(50))
    assert count(story, range(49), "unit-2").noised_count is not None
    story.now += 30 * DAY_SECONDS
    assert count(story, range(48)).noised_count is not None


def test_hits_that_left_as_a_count_are_compared_with_and_compared(tmp_path: Path, bundle: Bundle) -> None:
    story = Story(tmp_path, bundle)
    for company in COMPANIES[:3]:
        story.deposit(company, map(token, range(100, 110)))
    lowered = ask(story, range(100, 160))
    assert (lowered.tier, lowered.rules[0]) == (Tier.COUNT, "L16")
    assert refused(story, lambda: count(story, range(101, 160))) == ("L15a",)
    # So many hits could leave as a count only, and this one lies near another: nothing leaves.
    assert refused(story, lambda: ask(story, range(102, 160))) == ("L16",)
    story.stop()


# --- what is kept ---


def test_no_token_of_a_count_that_matched_nothing_is_in_any_byte_of_the_files(
    story: Story, databases: Databases
) -> None:
    canaries = [f"canary {index:09d}".encode() for index in range(300)]
    request = story.request(300, Tier.COUNT)
    story.answer(request, story.tokens(story.file(request), canaries))
    assert kept(story) == 3
    files = databases.everything(story.database_url)
    assert not any(b"canary" in data or b"canary".hex().encode() in data for data in files)


def test_what_is_kept_of_a_count_goes_after_thirty_days_and_from_the_files(
    story: Story, databases: Databases
) -> None:
    count(story, range(50))
    with story.broker.database.read() as connection:
        lists = list(connection.execute(select(tables.counted_sets.c.fingerprints)).scalars())
    assert _on_disk(story, databases, lists)
    story.now += 30 * DAY_SECONDS - 1
    assert retention.purge(story.broker).counted_sets == 0
    story.now += 1
    assert retention.purge(story.broker).counted_sets == 3
    assert not _on_disk(story, databases, lists)


def test_what_is_kept_of_a_count_goes_with_the_deposit(story: Story, databases: Databases) -> None:
    count(story, range(50))
    with story.broker.database.read() as connection:
        lists = list(connection.execute(select(tables.counted_sets.c.fingerprints)).scalars())
    withdraw_all(story)
    assert kept(story) == 0
    assert not _on_disk(story, databases, lists)


def _on_disk(story: Story, databases: Databases, lists: list[bytes]) -> bool:
    return any(each in data for each in lists for data in databases.files(story.database_url))


def withdraw_all(story: Story) -> None:
    """Every contributor takes its series back."""
    with story.broker.database.read() as connection:
        found = connection.execute(select(tables.series.c.series_id, tables.series.c.contributor)).all()
    for series_id, contributor in found:
        statement = Withdrawal(series_id=series_id, reason="Example", withdrawn_at=story.now)
        document = sign(statement, key_of(contributor)).document
        series.withdraw_series(story.broker, story.caller(contributor), series_id, document)
