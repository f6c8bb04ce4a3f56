"""A requester tells what became of its matches: each once, those it was told of, and as often as it learns more."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from broker import retention
from broker.audit.log import AuditLog
from broker.protocol.documents import sign, verify
from broker.protocol.errors import BadInput, Conflict, NotPermitted, Unavailable
from broker.protocol.messages.log import ReceiptMessage
from broker.protocol.messages.outcomes import (
    OutcomeEntry,
    OutcomeReport,
    OutcomeSubmission,
    counts,
    entries_digest,
)
from broker.protocol.messages.requests import Disclosure
from broker.protocol.messages.vocabulary import MatchOutcome, RecordKind, Tier
from broker.store import statistics, tables
from clients.depositing.series_folder import all_series
from clients.requesting.outcome_reports import OutcomeReports, Reported
from clients.requesting.request_folder import RequestFolder
from clients.requesting.request_values import Answer, HitToken
from tests.world import BROKER, POLICE, World, phone

pytestmark = pytest.mark.all_only

USEFUL, FALSE_MATCH = MatchOutcome.USEFUL, MatchOutcome.FALSE_MATCH
UNKNOWN = MatchOutcome.NOT_YET_KNOWN
DAY_SECONDS = 86_400


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """phone(5) to phone(9) are known to two companies, phone(12) to phone(14) to company-2 and the NGO."""
    made = World(tmp_path)
    made.deposit("company-1", range(10))
    made.deposit("company-2", range(5, 15))
    made.deposit("ngo-1", range(12, 20))
    yield made
    made.close()


@pytest.fixture
def answer(world: World) -> Answer:
    """Four hits in six deposits' records, and one identifier that nobody knows."""
    answer = world.ask(map(phone, (1, 5, 6, 17, 500)))
    assert answer.hits == tuple(map(phone, (1, 5, 6, 17)))
    assert len(answer.hit_tokens) == 6
    return answer


def reports(world: World) -> OutcomeReports:
    home = world.homes[POLICE]
    return OutcomeReports(home, world.space, world.caller(POLICE), world.clock, world.random(POLICE))


def report(world: World, answer: Answer, others: MatchOutcome | None = None, **kinds: list[str]) -> Reported:
    named = {MatchOutcome(kind): texts for kind, texts in kinds.items()}
    return reports(world).report(answer.request_id, named, others)


def told(world: World) -> dict[tuple[str, str], str]:
    """What is counted for each contributor and month."""
    query = select(tables.series.c.contributor, tables.outcomes.c.month, tables.outcomes.c.told).join(
        tables.series, tables.series.c.series_id == tables.outcomes.c.series_id
    )
    with world.broker.database.read() as connection:
        return {(row.contributor, row.month): row.told for row in connection.execute(query)}


def submission(world: World, answer: Answer, matches: list[HitToken], **changes: Any) -> OutcomeSubmission:
    """A report made by hand: that all these matches were useful, with changes to what is signed."""
    entries = tuple(
        OutcomeEntry(deposit_id=each.deposit_id, token=each.token, outcome=USEFUL)
        for each in sorted(matches, key=lambda each: (each.deposit_id, each.token))
    )
    home = world.homes[POLICE]
    document = home.vault.read_text(f"requests/{answer.request_id.hex()}/disclosure.jws")
    signed = OutcomeReport(
        request_id=answer.request_id,
        requester=POLICE,
        disclosure_digest=verify(Disclosure, document, world.space.broker_signing_key).digest,
        number=1,
        entries_digest=entries_digest(bytes(32), entries),
        reported_at=world.now,
        **counts(entries),  # type: ignore[arg-type]
    )
    changed = OutcomeReport.model_validate(dict(signed) | changes)
    return OutcomeSubmission(
        document=sign(changed, home.signing_key).document, nonce=bytes(32), entries=entries
    )


def send(world: World, answer: Answer, sent: OutcomeSubmission, who: str = POLICE) -> ReceiptMessage:
    return world.caller(who).post(
        f"{BROKER}/v1/requests/{answer.request_id.hex()}/outcome", sent, ReceiptMessage
    )


# --- what is reported ---


def test_outcomes_of_hits_are_recorded_as_numbers_and_counted_for_whoever_held_them(
    world: World, answer: Answer
) -> None:
    result = report(world, answer, useful=[phone(5)], false_match=[phone(1)], victim_identified=[phone(17)])
    assert (result.number, result.hits) == (1, 3)
    assert result.matches == {"useful": 2, "false_match": 1, "victim_identified": 1, "not_yet_known": 0}
    assert told(world) == {
        ("company-1", "2026-11"): "false_match useful",
        ("company-2", "2026-11"): "useful",
        ("ngo-1", "2026-11"): "victim_identified",
    }
    assert world.log_kinds()[-1] == RecordKind.OUTCOME_REPORTED


def test_one_word_may_stand_for_all_hits_or_for_the_rest_of_them(world: World, answer: Answer) -> None:
    assert report(world, answer, UNKNOWN).matches["not_yet_known"] == 6
    rest = report(world, answer, FALSE_MATCH, useful=[phone(17)])
    assert (rest.number, rest.hits) == (2, 4)
    assert rest.matches == {"useful": 1, "false_match": 5, "victim_identified": 0, "not_yet_known": 0}


def test_a_later_report_replaces_an_earlier_one_of_the_same_month_and_no_other_month(
    world: World, answer: Answer
) -> None:
    report(world, answer, UNKNOWN)
    report(world, answer, victim_identified=[phone(1)])
    assert told(world) == {("company-1", "2026-11"): "victim_identified"}
    world.now += 31 * DAY_SECONDS
    report(world, answer, USEFUL)
    assert told(world)[("company-1", "2026-11")] == "victim_identified"
    assert told(world)[("company-1", "2026-12")] == "useful"
    assert world.log_kinds().count("OUTCOME_REPORTED") == 3


def test_no_token_is_stored_or_logged_with_a_report(world: World, answer: Answer) -> None:
    report(world, answer, USEFUL)
    with world.broker.database.read() as connection:
        kept = [repr(tuple(row)) for row in connection.execute(select(tables.outcome_reports))]
        kept += [repr(tuple(row)) for row in connection.execute(select(tables.outcomes))]
        end = world.broker.audit.size(connection)
        (logged,) = world.broker.audit.record_page(connection, end - 1, end).records
    assert logged.record is not None
    assert b'"useful":6' in logged.record
    for each in answer.hit_tokens:
        for text in (*kept, repr(logged.record)):
            assert each.token.hex() not in text
            assert repr(each.token)[2:-1] not in text


def test_the_auditor_verifies_the_log_with_reports_in_it(world: World, answer: Answer) -> None:
    report(world, answer, USEFUL)
    replayed = world.replay()
    assert (replayed.decisions, replayed.different) == (replayed.same, ())
    assert replayed.decisions > 3


# --- again, and after a crash ---


def test_a_report_whose_answer_was_lost_is_sent_again_before_the_next(world: World, answer: Answer) -> None:
    path = f"/v1/requests/{answer.request_id.hex()}/outcome"
    with world.tamper(BROKER, path, answer=_lose), pytest.raises(Unavailable):
        report(world, answer, UNKNOWN)
    assert world.log_kinds().count("OUTCOME_REPORTED") == 1
    assert report(world, answer, USEFUL).number == 2
    assert world.log_kinds().count("OUTCOME_REPORTED") == 2


def test_the_same_report_again_changes_nothing_and_another_of_its_number_is_a_conflict(
    world: World, answer: Answer
) -> None:
    first = submission(world, answer, list(answer.hit_tokens))
    receipts = [send(world, answer, first) for _ in range(2)]
    assert receipts[0].proof.leaf == receipts[1].proof.leaf
    assert world.log_kinds().count("OUTCOME_REPORTED") == 1
    other = submission(world, answer, list(answer.hit_tokens), reported_at=world.now + 1)
    for wrong in (other, submission(world, answer, list(answer.hit_tokens), number=3)):
        with pytest.raises(Conflict):
            send(world, answer, wrong)


def test_a_report_cut_short_leaves_no_trace_and_is_sent_again(
    world: World, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise Unavailable("The step could not be recorded, so it was not taken.")

    before = world.log_kinds()
    for place, name in ((AuditLog, "append"), (statistics, "tell")):
        with monkeypatch.context() as cut:
            cut.setattr(place, name, fails)
            with pytest.raises(Unavailable):
                report(world, answer, USEFUL)
    assert (world.log_kinds(), told(world)) == (before, {})
    assert report(world, answer, FALSE_MATCH).number == 2  # the kept one first
    assert set(told(world).values()) == {"false_match"}


def _lose(answer: Any) -> Any:
    return type(answer)(503, (), b"")


# --- what is not accepted ---


def test_a_report_that_does_not_fit_is_refused(world: World, answer: Answer) -> None:
    some = list(answer.hit_tokens)
    for changes, error in (
        ({"useful": 5}, BadInput),
        ({"not_yet_known": 1}, BadInput),
        ({"entries_digest": bytes(32)}, BadInput),
        ({"disclosure_digest": bytes(32)}, BadInput),
        ({"request_id": bytes(16)}, BadInput),
        ({"requester": "company-1"}, BadInput),
    ):
        with pytest.raises(error):
            send(world, answer, submission(world, answer, some, **changes))
    repeated = submission(world, answer, [*some, some[0]])
    with pytest.raises(BadInput):
        send(world, answer, repeated)
    assert "OUTCOME_REPORTED" not in world.log_kinds()


def test_a_match_is_reported_in_the_deposit_it_was_found_in_and_no_other(
    world: World, answer: Answer
) -> None:
    mine, other = (
        answer.hit_tokens[0],
        next(each for each in answer.hit_tokens if each.deposit_id != answer.hit_tokens[0].deposit_id),
    )
    for deposit_id in (other.deposit_id, bytes(32)):
        moved = submission(world, answer, [mine.model_copy(update={"deposit_id": deposit_id})])
        with pytest.raises(NotPermitted):
            send(world, answer, moved)
    assert told(world) == {}


def test_there_is_nothing_to_report_before_an_answer_nor_of_a_count(world: World) -> None:
    prepared = world.prepare(map(phone, range(20)))
    with pytest.raises(Conflict):
        reports(world).report(prepared.request_id, {}, USEFUL)
    counted = world.ask(map(phone, range(20)), Tier.COUNT)
    assert counted.tier is Tier.COUNT
    with pytest.raises(BadInput, match="no hit"):
        report(world, counted, USEFUL)
    assert "OUTCOME_REPORTED" not in world.log_kinds()


def test_only_hits_are_reported_on_each_under_one_outcome_and_errors_name_none(
    world: World, answer: Answer
) -> None:
    wrong = ({USEFUL: [phone(500)]}, {USEFUL: [phone(1)], FALSE_MATCH: [phone(1)]})
    for kinds in wrong:
        with pytest.raises(BadInput) as refused:
            reports(world).report(answer.request_id, kinds)
        assert "7700" not in refused.value.detail
    with pytest.raises(BadInput, match="no hit"):
        report(world, answer)
    with pytest.raises(BadInput, match="2 of the identifiers"):
        report(world, answer, useful=[phone(500), phone(1), phone(12)])
    assert not world.wire.seen(BROKER, f"/v1/requests/{answer.request_id.hex()}/outcome")


# --- time goes by ---


def test_outcomes_are_still_counted_when_matched_tokens_are_gone(world: World, answer: Answer) -> None:
    world.now += 40 * DAY_SECONDS
    assert retention.purge(world.broker).matches == 6
    report(world, answer, USEFUL)
    assert {contributor for contributor, _ in told(world)} == {"company-1", "company-2", "ngo-1"}


def test_a_match_whose_record_was_taken_back_may_be_reported_and_counts_for_nobody(
    world: World, answer: Answer
) -> None:
    (series,) = all_series(world.homes["ngo-1"])
    world.contributor("ngo-1").withdraw(series.series_id, "A mistake")
    assert report(world, answer, USEFUL).matches["useful"] == 6
    assert {contributor for contributor, _ in told(world)} == {"company-1", "company-2"}


def test_the_tokens_behind_hits_are_sealed_in_the_home(world: World, answer: Answer) -> None:
    report(world, answer, USEFUL)
    folder = world.homes[POLICE].vault
    assert RequestFolder(folder, answer.request_id).answer() == answer
    sealed = (world.folder / POLICE / "requests" / answer.request_id.hex() / "answer").read_bytes()
    assert not any(each.token in sealed or each.token.hex().encode() in sealed for each in answer.hit_tokens)
    assert not folder.exists(f"requests/{answer.request_id.hex()}/outcome")
    assert folder.exists(f"requests/{answer.request_id.hex()}/outcome-000001.jws")


def test_a_report_that_was_never_sent_is_forgotten_with_the_request(world: World, answer: Answer) -> None:
    world.take_down(BROKER)
    with pytest.raises(Unavailable):
        report(world, answer, USEFUL)
    vault, name = world.homes[POLICE].vault, f"requests/{answer.request_id.hex()}/outcome"
    assert vault.exists(name)
    RequestFolder(vault, answer.request_id).forget(world.now)
    assert not vault.exists(name)
