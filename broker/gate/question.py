"""From facts to the engine's question: principal, resource, context, in the closed schema's own words.

Rule: facts keep their kind (claimed, verified, derived); a set becomes a sorted list, so that equal facts ask equal
questions; nothing is left out that a rule could read. It decides nothing.
"""

from typing import Any

from broker.gate.bundle import Bundle
from broker.gate.facts import AdmitFacts, DepositFacts, Party, Result, SeriesFacts, Verified
from broker.protocol.messages.requests import Claims, LegalBasis
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import Tier

NAMESPACE = "Narrowgate"
_TIERS = tuple(Tier)


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
    bundle: Bundle, facts: AdmitFacts, series: SeriesFacts, tier: Tier, now: int, result: Result | None
) -> dict[str, Any]:
    """The context of `admit` and `release` for one series at one tier."""
    verified, claims, derived = facts.verified, facts.claims, facts.derived
    context: dict[str, Any] = {
        "now": now,
        "tier": tier,
        "identifiers": facts.identifiers,
        "points": facts.points,
        "lane": list(lane(bundle, facts.requester, series)),
        "readerInUnion": facts.requester.jurisdiction in bundle.regions.union,
        "contributorInUnion": series.conditions.established_in in bundle.regions.union,
        "instrument": _instrument(bundle, (verified or claims).basis.instrument, now),
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
            # People's approvals and reviews come with a later part: until then there are none.
            "approvers": 0,
            "independentReview": False,
            "priorTier": derived.prior_tier or "none",
            "priorDecidedAt": derived.prior_decided_at or 0,
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
        context["result"] = {"hits": result.hits, "contributors": result.contributors}
    return context


def deposit_context(bundle: Bundle, facts: DepositFacts) -> dict[str, Any]:
    """The context of `deposit`."""
    return {"now": facts.now, "records": facts.records, "limit": _limits(bundle)}


def lane(bundle: Bundle, requester: Party, series: SeriesFacts) -> tuple[str, ...]:
    """The gateways that may open the lane from the contributor to the requester; empty where there is no lane."""
    return tuple(sorted(bundle.lanes.get(series.contributor.kind, {}).get(requester.kind, ())))


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


def _instrument(bundle: Bundle, name: str, now: int) -> dict[str, Any]:
    known = bundle.instruments.get(name)
    return {
        "known": known is not None,
        "inForce": known is not None and known.in_force(now),
        "gateways": sorted(known.gateways) if known else [],
        "issuers": sorted(known.issuers) if known else [],
        "validators": sorted(known.validators) if known else [],
        "jurisdictions": sorted(known.jurisdictions) if known else [],
        "tiers": sorted(known.tiers) if known else [],
    }


def _limits(bundle: Bundle) -> dict[str, int]:
    return {_camel(name): value for name, value in bundle.limits.model_dump().items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part if part[0].isdigit() else part.capitalize() for part in rest)
