"""The papers of the demo: contributors' conditions, the police unit's claims, the legal desk's answers.

Rule: they are what a person would type into the templates. All references and names are made up.
"""

import json
from pathlib import Path
from typing import Any

DAY_SECONDS = 86_400


def conditions(
    kind: str, established_in: str, *, subject: str, readers: list[str], now: int
) -> dict[str, Any]:
    """Conditions of a deposit, as a contributor would fill the template in."""
    by_kind = {
        "company": (
            "own_detection",
            "Account closed after a trained reviewer confirmed trafficking indicators",
        ),
        "ngo": ("ngo_report", "Reported to our outreach staff and confirmed by a caseworker"),
        "police": ("investigation", "Number used by a suspect in an open investigation"),
    }
    collection, criterion = by_kind[kind]
    return {
        "contributor_kind": kind,
        "established_in": established_in,
        "lawful_ground": "legal_obligation"
        if kind == "company"
        else "public_task"
        if kind == "police"
        else "vital_interests",
        "collection": collection,
        "inclusion_criterion": criterion,
        "reviewed_by_person": True,
        "subject": subject,
        "consent": "not_relied_on",
        "special_category": False,
        "payload_category": "none",
        "confidence_percent": 80,
        "permitted_readers": readers,
        "permitted_purposes": ["identify_victim", "investigate_trafficker"],
        "permitted_jurisdictions": ["NL", "IE", "DE"],
        "permitted_offences": ["trafficking_adult", "trafficking_minor", "forced_labour"],
        "highest_tier": "hits",
        "transfer_ground": "within_union",
        "retain_until": now + 90 * DAY_SECONDS,
        "notice_duty": False,
        "releases_each_payload": False,
    }


def claims(case: str, now: int, *, officer: str = "officer-17") -> dict[str, Any]:
    """Claims of a matching request, as an officer would fill the template in."""
    return {
        "case_reference": case,
        "officer": officer,
        "basis": {
            "instrument": "eevidence_epoc",
            "article": "4",
            "reference": f"EPOC {case}",
            "issued_by": "prosecutor",
            "issuing_authority": "Public prosecutor, example district",
            "validated_by": "judge",
            "jurisdiction": "NL",
            "valid_from": now - DAY_SECONDS,
            "valid_until": now + 30 * DAY_SECONDS,
            "document_digest": "00" * 32,
        },
        "offence": "trafficking_adult",
        "maximum_penalty_months": 144,
        "place": "NL",
        "purpose": "investigate_trafficker",
        "subjects": ["suspect"],
        "necessity": "The identifiers were found on a suspect's telephone; who else knows them decides the next step.",
        "less_intrusive_means": "Open sources and our own records were searched first.",
        "urgency": "normal",
        "retention_days": 180,
        "onward_transfer": False,
    }


def write(path: Path, paper: dict[str, Any]) -> Path:
    """Write a paper as JSON and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(paper, indent=2))
    return path


def read(path: Path) -> dict[str, Any]:
    """Read a paper back."""
    paper: dict[str, Any] = json.loads(path.read_text())
    return paper
