"""The papers of the demo: contributors' conditions and requesters' claims, lane by lane.

Rule: they are what a person would type into the templates. All references and names are made up. What each lane's law
asks for is the rules' business: see policies/gateways.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

DAY_SECONDS = 86_400
_BY_KIND: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "company": {
            "lawful_ground": "legal_obligation",
            "collection": "own_detection",
            "inclusion_criterion": "Account closed after a trained reviewer confirmed trafficking indicators",
            "subject": "suspect",
            "payload_category": "subscriber",
            "highest_tier": "payload",
        },
        "ngo": {
            "lawful_ground": "vital_interests",
            "collection": "ngo_report",
            "inclusion_criterion": "Reported to our outreach staff and confirmed by a caseworker",
            "subject": "possible_victim",
            "payload_category": "own_report",
            "highest_tier": "payload",
        },
        "helpline": {
            "lawful_ground": "consent",
            "collection": "user_report",
            "inclusion_criterion": "The caller asked us to tell the police, and a counsellor wrote it down",
            "subject": "victim",
            "consent": "given",
            "payload_category": "own_report",
            "highest_tier": "payload",
        },
        "police": {
            "lawful_ground": "public_task",
            "collection": "investigation",
            "inclusion_criterion": "Number used by a suspect in an open investigation",
            "subject": "suspect",
            "payload_category": "none",
            "highest_tier": "sources",
        },
    }
)
_GROUNDS: Mapping[str, tuple[str, str, str, str]] = MappingProxyType(
    {
        # instrument: (article, who issued it, who validated it, whose law it is)
        "eevidence_epoc": ("4", "prosecutor", "judge", "NL"),
        "led_national_order": ("126nd", "prosecutor", "none", "NL"),
        "directive_2023_977": ("4", "police", "none", "NL"),
        "eevidence_epoc_emergency": ("4(5)", "police", "none", "NL"),
        "voluntary_referral": ("6(1)(f)", "none", "none", "NL"),
        "consent_of_the_person": ("6(1)(a)", "none", "none", "NL"),
    }
)


def conditions(kind: str, established_in: str, *, now: int, **changes: Any) -> dict[str, Any]:
    """Conditions of a deposit, as a contributor would fill the template in; `changes` go before its kind's usual."""
    return {
        "contributor_kind": kind,
        "established_in": established_in,
        "reviewed_by_person": True,
        "consent": "not_relied_on",
        "special_category": False,
        "confidence_percent": 80,
        "permitted_readers": ["police"],
        "permitted_purposes": ["identify_victim", "investigate_trafficker"],
        "permitted_jurisdictions": ["NL", "DE"],
        "permitted_offences": ["trafficking_adult", "trafficking_minor", "forced_labour"],
        "transfer_ground": "within_union",
        "retain_until": now + 90 * DAY_SECONDS,
        "notice_duty": False,
        "releases_each_payload": False,
        **_BY_KIND[kind],
        **changes,
    }


def claims(case: str, now: int, instrument: str = "eevidence_epoc", **changes: Any) -> dict[str, Any]:
    """Claims of a matching request on an instrument, as an officer would fill the template in.

    `changes` are to the claims' members, or to their basis' members as `basis_NAME`."""
    article, issued_by, validated_by, jurisdiction = _GROUNDS[instrument]
    basis = {
        "instrument": instrument,
        "article": article,
        "reference": f"{instrument.replace('_', ' ')} of {case}",
        "issued_by": issued_by,
        "issuing_authority": "As the document says, example district",
        "validated_by": validated_by,
        "jurisdiction": jurisdiction,
        "valid_from": now - DAY_SECONDS,
        "valid_until": now + 30 * DAY_SECONDS,
        "document_digest": "00" * 32,
    }
    stated = {
        "case_reference": case,
        "officer": "officer-17",
        "offence": "trafficking_adult",
        "maximum_penalty_months": 144,
        "place": "NL",
        "purpose": "identify_victim",
        "subjects": ["possible_victim", "suspect"],
        "necessity": "The identifiers were found on a suspect's telephone; who else knows them decides the next step.",
        "less_intrusive_means": "Open sources and our own records were searched first.",
        "urgency": "normal",
        "retention_days": 180,
        "onward_transfer": False,
    }
    of_basis = {
        name[6:]: changes.pop(name) for name in [name for name in changes if name.startswith("basis_")]
    }
    return {**stated, "basis": basis | of_basis, **changes}


def write(path: Path, paper: dict[str, Any]) -> Path:
    """Write a paper as JSON and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(paper, indent=2))
    return path


def read(path: Path) -> dict[str, Any]:
    """Read a paper back."""
    paper: dict[str, Any] = json.loads(path.read_text())
    return paper
