"""A broker that lies: the real program and its real keys, with one function of it telling an untruth.

Each lie is about a request that the honest broker refuses, or about an honest one that all holders answer, so that it
is the lie that is refused. Holders are asked by a requester that colludes (`tests.threats.colluding`).
"""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker import admission, exchange, permits
from broker.gate.decide import decide_admission
from broker.gate.decision import Decision, SeriesVerdict
from broker.gate.facts import AdmitFacts
from broker.protocol import documents, group, shares
from broker.protocol.documents import Signed, key_identifier, public_bytes
from broker.protocol.errors import NarrowgateError, VerificationFailed
from broker.protocol.messages.base import encode, read
from broker.protocol.messages.requests import (
    Admission,
    Disclosure,
    Finding,
    Permit,
    PermitTerms,
    RequestSubmission,
    TokensAnswered,
)
from broker.protocol.messages.series import Acceptance, key_digest
from broker.protocol.messages.vocabulary import Outcome, Purpose, Role, Tier
from broker.registry import Caller as Signer
from clients.keyholder import pinning
from clients.remote import RefusedByGate
from clients.transport import Answer, Caller, RemoteUnauthenticated
from tests.threats import colluding
from tests.threats.forged_entries import told_anew
from tests.world import BROKER, POLICE, World, phone

ASKED = [phone(3), phone(7), phone(500)]
MALLORY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
"""A key of the broker's own, which nobody pinned."""


def lie(monkeypatch: pytest.MonkeyPatch, change: Callable[[AdmitFacts], AdmitFacts]) -> None:
    """The broker decides on changed facts, and records and signs that."""
    monkeypatch.setattr(
        exchange, "decide_admission", lambda bundle, facts: decide_admission(bundle, change(facts))
    )


def answered_with(change: Callable[[Admission], Admission]) -> Callable[[Answer], Answer]:
    """Change an admission on its way out."""

    def changed(answer: Answer) -> Answer:
        return Answer(answer.status, answer.headers, encode(change(read(Admission, answer.body))))

    return changed


# --- a false decision ---


def test_a_denial_that_the_broker_signs_as_an_allowance_is_refused_by_every_holder(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = world.prepare(ASKED)
    finding = world.finding(prepared, purpose=Purpose.SEX_WORK_ENFORCEMENT)
    with pytest.raises(RefusedByGate):
        colluding.file(world, prepared, [finding])

    def allow(bundle: Any, facts: AdmitFacts) -> Decision:
        honest = decide_admission(bundle, facts)
        verdicts = tuple(
            SeriesVerdict(series_id=one.series_id, outcome=Outcome.ALLOW, rules=("G2",), missed=())
            for one in honest.series
        )
        return honest.model_copy(
            update={"outcome": Outcome.ALLOW, "rules": ("G2",), "series": verdicts, "tier": Tier.HITS}
        )

    monkeypatch.setattr(exchange, "decide_admission", allow)
    prepared, before = world.prepare(ASKED), world.evaluations()
    finding = world.finding(prepared, purpose=Purpose.SEX_WORK_ENFORCEMENT)
    papers = colluding.file(world, prepared, [finding])
    outcomes = colluding.ask_all(world, papers)
    colluding.assert_all_refuse(outcomes, VerificationFailed, "not what these rules come to")
    assert world.evaluations() == before
    # The false decision stands in the log, where the auditor's replay names it.
    (different,) = world.replay().different
    assert (different.recorded, different.replayed) == (Outcome.ALLOW, Outcome.DENY)


def _verified(facts: AdmitFacts, **changes: Any) -> AdmitFacts:
    assert facts.verified is not None
    return facts.model_copy(update={"verified": facts.verified.model_copy(update=changes)})


def _for_everybody(facts: AdmitFacts) -> AdmitFacts:
    open_to_all: dict[str, Any] = {"permitted_purposes": tuple(Purpose), "highest_tier": Tier.PAYLOAD}
    return facts.model_copy(
        update={
            "series": tuple(
                one.model_copy(update={"conditions": one.conditions.model_copy(update=open_to_all)})
                for one in facts.series
            )
        }
    )


@pytest.mark.parametrize(
    ("claims", "answers", "change", "named"),
    [
        (
            {},
            {"purpose": Purpose.IMMIGRATION_ENFORCEMENT},
            lambda facts: _verified(facts, purpose=Purpose.INVESTIGATE_TRAFFICKER),
            "verified",
        ),
        (
            {},
            {"basis_authentic": False},
            lambda facts: _verified(facts, basis_authentic=True),
            "verified",
        ),
        (
            {"retention_days": 5000},
            {},
            lambda facts: facts.model_copy(
                update={"claims": facts.claims.model_copy(update={"retention_days": 30})}
            ),
            "claims",
        ),
        ({"purpose": Purpose.LOCATE_MISSING}, {}, _for_everybody, "series"),
    ],
    ids=["purpose found", "basis found", "claims", "a contributor's conditions"],
)
def test_a_decision_on_altered_facts_is_refused_by_every_holder(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    claims: dict[str, Any],
    answers: dict[str, Any],
    change: Callable[[AdmitFacts], AdmitFacts],
    named: str,
) -> None:
    prepared = world.prepare(ASKED, **claims)
    with pytest.raises(RefusedByGate):
        colluding.file(world, prepared, [world.finding(prepared, **answers)])
    lie(monkeypatch, change)
    prepared, before = world.prepare(ASKED, **claims), world.evaluations()
    papers = colluding.file(world, prepared, [world.finding(prepared, **answers)])
    outcomes = colluding.ask_all(world, papers)
    colluding.assert_all_refuse(outcomes, VerificationFailed, f"facts that are not so: {named}.")
    assert world.evaluations() == before


def test_an_honest_requester_is_told_which_holder_found_the_lie(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lie(monkeypatch, lambda facts: _verified(facts, purpose=Purpose.INVESTIGATE_TRAFFICKER))
    with pytest.raises(VerificationFailed, match=r"Holder 1 .*facts that are not so"):
        world.ask(ASKED, answers={"purpose": Purpose.IMMIGRATION_ENFORCEMENT})


def test_a_permit_that_singles_out_one_contributor_is_refused_by_every_holder(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = permits.terms_of

    def single(*arguments: Any) -> PermitTerms:
        terms = honest(*arguments)
        return terms.model_copy(update={"series": terms.series[:1]})

    monkeypatch.setattr(permits, "terms_of", single)
    papers = colluding.admitted(world, ASKED)
    assert len(papers.admission.series) == 1
    outcomes = colluding.ask_all(world, papers)
    colluding.assert_all_refuse(outcomes, VerificationFailed, "other series than the decision admits")


# --- swapped keys ---


def swap(monkeypatch: pytest.MonkeyPatch, world: World, **members: Any) -> None:
    """The broker reads another space document than everybody pinned."""
    false = world.space.model_copy(update=members)
    signed = Signed(false, "", "", bytes(32), bytes(32))
    monkeypatch.setattr(admission, "load_space", lambda connection, space_id: signed)
    monkeypatch.setattr(permits, "load_space", lambda connection, space_id: signed)


def test_a_legal_desk_whose_key_the_broker_swapped_convinces_no_holder(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = world.space.legal_desks[0].model_copy(update={"signing_key": public_bytes(MALLORY)})
    swap(monkeypatch, world, legal_desks=(desk,))
    prepared = world.prepare(ASKED)
    honest = documents.verify(
        Finding, world.finding(prepared), public_bytes(world.homes["desk-1"].signing_key)
    )
    forged = documents.sign(honest.payload, MALLORY).document
    with pytest.raises(VerificationFailed, match="may not sign"):
        world.requester().file(prepared.request_id, [forged])
    papers = colluding.file(world, prepared, [forged])
    colluding.assert_all_refuse(colluding.ask_all(world, papers), VerificationFailed, "may not sign")


def test_a_broker_that_takes_a_members_place_convinces_no_holder(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even with a legal desk that looks away: the request is the broker's own, in the police unit's name."""
    members = tuple(
        member.model_copy(update={"signing_key": public_bytes(MALLORY)})
        if member.agency_id == POLICE
        else member
        for member in world.space.members
    )
    swap(monkeypatch, world, members=members)
    prepared = world.prepare(ASKED)
    request = documents.sign(prepared.request.payload, MALLORY)
    desk = world.homes["desk-1"].signing_key
    finding = documents.verify(Finding, world.finding(prepared), public_bytes(desk)).payload
    finding = finding.model_copy(update={"request_digest": request.digest})
    findings = (documents.sign(finding, desk).document,)
    kid = key_identifier(public_bytes(MALLORY))
    answer = exchange.file_request(
        world.broker,
        Signer(kid, public_bytes(MALLORY), POLICE, Role.AGENCY),
        RequestSubmission(request=request.document, findings=findings),
    )
    papers = colluding.Papers(answer, request, findings, colluding.points_of(world, prepared))
    in_its_name = Caller(world.wire, MALLORY, world.clock, world.random("mallory"), pause=lambda _: None)
    outcomes = colluding.ask_all(world, papers, caller=in_its_name)
    colluding.assert_all_refuse(outcomes, RemoteUnauthenticated, "does not verify under an accepted key")
    colluding.assert_all_refuse(colluding.ask_all(world, papers), VerificationFailed, "may not sign")


def test_a_roster_that_the_broker_made_is_pinned_by_nobody(world: World) -> None:
    members = tuple(
        member.model_copy(update={"signing_key": public_bytes(MALLORY)})
        if member.agency_id == POLICE
        else member
        for member in world.space.members
    )
    forged = world.space.model_copy(update={"members": members, "roster_version": 2})
    founder = world.homes["company-1"]
    for key in (MALLORY, world.broker_keys.signing_key):
        document = documents.sign(forged, key).document
        for home in world.homes.values():
            with pytest.raises(NarrowgateError):
                home.pin_space(document, home.founder_key(forged.space_id))
        for holder in world.holders.values():
            with pytest.raises(NarrowgateError):
                pinning.pin_space(holder.database, holder.keys, document, founder.enrolment, world.now)
    # And no client or holder ever reads the document that the broker serves.
    served = f"/v1/spaces/{forged.space_id.hex()}"
    assert [each.call.path for each in world.wire.seen(BROKER, served) if each.call.path == served] == []
    true = documents.sign(world.space.model_copy(update={"roster_version": 2}), founder.signing_key).document
    assert world.homes["desk-1"].pin_space(true, founder.identity.signing_key).payload.roster_version == 2


# --- false keys and answers to the requester ---


def _false_keys(world: World, made: Admission, forge_acceptances: bool) -> Admission:
    """The same admission with keys of a series that the broker knows, signed by it."""
    dealing = shares.split(group.random_scalar(world.random("mallory")), 2, 3, world.random("mallory"))
    sheet = made.series[0].model_copy(update={"commitments_match": dealing.commitments})
    digest = key_digest(sheet.series_id, 2, 3, sheet.commitments_match, sheet.commitments_open)
    if forge_acceptances:
        sheet = sheet.model_copy(
            update={"acceptances": tuple(_accepted(world, each, digest) for each in sheet.acceptances)}
        )
    permit = documents.verify(Permit, made.permit, world.space.broker_signing_key).payload
    series = tuple(
        each.model_copy(update={"key_digest": digest}) if each.series_id == sheet.series_id else each
        for each in permit.terms.series
    )
    terms = permit.terms.model_copy(update={"series": series})
    signed = documents.sign(permit.model_copy(update={"terms": terms}), world.broker_keys.signing_key)
    return made.model_copy(update={"permit": signed.document, "series": (sheet, *made.series[1:])})


def _accepted(world: World, document: str, digest: bytes) -> str:
    keys = {key_identifier(holder.signing_key): holder.signing_key for holder in world.space.holders}
    honest = documents.verify(Acceptance, document, keys).payload
    return documents.sign(honest.model_copy(update={"key_digest": digest}), MALLORY).document


@pytest.mark.parametrize(
    ("forge_acceptances", "words"), [(False, "accepted other keys"), (True, "may not sign")]
)
def test_other_commitments_than_the_holders_accepted_are_found_before_anybody_is_asked(
    world: World, forge_acceptances: bool, words: str
) -> None:
    prepared = world.prepare(ASKED)
    finding, calls = world.finding(prepared), len(world.wire.passed)
    change = answered_with(lambda made: _false_keys(world, made, forge_acceptances))
    with (
        world.tamper(BROKER, "/v1/requests", answer=change) as tampering,
        pytest.raises(VerificationFailed, match=words),
    ):
        world.requester().run(prepared.request_id, [finding])
    assert tampering.times == len(world.wire.passed) - calls == 1
    kept = world.homes[POLICE].vault.names(f"requests/{prepared.request_id.hex()}")
    assert "admission-false.json" in kept
    assert world.requester().file(prepared.request_id, [finding]).sheets


Changes = Callable[[World, Disclosure], dict[str, Any]]


def _proof_of_admission(world: World, _told: Disclosure) -> dict[str, Any]:
    with world.broker.database.read() as connection:
        last = world.log_kinds()[::-1].index("ADMITTED")
        return {"proof": world.broker.audit.receipt(connection, len(world.log_kinds()) - 1 - last).proof}


FALSE_DISCLOSURES: dict[str, Changes] = {
    "never asked about": lambda world, told: {"matched": (*told.matched[:-1], b"\xff" * 16)},
    "names a match twice": lambda world, told: {"matched": told.matched * 2},
    "other tokens": lambda world, told: {"token_root": bytes(32)},
    "has a count": lambda world, told: {"noised_count": 2},
    "more than the permit allows": lambda world, told: {"tier": Tier.PAYLOAD, "matched": ()},
    "not for this request": lambda world, told: {"permit_id": bytes(16)},
    "another kind": _proof_of_admission,
}


def test_a_false_disclosure_is_not_believed_and_kept_as_evidence(world: World) -> None:
    def falsified(changes: Changes) -> Callable[[Answer], Answer]:
        def change(answer: Answer) -> Answer:
            answered = read(TokensAnswered, answer.body)
            told = documents.verify(
                Disclosure, answered.document or "", world.space.broker_signing_key
            ).payload
            forged = told_anew(world, answered, told.model_copy(update=changes(world, told)))
            return Answer(answer.status, answer.headers, encode(forged))

        return change

    prepared = world.prepare(ASKED)
    findings, path = [world.finding(prepared)], f"/v1/requests/{prepared.request_id.hex()}"
    for words, changes in FALSE_DISCLOSURES.items():
        with (
            world.tamper(BROKER, path, answer=falsified(changes)) as tampering,
            pytest.raises(VerificationFailed, match=words),
        ):
            world.requester().run(prepared.request_id, findings)
        assert tampering.times == 1
    kept = world.homes[POLICE].vault.names(f"requests/{prepared.request_id.hex()}")
    assert "disclosure-false.jws" in kept
    assert set(world.requester().run(prepared.request_id).hits) == {phone(3), phone(7)}
