"""From a verified disclosure back to the requester's own identifiers: what a request came to.

Rule: the broker tells tokens, and only the requester knows which identifier is behind each; the mapping is made here
and nowhere else. It verifies nothing (`clients.requester_checks.permits`) and opens no record
(`clients.requesting.payloads`).
"""

from collections.abc import Sequence

from broker.protocol import tokens
from broker.protocol.errors import Unavailable
from broker.protocol.messages.ladder import Waiting
from broker.protocol.messages.requests import Disclosure
from clients.requester_checks.permits import VerifiedAdmission
from clients.requesting.request_values import (
    Answer,
    FoundPerson,
    FoundSource,
    HitToken,
    Plan,
    SpelledPerson,
    Tokens,
)


class AnswerAwaited(Unavailable):
    """Contributors have not said yet whether their own records may be opened: `waiting` says how many, until when."""

    def __init__(self, waiting: Waiting) -> None:
        super().__init__(
            "The contributors whose records these are have not all said yet whether they may be opened. Nothing is "
            "lost: run the same command again later."
        )
        self.waiting = waiting


def answer_of(disclosed: Disclosure, admission: VerifiedAdmission, plan: Plan, kept: Tokens) -> Answer:
    """What was told, in terms of the identifiers that were asked about."""
    matched = frozenset(disclosed.matched)
    hit_tokens = _hit_tokens(admission, plan, kept, matched)
    behind: dict[bytes, str] = {hit.token: hit.identifier for hit in hit_tokens}
    asked = [text for planned in plan.batches for text in planned.identifiers]
    hits, persons = _hits(admission, plan, kept, matched), _asked_about(plan)
    return Answer(
        request_id=disclosed.request_id,
        tier=disclosed.tier,
        identifiers=sum(len(planned.identifiers) for planned in plan.batches),
        hits=hits,
        persons_asked=len(persons),
        persons=_found(persons, hits),
        hit_tokens=hit_tokens,
        sources=tuple(
            FoundSource(
                source=source,
                identifiers=tuple(sorted({behind[each] for each in _split(source.tokens)}, key=asked.index)),
            )
            for source in disclosed.sources
        ),
        records=len(disclosed.records),
        noised_count=disclosed.noised_count,
        contributors=disclosed.contributors,
        rules=disclosed.rules,
        reasons=disclosed.reasons,
        law=disclosed.law,
        trial=disclosed.trial,
    )


def _asked_about(plan: Plan) -> tuple[SpelledPerson, ...]:
    """The persons of whom the plan still has a spelling: a higher tier asks about the confirmed ones alone."""
    asked = {text for planned in plan.batches for text in planned.identifiers}
    return tuple(person for person in plan.persons if not asked.isdisjoint((person.written, *person.others)))


def _found(persons: Sequence[SpelledPerson], hits: Sequence[str]) -> tuple[FoundPerson, ...]:
    """Whose spellings are among the hits: one row a person, however many of its spellings are known."""
    found = []
    for person in persons:
        known = tuple(text for text in (person.written, *person.others) if text in hits)
        if known:
            found.append(FoundPerson(written=person.written, found_as=known))
    return tuple(found)


def _hits(
    admission: VerifiedAdmission, plan: Plan, kept: Tokens, matched: frozenset[bytes]
) -> tuple[str, ...]:
    """The identifiers behind the matched tokens, in the order of the request, each once."""
    types = {series.handle: series.identifier_type for series in admission.terms.series}
    found: dict[str, set[int]] = {planned.identifier_type: set() for planned in plan.batches}
    for item, order in zip(kept.submission.lists, kept.orders, strict=True):
        for index, token in zip(order, _split(item.tokens), strict=True):
            if token in matched:
                found[types[item.handle]].add(index)
    return tuple(
        planned.identifiers[index]
        for planned in plan.batches
        for index in sorted(found[planned.identifier_type])
    )


def _hit_tokens(
    admission: VerifiedAdmission, plan: Plan, kept: Tokens, matched: frozenset[bytes]
) -> tuple[HitToken, ...]:
    """The matches behind the hits: an outcome is reported on each by deposit and token."""
    types = {series.handle: series.identifier_type for series in admission.terms.series}
    identifiers = {planned.identifier_type: planned.identifiers for planned in plan.batches}
    return tuple(
        HitToken(identifier=identifiers[types[item.handle]][index], deposit_id=item.deposit_id, token=token)
        for item, order in zip(kept.submission.lists, kept.orders, strict=True)
        for index, token in zip(order, _split(item.tokens), strict=True)
        if token in matched
    )


def _split(data: bytes) -> list[bytes]:
    return [data[at : at + tokens.TOKEN_BYTES] for at in range(0, len(data), tokens.TOKEN_BYTES)]
