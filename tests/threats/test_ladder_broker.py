"""Requester and broker together try to open payloads that the rules do not let out.

The requester has its home, the broker its database, its keys and the power to write any record into its log. Each story
changes one thing in the papers of an honest climb (`tests.threats.climbing`); every key holder refuses, for that thing,
and evaluates nothing.
"""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.gate.decide import decide_release
from broker.gate.decision import Decision, SeriesVerdict
from broker.gate.facts import AdmitFacts, People, ReleaseFacts, SeriesAnswer, SeriesFacts
from broker.permits import sealed_records
from broker.protocol import documents
from broker.protocol.errors import BadInput, Expired, NotPermitted, VerificationFailed
from broker.protocol.group import ELEMENT_BYTES
from broker.protocol.messages.approvals import Approval
from broker.protocol.messages.base import decode
from broker.protocol.messages.evaluation import EvaluationAnswer, EvaluationCall
from broker.protocol.messages.ladder import ContributorRelease, Selection
from broker.protocol.messages.log import LogProof
from broker.protocol.messages.requests import (
    Admission,
    AdmissionRecord,
    Disclosure,
    Permit,
    PermitSeries,
    Request,
)
from broker.protocol.messages.vocabulary import ContributorAnswer, Outcome, RecordKind, Tier
from broker.store import requests as request_rows
from broker.store import series as series_rows
from clients.remote import RefusedByGate
from tests import gate_world
from tests.threats import climbing
from tests.threats.climbing import Climbed, Papers, days_later, refused
from tests.threats.colluding import assert_all_answer, assert_all_refuse
from tests.world import HOLDERS, POLICE, World, phone

MALLORY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
"""A key that nobody pinned."""
DAY_SECONDS = 86_400
NGO = "ngo-1"


@pytest.fixture(scope="module")
def world(climbed: Climbed) -> World:
    return climbed.world


@pytest.fixture(scope="module")
def honest(climbed: Climbed) -> Papers:
    return climbing.papers_of(climbed)


def changed_people(facts: ReleaseFacts, people: People) -> ReleaseFacts:
    return facts.model_copy(update={"admitted": facts.admitted.model_copy(update={"people": people})})


# --- the honest twin ---


def test_the_same_papers_recorded_once_more_are_answered(world: World, honest: Papers) -> None:
    assert_all_answer(climbing.ask_all(world, climbing.recorded(world, honest)))


def test_another_honest_request_is_answered(world: World, honest: Papers) -> None:
    assert_all_answer(climbing.ask_all(world, climbing.recorded(world, climbing.requested(world, honest))))


# --- the permit ---


def test_the_first_permit_opens_nothing(climbed: Climbed, world: World, honest: Papers) -> None:
    """The permit of the payload request is for the tier payload, too; but its entry is an ADMITTED."""
    admission = climbed.folder(climbed.payload).admission()
    assert admission is not None
    permit = documents.verify(Permit, admission.permit, world.space.broker_signing_key).payload
    with world.broker.database.read() as connection:
        receipt = world.broker.audit.receipt(connection, permit.proof.index)
    given = replace(
        honest, terms=permit.terms, permit=admission.permit, sealed=_sealed(world, permit, receipt)
    )
    refused(world, given, VerificationFailed, "another kind than such a permit needs")


def _sealed(world: World, permit: Permit, receipt: Any) -> dict[str, bytes]:
    wrapped = sealed_records(world.space, permit.terms.permit_id, receipt)
    return {each.holder_id: each.wrapped for each in wrapped}


def test_the_permit_for_hits_opens_nothing(climbed: Climbed, world: World, honest: Papers) -> None:
    folder = climbed.folder(climbed.hits)
    admission = folder.admission()
    assert isinstance(admission, Admission)
    permit = documents.verify(Permit, admission.permit, world.space.broker_signing_key).payload
    given = replace(
        honest,
        request=folder.request(world.homes[POLICE].identity.signing_key),
        terms=permit.terms,
        permit=admission.permit,
        sealed={each.holder_id: each.wrapped for each in admission.sealed_records},
    )
    refused(world, given, NotPermitted, "under a second permit only")


def test_a_second_permit_evaluates_nothing_under_the_key_for_matching(world: World, honest: Papers) -> None:
    """Else selected points could be asked of series, and at times, that the first permit does not name."""
    given = climbing.recorded(world, honest)
    assert given.sealed is not None
    for x in HOLDERS:
        call = EvaluationCall(
            permit=given.permit,
            request=given.request.document,
            findings=given.findings,
            approvals=given.approvals,
            sealed_record=given.sealed[f"holder-{x}"],
            handle=given.terms.series[0].handle,
            quorum=(1, 2) if x < 3 else (1, 3),
            points=given.points,
        )
        with pytest.raises(NotPermitted, match="under its second permit"):
            world.caller(POLICE).post(f"{HOLDERS[x]}/v1/evaluations", call, EvaluationAnswer)


def test_a_permit_for_payload_made_up_under_an_admitted_entry_opens_nothing(
    world: World, honest: Papers
) -> None:
    given = climbing.recorded(world, honest, kind=RecordKind.ADMITTED)
    refused(world, given, VerificationFailed, "another kind than such a permit needs")


def test_a_permit_on_other_terms_than_the_recorded_ones_opens_nothing(world: World, honest: Papers) -> None:
    given = climbing.recorded(world, honest)
    permit = documents.verify(Permit, given.permit, world.space.broker_signing_key).payload
    for change in ({"expires_at": given.terms.expires_at + 1}, {"series": given.terms.series[:1]}):
        other = permit.model_copy(update={"terms": permit.terms.model_copy(update=change)})
        signed = documents.sign(other, world.broker_keys.signing_key).document
        refused(world, replace(given, permit=signed), VerificationFailed, "not those recorded in the log")


def test_a_permit_for_a_series_that_the_decision_does_not_let_leave_opens_nothing(
    climbed: Climbed, world: World, honest: Papers
) -> None:
    """The NGO never released its record, so the decision leaves it out; the broker names it all the same."""
    ngo, held = series_of(world, climbed, NGO)
    facts = with_series(honest.facts, held)
    given = climbing.recorded(world, honest, facts, series=(*honest.terms.series, ngo))
    refused(world, given, VerificationFailed, "does not let leave", series=len(honest.terms.series))
    assert_all_refuse(climbing.ask_all(world, given), VerificationFailed, "does not let leave")


def series_of(world: World, climbed: Climbed, contributor: str) -> tuple[PermitSeries, SeriesFacts]:
    """A contributor's series as the broker would name it in a permit, and its facts as the request was admitted on."""
    with world.broker.database.read() as connection:
        permit = request_rows.permit_of(connection, climbed.payload)
        assert permit is not None
        signed = documents.verify(Permit, permit.document, world.space.broker_signing_key)
        record = world.broker.audit.receipt(connection, signed.payload.proof.index).record
        facts = decode(Decision, decode(AdmissionRecord, record).decision.encode()).facts
        assert isinstance(facts, AdmitFacts)
        found = next(each for each in facts.series if each.contributor.agency_id == contributor)
        stored = series_rows.find(connection, found.series_id)
    assert stored is not None
    named = PermitSeries(
        handle=bytes(16),
        series_id=found.series_id,
        identifier_type="phone",
        key_digest=stored.key_digest,
        deposits=(bytes(32),),
    )
    return named, found


def with_series(facts: ReleaseFacts, added: SeriesFacts) -> ReleaseFacts:
    """The facts with one more series, in which the broker says it found something."""
    series = tuple(sorted((*facts.admitted.series, added), key=lambda each: each.series_id))
    return facts.model_copy(update={"admitted": facts.admitted.model_copy(update={"series": series})})


def test_another_agency_cannot_use_a_second_permit(world: World, honest: Papers) -> None:
    given = climbing.recorded(world, honest)
    refused(world, given, NotPermitted, "another party's", caller=world.caller("company-1"))


# --- the decision ---


def test_a_release_that_the_rules_deny_and_the_broker_writes_down_as_allowed_opens_nothing(
    world: World, honest: Papers
) -> None:
    facts = changed_people(honest.facts, People())
    denied = decide_release(world.bundle, facts, Tier.PAYLOAD)
    assert denied.outcome is Outcome.DENY
    assert "L09" in denied.rules
    verdicts = tuple(
        SeriesVerdict(series_id=one.series_id, outcome=Outcome.ALLOW, rules=("G2",), missed=())
        for one in denied.series
    )
    written = denied.model_copy(
        update={"outcome": Outcome.ALLOW, "tier": Tier.PAYLOAD, "rules": ("G2",), "series": verdicts}
    )
    given = climbing.recorded(world, honest, facts, written)
    refused(world, given, VerificationFailed, "not what these rules come to")
    refused(world, climbing.recorded(world, honest, facts), RefusedByGate, "Tell an auditor")
    # Both stand in the log; the auditor's replay names the one that the rules do not come to.
    assert (Outcome.ALLOW, Outcome.DENY) in {
        (each.recorded, each.replayed) for each in world.replay().different
    }


def test_a_release_decided_for_sources_opens_nothing(world: World, honest: Papers) -> None:
    written = decide_release(world.bundle, honest.facts, Tier.SOURCES)
    given = climbing.recorded(world, honest, decision=written)
    refused(world, given, RefusedByGate, "Tell an auditor")


def test_people_that_never_signed_are_no_facts(world: World, honest: Papers) -> None:
    """The rules would allow it; the approvals that would bear the facts are not there."""
    given = climbing.recorded(world, replace(honest, approvals=()))
    refused(world, given, VerificationFailed, "not so: people")
    facts = changed_people(honest.facts, People(approvers=(*honest.facts.admitted.people.approvers, "x")))
    refused(world, climbing.recorded(world, honest, facts), VerificationFailed, "not so: people")


def test_approvals_of_somebody_outside_the_roster_are_no_approvals(world: World, honest: Papers) -> None:
    person = world.space.approvers[0]
    own = documents.verify(Approval, honest.approvals[0], person.signing_key).payload
    forged = documents.sign(own, MALLORY).document
    given = climbing.recorded(world, replace(honest, approvals=(forged, honest.approvals[1])))
    refused(world, given, VerificationFailed, "may not sign")


def test_a_decision_dated_back_revives_no_order_that_ran_out(world: World, honest: Papers) -> None:
    """The order is valid for a day. Three days later the broker decides as of then; holders have their own clocks."""
    with days_later(world, 3):
        given = climbing.recorded(world, honest, expires_at=honest.facts.now + 20 * DAY_SECONDS)
        refused(world, given, Expired, "has run out since")
        again = climbing.recorded(
            world, honest, honest.facts.model_copy(update={"now": world.now}), expires_at=world.now + 60
        )
        # Nor does a decision of today on the findings of then: the order itself is over.
        refused(world, again, RefusedByGate, "Tell an auditor")


def test_a_permit_that_begins_at_another_time_than_its_decision_opens_nothing(
    world: World, honest: Papers
) -> None:
    given = climbing.recorded(world, honest, not_before_at=honest.facts.now - 60)
    refused(world, given, VerificationFailed, "decided at another time")
    given = climbing.recorded(world, honest, expires_at=honest.facts.now + 31 * DAY_SECONDS)
    refused(world, given, NotPermitted, "longer than 30 days")


def test_a_permit_after_its_time_opens_nothing(world: World, honest: Papers) -> None:
    given = climbing.recorded(world, honest)
    with days_later(world, 4):
        refused(world, given, Expired, "time is over")


# --- the points ---


def other_points(climbed: Climbed, index: int) -> bytes:
    """The point of another identifier of the hits request."""
    points = climbed.folder(climbed.hits).plan().batches[0].points
    return points[index * ELEMENT_BYTES : (index + 1) * ELEMENT_BYTES]


def test_points_that_were_never_asked_about_are_not_opened(world: World, honest: Papers) -> None:
    """A fresh identifier, blinded anew, in the place of the selected one; people approve it, who see numbers only."""
    fresh = world.requester()._blind("phone", [phone(8)], world.homes[POLICE].salt(world.space)).points
    given = climbing.recorded(world, climbing.requested(world, honest, points=fresh))
    refused(world, given, VerificationFailed, "does not lead to this root")


def test_a_point_at_another_index_than_was_selected_is_not_opened(
    climbed: Climbed, world: World, honest: Papers
) -> None:
    """phone(13) was a hit, too, and its source was never asked: its point stands in the batch, at another index."""
    point = other_points(climbed, 2)
    batch = climbed.folder(climbed.hits).plan().batches[0].points
    paths = (honest.paths[0], (climbing.paths_of(batch, 2),))
    given = climbing.recorded(world, climbing.requested(world, honest, points=point))
    refused(world, given, VerificationFailed, "does not lead to this root", paths=paths)
    # phone(3) was selected for sources, and not for payload.
    sources = climbed.folder(climbed.sources).plan().batches[0].points
    paths = ((climbing.paths_of(sources, 0),), (climbing.paths_of(batch, 0),))
    given = climbing.recorded(world, climbing.requested(world, honest, points=other_points(climbed, 0)))
    refused(world, given, VerificationFailed, "does not lead to this root", paths=paths)


def test_more_points_than_were_selected_are_not_opened(
    climbed: Climbed, world: World, honest: Papers
) -> None:
    given = climbing.recorded(world, honest)
    both = honest.points + other_points(climbed, 0)
    refused(world, given, VerificationFailed, "not those the request was filed with", points=both)
    with pytest.raises(BadInput):
        documents.verify(
            Request,
            documents.sign(
                honest.request.payload.model_copy(update=climbing._batch(honest, both)),
                world.homes[POLICE].signing_key,
            ).document,
            world.homes[POLICE].identity.signing_key,
        )


# --- the ladder ---


def test_a_ladder_without_its_steps_opens_nothing(world: World, honest: Papers) -> None:
    given = climbing.recorded(world, honest)
    sources, hits = honest.earlier
    refused(world, given, VerificationFailed, "lacks its first step", earlier=(sources,))
    refused(world, given, VerificationFailed, "not the one that this one names", earlier=(hits,))
    refused(world, given, VerificationFailed, "not the one that this one names", earlier=(hits, sources))
    refused(world, given, VerificationFailed, "not one list for each", paths=honest.paths[:1])


def test_hits_alone_are_no_way_to_a_payload(climbed: Climbed, world: World, honest: Papers) -> None:
    """The payload request names the request for hits as the step before: sources were never disclosed."""
    hits, step = climbed.folder(climbed.hits), honest.earlier[1]
    selected = (Selection(identifier_type="phone", indices=(1,)),)
    given = climbing.requested(
        world,
        replace(honest, earlier=(step,), paths=honest.paths[1:]),
        earlier_request=climbed.hits,
        selected=selected,
    )
    assert hits.plan().batches[0].identifiers[1] == phone(7)
    refused(world, climbing.recorded(world, given), VerificationFailed, "A payload needs disclosed sources")


def test_the_disclosure_of_another_request_is_no_step(climbed: Climbed, world: World, honest: Papers) -> None:
    sources, hits = honest.earlier
    swapped = climbing.confirmed(world, sources.model_copy(update={"disclosure": hits.disclosure}))
    given = climbing.recorded(world, honest)
    refused(world, given, VerificationFailed, "not answered with a match", earlier=(swapped, hits))


def test_a_disclosure_that_told_of_no_match_is_no_step(world: World, honest: Papers) -> None:
    sources, hits = honest.earlier
    empty = climbing.step_with(world, sources, lambda told: told.model_copy(update={"matched": ()}))
    given = climbing.recorded(world, honest)
    refused(world, given, VerificationFailed, "not answered with a match", earlier=(empty, hits))


def test_a_disclosure_that_does_not_stand_in_the_log_is_no_step(world: World, honest: Papers) -> None:
    """The broker signs it with the proof of an entry of another kind, or of one after the release."""
    sources, hits = honest.earlier
    given = climbing.recorded(world, honest)
    later = documents.verify(Permit, given.permit, world.space.broker_signing_key).payload.proof
    for proof in (_proof(world, 0), later):

        def elsewhere(told: Disclosure, proof: LogProof = proof) -> Disclosure:
            return told.model_copy(update={"proof": proof})

        forged = climbing.step_with(world, sources, elsewhere)
        again = climbing.recorded(world, replace(honest, earlier=(forged, hits)))
        if proof is later:
            again = given
        refused(world, again, VerificationFailed, "does not stand in the log before", earlier=(forged, hits))


def _proof(world: World, index: int) -> Any:
    with world.broker.database.read() as connection:
        return world.broker.audit.receipt(connection, index).proof


def test_another_requesters_step_is_no_step(world: World, honest: Papers) -> None:
    """A company was told of hits; the police unit goes on from there, with the company's papers."""
    sources, hits = honest.earlier
    own = world.homes[POLICE]
    before = documents.verify(Request, sources.request, own.identity.signing_key).payload
    theirs = documents.sign(
        before.model_copy(update={"requester": "company-1"}), world.homes["company-1"].signing_key
    )
    given = climbing.recorded(world, honest)
    stolen = sources.model_copy(update={"request": theirs.document})
    refused(world, given, VerificationFailed, "may not sign", earlier=(stolen, hits))
    told = documents.verify(Disclosure, sources.disclosure, world.space.broker_signing_key).payload
    for_others = documents.sign(
        told.model_copy(update={"requester": "company-1"}), world.broker_keys.signing_key
    )
    stolen = climbing.confirmed(world, sources.model_copy(update={"disclosure": for_others.document}))
    refused(world, given, VerificationFailed, "not answered with a match", earlier=(stolen, hits))


def test_another_cases_step_is_no_step(world: World, honest: Papers) -> None:
    claims = gate_world.claims(case_reference="CASE-2")
    request = honest.request.payload.model_copy(update={"claims": claims})
    signed = documents.sign(request, world.homes[POLICE].signing_key)
    finding = world.finding_on(signed)
    given = replace(
        honest,
        request=signed,
        findings=(finding,),
        approvals=tuple(world.approvals(signed, finding, *climbing.PEOPLE)),
    )
    refused(world, climbing.recorded(world, given), BadInput, "same case")


def test_matches_that_nobody_confirmed_are_not_opened(world: World, honest: Papers) -> None:
    sources, hits = honest.earlier
    given = climbing.recorded(world, honest)
    other = climbing.confirmed(world, sources, confirmed=(Selection(identifier_type="phone", indices=(0,)),))
    refused(world, given, BadInput, "nobody confirmed", earlier=(other, hits))
    before = climbing.confirmed(world, sources, confirmed_at=1)
    refused(world, given, VerificationFailed, "before they were disclosed", earlier=(before, hits))
    theirs = sources.model_copy(update={"confirmation": hits.confirmation})
    refused(world, given, VerificationFailed, "of other matches", earlier=(theirs, hits))
    told = documents.verify(Disclosure, sources.disclosure, world.space.broker_signing_key)
    by_the_broker = documents.sign(told.payload, world.broker_keys.signing_key)
    unsigned = sources.model_copy(update={"confirmation": by_the_broker.document})
    refused(world, given, BadInput, "not a MatchConfirmation", earlier=(unsigned, hits))


def test_sources_older_than_thirty_days_lead_to_no_payload(world: World, honest: Papers) -> None:
    """Everything else is of today: the order, the finding, the approvals. The broker signs the old disclosure anew."""
    with days_later(world, 31):
        valid = gate_world.basis(valid_until=world.now + DAY_SECONDS)
        fresh = climbing.requested(world, honest, claims=gate_world.claims(basis=valid))
        assert decide_release(world.bundle, fresh.facts, Tier.PAYLOAD).rules == ("L05",)
        refused(world, climbing.recorded(world, fresh), RefusedByGate, "Tell an auditor")
        sources, hits = honest.earlier
        anew = climbing.step_with(
            world, sources, lambda told: told.model_copy(update={"released_at": world.now})
        )
        given = replace(honest, earlier=(anew, hits))
        fresh = climbing.requested(world, given, claims=gate_world.claims(basis=valid))
        young = _decided(fresh.facts, world.now)
        assert decide_release(world.bundle, young, Tier.PAYLOAD).allowed
        refused(world, climbing.recorded(world, fresh, young), VerificationFailed, "not so: derived")


def _decided(facts: ReleaseFacts, at: int) -> ReleaseFacts:
    derived = facts.admitted.derived.model_copy(update={"prior_decided_at": at})
    return facts.model_copy(update={"admitted": facts.admitted.model_copy(update={"derived": derived})})


# --- the people, at the holders themselves ---


def test_an_approval_taken_back_counts_no_more_whatever_the_broker_says(world: World, honest: Papers) -> None:
    asked = climbing.requested(world, honest)
    given = climbing.recorded(world, asked)
    approval = documents.verify(Approval, asked.approvals[0], world.space.approvers[0].signing_key)
    sent = world.approver("supervisor-1").withdraw(approval.payload.approval_id, "Read anew")
    assert sent.unreached == ()
    refused(world, given, Expired, "has run out since")


def test_a_refusal_counts_whatever_the_broker_says(world: World, honest: Papers) -> None:
    """The judge was not needed, was shown the papers, and refused; two others approved."""
    asked = climbing.requested(world, honest)
    given = climbing.recorded(world, asked)
    judge = world.approver("judge-1")
    judge.refuse(judge.read(asked.request.document, asked.findings), "Too wide")
    refused(world, given, Expired, "has run out since")


def test_a_person_that_no_broker_carries_the_word_of_reaches_the_holders(
    world: World, honest: Papers
) -> None:
    """The broker drops the refusal: one holder that was told is enough to be missing from a quorum of it."""
    asked = climbing.requested(world, honest)
    given = climbing.recorded(world, asked)
    judge = world.approver("judge-1")
    world.take_down(HOLDERS[2], HOLDERS[3])
    try:
        sent = judge.refuse(judge.read(asked.request.document, asked.findings), "Too wide")
    finally:
        world.bring_up()
    assert sent.unreached == ("Holder 2", "Holder 3")
    outcomes = climbing.ask_all(world, given)
    assert isinstance(outcomes[1], Expired)


# --- a contributor's release ---


@pytest.mark.parametrize("signed_by", ["nobody", "the broker", "another contributor"])
def test_a_release_that_the_ngo_never_signed_opens_nothing(
    climbed: Climbed, world: World, honest: Papers, signed_by: str
) -> None:
    ngo, held = series_of(world, climbed, NGO)
    facts = given_by(with_series(honest.facts, held), ngo.series_id)
    assert ngo.series_id in decide_release(world.bundle, facts, Tier.PAYLOAD).admitted_series
    keys = {"the broker": world.broker_keys.signing_key, "another contributor": None, "nobody": None}
    key = keys[signed_by] or world.homes["company-1"].signing_key
    said = documents.sign(released(honest, ngo.series_id), key).document
    releases = () if signed_by == "nobody" else (said,)
    given = climbing.recorded(world, honest, facts, series=(ngo, *honest.terms.series))
    refused(world, given, VerificationFailed, "no contributor signed", releases=releases)


def test_a_release_of_the_ngo_is_for_one_permit_one_request_and_one_series(
    climbed: Climbed, world: World, honest: Papers
) -> None:
    (ngo, held), key = series_of(world, climbed, NGO), world.homes[NGO].signing_key
    facts = given_by(with_series(honest.facts, held), ngo.series_id)
    given = climbing.recorded(world, honest, facts, series=(ngo, *honest.terms.series))
    for change in (
        {"released": False},
        {"permit_id": bytes(16)},
        {"request_digest": bytes(32)},
        {"series_id": honest.terms.series[0].series_id},
    ):
        said = documents.sign(released(honest, ngo.series_id).model_copy(update=change), key).document
        refused(world, given, VerificationFailed, "no contributor signed", releases=(said,))
    # The honest twin: signed by the NGO for this very permit, request and series, it counts.
    said = documents.sign(released(honest, ngo.series_id), key).document
    assert_all_answer(climbing.ask_all(world, given, releases=(said,)))


def given_by(facts: ReleaseFacts, series_id: bytes) -> ReleaseFacts:
    answers = (SeriesAnswer(series_id=series_id, answer=ContributorAnswer.GIVEN),)
    return facts.model_copy(update={"answers": answers})


def released(given: Papers, series_id: bytes) -> ContributorRelease:
    return ContributorRelease(
        permit_id=given.record.permit_id,
        request_digest=given.request.digest,
        series_id=series_id,
        released=True,
        reason="",
        answered_at=given.facts.now,
    )
