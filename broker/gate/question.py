"""From facts to the engine's question: principal, resource, context, in the closed schema's own words.

Rule: facts keep their kind (claimed, verified, derived); a set becomes a sorted list, so that equal facts ask equal
questions; nothing is left out that a rule could read. It decides nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.gate.bundle import Bundle
from broker.gate.facts import AdmitFacts, DepositFacts, Party, ReleaseFacts, Result, SeriesFacts, Verified
from broker.protocol.messages.requests import Claims, LegalBasis
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import Authority, ContributorAnswer, Tier

NAMESPACE = "Narrowgate"
_TIERS = tuple(Tier)
_INDEPENDENT = (Authority.COURT, Authority.JUDGE, Authority.INDEPENDENT_AUTHORITY)
"""Authorities whose order, or validation of one, is itself the prior independent review (CJEU C-746/18)."""


@dataclass(frozen=True)
class Question:
    """One question to the engine: may the first entity do `action` to the second?"""

    action: str
    entities: Sequence[Mapping[str, Any]]
    context: Mapping[str, Any]

    @property
    def principal_role(self) -> str:
        """Whose the principal's facts are, for people."""
        return "contributor's" if self.action == "deposit" else "requester's"

    def fact(self, path: Sequence[str]) -> Any:
        """The fact of that name, such as ("context", "people", "approvers"); None where it was not given."""
        principal, resource = self.entities[0]["attrs"], self.entities[1]["attrs"]
        value: Any = {"principal": principal, "resource": resource, "context": self.context}
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value if path else None


def about_deposit(bundle: Bundle, facts: DepositFacts) -> Question:
    """May this contributor make this deposit?"""
    both = entities(
        facts.contributor,
        facts.declaration_digest,
        facts.contributor,
        facts.identifier_type,
        facts.conditions,
    )
    return Question("deposit", both, deposit_context(bundle, facts))


def about_series(
    bundle: Bundle,
    action: str,
    facts: AdmitFacts,
    series: SeriesFacts,
    tier: Tier,
    released: ReleaseFacts | None,
) -> Question:
    """May this request be put to one series, or, where `released` is given, this result about it leave, at `tier`?"""
    both = entities(
        facts.requester, series.series_id, series.contributor, series.identifier_type, series.conditions
    )
    now, result, answer = facts.now, None, ContributorAnswer.NOT_ASKED
    if released is not None:
        now, result, answer = released.now, released.result, released.answer_of(series.series_id)
    return Question(action, both, matching_context(bundle, facts, series, tier, now, result, answer))


def entities(
    principal: Party, series_id: bytes, contributor: Party, identifier_type: str, conditions: Conditions
) -> list[dict[str, Any]]:
    """The two entities of a question; the slice the rules read, and nothing else of the store."""
    return [
        {
            "uid": {"type": f"{NAMESPACE}::Agency", "id": principal.agency_id},
            "attrs": {
                "kind": principal.kind,
                "jurisdiction": principal.jurisdiction,
                "mandates": sorted(principal.mandates),
                "suspended": principal.suspended,
            },
            "parents": [],
        },
        {
            "uid": {"type": f"{NAMESPACE}::Series", "id": series_id.hex()},
            "attrs": _series(contributor, identifier_type, conditions),
            "parents": [],
        },
    ]


def matching_context(
    bundle: Bundle,
    facts: AdmitFacts,
    series: SeriesFacts,
    tier: Tier,
    now: int,
    result: Result | None,
    answer: ContributorAnswer = ContributorAnswer.NOT_ASKED,
) -> dict[str, Any]:
    """The context of `admit` and `release` for one series at one tier.

    `answer` is what the series' contributor said about this very release."""
    verified, claims, derived = facts.verified, facts.claims, facts.derived
    context: dict[str, Any] = {
        "now": now,
        "tier": tier,
        "identifiers": facts.identifiers,
        "points": facts.points,
        # Asked as count or hits, and decided as sources since too few could answer (L21).
        "escalated": tier is Tier.SOURCES and facts.tier in (Tier.COUNT, Tier.HITS),
        "lane": list(lane(bundle, facts.requester, series)),
        "readerInUnion": facts.requester.jurisdiction in bundle.regions.union,
        "contributorInUnion": series.conditions.established_in in bundle.regions.union,
        "instrument": _instrument(bundle, (verified or claims).basis, series, now),
        "claimed": {
            "facts": _stated(claims, claims.case_reference, claims.officer),
            "place": claims.place,
            "necessityStated": bool(claims.necessity.strip()),
            "lessIntrusiveMeansStated": bool(claims.less_intrusive_means.strip()),
            "urgency": claims.urgency,
            "retentionDays": claims.retention_days,
            "onwardTransfer": claims.onward_transfer,
        },
        "derived": {
            "identifiers30d": derived.identifiers_30d,
            "queries90d": derived.queries_90d,
            "hits90d": derived.hits_90d,
            "priorTier": derived.prior_tier or "none",
            "priorDecidedAt": derived.prior_decided_at or 0,
            "confirmed": derived.confirmed,
            "overdueReviews": derived.overdue_reviews,
        },
        "people": {
            "approvers": len(facts.people.approvers),
            "reviewers": len(facts.people.reviewers),
            "refusers": len(facts.people.refusers),
            "independentReview": _independently_reviewed(facts),
        },
        "limit": _limits(bundle),
    }
    if verified is not None:
        context["verified"] = {
            # Case and officer are the requester's own words: the desk verifies the rest against them.
            "facts": _stated(verified, claims.case_reference, claims.officer),
            "basisAuthentic": verified.basis_authentic,
            "dualCriminality": verified.dual_criminality,
            "threatToLife": verified.threat_to_life,
            "necessityShown": verified.necessity_shown,
            "lessIntrusiveMeansConsidered": verified.less_intrusive_means_considered,
        }
    if result is not None:
        context["result"] = {
            "hits": result.hits,
            "contributors": result.contributors,
            "contributorAnswer": answer,
            "targetAsks": result.target_asks,
            "targetAsksByAnyone": result.target_asks_by_anyone,
        }
        if result.nearest_count is not None:
            context["result"]["nearestCount"] = result.nearest_count
    return context


def deposit_context(bundle: Bundle, facts: DepositFacts) -> dict[str, Any]:
    """The context of `deposit`."""
    return {"now": facts.now, "records": facts.records, "limit": _limits(bundle)}


def lane(bundle: Bundle, requester: Party, series: SeriesFacts) -> tuple[str, ...]:
    """The gateways that may open the lane from the contributor to the requester; empty where there is no lane.

    Rules read the kind in the conditions, as it was when they were signed. Where the roster says another by now, there
    is no lane: nobody gets by a change of kind what neither kind would be told."""
    if series.contributor.kind is not series.conditions.contributor_kind:
        return ()
    return tuple(sorted(bundle.lanes.get(series.contributor.kind, {}).get(requester.kind, ())))


def _independently_reviewed(facts: AdmitFacts) -> bool:
    """By a person who signed exactly this, or by the court or authority behind the verified order."""
    if facts.people.reviewers:
        return True
    found = facts.verified
    return found is not None and (
        found.basis.issued_by in _INDEPENDENT or found.basis.validated_by in _INDEPENDENT
    )


def _series(contributor: Party, identifier_type: str, conditions: Conditions) -> dict[str, Any]:
    highest = _TIERS.index(conditions.highest_tier)
    return {
        "contributorKind": conditions.contributor_kind,
        "contributorSuspended": contributor.suspended,
        "establishedIn": conditions.established_in,
        "lawfulGround": conditions.lawful_ground,
        "collection": conditions.collection,
        "criterionStated": bool(conditions.inclusion_criterion.strip()),
        "reviewedByPerson": conditions.reviewed_by_person,
        "subject": conditions.subject,
        "consent": conditions.consent,
        "specialCategory": conditions.special_category,
        "payloadCategory": conditions.payload_category,
        "releasesEachPayload": conditions.releases_each_payload,
        "permittedReaders": sorted(conditions.permitted_readers),
        "permittedPurposes": sorted(conditions.permitted_purposes),
        "permittedJurisdictions": sorted(conditions.permitted_jurisdictions),
        "permittedOffences": sorted(conditions.permitted_offences),
        "permittedTiers": list(_TIERS[: highest + 1]),
        "transferGround": conditions.transfer_ground,
        "retainUntil": conditions.retain_until,
        "identifierType": identifier_type,
    }


def _stated(stated: Claims | Verified, case_reference: str, officer: str) -> dict[str, Any]:
    return {
        "caseReference": case_reference,
        "officer": officer,
        "basis": _basis(stated.basis),
        "offence": stated.offence,
        "maximumPenaltyMonths": stated.maximum_penalty_months,
        "purpose": stated.purpose,
        "subjects": sorted(stated.subjects),
    }


def _basis(basis: LegalBasis) -> dict[str, Any]:
    return {
        "instrument": basis.instrument,
        "article": basis.article,
        "reference": basis.reference,
        "issuedBy": basis.issued_by,
        "issuingAuthority": basis.issuing_authority,
        "validatedBy": basis.validated_by,
        "jurisdiction": basis.jurisdiction,
        "validFrom": basis.valid_from,
        "validUntil": basis.valid_until,
        "digest": basis.document_digest.hex(),
    }


def _instrument(bundle: Bundle, basis: LegalBasis, series: SeriesFacts, now: int) -> dict[str, Any]:
    known = bundle.instruments.get(basis.instrument)
    if known is None:
        return {
            "known": False,
            "inForce": False,
            "pairNamed": False,
            "typeReached": False,
            **dict.fromkeys(("gateways", "issuers", "validators", "tiers", "payloadCategories"), ()),
        }
    return {
        "known": True,
        "inForce": known.in_force(now),
        "pairNamed": known.joins(basis.jurisdiction, series.conditions.established_in),
        "typeReached": known.reaches_type(series.identifier_type),
        "gateways": sorted(known.gateways),
        "issuers": sorted(known.issuers),
        "validators": sorted(known.validators),
        "tiers": sorted(known.tiers),
        "payloadCategories": sorted(known.payload_categories),
    }


def _limits(bundle: Bundle) -> dict[str, int]:
    return {camel(name): value for name, value in bundle.limits.model_dump().items()}


def camel(name: str) -> str:
    """The schema's word for a fact: identifiers_30d is identifiers30d."""
    first, *rest = name.split("_")
    return first + "".join(part if part[0].isdigit() else part.capitalize() for part in rest)
