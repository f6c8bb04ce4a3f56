"""The facts a decision is taken on, in three kinds kept apart: claimed, verified and derived.

Rule (POLICY 1): purpose, offence, subject and basis count only as verified by a legal desk's signed finding; counts
and rates are derived from a ledger; no rule loosens on a claim. Every number is bounded far inside the engine's
64-bit integers, so that no sum can overflow. It reads no store and no clock: `now` is a fact.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Annotated, Any

from pydantic import Field, model_validator

from broker.protocol import leaves
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import Bytes32, Count, Id16, Jurisdiction, Message, Seconds, Slug
from broker.protocol.messages.parties import Member
from broker.protocol.messages.requests import Claims, Finding, LegalBasis
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import (
    REVIEWING_CAPACITIES,
    AgencyKind,
    ContributorAnswer,
    Offence,
    Purpose,
    Subject,
    Tier,
)
from broker.protocol.papers import Approved, EarlierStep


class Party(Message):
    """An agency as the space's roster has it."""

    agency_id: Slug
    kind: AgencyKind
    jurisdiction: Jurisdiction
    mandates: tuple[Purpose, ...]
    suspended: bool

    @classmethod
    def of(cls, member: Member) -> "Party":
        """The facts about a member of a space."""
        return cls(
            agency_id=member.agency_id,
            kind=member.kind,
            jurisdiction=member.jurisdiction,
            mandates=member.mandates,
            suspended=member.suspended,
        )


class SeriesFacts(Message):
    """One series that could be asked: whose it is, and under what conditions (from its manifest)."""

    series_id: Bytes32
    contributor: Party
    identifier_type: Slug
    conditions: Conditions


class Verified(Message):
    """What a legal desk found on this very request."""

    basis: LegalBasis
    basis_authentic: bool
    offence: Offence
    maximum_penalty_months: Annotated[int, Field(ge=0, le=1200)]
    purpose: Purpose
    subjects: tuple[Subject, ...]
    dual_criminality: bool
    threat_to_life: bool
    necessity_shown: bool
    less_intrusive_means_considered: bool


class Derived(Message):
    """What the ledger says about the requester."""

    identifiers_30d: Count
    queries_90d: Count
    hits_90d: Count
    count_budget_left_millis: Count
    count_cost_millis: Count
    prior_tier: Tier | None = None
    prior_decided_at: Seconds | None = None
    confirmed: bool = False
    """A person of the requester confirmed the matches that the request goes on from."""
    overdue_reviews: Count = 0
    """Emergency disclosures to the requester that nobody reviewed in time."""


class People(Message):
    """Who signed what about exactly this request, and stands by it now; ids of distinct persons, sorted."""

    approvers: tuple[Slug, ...] = ()
    """Supervisors and prosecutors."""
    reviewers: tuple[Slug, ...] = ()
    """Judges and independent reviewers."""
    refusers: tuple[Slug, ...] = ()
    """Whoever was asked and refused, in any capacity."""

    @model_validator(mode="after")
    def _each_person_once(self) -> "People":
        for names in (self.approvers, self.reviewers, self.refusers):
            if names != tuple(sorted(set(names))):
                raise ValueError("people are listed once each, sorted")
        return self


class DepositFacts(Message):
    """Facts of the action `deposit`."""

    now: Seconds
    space_id: Id16
    contributor: Party
    identifier_type: Slug
    conditions: Conditions
    records: Count
    declaration_digest: Bytes32


class AdmitFacts(Message):
    """Facts of the action `admit`. `tier` is the one asked for."""

    now: Seconds
    space_id: Id16
    request_digest: Bytes32
    requester: Party
    tier: Tier
    claims: Claims
    verified: Verified | None
    derived: Derived
    people: People = People()
    identifiers: Count
    points: Count
    identifier_types: tuple[Slug, ...]
    series: tuple[SeriesFacts, ...]

    @model_validator(mode="after")
    def _series_are_asked_once(self) -> "AdmitFacts":
        if len({one.series_id for one in self.series}) != len(self.series):
            raise ValueError("a series is listed twice")
        if not {one.identifier_type for one in self.series} <= set(self.identifier_types):
            raise ValueError("a series is of a type that was not asked about")
        return self


class Result(Message):
    """What matching found: the number of (token, deposit) pairs, and of contributors summed over; and what the ledger
    says of it, which nobody knows before."""

    hits: Count
    contributors: Count
    target_asks: Count = 0
    """How many other ladders of the requester found, in the rules' `target_days`, the target it found most often."""
    target_asks_by_anyone: Count = 0
    """The same over all requesters of the space, this one included."""
    nearest_count: Count | None = None
    """By how many tokens of one deposit the set differs from the nearest one that the requester was told a count of in
    30 days; None where it was told of none, or of the very same alone."""


class SeriesAnswer(Message):
    """What the contributor of one series said, when the release of its records was asked."""

    series_id: Bytes32
    answer: ContributorAnswer


class ReleaseFacts(Message):
    """Facts of the action `release`: those of the admission, and the result.

    `admitted` has findings and people as they stand at `now`, and of the series those that were searched."""

    now: Seconds
    admission_digest: Bytes32
    admitted: AdmitFacts
    result: Result
    answers: tuple[SeriesAnswer, ...] = ()

    def answer_of(self, series_id: bytes) -> ContributorAnswer:
        """What the contributor of a series said; NOT_ASKED where nobody asked it."""
        said = (each.answer for each in self.answers if each.series_id == series_id)
        return next(said, ContributorAnswer.NOT_ASKED)


def verified_from(findings: Sequence[Finding], now: int) -> Verified | None:
    """The verified facts of findings whose signatures were checked before.

    Returns None when there is none in force at `now`. Raises BadInput when two findings differ."""
    valid = [finding for finding in findings if finding.found_at <= now < finding.expires_at]
    found = {
        Verified(**{name: getattr(finding, name) for name in Verified.model_fields}) for finding in valid
    }
    if len(found) > 1:
        raise BadInput(
            "Two findings about the same request contradict each other. Ask the legal desk to settle it."
        )
    return next(iter(found), None)


def people_from(
    approvals: Iterable[Approved],
    refusers: Iterable[str],
    withdrawn: Collection[tuple[str, bytes]],
    now: int,
) -> People:
    """Who stands by the request at `now`: approvals within their time and not taken back, and refusals.

    Args:
        withdrawn: approvals that their signers took back, as (kid of the signer, digest of the approval)."""
    valid = [
        each
        for each in approvals
        if each.signed.payload.approved_at <= now < each.signed.payload.expires_at
        and (each.signed.kid, each.signed.digest) not in withdrawn
    ]
    reviewing = {each.approver.party_id for each in valid if each.approver.capacity in REVIEWING_CAPACITIES}
    approving = {each.approver.party_id for each in valid} - reviewing
    return People(
        approvers=tuple(sorted(approving)),
        reviewers=tuple(sorted(reviewing)),
        refusers=tuple(sorted(set(refusers))),
    )


def prior_facts(before: EarlierStep | None) -> dict[str, Any]:
    """What an earlier step says of the ladder: the members of `Derived` that follow from it.

    Its time is that of its RELEASE in the log: a disclosure that the broker signs anew grows no younger."""
    if before is None:
        return {"prior_tier": None, "prior_decided_at": None, "confirmed": False}
    told = before.disclosure.payload
    decided_at = leaves.parse_leaf(told.proof.leaf).recorded_at
    return {"prior_tier": told.tier, "prior_decided_at": decided_at, "confirmed": True}
