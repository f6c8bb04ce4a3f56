"""The file of conditions: a template a person can fill in, and the reader of what they filled in.

Rule: each field says in plain words what it asks and which answers there are; an unanswered field is refused and never
guessed. JSON has no comments, so members whose name begins with an underscore are remarks and are left out.
"""

import datetime
import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from broker.protocol.errors import BadInput
from broker.protocol.messages.base import read
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import (
    AgencyKind,
    Collection,
    Consent,
    Offence,
    PayloadCategory,
    Purpose,
    Subject,
    Tier,
)
from clients.cli import run
from clients.home import Identity

UNFILLED = "FILL IN"
_RETENTION_DAYS = 90
_DAY_SECONDS = 86_400


def _one_of(words: type[StrEnum]) -> str:
    return "One of: " + ", ".join(words) + "."


def _several_of(words: type[StrEnum], count: int | None = None) -> str:
    return "One or more of: " + ", ".join(list(words)[:count]) + "."


REMARKS: Mapping[str, str] = MappingProxyType(
    {
        "contributor_kind": "What you are. " + _one_of(AgencyKind),
        "established_in": "Your country, two capital letters.",
        "lawful_ground": "The ground on which you share: consent, vital_interests, legal_obligation, public_task, "
        "legitimate_interests (never towards police), dsa_art_18 or us_2258a.",
        "collection": "How you came by the data. " + _one_of(Collection),
        "inclusion_criterion": "By what test an identifier gets into this file: a sentence a reviewer can check.",
        "reviewed_by_person": "true if a person looked at each entry, else false.",
        "subject": "Whom all entries are about. Split the file if they differ. " + _one_of(Subject),
        "consent": "The consent of the person concerned. " + _one_of(Consent),
        "special_category": "true if an entry says something about health, sex life, origin or belief (GDPR 9).",
        "payload_category": "What is sealed with an identifier; none seals nothing. "
        + _one_of(PayloadCategory),
        "confidence_percent": "How sure you are that an entry belongs here, 0 to 100.",
        "permitted_readers": "Who may ask. " + _several_of(AgencyKind),
        "permitted_purposes": "For what they may ask. " + _several_of(Purpose, 5),
        "permitted_jurisdictions": "From which countries, two capital letters each.",
        "permitted_offences": "For which offences. " + _several_of(Offence, 6),
        "highest_tier": "How much an answer may tell at most. " + _one_of(Tier),
        "transfer_ground": "The ground for data to leave your country, such as none_needed, adequacy, safeguards.",
        "retain_until": "Until which day this may be used, as YYYY-MM-DD.",
        "notice_duty": "true if you must tell the person concerned that their data was disclosed.",
        "releases_each_payload": "true if you want to agree to each release of a sealed record yourself.",
    }
)
"""What each field of `Conditions` asks of a contributor."""


def template(identity: Identity | None, now: int) -> dict[str, Any]:
    """A file of conditions to fill in: cautious answers where there is one, `FILL IN` where a person must say."""
    until = datetime.datetime.fromtimestamp(now + _RETENTION_DAYS * _DAY_SECONDS, datetime.UTC).date()
    answers: dict[str, Any] = {
        "contributor_kind": identity.kind if identity and identity.kind else UNFILLED,
        "established_in": identity.jurisdiction if identity else UNFILLED,
        "lawful_ground": UNFILLED,
        "collection": UNFILLED,
        "inclusion_criterion": UNFILLED,
        "reviewed_by_person": UNFILLED,
        "subject": UNFILLED,
        "consent": Consent.NOT_RELIED_ON,
        "special_category": UNFILLED,
        "payload_category": PayloadCategory.NONE,
        "confidence_percent": UNFILLED,
        "permitted_readers": [AgencyKind.POLICE],
        "permitted_purposes": [Purpose.IDENTIFY_VICTIM, Purpose.LOCATE_MISSING],
        "permitted_jurisdictions": [identity.jurisdiction if identity else UNFILLED],
        "permitted_offences": [Offence.TRAFFICKING_MINOR, Offence.TRAFFICKING_ADULT],
        "highest_tier": Tier.HITS,
        "transfer_ground": "none_needed",
        "retain_until": until.isoformat(),
        "notice_duty": UNFILLED,
        "releases_each_payload": False,
    }
    about = f"Answer every {UNFILLED}, and look over the rest. Lines that begin with _ are remarks."
    page: dict[str, Any] = {"_about": about}
    for name, answer in answers.items():
        page[f"_{name}"] = REMARKS[name]
        page[name] = answer
    return page


def read_conditions(path: Path) -> Conditions:
    """Read a filled-in file of conditions. Raises BadInput naming the field and what it asks, never the answer."""
    answers = read_answers(path)
    for name, answer in answers.items():
        if isinstance(answer, dict):
            raise BadInput(
                f"{name}: these conditions take an answer from a column of a file, and there is none here. Use: "
                "narrowgate deposit add"
            )
    return conditions_from(answers)


def read_answers(path: Path) -> dict[str, Any]:
    """The answers of a filled-in file, by field, as they stand. Raises BadInput for one that is not filled in."""
    try:
        page = json.loads(run.read_input(path, "the conditions"))
    except ValueError as error:
        place = f" near line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise BadInput(
            f"The file of the conditions is not valid JSON{place}. A comma or quote may be missing."
        ) from None
    if not isinstance(page, dict):
        raise BadInput(
            "The file of the conditions is not a JSON object. Start from: narrowgate deposit conditions"
        )
    answers = {name: answer for name, answer in page.items() if not name.startswith("_")}
    unfilled = [name for name in REMARKS if UNFILLED in _parts(answers.get(name))]
    if unfilled:
        raise BadInput(f"Not answered yet: {', '.join(unfilled)}. {REMARKS[unfilled[0]]}")
    return answers


def conditions_from(answers: Mapping[str, Any]) -> Conditions:
    """The conditions that all answers make. Raises BadInput naming the field."""
    known = dict(answers)
    if isinstance(known.get("retain_until"), str):
        known["retain_until"] = _end_of_day(known["retain_until"])
    return read(Conditions, json.dumps(known).encode("utf-8"))


def _parts(answer: object) -> list[object]:
    return list(answer) if isinstance(answer, list) else [answer]


def _end_of_day(text: str) -> int:
    try:
        day = datetime.date.fromisoformat(text)
    except ValueError:
        raise BadInput("retain_until: write the day as YYYY-MM-DD, such as 2027-03-31.") from None
    midnight = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
    return int(midnight.timestamp()) + _DAY_SECONDS - 1
