"""Valid facts for the gate, each to be changed in one place: what most of its tests start from."""

from pathlib import Path
from typing import Any

from broker.gate.facts import (
    AdmitFacts,
    DepositFacts,
    Derived,
    Party,
    ReleaseFacts,
    Result,
    SeriesFacts,
    Verified,
)
from broker.protocol.messages.requests import Claims, LegalBasis
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import (
    AgencyKind,
    Authority,
    Collection,
    Consent,
    Offence,
    PayloadCategory,
    Purpose,
    Subject,
    Tier,
    Urgency,
)

BUNDLE = Path(__file__).parents[1] / "policies"
NOW = 1_795_000_000
DAY_SECONDS = 86_400


def party(agency_id: str = "unit-1", kind: AgencyKind = AgencyKind.POLICE, **changes: Any) -> Party:
    """A party of a kind, in NL, mandated to investigate traffickers and identify victims."""
    fields: dict[str, Any] = {
        "agency_id": agency_id,
        "kind": kind,
        "jurisdiction": "NL",
        "mandates": (Purpose.INVESTIGATE_TRAFFICKER, Purpose.IDENTIFY_VICTIM),
        "suspended": False,
    }
    return Party(**fields | changes)


def conditions(**changes: Any) -> Conditions:
    """Conditions of a company in IE for police readers, up to payload."""
    fields: dict[str, Any] = {
        "contributor_kind": AgencyKind.COMPANY,
        "established_in": "IE",
        "lawful_ground": "legal_obligation",
        "collection": Collection.OWN_DETECTION,
        "inclusion_criterion": "Account closed after review",
        "reviewed_by_person": True,
        "subject": Subject.SUSPECT,
        "consent": Consent.NOT_RELIED_ON,
        "special_category": False,
        "payload_category": PayloadCategory.NONE,
        "confidence_percent": 80,
        "permitted_readers": (AgencyKind.POLICE,),
        "permitted_purposes": (Purpose.INVESTIGATE_TRAFFICKER, Purpose.IDENTIFY_VICTIM),
        "permitted_jurisdictions": ("NL", "IE"),
        "permitted_offences": (Offence.TRAFFICKING_ADULT, Offence.FORCED_LABOUR),
        "highest_tier": Tier.PAYLOAD,
        "transfer_ground": "within_union",
        "retain_until": NOW + 90 * DAY_SECONDS,
        "notice_duty": False,
        "releases_each_payload": False,
    }
    return Conditions(**fields | changes)


def series(number: int = 1, contributor: Party | None = None, **changes: Any) -> SeriesFacts:
    """Series of company number `number`; `changes` are to its conditions."""
    who = contributor or party(f"company-{number}", AgencyKind.COMPANY, jurisdiction="IE")
    held = conditions(**{"contributor_kind": who.kind} | changes)
    return SeriesFacts(
        series_id=bytes([number]) * 32, contributor=who, identifier_type="phone", conditions=held
    )


def three_series(**changes: Any) -> tuple[SeriesFacts, ...]:
    """Three series of three companies under the same conditions."""
    return tuple(series(number, **changes) for number in (1, 2, 3))


def basis(**changes: Any) -> LegalBasis:
    """A production order issued by a prosecutor and validated by a judge, in force."""
    fields: dict[str, Any] = {
        "instrument": "eevidence_epoc",
        "article": "4",
        "reference": "EPOC 1",
        "issued_by": Authority.PROSECUTOR,
        "issuing_authority": "Public prosecutor, example",
        "validated_by": Authority.JUDGE,
        "jurisdiction": "NL",
        "valid_from": NOW - DAY_SECONDS,
        "valid_until": NOW + DAY_SECONDS,
        "document_digest": bytes(32),
    }
    return LegalBasis(**fields | changes)


def emergency_basis(**changes: Any) -> LegalBasis:
    """A production order in an emergency, which police issued and nobody has validated yet."""
    fields: dict[str, Any] = {
        "instrument": "eevidence_epoc_emergency",
        "issued_by": Authority.POLICE,
        "validated_by": Authority.NONE,
    }
    return basis(**fields | changes)


def claims(**changes: Any) -> Claims:
    """Claims that agree with `verified()`."""
    fields: dict[str, Any] = {
        "case_reference": "CASE-1",
        "officer": "officer-1",
        "basis": basis(),
        "offence": Offence.TRAFFICKING_ADULT,
        "maximum_penalty_months": 144,
        "place": "NL",
        "purpose": Purpose.INVESTIGATE_TRAFFICKER,
        "subjects": (Subject.SUSPECT,),
        "necessity": "Found on the suspect's telephone",
        "less_intrusive_means": "Open sources were searched",
        "urgency": Urgency.NORMAL,
        "retention_days": 180,
        "onward_transfer": False,
    }
    return Claims(**fields | changes)


def verified(**changes: Any) -> Verified:
    """A legal desk's finding that confirms everything."""
    fields: dict[str, Any] = {
        "basis": basis(),
        "basis_authentic": True,
        "offence": Offence.TRAFFICKING_ADULT,
        "maximum_penalty_months": 144,
        "purpose": Purpose.INVESTIGATE_TRAFFICKER,
        "subjects": (Subject.SUSPECT,),
        "dual_criminality": True,
        "threat_to_life": False,
        "necessity_shown": True,
        "less_intrusive_means_considered": True,
    }
    return Verified(**fields | changes)


def derived(**changes: Any) -> Derived:
    """A ledger in which nothing happened yet."""
    fields: dict[str, Any] = {
        "identifiers_30d": 0,
        "queries_90d": 0,
        "hits_90d": 0,
        "count_budget_left_millis": 5_000,
        "count_cost_millis": 500,
    }
    return Derived(**fields | changes)


def admit_facts(**changes: Any) -> AdmitFacts:
    """A request of a police unit about 40 phones at the tier hits, which the rules admit."""
    fields: dict[str, Any] = {
        "now": NOW,
        "space_id": bytes(16),
        "request_digest": bytes(32),
        "requester": party(),
        "tier": Tier.HITS,
        "claims": claims(),
        "verified": verified(),
        "derived": derived(),
        "identifiers": 40,
        "points": 40,
        "identifier_types": ("phone",),
        "series": three_series(),
    }
    return AdmitFacts(**fields | changes)


def both(**changes: Any) -> AdmitFacts:
    """Facts in which claim and finding say the same, changed together."""
    return admit_facts(claims=claims(**changes), verified=verified(**changes))


def release_facts(hits: int = 5, contributors: int = 3, now: int = NOW, **changes: Any) -> ReleaseFacts:
    """The same request with its result."""
    return ReleaseFacts(
        now=now,
        admission_digest=bytes(32),
        admitted=admit_facts(**changes),
        result=Result(hits=hits, contributors=contributors),
    )


def deposit_facts(contributor: Party | None = None, records: int = 100, **changes: Any) -> DepositFacts:
    """A deposit of a company, which the rules admit; `changes` are to its conditions."""
    who = contributor or party("company-1", AgencyKind.COMPANY, jurisdiction="IE")
    return DepositFacts(
        now=NOW,
        space_id=bytes(16),
        contributor=who,
        identifier_type="phone",
        conditions=conditions(**{"contributor_kind": who.kind} | changes),
        records=records,
        declaration_digest=bytes(32),
    )
