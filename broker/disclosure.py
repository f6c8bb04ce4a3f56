"""Assemble what leaves the broker, by tier, on the receipt of the decision that it may.

Rule (AUDIT 3, promise 2): one function builds a disclosure, and it demands the log's receipt of RELEASE, read back
from the durable log and not handed on by the transaction that wrote it. Tier `count` tells a noised sum over at
least three contributors and nothing else; `hits` tells which of the requester's own tokens are held, sorted together,
never per contributor; `sources` tells who holds them besides, and `payload` which sealed records leave. It signs and
stores nothing, and opens nothing.
"""

from dataclasses import dataclass, field

from broker.audit.log import Receipt
from broker.gate.facts import AdmitFacts
from broker.gate.ruling import Ruling
from broker.matching.count import noise, sum_digest
from broker.matching.evidence import Matches
from broker.protocol.errors import Refused, Unavailable
from broker.protocol.messages.base import decode
from broker.protocol.messages.ladder import RecordReference, Source
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Disclosure, ReleaseDecided
from broker.protocol.messages.vocabulary import NAMES_CONTRIBUTORS, RecordKind, Tier
from broker.store.matches import Match, OpenDeposit

MINIMUM_CONTRIBUTORS = 3


@dataclass(frozen=True)
class ReleaseDecision:
    """Evidence that RELEASE stands in the log: its receipt, and the decision it records, under one or two bundles."""

    receipt: Receipt
    record: ReleaseDecided = field(repr=False)
    ruling: Ruling = field(repr=False)

    @classmethod
    def by(cls, receipt: Receipt) -> "ReleaseDecision":
        """From the receipt of the entry. Raises Unavailable when it is of another kind."""
        if receipt.kind is not RecordKind.RELEASE:
            raise Unavailable("The release's entry in the log is of another kind. Nothing was disclosed.")
        record = decode(ReleaseDecided, receipt.record)
        return cls(receipt, record, Ruling.read(record.decision, record.earlier_decision))

    @property
    def tier(self) -> Tier:
        """The tier it was decided at. Raises Unavailable when the decision names none."""
        if self.ruling.tier is None:
            raise Unavailable("The release's decision names no tier. Nothing was disclosed.")
        return self.ruling.tier


@dataclass(frozen=True)
class Release:
    """Evidence that the gate let these matches leave, and that the log says so."""

    matches: Matches
    decided: ReleaseDecision

    @classmethod
    def of(cls, matches: Matches, decided: ReleaseDecision) -> "Release":
        """What was found, and the decision about it. Raises Unavailable when they are of two requests, or it denies."""
        tokens = matches.recorded.tokens
        named = (decided.record.permit_id, decided.record.token_root)
        if named != (tokens.admitted.terms.permit_id, tokens.root):
            raise Unavailable("The release and its entry in the log differ. Nothing was disclosed.")
        if not decided.ruling.allowed:
            raise Unavailable("The entry in the log is of a refusal. Nothing was disclosed.")
        return cls(matches, decided)

    @property
    def deposits(self) -> tuple[OpenDeposit, ...]:
        """The deposits searched that the decision lets leave, by deposit_id."""
        admitted = set(self.decided.ruling.admitted_series)
        return tuple(each for each in self.matches.deposits if each.series_id in admitted)

    @property
    def pairs(self) -> tuple[Match, ...]:
        """What was found in them."""
        return self.matches.within(self.decided.ruling.admitted_series)


@dataclass(frozen=True)
class Found:
    """Who holds the matches of a release, and their records: what only `sources` and `payload` tell."""

    sources: tuple[Source, ...] = field(repr=False)
    records: tuple[RecordReference, ...] = field(repr=False)


def sources(release: Release, admitted: AdmitFacts, space: Space) -> tuple[Source, ...]:
    """Who holds the matches of a release, one entry a series, by series_id.

    Raises Unavailable when a series or its contributor is not among what was decided on."""
    named = []
    for series_id in sorted({each.series_id for each in release.deposits}):
        numbers = {each.deposit_number for each in release.deposits if each.series_id == series_id}
        tokens = sorted(pair.token for pair in release.pairs if pair.deposit_number in numbers)
        facts = next((each for each in admitted.series if each.series_id == series_id), None)
        member = next(
            (each for each in space.members if facts and each.agency_id == facts.contributor.agency_id), None
        )
        if facts is None or member is None:
            raise Unavailable("A contributor left the space meanwhile. Nothing was disclosed.")
        if tokens:
            named.append(
                Source(
                    series_id=series_id,
                    contributor=member.agency_id,
                    name=member.name,
                    kind=member.kind,
                    contact=member.contact,
                    conditions=facts.conditions,
                    tokens=b"".join(tokens),
                )
            )
    return tuple(named)


def assemble(
    release: Release, refused: Ruling | None, count_key: bytes, now: int, found: "Found | None" = None
) -> Disclosure:
    """What the requester is told.

    Args:
        refused: the decision that refused the permit's own tier, when it was released at a lower one (L16).
        count_key: the broker's secret for the noise of counts.
        found: who holds what, for `sources` and `payload`.

    Raises Refused when a count would be over fewer than three contributors by now."""
    tokens, decided = release.matches.recorded.tokens, release.decided
    rulings = [decided.ruling] if refused is None else [refused, decided.ruling]
    told = Disclosure(
        request_id=decided.record.request_id,
        permit_id=tokens.admitted.terms.permit_id,
        requester=tokens.admitted.terms.requester,
        asked_tier=tokens.admitted.facts.tier,
        tier=decided.tier,
        token_root=tokens.root,
        outcome=decided.ruling.outcome,
        rules=tuple(rule for each in rulings for rule in each.rules),
        reasons=tuple(reason for each in rulings for reason in each.reasons) + decided.ruling.notes,
        law=tuple(law for each in rulings for law in each.law),
        decision_digest=decided.ruling.digest,
        released_at=now,
        trial=decided.receipt.trial,
        proof=decided.receipt.proof,
    )
    if told.tier is Tier.COUNT:
        return told.model_copy(update=_count(release.matches, count_key))
    if told.tier in NAMES_CONTRIBUTORS and found is None:
        raise Unavailable("Who holds the matches was not found. Nothing was disclosed.")
    held = tuple(sorted({match.token for match in release.pairs}))
    if told.tier is Tier.HITS or found is None:
        return told.model_copy(update={"matched": held})
    records = found.records if told.tier is Tier.PAYLOAD else ()
    return told.model_copy(update={"matched": held, "sources": found.sources, "records": records})


def _count(matches: Matches, count_key: bytes) -> dict[str, int]:
    if matches.contributors < MINIMUM_CONTRIBUTORS:
        raise Refused("Fewer than three contributors are left in the sum, since one withdrew its records.")
    tokens = matches.recorded.tokens
    epsilon = tokens.admitted.facts.derived.count_cost_millis
    counted = sum_digest(tokens.digest, [deposit.deposit_id for deposit in matches.deposits])
    drawn = noise(count_key, tokens.admitted.terms.space_id, counted, epsilon)
    return {
        "noised_count": len(matches.pairs) + drawn,
        "count_epsilon_millis": epsilon,
        "contributors": matches.contributors,
    }
