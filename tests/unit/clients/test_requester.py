"""The requester against an in-memory broker and real shares: what it learns, and what it does not believe."""

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from broker.protocol import documents, group, oprf, quorum, tokens
from broker.protocol.errors import (
    BadInput,
    Conflict,
    Expired,
    NotFound,
    Unavailable,
    VerificationFailed,
)
from broker.protocol.messages import evaluation, requests
from broker.protocol.messages.base import encode, read
from broker.protocol.messages.vocabulary import Outcome, RecordKind, Tier
from clients.remote import Answer, RefusedByGate
from clients.requesting.request_folder import RequestFolder
from tests.messages_examples import BASIS, CLAIMS, NOW
from tests.requester_world import RequesterWorld, answer, down, phone, problem

PHONES = [phone(number) for number in range(6)]
EMAILS = ["email/1|ada@example.org", "email/1|bob@example.org"]


@pytest.fixture
def world(tmp_path: Path) -> RequesterWorld:
    """Two contributors of phones, one of emails."""
    world = RequesterWorld(tmp_path)
    world.deal("phone", [phone(1), phone(2), phone(77)])
    world.deal("phone", [phone(2), phone(4)])
    world.deal("email", [EMAILS[1]])
    return world


def _prepare(world: RequesterWorld, tier: Tier = Tier.HITS) -> bytes:
    return world.requester().prepare({"phone": PHONES, "email": EMAILS}, CLAIMS, tier).request_id


def _folder(world: RequesterWorld, request_id: bytes) -> RequestFolder:
    return RequestFolder(world.home.vault, request_id)


# --- the whole way ---


def test_the_hits_are_those_of_ones_own_identifiers_that_somebody_holds(world: RequesterWorld) -> None:
    got = world.requester().run(_prepare(world))
    assert got.hits == (EMAILS[1], phone(1), phone(2), phone(4))
    assert (got.tier, got.identifiers, got.noised_count, got.trial) == (Tier.HITS, 8, None, True)
    assert (got.rules, got.reasons, got.law) == (("G2",), ("The lane is open.",), ("LED 8",))


def test_nothing_that_leaves_the_home_holds_an_identifier_or_a_salted_hash(world: RequesterWorld) -> None:
    sent: list[bytes] = []
    send = world.send

    def listen(method: str, url: str, headers: Any, body: bytes) -> Answer:
        sent.append(url.encode() + body)
        return send(method, url, headers, body)

    world.send = listen  # type: ignore[method-assign]  # a spy on the wire
    request_id = _prepare(world)
    world.requester().run(request_id)
    everything = b"".join(sent)
    assert sent
    for text in (*PHONES, *EMAILS):
        assert text.partition("|")[2].encode() not in everything
        assert tokens.salted_hash(world.salt, text).hex().encode() not in everything


def test_secrets_of_a_request_lie_sealed_and_show_no_repr(world: RequesterWorld) -> None:
    request_id = _prepare(world)
    got = world.requester().run(request_id)
    kept = b"".join(path.read_bytes() for path in world.directory.rglob("*") if path.is_file())
    plan = _folder(world, request_id).plan()
    for text in (*PHONES, *EMAILS):
        value = text.partition("|")[2]
        assert value.encode() not in kept
        assert value not in repr(got) + repr(plan)


def test_a_repeated_identifier_is_asked_once(world: RequesterWorld) -> None:
    prepared = world.requester().prepare({"phone": [phone(1), phone(2), phone(1)]}, CLAIMS, Tier.HITS)
    (batch,) = prepared.request.payload.batches
    assert (batch.identifiers, batch.points) == (2, 2)
    assert world.requester().run(prepared.request_id).hits == (phone(1), phone(2))


def test_the_evidence_opens_every_point_of_the_request(world: RequesterWorld) -> None:
    request_id = _prepare(world)
    world.requester().run(request_id)
    folder = _folder(world, request_id)
    request = folder.request(world.founder_key).payload
    for planned, batch in zip(folder.plan().batches, request.batches, strict=True):
        points = []
        for index, text in enumerate(planned.identifiers):
            h = planned.hashes[64 * index : 64 * index + 64]
            assert h == tokens.salted_hash(world.salt, text)
            points.append(oprf.blind_with(h, planned.blinds[32 * index : 32 * index + 32]).blinded_element)
        assert requests.batch_root(points) == batch.batch_root


def test_a_count_tells_a_number_and_no_identifier(world: RequesterWorld) -> None:
    world.broker = _disclosing(world, asked_tier=Tier.COUNT, tier=Tier.COUNT, matched=(), noised_count=-1)
    got = world.requester().run(_prepare(world, Tier.COUNT))
    assert (got.hits, got.noised_count, got.tier) == ((), -1, Tier.COUNT)


def test_a_count_over_too_few_contributors_is_told_as_the_hits_it_was_decided_as(
    world: RequesterWorld,
) -> None:
    request_id = _prepare(world, Tier.COUNT)
    disclosing = _disclosing(world, asked_tier=Tier.COUNT)
    world.broker = lambda method, path, body: (
        disclosing(method, path, body)
        if path.endswith("/tokens")
        else _admitting(world, _same, tier=Tier.HITS)(method, path, body)
    )
    assert world.requester().run(request_id).tier is Tier.HITS


# --- prepare ---


@pytest.mark.parametrize(
    "identifiers",
    [{}, {"phone": []}, {"iban": ["iban/1|NL00EXAMPLE"]}, {"phone": ["+44 7700 900123"]}],
    ids=["nothing", "empty", "a type the space does not compare", "not canonical"],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_kept(
    world: RequesterWorld, identifiers: dict[str, list[str]]
) -> None:
    with pytest.raises(BadInput) as refused:
        world.requester().prepare(identifiers, CLAIMS, Tier.HITS)
    assert "900123" not in str(refused.value)
    assert not world.home.vault.names("requests")


def test_the_tiers_above_hits_are_not_asked(world: RequesterWorld) -> None:
    with pytest.raises(BadInput):
        world.requester().prepare({"phone": PHONES}, CLAIMS, Tier.PAYLOAD)


def test_two_requests_about_one_identifier_share_no_point(world: RequesterWorld) -> None:
    first, second = (
        world.requester().prepare({"phone": [phone(1)]}, CLAIMS, Tier.HITS).request_id for _ in range(2)
    )
    points = [_folder(world, request_id).plan().batches[0].points for request_id in (first, second)]
    assert points[0] != points[1]


def test_steps_out_of_order_say_which_comes_before(world: RequesterWorld) -> None:
    request_id = _prepare(world)
    with pytest.raises(Conflict, match="file"):
        world.requester().evaluate(request_id)
    world.requester().file(request_id)
    with pytest.raises(Conflict, match="evaluate"):
        world.requester().submit(request_id)
    with pytest.raises(NotFound):
        world.requester().file(bytes(16))


# --- file ---


def test_a_refusal_is_raised_with_its_law_and_kept(world: RequesterWorld) -> None:
    refused = {"rules": ["L03"], "reasons": ["No open lane."], "law": ["GDPR 6"], "missed": ["a lane"]}
    world.broker = lambda *_: problem("refused", 403, **refused, notes=["Recorded."], trial=True)
    request_id = _prepare(world)
    with pytest.raises(RefusedByGate) as told:
        world.requester().run(request_id)
    assert (told.value.rules, told.value.law, told.value.missed) == (("L03",), ("GDPR 6",), ("a lane",))
    kept = _folder(world, request_id).refusal()
    assert kept is not None
    assert (kept.rules, kept.notes, _folder(world, request_id).state) == (("L03",), ("Recorded.",), "refused")
    world.broker = world.answer_as_broker
    assert world.requester().run(request_id).hits
    assert _folder(world, request_id).state == "answered"


def test_a_finding_about_another_request_is_not_filed(world: RequesterWorld) -> None:
    finding = requests.Finding(
        finding_id=bytes(16),
        space_id=world.space.space_id,
        request_digest=bytes(32),
        desk="desk-1",
        basis=BASIS,
        basis_authentic=True,
        offence=CLAIMS.offence,
        maximum_penalty_months=144,
        purpose=CLAIMS.purpose,
        subjects=CLAIMS.subjects,
        dual_criminality=True,
        threat_to_life=False,
        necessity_shown=True,
        less_intrusive_means_considered=True,
        found_at=NOW,
        expires_at=NOW + 1,
    )
    with pytest.raises(VerificationFailed, match="another request"):
        world.requester().file(
            _prepare(world), [documents.sign(finding, world.homes["desk-1"].signing_key).document]
        )
    with pytest.raises(VerificationFailed):
        world.requester().file(_prepare(world), [documents.sign(finding, world.broker_key).document])
    assert world.calls == []


def _admitting(
    world: RequesterWorld, change: Callable[[requests.Admission], requests.Admission], **terms: Any
) -> Any:
    def broker(method: str, path: str, body: bytes) -> Answer:
        return answer(change(world.admission(read(requests.RequestSubmission, body), **terms)))

    return broker


def _same(admission: requests.Admission) -> requests.Admission:
    return admission


@pytest.mark.parametrize(
    "terms",
    [
        {"requester": "unit-2"},
        {"request_digest": bytes(32)},
        {"tier": Tier.PAYLOAD},
        {"roster_version": 2},
        {"space_id": bytes([1]) * 16},
        {
            "batches": (
                requests.Batch(identifier_type="phone", identifiers=6, points=6, batch_root=bytes(32)),
            )
        },
        {"trial": False},
        {"kind": RecordKind.REFUSED},
    ],
    ids=str,
)
def test_a_permit_that_is_not_for_this_request_is_kept_as_evidence_and_not_used(
    world: RequesterWorld, terms: dict[str, Any]
) -> None:
    world.broker = _admitting(world, _same, **terms)
    request_id = _prepare(world)
    with pytest.raises(VerificationFailed, match="evidence"):
        world.requester().file(request_id)
    folder = _folder(world, request_id)
    assert folder.admission() is None
    assert world.home.vault.exists(f"requests/{request_id.hex()}/admission-false.json")


def test_a_permit_signed_by_another_key_is_refused(world: RequesterWorld) -> None:
    world.broker_key = world.holder_keys[1]
    with pytest.raises(VerificationFailed, match="may not sign"):
        world.requester().file(_prepare(world))


def test_a_permit_of_another_log_is_refused(world: RequesterWorld) -> None:
    world.log.key = world.holder_keys[1]
    with pytest.raises(VerificationFailed, match="log's key"):
        world.requester().file(_prepare(world))


def test_keys_that_too_few_holders_accepted_are_refused(world: RequesterWorld) -> None:
    dealt = next(iter(world.dealt.values()))

    def change(admission: requests.Admission) -> requests.Admission:
        sheet = world.sheet(dealt, accepted_by=(1, 1))
        return admission.model_copy(update={"series": (sheet, *admission.series[1:])})

    world.broker = _admitting(world, change)
    with pytest.raises(VerificationFailed, match="Too few"):
        world.requester().file(_prepare(world))


def test_keys_that_the_holders_did_not_accept_are_refused(world: RequesterWorld) -> None:
    _, second, _ = world.dealt.values()

    def change(admission: requests.Admission) -> requests.Admission:
        swapped = admission.series[0].model_copy(update={"commitments_match": second.match.commitments})
        return admission.model_copy(update={"series": (swapped, *admission.series[1:])})

    world.broker = _admitting(world, change)
    with pytest.raises(VerificationFailed, match="keys of a series"):
        world.requester().file(_prepare(world))


def test_an_expired_permit_is_not_taken_to_the_holders(world: RequesterWorld) -> None:
    request_id = _prepare(world)
    world.requester().file(request_id)
    world.now += 7200
    with pytest.raises(Expired):
        world.requester().evaluate(request_id)
    assert not any("holder" in call for call in world.calls)


# --- evaluate ---


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_one_holder_down_is_got_round_by_asking_another_quorum_anew(
    world: RequesterWorld, failing: int
) -> None:
    world.holders[failing] = down
    assert world.requester().run(_prepare(world)).hits == (EMAILS[1], phone(1), phone(2), phone(4))


def test_two_holders_down_is_a_clear_error_and_loses_nothing(world: RequesterWorld) -> None:
    world.holders[1] = world.holders[3] = down
    request_id = _prepare(world)
    with pytest.raises(Unavailable, match=r"Holder 1, Holder 3") as error:
        world.requester().run(request_id)
    assert "2 of 3" in str(error.value)
    world.holders[1] = world.holder(1)
    assert world.requester().run(request_id).hits
    assert [call for call in world.calls if call.endswith("POST /v1/requests")] == [
        "broker.example.org POST /v1/requests"
    ]


def test_a_named_quorum_is_asked_and_no_other(world: RequesterWorld) -> None:
    request_id = _prepare(world)
    world.requester().file(request_id)
    with pytest.raises(BadInput):
        world.requester().evaluate(request_id, [3, 1])
    world.requester().evaluate(request_id, [1, 3])
    assert not any("holder-2" in call for call in world.calls)
    assert world.requester().submit(request_id).hits


def _lying(world: RequesterWorld, x: int, change: Callable[[evaluation.EvaluationCall], Any]) -> Any:
    def handler(method: str, path: str, body: bytes) -> Answer:
        return answer(change(read(evaluation.EvaluationCall, body)))

    return handler


def _swap(chunk: quorum.Chunk) -> quorum.Chunk:
    return quorum.Chunk(chunk.elements[::-1], chunk.proof)


def _shifted(chunk: quorum.Chunk) -> quorum.Chunk:
    first = group.add(chunk.elements[0], group.GENERATOR)
    return quorum.Chunk((first, *chunk.elements[1:]), chunk.proof)


def _false_answers(world: RequesterWorld) -> dict[str, Callable[[evaluation.EvaluationCall], Any]]:
    def other_quorum(call: evaluation.EvaluationCall) -> evaluation.EvaluationAnswer:
        # Evaluated for {1, 3}, signed as if it were for the quorum asked.
        asked = call.quorum
        return world.evaluated(1, call.model_copy(update={"quorum": (1, 3)}), quorum=asked)

    def other_signer(call: evaluation.EvaluationCall) -> evaluation.EvaluationAnswer:
        return world.evaluated(1, call).model_copy(update={"statement": world.evaluated(2, call).statement})

    return {
        "elements in another order": lambda call: world.evaluated(1, call, _swap),
        "one element shifted": lambda call: world.evaluated(1, call, _shifted),
        "evaluated for another quorum": other_quorum,
        "statement about another answer": lambda call: world.evaluated(1, call, answer_digest=bytes(32)),
        "statement about another permit": lambda call: world.evaluated(1, call, permit_id=bytes(16)),
        "statement about another series": lambda call: world.evaluated(1, call, series_id=bytes(32)),
        "statement about another batch": lambda call: world.evaluated(1, call, batch_root=bytes(32)),
        "statement of another quorum": lambda call: world.evaluated(1, call, quorum=(1, 3)),
        "signed by another holder": other_signer,
    }


@pytest.mark.parametrize("how", list(_false_answers(None)))  # type: ignore[arg-type]  # the names alone
def test_a_false_answer_is_found_kept_and_got_round(world: RequesterWorld, how: str) -> None:
    world.holders[1] = _lying(world, 1, _false_answers(world)[how])
    request_id = _prepare(world)
    world.requester().file(request_id)
    with pytest.raises(VerificationFailed, match="Holder 1"):
        world.requester().evaluate(request_id, [1, 2])
    kept = world.home.vault.names(f"requests/{request_id.hex()}/answers/1-2")
    assert any(name.endswith("-1.false") for name in kept)
    assert world.requester().run(request_id).hits == (EMAILS[1], phone(1), phone(2), phone(4))
    assert {"2-3"} < set(world.home.vault.names(f"requests/{request_id.hex()}/answers"))


def test_a_holder_that_refuses_is_asked_no_more_and_its_refusal_is_told_when_no_quorum_is_left(
    world: RequesterWorld,
) -> None:
    def refusing(*_: Any) -> Answer:
        return problem(
            "refused", 403, rules=["L20"], reasons=["Stated and found purpose differ."], law=["LED 4"]
        )

    world.holders[1] = refusing
    assert world.requester().run(_prepare(world)).hits
    world.holders[2] = refusing
    request_id = _prepare(world)
    with pytest.raises(RefusedByGate, match="decided again") as told:
        world.requester().run(request_id)
    assert told.value.rules == ("L20",)
    assert _folder(world, request_id).state == "refused"
    assert len(world.submissions) == 1  # of the first request alone


def test_holders_under_other_rules_than_the_brokers_refuse_in_their_own_words(world: RequesterWorld) -> None:
    world.holders[1] = world.holders[2] = lambda *_: problem("conflict", 409)
    with pytest.raises(RefusedByGate) as told:
        world.requester().run(_prepare(world))
    assert [reason.partition(":")[0] for reason in told.value.reasons] == [
        "Holder 1 (key holder 1)",
        "Holder 2 (key holder 2)",
    ]
    assert world.submissions == []


@pytest.mark.parametrize("seen", [1, 5], ids=["holder saw less", "holder saw more"])
def test_a_holder_that_saw_another_size_is_given_the_proof_between_the_two(
    world: RequesterWorld, seen: int
) -> None:
    for _ in range(2):
        world.log.append(RecordKind.SERIES_OPENED, b"{}")
    request_id = _prepare(world)
    world.requester().file(request_id)  # the permit stands in a log of size 3
    for _ in range(4):
        world.log.append(RecordKind.SERIES_OPENED, b"{}")
    given: list[evaluation.Consistency] = []

    def holder(method: str, path: str, body: bytes) -> Answer:
        call = read(evaluation.EvaluationCall, body)
        if call.consistency is None:
            return problem("consistency-needed", 409, seen_size=seen)
        given.append(call.consistency)
        return answer(world.evaluated(1, call))

    world.holders[1] = holder
    world.requester().evaluate(request_id)
    old, new = sorted((seen, 3))
    path = world.log.consistency(old, new)
    assert given[0] == evaluation.Consistency(old_size=old, new_size=new, path=path)


def test_holders_are_asked_at_the_same_time(world: RequesterWorld) -> None:
    together = threading.Barrier(2, timeout=10)

    def meeting(x: int) -> Any:
        def handler(method: str, path: str, body: bytes) -> Answer:
            together.wait()
            return answer(world.evaluated(x, read(evaluation.EvaluationCall, body)))

        return handler

    world.holders[1], world.holders[2] = meeting(1), meeting(2)
    assert world.requester().run(_prepare(world)).hits


def test_answers_that_came_before_a_crash_are_not_asked_for_again(world: RequesterWorld) -> None:
    request_id = _prepare(world)
    world.requester().file(request_id)
    holder_1, asked = world.holder(1), []

    def crashing(method: str, path: str, body: bytes) -> Answer:
        asked.append(body)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return holder_1(method, path, body)

    world.holders[1] = crashing
    with pytest.raises(KeyboardInterrupt):
        world.requester().evaluate(request_id)
    world.holders[1] = lambda method, path, body: asked.append(body) or holder_1(method, path, body)  # type: ignore[func-returns-value]
    world.requester().evaluate(request_id)
    assert len(asked) == 4  # three series, and the third one a second time
    world.requester().evaluate(request_id)
    assert len(asked) == 4


# --- submit ---


def _disclosing(world: RequesterWorld, recorded: Mapping[str, Any] | None = None, **changes: Any) -> Any:
    def broker(method: str, path: str, body: bytes) -> Answer:
        if not path.endswith("/tokens"):
            return world.answer_as_broker(method, path, body)
        submission = read(requests.TokenSubmission, body)
        disclosure = world.disclosure(bytes.fromhex(path.split("/")[3]), submission, **changes)
        return answer(world.answered(disclosure, **(recorded or {})))

    return broker


def test_the_same_bytes_are_sent_again_after_the_answer_was_lost(world: RequesterWorld) -> None:
    request_id = _prepare(world)
    world.requester().file(request_id)
    world.requester().evaluate(request_id)
    honest = world.answer_as_broker

    def losing(method: str, path: str, body: bytes) -> Answer:
        honest(method, path, body)
        raise KeyboardInterrupt

    world.broker = losing
    with pytest.raises(KeyboardInterrupt):
        world.requester().submit(request_id)
    world.broker = honest
    first = world.requester().submit(request_id)
    assert world.requester().submit(request_id) == first
    assert len(world.submissions) == 2
    assert world.submissions[0] == world.submissions[1]


def test_each_list_of_tokens_is_sorted_and_what_was_sent_is_kept_for_a_draw(world: RequesterWorld) -> None:
    request_id = _prepare(world)
    world.requester().file(request_id)
    world.requester().evaluate(request_id)
    assert _folder(world, request_id).state == "evaluated"
    world.requester().submit(request_id)
    for item in read(requests.TokenSubmission, world.submissions[0]).lists:
        split = [item.tokens[at : at + 16] for at in range(0, len(item.tokens), 16)]
        assert split == sorted(set(split))
    kept = _folder(world, request_id).tokens()
    assert kept is not None
    assert encode(kept.submission) == world.submissions[0]


@pytest.mark.parametrize(
    "forged",
    [
        {"matched": (bytes(16),)},
        {"token_root": bytes(32)},
        {"permit_id": bytes(16)},
        {"request_id": bytes(16)},
        {"requester": "unit-2"},
        {"trial": False},
        {"tier": Tier.PAYLOAD},
        {"noised_count": 3},
        {"tier": Tier.COUNT, "noised_count": 3},
        {"outcome": Outcome.DENY},
        {"kind": RecordKind.ADMITTED},
        {"recorded": {"request_id": bytes(16)}},
        {"recorded": {"request_digest": bytes(32)}},
        {"recorded": {"permit_id": bytes(16)}},
        {"recorded": {"requester": "unit-2"}},
        {"recorded": {"tier": Tier.SOURCES}},
        {"recorded": {"disclosure_digest": bytes(32)}},
        {"recorded": {"release_index": 0}},
    ],
    ids=str,
)
def test_a_forged_disclosure_is_kept_as_evidence_and_gives_no_answer(
    world: RequesterWorld, forged: dict[str, Any]
) -> None:
    world.broker = _disclosing(world, **forged)
    request_id = _prepare(world)
    with pytest.raises(VerificationFailed, match="evidence"):
        world.requester().run(request_id)
    folder = _folder(world, request_id)
    assert folder.answer() is None
    assert folder.tokens() is not None
    assert world.home.vault.exists(f"requests/{request_id.hex()}/disclosure-false.jws")


def test_a_disclosure_signed_by_another_key_is_refused(world: RequesterWorld) -> None:
    request_id = _prepare(world)
    world.requester().file(request_id)
    world.requester().evaluate(request_id)
    world.broker_key = world.holder_keys[1]
    with pytest.raises(VerificationFailed):
        world.requester().submit(request_id)


def test_a_result_that_may_not_be_released_is_a_refusal(world: RequesterWorld) -> None:
    world.broker = _disclosing(world, matched=(), outcome=Outcome.DENY)
    request_id = _prepare(world)
    with pytest.raises(RefusedByGate) as told:
        world.requester().run(request_id)
    assert told.value.law == ("LED 8",)
    kept = _folder(world, request_id).refusal()
    assert kept is not None
    assert json.loads(encode(kept))["trial"] is True
