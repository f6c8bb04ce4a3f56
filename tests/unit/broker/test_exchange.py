"""The life of a request, as agencies live it: docs/life-of-a-request.md numbers the steps."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from broker import exchange, series
from broker.audit.records import RequestRefused
from broker.gate.bundle import Bundle, load
from broker.gate.decide import replay
from broker.matching.count import noise, sum_digest, token_set_digest
from broker.protocol import leaves, wrapping
from broker.protocol.documents import Signed, sign, verify
from broker.protocol.errors import (
    BadInput,
    Conflict,
    Expired,
    NarrowgateError,
    NotFound,
    NotPermitted,
    VerificationFailed,
)
from broker.protocol.messages.base import decode, encode
from broker.protocol.messages.requests import (
    Admission,
    AdmissionRecord,
    Finding,
    OpenedRecord,
    Permit,
    Request,
    RequestSubmission,
    TokenSubmission,
)
from broker.protocol.messages.series import Withdrawal
from broker.protocol.messages.vocabulary import AgencyKind, Purpose, Tier
from broker.protocol.receipts import verify_log_proof
from broker.refusals import GateRefusal
from broker.store import requests as rows
from broker.store import tables
from broker.store.log import SqlLogStorage
from tests.databases import Databases
from tests.exchange_story import COMPANIES, HOLDERS, LOG_ORIGIN, Story, key_of, named, token

POLICIES = Path(__file__).parents[3] / "policies"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """The real rules."""
    return load(POLICIES)


@pytest.fixture
def story(tmp_path: Path, bundle: Bundle, database_url: str) -> Iterator[Story]:
    """Three companies hold tokens 0 to 4 each."""
    story = Story(tmp_path, bundle, database_url=database_url)
    for company in COMPANIES[:3]:
        story.deposit(company, [token(index) for index in range(5)])
    yield story
    story.stop()


def kinds(story: Story, after: int = 0) -> list[str]:
    """The kinds of entries of the log from index `after` on."""
    with story.broker.database.read() as connection:
        size = story.broker.audit.size(connection)
        return [leaves.parse_leaf(leaf).kind for leaf in SqlLogStorage(connection).leaves(after, size)]


def size(story: Story) -> int:
    """The number of entries."""
    return len(kinds(story))


def used(story: Story) -> list[tuple[int, int, int]]:
    """The ledger: identifiers, hits and privacy loss, request by request."""
    columns = (tables.ledger.c.identifiers, tables.ledger.c.hits, tables.ledger.c.epsilon_millis)
    with story.broker.database.read() as connection:
        return [tuple(row) for row in connection.execute(select(*columns).order_by(tables.ledger.c.entry))]


# --- filing ---


def test_a_request_goes_through_the_whole_exchange_and_each_step_is_an_entry(story: Story) -> None:
    before, request = size(story), story.request()
    admission = story.file(request)
    told = story.answer(request, story.tokens(admission, [token(index) for index in range(3, 20)]))
    assert told.matched == tuple(sorted((token(3), token(4))))
    assert (told.tier, told.noised_count, told.contributors, told.trial) == (Tier.HITS, None, None, True)
    assert kinds(story, before) == ["ADMITTED", "TOKENS", "RELEASE", "RELEASED"]
    entry = verify_log_proof(told.proof, LOG_ORIGIN, story.broker.keys.log_public)
    assert (entry.content.kind, entry.index) == ("RELEASE", before + 2)
    assert used(story) == [(20, 6, 0)]


def test_each_holder_can_open_the_admitted_record_and_decide_again(story: Story, bundle: Bundle) -> None:
    admission = story.file(story.request())
    permit = story.permit(admission)
    entry = verify_log_proof(permit.proof, LOG_ORIGIN, story.broker.keys.log_public)
    assert [sealed.holder_id for sealed in admission.sealed_records] == list(HOLDERS)
    for sealed in admission.sealed_records:
        info = wrapping.facts_info(permit.terms.permit_id, sealed.holder_id)
        opened = decode(
            OpenedRecord, wrapping.unwrap(story.wrapping_keys[sealed.holder_id].private, sealed.wrapped, info)
        )
        assert hashlib.sha256(opened.salt + opened.record).digest() == entry.content.digest
        record = decode(AdmissionRecord, opened.record)
        assert record.terms == permit.terms
        again = replay(bundle, record.decision)
        assert (again.digest, again.allowed) == (permit.terms.decision_digest, True)
        assert {each.series_id for each in permit.terms.series} == set(again.admitted_series)


def test_below_sources_a_requester_sees_no_contributor_and_no_order(story: Story) -> None:
    first, second = story.file(story.request()), story.file(story.request())
    orders = []
    for admission in (first, second):
        handles = [sheet.handle for sheet in admission.series]
        assert (
            handles == sorted(handles) == [opened.handle for opened in story.permit(admission).terms.series]
        )
        assert [sheet.contributor for sheet in admission.series] == [None] * 3
        orders.append(handles)
        # Nothing but the sealed records could name a company, and they are sealed.
        assert not any(company in encode(admission).decode() for company in COMPANIES)
        assert not any(company in admission.permit for company in COMPANIES)
    assert not set(orders[0]) & set(orders[1])


def test_the_same_submission_is_answered_the_same_and_charged_once(story: Story) -> None:
    submission, caller = story.submission(story.request()), story.caller("unit-1")
    first = exchange.file_request(story.broker, caller, submission)
    story.now += 100
    before = size(story)
    assert exchange.file_request(story.broker, caller, submission) == first
    assert size(story) == before
    assert used(story) == [(20, 0, 0)]


def test_other_bytes_under_a_used_request_id_are_a_conflict(story: Story) -> None:
    request = story.request()
    story.file(request)
    with pytest.raises(Conflict):
        exchange.file_request(
            story.broker, story.caller("unit-1"), RequestSubmission(request=request.document, findings=())
        )
    stolen = sign(request.payload.model_copy(update={"requester": "unit-2"}), key_of("unit-2"))
    with pytest.raises(Conflict):
        story.file(stolen)


def test_a_request_without_a_finding_is_refused_recorded_and_refused_again(story: Story) -> None:
    request = story.request()
    submission = RequestSubmission(request=request.document, findings=())
    before = size(story)
    with pytest.raises(GateRefusal) as refused:
        exchange.file_request(story.broker, story.caller("unit-1"), submission)
    assert kinds(story, before) == ["REFUSED"]
    record = decode(RequestRefused, refused.value.receipt.record)
    assert record.request_digest == request.digest
    assert replay(story.broker.bundle, record.decision).rules == refused.value.told.rules
    with pytest.raises(GateRefusal) as again:
        exchange.file_request(story.broker, story.caller("unit-1"), submission)
    assert again.value.told == refused.value.told
    assert size(story) == before + 1
    assert used(story) == []
    tokens = story.tokens(story.file(story.request()), [])
    with pytest.raises(NotPermitted):
        exchange.answer_tokens(story.broker, story.caller("unit-1"), request.payload.request_id, tokens)


def test_a_purpose_the_desk_found_is_refused_whatever_the_form_says(story: Story) -> None:
    request = story.request()
    finding = story.finding(request, purpose=Purpose.IMMIGRATION_ENFORCEMENT)
    with pytest.raises(GateRefusal) as refused:
        exchange.file_request(
            story.broker,
            story.caller("unit-1"),
            RequestSubmission(request=request.document, findings=(finding,)),
        )
    assert {"L03", "L20"} <= set(refused.value.told.rules)


Papers = Callable[[Story], tuple[str, Signed[Request], str]]


def _finding_of_another(story: Story) -> tuple[str, Signed[Request], str]:
    return "unit-1", story.request(), story.finding(story.request())


def _finding_by_the_requester(story: Story) -> tuple[str, Signed[Request], str]:
    request = story.request()
    genuine = story.finding(request)
    payload = _payload(genuine)
    return "unit-1", request, sign(payload, key_of("unit-1")).document


def _finding_in_anothers_name(story: Story) -> tuple[str, Signed[Request], str]:
    request = story.request()
    return "unit-1", request, story.finding(request, desk="desk-2")


def _request_of_another_key(story: Story) -> tuple[str, Signed[Request], str]:
    request = story.request()
    return "unit-2", request, story.finding(request)


def _payload(document: str) -> Finding:
    return verify(Finding, document, key_of("desk-1").public_key().public_bytes_raw()).payload


@pytest.mark.parametrize(
    "papers",
    [_finding_of_another, _finding_by_the_requester, _finding_in_anothers_name, _request_of_another_key],
)
def test_papers_that_somebody_else_should_have_signed_are_not_believed(story: Story, papers: Papers) -> None:
    party, request, finding = papers(story)
    before = size(story)
    with pytest.raises(VerificationFailed):
        exchange.file_request(
            story.broker,
            story.caller(party),
            RequestSubmission(request=request.document, findings=(finding,)),
        )
    assert size(story) == before


@pytest.mark.parametrize(
    ("changes", "signer", "error"),
    [
        ({"requester": "unit-2"}, "unit-1", NotPermitted),
        ({"roster_version": 2}, "unit-1", Conflict),
        ({"space_id": b"?" * 16}, "unit-1", NotFound),
    ],
)
def test_a_request_that_does_not_fit_the_roster_is_not_decided(
    story: Story, changes: dict[str, object], signer: str, error: type[NarrowgateError]
) -> None:
    changed = sign(story.request().payload.model_copy(update=changes), key_of(signer))
    submission = RequestSubmission(request=changed.document, findings=())
    with pytest.raises(error):
        exchange.file_request(story.broker, story.caller(signer), submission)


def test_a_type_the_space_does_not_know_is_refused_before_the_gate(story: Story) -> None:
    request = story.request().payload
    batch = request.batches[0].model_copy(update={"identifier_type": "iban"})
    changed = sign(request.model_copy(update={"batches": (batch,)}), key_of("unit-1"))
    with pytest.raises(BadInput):
        story.file(changed)


def test_a_requesters_own_series_is_never_asked(story: Story) -> None:
    own = story.deposit(
        "unit-1",
        [token(1)],
        contributor_kind=AgencyKind.POLICE,
        lawful_ground="public_task",
        established_in="NL",
    )
    opened = story.permit(story.file(story.request())).terms.series
    assert len(opened) == 3
    assert own not in {deposit for each in opened for deposit in each.deposits}


def test_fewer_than_three_contributors_are_decided_as_sources(tmp_path: Path, bundle: Bundle) -> None:
    story = Story(tmp_path, bundle)
    for company in COMPANIES[:2]:
        story.deposit(company, [token(1)])
    with pytest.raises(GateRefusal) as refused:
        story.file(story.request())
    assert "L21" in refused.value.told.rules
    story.stop()


def test_of_two_requests_for_the_last_unit_of_a_budget_one_wins(story: Story) -> None:
    limit = story.broker.bundle.limits.identifiers_30d
    with story.broker.database.write() as connection:
        connection.execute(
            insert(tables.ledger).values(
                space_id=story.space.space_id,
                requester="unit-1",
                request_id=named("long ago", 16),
                charged_at=story.now - 29 * 86_400,
                identifiers=limit - 20,
                hits=limit,
                epsilon_millis=0,
            )
        )
    requests = [story.request(20) for _ in range(4)]
    start = threading.Barrier(len(requests))
    outcomes: list[Admission | GateRefusal] = []

    def file(request: Signed[Request]) -> None:
        start.wait()
        try:
            outcomes.append(story.file(request))
        except GateRefusal as refusal:
            outcomes.append(refusal)

    threads = [threading.Thread(target=file, args=(request,)) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(each, Admission) for each in outcomes) == 1
    assert [each.told.rules for each in outcomes if isinstance(each, GateRefusal)] == [("L10",)] * 3
    story.now += 2 * 86_400  # the old entry is 31 days old now
    assert story.file(story.request(20))


# --- tokens ---


def test_a_permit_is_good_for_one_set_of_tokens(story: Story) -> None:
    request = story.request()
    admission = story.file(request)
    submission = story.tokens(admission, [token(1)])
    first = story.answer(request, submission)
    before = size(story)
    story.now += 30 * 3600  # the answer is given again even when the permit's time is over
    assert story.answer(request, submission) == first
    with pytest.raises(Conflict):
        story.answer(request, story.tokens(admission, [token(2)]))
    with pytest.raises(Conflict):  # the same tokens under a fresh nonce are another submission
        story.answer(request, submission.model_copy(update={"nonce": bytes(32)}))
    assert kinds(story, before) == ["DISCLOSURE_READ"], "who read it again, and nothing else"


def test_an_expired_permit_opens_nothing(story: Story) -> None:
    request = story.request()
    admission = story.file(request)
    before = size(story)
    story.now += 24 * 3600
    with pytest.raises(Expired):
        story.answer(request, story.tokens(admission, [token(1)]))
    assert size(story) == before


def test_another_requester_does_not_find_the_permit(story: Story) -> None:
    request = story.request()
    submission = story.tokens(story.file(request), [token(1)])
    with pytest.raises(NotFound):
        exchange.answer_tokens(story.broker, story.caller("unit-2"), request.payload.request_id, submission)
    with pytest.raises(NotFound):
        exchange.answer_tokens(story.broker, story.caller("unit-1"), b"?" * 16, submission)


def test_tokens_beyond_the_permit_are_refused_and_do_not_use_it_up(story: Story) -> None:
    request, other = story.request(2), story.request(2)
    admission, anothers = story.file(request), story.file(other)
    for wrong in (
        story.tokens(admission, [token(index) for index in range(3)]),
        story.tokens(anothers, []),
        story.tokens(anothers, []).model_copy(update={"permit_id": story.permit(admission).terms.permit_id}),
    ):
        with pytest.raises(NotPermitted):
            story.answer(request, wrong)
    assert story.answer(request, story.tokens(admission, [token(1)])).matched == (token(1),)


def test_a_series_withdrawn_since_is_not_searched(story: Story) -> None:
    alone = story.deposit(COMPANIES[3], [token(40)])
    request = story.request()
    admission = story.file(request)
    _withdraw(story, alone)
    told = story.answer(request, story.tokens(admission, [token(1), token(40)]))
    assert told.matched == (token(1),)


def test_unmatched_tokens_are_in_no_byte_of_the_files(story: Story, databases: Databases) -> None:
    canaries = [f"canary {index:09d}".encode() for index in range(300)]
    request = story.request(400)
    told = story.answer(request, story.tokens(story.file(request), [token(1), *canaries]))
    assert told.matched == (token(1),)
    files = databases.everything(story.database_url)
    assert any(token(1) in data for data in files)
    assert not any(b"canary" in data or b"canary".hex().encode() in data for data in files)


def test_two_calls_with_the_same_tokens_at_once_release_once(story: Story) -> None:
    request = story.request()
    submission = story.tokens(story.file(request), [token(1)])
    before, start, told = size(story), threading.Barrier(3), []

    def send() -> None:
        start.wait()
        told.append(story.answer(request, submission))

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [told[0]] * 3 == told
    entries = ["TOKENS", "RELEASE", "RELEASED", "DISCLOSURE_READ", "DISCLOSURE_READ"]
    assert kinds(story, before) == entries, "released once, and each further answer said"


# --- counts ---


def test_a_count_is_the_sum_with_its_noise_and_nothing_else(story: Story) -> None:
    request = story.request(50, Tier.COUNT)
    submission = story.tokens(story.file(request), [token(index) for index in range(2, 50)])
    told = story.answer(request, submission)
    searched = [item.deposit_id for item in submission.lists]
    counted = sum_digest(token_set_digest(submission.lists), searched)
    drawn = noise(story.broker.keys.count_key, story.space.space_id, counted, 500)
    assert (told.noised_count, told.count_epsilon_millis, told.contributors) == (9 + drawn, 500, 3)
    assert (told.tier, told.matched) == (Tier.COUNT, ())
    assert used(story) == [(50, 9, 500)]


def test_asking_for_the_same_count_again_tells_nothing_new(story: Story) -> None:
    told = set()
    for _ in range(3):
        request = story.request(50, Tier.COUNT)
        tokens = story.tokens(story.file(request), [token(index) for index in range(50)])
        told.add(story.answer(request, tokens).noised_count)
    assert len(told) == 1


def test_a_count_about_few_identifiers_is_decided_as_hits(story: Story) -> None:
    request = story.request(9, Tier.COUNT)
    admission = story.file(request)
    assert story.permit(admission).terms.tier is Tier.HITS
    assert "L15" in admission.notes[0]
    told = story.answer(request, story.tokens(admission, [token(1)]))
    assert (told.asked_tier, told.tier, told.matched) == (Tier.COUNT, Tier.HITS, (token(1),))
    assert used(story) == [(9, 3, 0)]


def _many_hits(story: Story) -> tuple[Signed[Request], Admission, list[bytes]]:
    found = [token(index) for index in range(100, 110)]
    for company in COMPANIES[:3]:
        story.deposit(company, found)
    request = story.request(100)
    return request, story.file(request), found


def test_too_many_hits_leave_as_a_count_with_the_reason(story: Story) -> None:
    request, admission, found = _many_hits(story)
    told = story.answer(request, story.tokens(admission, found))
    assert (told.asked_tier, told.tier, told.matched) == (Tier.HITS, Tier.COUNT, ())
    assert told.rules[0] == "L16"
    assert len(told.rules) == len(told.reasons) == len(told.law)
    assert told.noised_count is not None
    assert used(story) == [(100, 30, 500)]


def test_too_many_hits_without_a_budget_for_counts_are_refused(tmp_path: Path, bundle: Bundle) -> None:
    story = Story(tmp_path, bundle, count_budget_millis=499)
    request, admission, found = _many_hits(story)
    submission, before = story.tokens(admission, found), size(story)
    with pytest.raises(GateRefusal) as refused:
        story.answer(request, submission)
    assert refused.value.told.rules == ("L16",)
    assert kinds(story, before) == ["TOKENS", "RELEASE", "FAILED"]
    with pytest.raises(GateRefusal) as again:
        story.answer(request, submission)
    assert again.value.told == refused.value.told
    assert size(story) == before + 3
    assert used(story) == [(100, 30, 0)]
    story.stop()


# --- crashes: randomness fails at the draw of an entry's salt, as a broken device would ---


def _crash(story: Story, request: Signed[Request], submission: TokenSubmission, entries: int) -> None:
    story.randomness.fail_after = entries
    with pytest.raises(OSError, match="no randomness"):
        story.answer(request, submission)
    story.randomness.fail_after = None
    story.stop()
    story.start()


def test_a_crash_between_release_and_released_leaves_it_open_and_discloses_nothing(story: Story) -> None:
    request = story.request()
    submission = story.tokens(story.file(request), [token(1)])
    before = size(story)
    _crash(story, request, submission, entries=2)
    assert kinds(story, before) == ["TOKENS", "RELEASE"]
    with story.broker.database.read() as connection:
        assert [each.request_id for each in rows.open_releases(connection)] == [request.payload.request_id]
        permit = rows.permit_of(connection, request.payload.request_id)
    assert permit is not None
    assert permit.disclosure is None
    story.now += 48 * 3600  # the use was begun in time
    assert story.answer(request, submission).matched == (token(1),)
    assert kinds(story, before) == ["TOKENS", "RELEASE", "RELEASED"]
    with story.broker.database.read() as connection:
        assert rows.open_releases(connection) == ()
    assert used(story) == [(20, 3, 0)]


@pytest.mark.parametrize("entries", [0, 1])
def test_a_crash_before_release_keeps_nothing_of_what_was_found(story: Story, entries: int) -> None:
    request = story.request()
    submission = story.tokens(story.file(request), [token(1)])
    before = size(story)
    _crash(story, request, submission, entries)
    assert kinds(story, before) == ["TOKENS"][:entries]
    with story.broker.database.read() as connection:
        assert connection.execute(select(tables.matches)).all() == []
    assert story.answer(request, submission).matched == (token(1),)


def test_a_crash_while_admitting_charges_nothing(story: Story) -> None:
    request, before = story.request(), size(story)
    story.randomness.fail_after = 4  # handles and permit_id are drawn, the entry's salt is not
    with pytest.raises(OSError, match="no randomness"):
        story.file(request)
    story.randomness.fail_after = None
    assert (size(story), used(story)) == (before, [])
    assert story.file(request)


def test_a_count_whose_contributors_withdrew_after_release_fails(story: Story) -> None:
    request = story.request(50, Tier.COUNT)
    admission = story.file(request)
    submission = story.tokens(admission, [token(1)])
    _crash(story, request, submission, entries=3)  # the third draw is the salt of what is kept of the count
    _withdraw(story, story.permit(admission).terms.series[0].deposits[0])
    before = size(story)
    with pytest.raises(GateRefusal, match="recorded") as refused:
        story.answer(request, submission)
    assert "three contributors" in refused.value.told.reasons[0]
    assert kinds(story, before) == ["FAILED"]


def test_other_tokens_cannot_take_over_an_interrupted_release(story: Story) -> None:
    request = story.request()
    admission = story.file(request)
    _crash(story, request, story.tokens(admission, [token(1)]), entries=2)
    with pytest.raises(Conflict):
        story.answer(request, story.tokens(admission, [token(2)]))


def _withdraw(story: Story, deposit_id: bytes) -> None:
    query = select(tables.deposits).where(tables.deposits.c.deposit_id == deposit_id)
    with story.broker.database.read() as connection:
        row = connection.execute(query).one()
    withdrawal = Withdrawal(series_id=row.series_id, reason="Example", withdrawn_at=story.now)
    document = sign(withdrawal, key_of(row.contributor)).document
    series.withdraw_series(story.broker, story.caller(row.contributor), row.series_id, document)


def test_a_permit_put_in_anothers_place_is_noticed(story: Story) -> None:
    request, other = story.request(), story.request()
    admission, anothers = story.file(request), story.file(other)
    permit = verify(Permit, anothers.permit, story.broker.keys.signing_public)
    with story.broker.database.write() as connection:
        connection.execute(
            tables.permits.update()
            .where(tables.permits.c.request_id == request.payload.request_id)
            .values(document=permit.document)
        )
    with pytest.raises(NarrowgateError, match="not that of its request"):
        story.answer(request, story.tokens(admission, [token(1)]))
