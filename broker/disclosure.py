"""Assemble what leaves the broker, by tier, on the receipt of the decision that it may.

Rule (AUDIT 3, promise 2): one function builds a disclosure, and it demands the log's receipt of RELEASE, read back
from the durable log and not handed on by the transaction that wrote it. Tier `count` tells a noised sum over at
least three contributors and nothing else; `hits` and `sources` tell which of the requester's own tokens are held,
sorted together, never per contributor (who holds them stands in the sheets of a permit for `sources`). It signs and
stores nothing.
"""

from dataclasses import dataclass, field

from broker.audit.log import Receipt
from broker.audit.records import ReleaseDecided
from broker.gate.decision import Decision
from broker.matching.count import noise, sum_digest
from broker.matching.evidence import Matches
from broker.protocol.errors import Refused, Unavailable
from broker.protocol.messages.base import decode
from broker.protocol.messages.requests import Disclosure
from broker.protocol.messages.vocabulary import RecordKind, Tier

MINIMUM_CONTRIBUTORS = 3


@dataclass(frozen=True)
class ReleaseDecision:
    """Evidence that RELEASE stands in the log: its receipt, and the decision it records."""

    receipt: Receipt
    record: ReleaseDecided = field(repr=False)
    decision: Decision = field(repr=False)

    @classmethod
    def by(cls, receipt: Receipt) -> "ReleaseDecision":
        """From the receipt of the entry. Raises Unavailable when it is of another kind."""
        if receipt.kind is not RecordKind.RELEASE:
            raise Unavailable("The release's entry in the log is of another kind. Nothing was disclosed.")
        record = decode(ReleaseDecided, receipt.record)
        return cls(receipt, record, decode(Decision, record.decision.encode()))

    @property
    def tier(self) -> Tier:
        """The tier it was decided at. Raises Unavailable when the decision names none."""
        if self.decision.tier is None:
            raise Unavailable("The release's decision names no tier. Nothing was disclosed.")
        return self.decision.tier


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
        if not decided.decision.allowed:
            raise Unavailable("The entry in the log is of a refusal. Nothing was disclosed.")
        return cls(matches, decided)


def assemble(release: Release, refused: Decision | None, count_key: bytes, now: int) -> Disclosure:
    """What the requester is told.

    Args:
        refused: the decision that refused the permit's own tier, when it was released at a lower one (L16).
        count_key: the broker's secret for the noise of counts.

    Raises Refused when a count would be over fewer than three contributors by now, or for a payload."""
    tokens, decided = release.matches.recorded.tokens, release.decided
    decisions = [decided.decision] if refused is None else [refused, decided.decision]
    told = Disclosure(
        request_id=decided.record.request_id,
        permit_id=tokens.admitted.terms.permit_id,
        requester=tokens.admitted.terms.requester,
        asked_tier=tokens.admitted.facts.tier,
        tier=decided.tier,
        token_root=tokens.root,
        outcome=decided.decision.outcome,
        rules=tuple(rule for each in decisions for rule in each.rules),
        reasons=tuple(reason for each in decisions for reason in each.reasons),
        law=tuple(law for each in decisions for law in each.law),
        decision_digest=decided.decision.digest,
        released_at=now,
        trial=decided.receipt.trial,
        proof=decided.receipt.proof,
    )
    if told.tier is Tier.COUNT:
        return told.model_copy(update=_count(release.matches, count_key))
    if told.tier is Tier.PAYLOAD:
        raise Refused("Payloads are not released by this version.")
    held = {match.token for match in release.matches.pairs}
    return told.model_copy(update={"matched": tuple(sorted(held))})


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
