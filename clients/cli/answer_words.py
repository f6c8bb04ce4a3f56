"""What a request came to, in words and as members of a JSON answer.

Rule: what a person reads and what --json prints say the same; that a log is a trial's is said every time. It reads no
file and writes none.
"""

import datetime
from pathlib import Path
from typing import Any

from broker.protocol.messages.vocabulary import Tier
from clients.requester_checks.permits import VerifiedAdmission
from clients.requesting.request_values import Answer

TRIAL = "TRIAL: no witness cosigned the log, so the broker could show another log to somebody else."


def answer_members(answer: Answer) -> dict[str, Any]:
    """The answer as members of JSON."""
    return {
        "request_id": answer.request_id.hex(),
        "outcome": "ALLOW",
        "tier": answer.tier.value,
        "rules": list(answer.rules),
        "reasons": list(answer.reasons),
        "law": list(answer.law),
        "identifiers": answer.identifiers,
        # A count tells no hits: that is another thing than none.
        "hits": None if answer.tier is Tier.COUNT else len(answer.hits),
        "matched": list(answer.hits),
        **_person_members(answer),
        "noised_count": answer.noised_count,
        "sources": [
            {
                "contributor": each.source.contributor,
                "name": each.source.name,
                "contact": each.source.contact,
                "conditions": each.source.conditions.model_dump(mode="json"),
                "identifiers": list(each.identifiers),
            }
            for each in answer.sources
        ],
        "records": answer.records,
        "trial": answer.trial,
    }


def answer_words(answer: Answer, out_hits: Path | None) -> str:
    """The answer in words; `out_hits` is where the hits were written, None to list them."""
    if answer.tier is Tier.COUNT:
        lines = [
            f"About {answer.noised_count} matches for {answer.identifiers} identifiers. Noise was added, so the "
            "number may be off by a few, or below zero."
        ]
    else:
        lines = [f"{len(answer.hits)} of {answer.identifiers} identifiers are known."]
        lines += [f"  {text}" for text in answer.hits] if out_hits is None else [f"They are in {out_hits}."]
        lines += _persons(answer, named=out_hits is None)
    for each in answer.sources:
        source = each.source
        lines.append(
            f"  {source.name} ({source.contributor}) holds {len(each.identifiers)} of them; it shares "
            f"{source.conditions.payload_category} data; follow up: {source.contact or 'no contact given'}"
        )
    if answer.tier is Tier.PAYLOAD:
        lines.append(f"{answer.records} sealed records were released. Next: narrowgate request open")
    lines += [f"  {rule}: {reason}" for rule, reason in zip(answer.rules, answer.reasons, strict=False)]
    # Behind the reasons of the rules stands who was left out, and why.
    lines += [f"  {note}" for note in answer.reasons[len(answer.rules) :]]
    return "\n".join([*lines, TRIAL] if answer.trial else lines)


def _person_members(answer: Answer) -> dict[str, Any]:
    """Where persons were asked about in several spellings: how many, and who is known under which of them."""
    if not answer.persons_asked:
        return {}
    known = [{"written": each.written, "found_as": list(each.found_as)} for each in answer.persons]
    return {"persons_asked": answer.persons_asked, "persons": known}


def _persons(answer: Answer, *, named: bool) -> list[str]:
    """Where persons were asked about in several spellings: how many are known, and if `named`, a line for each."""
    if not answer.persons_asked:
        return []
    found = [
        f"  {person.written.partition('|')[2]}: known as "
        + ", ".join(text.partition("|")[2] for text in person.found_as)
        for person in answer.persons
    ]
    return [
        f"{len(answer.persons)} of {answer.persons_asked} persons are known in some spelling. Another person may have "
        "the same name and birth date: look at each before you confirm it.",
        *(found if named else ()),
    ]


def admission_members(request_id: bytes, admission: VerifiedAdmission) -> dict[str, Any]:
    """A permit as members of JSON."""
    terms = admission.terms
    return {
        "request_id": request_id.hex(),
        "outcome": "ALLOW",
        "permit_id": terms.permit_id.hex(),
        "tier": terms.tier.value,
        "series": len(terms.series),
        "deposits": sum(len(series.deposits) for series in terms.series),
        "log_index": admission.entry.index,
        "expires_at": terms.expires_at,
        "notes": list(admission.notes),
        "trial": terms.trial,
    }


def admission_words(admission: VerifiedAdmission) -> str:
    """A permit in words, and what to do next."""
    lines = [
        f"Admitted: {len(admission.terms.series)} series may be asked. The decision is entry "
        f"{admission.entry.index} of the broker's log.",
        *admission.notes,
        "Next: narrowgate request evaluate, then submit",
    ]
    return "\n".join([*lines, TRIAL] if admission.terms.trial else lines)


def utc(at: int) -> str:
    """A time in Unix seconds, as a person reads it."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
