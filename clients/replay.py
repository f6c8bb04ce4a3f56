"""Take logged decisions again, from their own facts and the rules of the bundle they name.

Rule: the recorded verdict is never read; a decision that comes out with another digest, or under a bundle that is not
at hand, is different and named by its index. It fetches nothing: see `clients.auditor`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from broker.gate.bundle import Bundle
from broker.gate.decide import decide_again
from broker.gate.decision import Decision
from broker.protocol.errors import NarrowgateError
from broker.protocol.messages.base import decode


@dataclass(frozen=True)
class Difference:
    """A decision that did not come out as recorded. `replayed` is empty when it could not be taken again."""

    index: int
    recorded: str
    replayed: str
    rules: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class ReplayReport:
    """How many decisions were taken again, how many came out the same, and the others."""

    decisions: int
    same: int
    different: tuple[Difference, ...]


def replay_all(bundles: Mapping[bytes, Bundle], decisions: Iterable[tuple[int, str]]) -> ReplayReport:
    """Take each decision again.

    Args:
        bundles: the auditor's own copies, by digest.
        decisions: (index in the log, canonical text) of each recorded decision.
    """
    total, different = 0, []
    for index, text in decisions:
        total += 1
        difference = _replay(bundles, index, text)
        if difference is not None:
            different.append(difference)
    return ReplayReport(total, total - len(different), tuple(different))


def _replay(bundles: Mapping[bytes, Bundle], index: int, text: str) -> Difference | None:
    try:
        recorded = decode(Decision, text.encode())
        bundle = bundles.get(recorded.bundle_digest)
        if bundle is None:
            reason = "It was taken under a bundle of rules that you did not name."
            return Difference(index, recorded.outcome, "", recorded.rules, reason)
        again = decide_again(bundle, recorded)
    except NarrowgateError as error:
        return Difference(index, "", "", (), error.detail)
    if again.text == text:
        return None
    return Difference(
        index, recorded.outcome, again.outcome, again.rules, "The rules come to another decision."
    )
