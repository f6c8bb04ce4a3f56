"""Nothing is found in an honest broker's log, and everything that is planted in one is found, by name and index."""

from collections.abc import Iterator
from typing import Any

import pytest

from broker import exchange
from broker.audit.records import (
    ApproverStated,
    LogKeyRotated,
    RecordsRead,
    RecordsWithdrawn,
    ReleaseAsked,
    RequestRefused,
)
from broker.erasing import erase
from broker.gate.decide import decide_admission
from broker.gate.facts import AdmitFacts
from broker.protocol import documents
from broker.protocol.documents import public_bytes
from broker.protocol.messages.log import LoggedRecord
from broker.protocol.messages.log_keys import LogKeyRotation
from broker.protocol.messages.vocabulary import RecordKind
from clients.auditing.anomalies import look
from clients.auditing.findings import MEANING, Anomaly, Known
from clients.auditing.search import Wanted
from clients.mirrors.mirror import Mirror
from clients.remote import RefusedByGate
from tests import auditing_case as case
from tests import rules
from tests.auditing_case import DAY_SECONDS, Story
from tests.broker_case import key_of
from tests.world import CONTRIBUTORS, LOG_ORIGIN, POLICE, World, phone

pytestmark = pytest.mark.all_only

NOTHING = {"identifiers_30d": 0, "queries_90d": 0, "hits_90d": 0, "overdue_reviews": 0}

ERASABLE = (
    *(RecordKind.ADMITTED, RecordKind.TOKENS, RecordKind.RELEASE, RecordKind.RELEASED, RecordKind.REFUSED),
    *(RecordKind.RELEASE_ASKED, RecordKind.RELEASE_ANSWERED, RecordKind.EMERGENCY_REVIEWED),
    *(RecordKind.BUNDLE_ACTIVATED, RecordKind.DEPOSIT_ADMITTED, RecordKind.RECORDS_WITHDRAWN),
    RecordKind.CONTEST_STATED,
)


def ledger(world: World, **facts: Any) -> dict[str, Any]:
    """Derived facts with nothing spent, but for these."""
    budgets = {
        "count_budget_left_millis": world.space.count_budget_millis,
        "count_cost_millis": world.space.count_epsilon_millis,
    }
    return NOTHING | budgets | {"prior_tier": None, "prior_decided_at": None, "confirmed": False} | facts


def test_an_honest_log_has_none(honest: World) -> None:
    looked = case.looked(honest)
    assert looked.findings == ()
    assert looked.left_out == ()
    kinds = {each.kind for each in case.entries(honest)}
    assert {
        "RELEASE_ANSWERED",
        "EMERGENCY_REVIEWED",
        "RECORDS_WITHDRAWN",
        "REFUSED",
        "CONTEST_STATED",
    } <= kinds


def test_rules_that_changed_while_a_request_was_under_way_are_none(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("changed")
    world = World(folder)
    for name in CONTRIBUTORS:
        world.deposit(name, range(3))
    prepared = world.prepare([phone(1), phone(500)])
    world.requester().file(prepared.request_id, [world.finding(prepared)])
    world.requester().evaluate(prepared.request_id)
    numbers = case.numbers_of(world)
    source = rules.changed_rules(folder / "rules", lambda text: text + "# another digest\n")
    world.change_rules(rules.sign_rules(source, world.now - 60, world.bundle.digest))
    world.requester().submit(prepared.request_id)
    (release,) = (each for each in case.entries(world) if each.kind == "RELEASE")
    assert len(release.decisions) == 2
    assert (release.outcome, release.tier, release.rules) == ("ALLOW", "hits", ("G2",))
    assert case.looked(world, numbers | case.numbers_of(world)).findings == ()
    assert case.looked(world, case.numbers_of(world)).left_out != ()
    world.close()


def test_without_the_rules_what_needs_them_is_named_as_left_out(honest: World) -> None:
    looked = case.looked(honest, numbers={})
    assert looked.findings == ()
    left_out = {name for each in looked.left_out for name in each.anomalies}
    assert left_out == {
        Anomaly.NEAR_BUDGET,
        Anomaly.LOW_HIT_RATE,
        Anomaly.FULL_BATCHES,
        Anomaly.REVIEW_OVERDUE,
    }
    assert all(honest.bundle.digest.hex() in each.reason for each in looked.left_out)


@pytest.mark.parametrize("kind", sorted({*ERASABLE}))
def test_what_was_erased_is_named_and_no_other_anomaly_is_made_up_for_it(
    honest: World, monkeypatch: pytest.MonkeyPatch, kind: RecordKind
) -> None:
    log, stored = case.mirror(honest), Mirror.records
    kinds = {each.index: each.kind for each in log.entries()}
    erased = tuple(index for index, name in kinds.items() if name == kind)
    assert erased

    def records(mirror: Mirror) -> Iterator[LoggedRecord]:
        for logged in stored(mirror):
            gone = {"record": None, "salt": None} if logged.index in erased else {}
            yield logged.model_copy(update=gone)

    monkeypatch.setattr(Mirror, "records", records)
    looked = look(log.entries(), Known(case.numbers_of(honest), honest.space))
    assert [(each.anomaly, each.entries) for each in looked.findings] == [(Anomaly.ERASED_UNRECORDED, erased)]
    # One erased record must not blind a check in silence.
    (left,) = looked.left_out
    assert kind in left.reason
    assert all(str(index) in left.reason for index in erased)


def test_every_anomaly_says_what_it_means() -> None:
    assert set(MEANING) == set(Anomaly)


# --- the steps of a request ---


def test_a_release_that_nothing_closed(planted: World) -> None:
    story = Story(planted, "unit-open")
    story.admitted(derived=ledger(planted))
    story.tokens()
    release = story.release()
    (finding,) = case.found(planted, Anomaly.OPEN_RELEASE, "unit-open")
    assert finding.entries == (release,)
    story.failed(release)
    assert case.found(planted, Anomaly.OPEN_RELEASE, "unit-open") == []


def test_one_request_admitted_used_decided_and_closed_twice(planted: World) -> None:
    story = Story(planted, "unit-twice")
    admitted = story.admitted(derived=ledger(planted)), story.admitted(derived=ledger(planted))
    tokens = story.tokens(), story.tokens()
    releases = story.release(), story.release()
    closed = story.released(releases[0]), story.released(releases[0])
    expected = {
        Anomaly.ADMITTED_TWICE: admitted,
        Anomaly.TOKENS_TWICE: tokens,
        Anomaly.RELEASE_TWICE: releases,
        Anomaly.CLOSED_TWICE: (releases[0], *closed),
    }
    for anomaly, indices in expected.items():
        (finding,) = case.found(planted, anomaly, "unit-twice")
        assert finding.entries == indices, anomaly


def test_a_release_without_what_must_come_before(planted: World) -> None:
    release = Story(planted, "unit-bare").release()
    for anomaly in (Anomaly.RELEASE_WITHOUT_ADMISSION, Anomaly.RELEASE_WITHOUT_TOKENS):
        (finding,) = case.found(planted, anomaly, "unit-bare")
        assert finding.entries == (release,)


@pytest.mark.parametrize(
    ("made_up", "members", "said"),
    [
        ({"tier": "sources"}, {}, "tier"),
        ({"identifiers": 1}, {}, "identifiers"),
        ({"request_digest": "00" * 32}, {}, "request_digest"),
        ({}, {"tier": "payload"}, "a tier above the permit's"),
    ],
    ids=["tier", "identifiers", "request", "above"],
)
def test_a_release_on_other_facts_than_were_admitted(
    planted: World, made_up: dict[str, Any], members: dict[str, Any], said: str
) -> None:
    story = Story(planted, f"unit-other-{said.split()[0]}-{len(members)}")
    admitted = story.admitted(derived=ledger(planted))
    story.tokens()
    honest = story.release()
    assert case.found(planted, Anomaly.OTHER_ADMISSION, story.agency) == []
    release = story.release(made_up=made_up, **members)
    (finding,) = case.found(planted, Anomaly.OTHER_ADMISSION, story.agency)
    assert finding.entries == (admitted, release)
    assert finding.detail == f"Different: {said}."
    assert honest < release


def test_a_refusal_made_up_before_it_does_not_hide_whose_request_was_admitted(planted: World) -> None:
    story = Story(planted, "unit-hidden")
    cover = case.record_at(planted, RequestRefused, Story(planted, "unit-cover").refused())
    case.plant(planted, RecordKind.REFUSED, cover.model_copy(update={"request_digest": story.digest}))
    own = [story.admitted(derived=ledger(planted)), story.tokens(), story.release()]
    found = [each.index for each in case.entries(planted) if Wanted(agency="unit-hidden").fits(each)]
    assert found == own
    about = [each.about for each in case.entries(planted) if each.index in own]
    assert {each.requester.agency_id for each in about if each is not None} == {"unit-hidden"}


def test_a_disclosure_that_nothing_decided_and_one_that_was_refused(planted: World) -> None:
    story = Story(planted, "unit-told")
    story.admitted(derived=ledger(planted))
    story.tokens()
    undecided = story.released(release_index=0)
    release = story.release(outcome="DENY", rules=["L16"])
    refused = story.released(release)
    (finding,) = case.found(planted, Anomaly.DISCLOSED_UNDECIDED, "unit-told")
    assert finding.entries == (undecided,)
    (finding,) = case.found(planted, Anomaly.DISCLOSED_THOUGH_REFUSED, "unit-told")
    assert finding.entries == (release, refused)
    assert "L16" in finding.detail


def test_a_decision_under_other_rules(planted: World) -> None:
    other = Story(planted, "unit-rules").admitted(derived=ledger(planted), bundle_digest="ab" * 32)
    (finding,) = case.found(planted, Anomaly.OTHER_RULES)
    assert finding.entries == (other,)
    assert planted.bundle.digest.hex() in finding.detail


# --- ledgers ---


def test_a_broker_that_understates_its_ledger_is_named(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path_factory.mktemp("understated"))
    for name in ("company-1", "company-2", "ngo-1"):
        world.deposit(name, range(3))
    world.ask([phone(1), phone(500)])

    def understated(facts: AdmitFacts) -> AdmitFacts:
        told = {"identifiers_30d": 0, "queries_90d": 0}
        return facts.model_copy(update={"derived": facts.derived.model_copy(update=told)})

    monkeypatch.setattr(
        exchange, "decide_admission", lambda bundle, facts: decide_admission(bundle, understated(facts))
    )
    prepared = world.prepare([phone(2)])
    world.requester().file(prepared.request_id, [world.finding(prepared)])
    (finding,) = case.looked(world).findings
    assert (finding.anomaly, finding.party) == (Anomaly.LEDGER_KINDER, POLICE)
    assert "identifiers in 30 days: 0 in the decision, 2 by the log" in finding.detail
    world.close()


def test_a_ledger_that_says_more_was_found_or_more_is_left_is_kinder(planted: World) -> None:
    more = ledger(planted, hits_90d=5, count_budget_left_millis=planted.space.count_budget_millis + 1)
    index = Story(planted, "unit-kind").admitted(derived=more)
    (finding,) = case.found(planted, Anomaly.LEDGER_KINDER, "unit-kind")
    assert finding.entries == (index,)
    assert "hits in 90 days: 5" in finding.detail
    assert "budget of counts left" in finding.detail


def test_a_ledger_that_says_more_was_asked_is_stricter(planted: World) -> None:
    index = Story(planted, "unit-hard").admitted(derived=ledger(planted, identifiers_30d=7, queries_90d=7))
    (finding,) = case.found(planted, Anomaly.LEDGER_STRICTER, "unit-hard")
    assert finding.entries == (index,)
    assert case.found(planted, Anomaly.LEDGER_KINDER, "unit-hard") == []


def test_an_agency_near_its_budget(planted: World) -> None:
    limit = planted.bundle.limits.identifiers_30d
    half = limit * 2 // 5
    Story(planted, "unit-near", 1).admitted(derived=ledger(planted), identifiers=half)
    exactly = ledger(planted, identifiers_30d=half, queries_90d=half)
    Story(planted, "unit-near", 2).admitted(derived=exactly, identifiers=limit * 4 // 5 - half)
    assert case.found(planted, Anomaly.NEAR_BUDGET, "unit-near") == []
    used = limit * 4 // 5
    over = Story(planted, "unit-near", 3).admitted(
        derived=ledger(planted, identifiers_30d=used, queries_90d=used), identifiers=1
    )
    (finding,) = case.found(planted, Anomaly.NEAR_BUDGET, "unit-near")
    assert finding.entries == (over,)
    assert f"{used + 1} of {limit}" in finding.detail


# --- emergencies ---


def _emergency(world: World, agency: str) -> tuple[Story, int, int]:
    story = Story(world, agency)
    story.admitted(derived=ledger(world))
    story.tokens()
    release = story.release(rules=["G3"], reasons=["A threat to life."], law=["an article"])
    return story, release, story.released(release)


def test_an_emergency_that_nobody_reviewed_in_time(planted: World) -> None:
    _, release, released = _emergency(planted, "unit-late")
    begun = planted.now
    try:
        planted.now += planted.bundle.limits.emergency_review_days * DAY_SECONDS
        case.mirror(planted)
        assert case.found(planted, Anomaly.REVIEW_OVERDUE, "unit-late") == []
        planted.now += 3 * DAY_SECONDS
        Story(planted, "unit-meanwhile").refused()
        (finding,) = case.found(planted, Anomaly.REVIEW_OVERDUE, "unit-late")
        assert finding.entries == (release, released)
        assert "3 days" in finding.detail
        # A broker that let the agency go on as if nothing were owed.
        let = Story(planted, "unit-late", 2).admitted(derived=ledger(planted))
        (finding,) = case.found(planted, Anomaly.LEDGER_KINDER, "unit-late")
        assert finding.entries == (let,)
        assert "overdue reviews: 0 in the decision, 1 by the log" in finding.detail
    finally:
        planted.now = max(begun, planted.now)


def test_an_emergency_that_was_found_not_justified(planted: World) -> None:
    story, release, released = _emergency(planted, "unit-wrong")
    reviewed = ApproverStated(
        space_id=planted.space.space_id,
        request_digest=story.digest,
        person="judge-1",
        document_digest=bytes(32),
        justified=False,
    )
    index = case.plant(planted, RecordKind.EMERGENCY_REVIEWED, reviewed)
    (finding,) = case.found(planted, Anomaly.REVIEW_NOT_JUSTIFIED)
    assert (finding.entries, finding.party) == ((release, released, index), "unit-wrong")


# --- how agencies ask ---


def test_many_requests_in_a_day_without_a_match(planted: World) -> None:
    indices = tuple(
        Story(planted, "unit-busy", number).admitted(
            planted.now + number * 60, derived=ledger(planted), identifiers=1
        )
        for number in range(20)
    )
    planted.now += 20 * 60
    (finding,) = case.found(planted, Anomaly.MANY_REQUESTS)
    assert (finding.party, finding.entries) == ("unit-busy", indices)
    assert "20 requests about 20 identifiers, 0 hits" in finding.detail


def test_batches_that_are_as_large_as_may_be(planted: World) -> None:
    most = planted.bundle.limits.hits_identifiers
    indices = tuple(
        Story(planted, "unit-lists", number).admitted(derived=ledger(planted), identifiers=most * 9 // 10)
        for number in range(5)
    )
    (finding,) = case.found(planted, Anomaly.FULL_BATCHES)
    assert (finding.party, finding.entries) == ("unit-lists", indices)


def test_a_hit_rate_far_under_the_rules(planted: World) -> None:
    least = planted.bundle.limits.rate_queries
    Story(planted, "unit-rate", 1).admitted(derived=ledger(planted), identifiers=least - 1)
    asked = ledger(planted, identifiers_30d=least - 1, queries_90d=least - 1)
    Story(planted, "unit-rate", 2).admitted(derived=asked, identifiers=1)
    assert case.found(planted, Anomaly.LOW_HIT_RATE, "unit-rate") == []
    asked = ledger(planted, identifiers_30d=least, queries_90d=least)
    index = Story(planted, "unit-rate", 3).admitted(derived=asked, identifiers=1)
    (finding,) = case.found(planted, Anomaly.LOW_HIT_RATE, "unit-rate")
    assert finding.entries == (index,)
    assert f"0 hits of {least}" in finding.detail


def test_an_agency_that_is_refused_again_and_again_for_too_many(planted: World) -> None:
    too_many = [phone(number) for number in range(planted.bundle.limits.hits_identifiers + 1)]
    before = planted.log_kinds().count("REFUSED")
    for _ in range(3):
        assert [each for each in case.found(planted, Anomaly.REFUSED_IN_A_ROW) if each.party == POLICE] == []
        with pytest.raises(RefusedByGate):
            planted.ask(too_many)
    (finding,) = case.found(planted, Anomaly.REFUSED_IN_A_ROW, POLICE)
    assert len(finding.entries) == planted.log_kinds().count("REFUSED") - before == 3
    assert "L06" in finding.detail


def test_a_contributor_that_said_nothing(planted: World) -> None:
    story = Story(planted, "unit-asks")
    story.admitted(derived=ledger(planted))
    record = ReleaseAsked(
        permit_id=story.permit_id,
        request_id=story.request_id,
        series_id=bytes(32),
        contributor="ngo-silent",
        records=2,
        until_at=planted.now + 7 * DAY_SECONDS,
    )
    index = case.plant(planted, RecordKind.RELEASE_ASKED, record)
    assert case.found(planted, Anomaly.SILENT_CONTRIBUTOR) == []
    planted.now += 7 * DAY_SECONDS
    story.tokens()
    (finding,) = case.found(planted, Anomaly.SILENT_CONTRIBUTOR)
    assert (finding.entries, finding.party) == ((index,), "ngo-silent")


# --- the log itself ---


@pytest.mark.parametrize("numbers", [(1, 3), (1, 1), (2,)], ids=str)
def test_changes_of_a_deposit_that_skip_or_repeat_a_number(planted: World, numbers: tuple[int, ...]) -> None:
    name = "company-" + "-".join(map(str, numbers))
    indices = tuple(
        case.plant(
            planted,
            RecordKind.RECORDS_WITHDRAWN,
            RecordsWithdrawn(
                deposit_id=bytes([*numbers, 9] + [0] * (31 - len(numbers))),
                series_id=bytes(32),
                space_id=planted.space.space_id,
                contributor=name,
                withdrawal_digest=bytes(32),
                number=number,
                records_deleted=1,
                records=1,
                root=bytes(32),
            ),
        )
        for number in numbers
    )
    (finding,) = case.found(planted, Anomaly.ROOT_NUMBERS, name)
    assert finding.entries == indices


def _changed_key(world: World, old: str, new: str, *, lost: bool) -> int:
    with world.broker.database.read() as connection:
        size = world.broker.audit.size(connection)
    statement = LogKeyRotation(
        log_origin=LOG_ORIGIN,
        old_key=public_bytes(key_of(old)),
        new_key=public_bytes(key_of(new)),
        from_size=size + 1,
        reason="As the test says.",
        rotated_at=world.now,
    )
    record = LogKeyRotated(
        old_key=statement.old_key,
        new_key=statement.new_key,
        from_size=statement.from_size,
        reason=statement.reason,
        by_old_key=None if lost else documents.sign(statement, key_of(old)).document,
        by_new_key=documents.sign(statement, key_of(new)).document,
    )
    return case.plant(world, RecordKind.LOG_KEY_ROTATED, record)


def test_a_log_key_that_the_old_one_did_not_hand_on(planted: World) -> None:
    """Two changes, each by itself as `audit verify` has it: the old key signed the first, and not the second."""
    _changed_key(planted, "log", "log 2", lost=False)
    assert case.found(planted, Anomaly.LOG_KEY_LOST) == []
    index = _changed_key(planted, "log 2", "log 3", lost=True)
    (finding,) = case.found(planted, Anomaly.LOG_KEY_LOST)
    assert finding.entries == (index,)
    assert "without the old key's signature" in finding.meaning


def _read(world: World, at: int | None = None) -> int:
    record = RecordsRead(auditor="auditor-1", kid="A" * 43, start=0, end=1, read_at=world.now)
    return case.plant(world, RecordKind.RECORDS_READ, record, at)


def test_a_clock_that_was_put_back(planted: World) -> None:
    planted.now += 1000
    before = _read(planted)
    _read(planted, planted.now - 60)
    assert case.found(planted, Anomaly.CLOCK_BACK) == []
    later = _read(planted)
    back = _read(planted, planted.now - 61)
    (finding,) = case.found(planted, Anomaly.CLOCK_BACK)
    assert finding.entries == (later, back)
    assert before < later


def test_records_that_were_erased_and_no_entry_says_on_whose_word(planted: World) -> None:
    case.mirror(planted)
    index = _read(planted)
    case.erase(planted, index)
    (finding,) = case.found(planted, Anomaly.ERASED_UNRECORDED)
    assert index in finding.entries
    assert "RECORDS_READ" in finding.detail
    assert case.found(planted, Anomaly.RECORDS_ERASED) == []


def test_a_record_that_was_erased_on_an_order_is_told_with_the_entry_that_says_so(planted: World) -> None:
    case.mirror(planted)
    index = _read(planted)
    said = case.ordered(RecordKind.RECORDS_READ, index)
    done = erase(planted.broker.database, planted.broker.audit, said, planted.now)
    (finding,) = case.found(planted, Anomaly.RECORDS_ERASED)
    assert finding.entries == (index, done.log_index)
    assert all(index not in each.entries for each in case.found(planted, Anomaly.ERASED_UNRECORDED))
