"""Assemble what leaves the broker, by tier, on the receipt of the decision that it may.

Rule (AUDIT 3, promise 2): one function builds a disclosure, and it demands the log's receipt of RELEASE, read back
from the durable log and not handed on by the transaction that wrote it. Tier `count` tells a noised sum over at
least three contributors and nothing else; `hits` and `sources` tell which of the requester's own tokens are held,
sorted together, never per contributor (who holds them stands in the sheets of a permit for `sources`). It signs and
stores nothing.
"""

from dataclasses import dataclass

from broker.audit.log import Receipt
from broker.audit.records import ReleaseDecided
from broker.gate.decide import Decision
from broker.matching.count import noise
from broker.matching.evidence import Matches
from broker.protocol.errors import Refused, Unavailable
from broker.protocol.messages.base import decode
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Disclosure
from broker.protocol.messages.vocabulary import Outcome, RecordKind, Tier

MINIMUM_CONTRIBUTORS = 3


@dataclass(frozen=True)
class Release:
    """Evidence that the gate let these matches leave, and that RELEASE stands in the log."""

    matches: Matches
    decision: Decision
    receipt: Receipt

    @classmethod
    def by(cls, matches: Matches, decision: Decision, receipt: Receipt) -> "Release":
        """From the receipt of the entry. Raises Unavailable when the entry is not about this decision to allow."""
        if receipt.kind is not RecordKind.RELEASE:
            raise Unavailable("The release's entry in the log is of another kind. Nothing was disclosed.")
        record = decode(ReleaseDecided, receipt.record)
        tokens = matches.recorded.tokens
        named = (record.permit_id, record.token_root, record.decision)
        if named != (tokens.admitted.terms.permit_id, tokens.root, decision.text):
            raise Unavailable("The release and its entry in the log differ. Nothing was disclosed.")
        if decision.outcome is not Outcome.ALLOW:
            raise Unavailable("The entry in the log is of a refusal. Nothing was disclosed.")
        return cls(matches, decision, receipt)


def assemble(release: Release, request_id: bytes, asked_tier: Tier, space: Space, count_key: bytes, now: int) -> Disclosure:
    """What the requester is told.

    Args:
        request_id: 16 bytes; with `asked_tier`, what the requester filed.
        space: names the privacy loss of a count.
        count_key: the broker's secret for the noise of counts.

    Raises Refused when a count would be over fewer than three contributors by now, or the tier is not built yet."""
    terms = release.matches.recorded.tokens.admitted.terms
    told = Disclosure(
        request_id=request_id,
        permit_id=terms.permit_id,
        requester=terms.requester,
        asked_tier=asked_tier,
        tier=release.decision.tier,
        token_root=release.matches.recorded.tokens.root,
        outcome=release.decision.outcome,
        rules=release.decision.rules,
        reasons=release.decision.reasons,
        law=release.decision.law,
        decision_digest=release.decision.digest,
        released_at=now,
        trial=terms.trial,
        proof=release.receipt.proof,
    )
    if told.tier is Tier.COUNT:
        return told.model_copy(update=_count(release.matches, space, count_key))
    if told.tier in (Tier.HITS, Tier.SOURCES):
        held = {match.token for match in release.matches.pairs}
        return told.model_copy(update={"matched": tuple(sorted(held))})
    raise Refused("Payloads are not released by this version.")


def _count(matches: Matches, space: Space, count_key: bytes) -> dict[str, int]:
    if matches.contributors < MINIMUM_CONTRIBUTORS:
        raise Refused("Fewer than three contributors are left in the sum, since one withdrew its records.")
    epsilon = space.count_epsilon_millis
    drawn = noise(count_key, space.space_id, matches.recorded.tokens.digest, epsilon)
    return {
        "noised_count": len(matches.pairs) + drawn,
        "count_epsilon_millis": epsilon,
        "contributors": matches.contributors,
    }
