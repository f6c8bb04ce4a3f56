"""Take logged decisions again, from their own facts and the rules of the bundle they name.

Rule: the recorded verdict is never read; a decision that comes out with another digest, or under a bundle that is not
at hand, is different and named by its index. So is a release under other rules than its admission that was not decided
under both (decision 0014). It fetches nothing: see `clients.auditor`.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from broker.gate.bundle import Bundle, is_bundle, load
from broker.gate.decide import decide_again
from broker.gate.decision import Decision
from broker.gate.facts import ReleaseFacts
from broker.protocol.errors import BadInput, NarrowgateError
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
    """How many decisions were taken again, how many came out the same, and the others.

    `missing` are digests, in hexadecimal, of the rules that were not at hand."""

    decisions: int
    same: int
    different: tuple[Difference, ...]
    missing: tuple[str, ...] = ()


def load_all(folders: Iterable[Path]) -> dict[bytes, Bundle]:
    """The bundles in these folders, by digest: each is one, or holds one in each of its folders, as an operator's
    `bundles/` does. Raises BadInput for a folder with no rules in it."""
    found: dict[bytes, Bundle] = {}
    for folder in folders:
        inside = _bundles_in(folder)
        sources = [folder] if is_bundle(folder) or not inside else inside
        found |= {bundle.digest: bundle for bundle in map(load, sources)}
    return found


def replay_all(bundles: Mapping[bytes, Bundle], decisions: Iterable[tuple[int, str]]) -> ReplayReport:
    """Take each decision again.

    Args:
        bundles: the auditor's own copies, by digest.
        decisions: (index in the log, canonical text) of each recorded decision, in order of the log.
    """
    total, different, missing, admitted_under = 0, list[Difference](), set[bytes](), dict[bytes, bytes]()
    for index, group in itertools.groupby(decisions, itemgetter(0)):
        texts = [text for _, text in group]
        total += len(texts)
        found = [_replay(bundles, index, text, missing) for text in texts]
        for decision in _readable(texts):
            if decision.action == "admit":
                admitted_under[decision.digest] = decision.bundle_digest
        not_both = _decided_under_one(index, _readable(texts), admitted_under)
        # One difference for each decision at most, so that the numbers add up.
        found[0] = found[0] or not_both
        different += [each for each in found if each is not None]
    return ReplayReport(
        total, total - len(different), tuple(different), tuple(sorted(digest.hex() for digest in missing))
    )


def _bundles_in(folder: Path) -> list[Path]:
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    return [path for path in inside if is_bundle(path) and not path.name.startswith(".")]


def _replay(bundles: Mapping[bytes, Bundle], index: int, text: str, missing: set[bytes]) -> Difference | None:
    try:
        recorded = decode(Decision, text.encode())
        bundle = bundles.get(recorded.bundle_digest)
        if bundle is None:
            missing.add(recorded.bundle_digest)
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


def _readable(texts: Sequence[str]) -> Iterator[Decision]:
    for text in texts:
        try:
            yield decode(Decision, text.encode())
        except BadInput:
            continue


def _decided_under_one(
    index: int, decisions: Iterator[Decision], admitted_under: Mapping[bytes, bytes]
) -> Difference | None:
    """A release that was not decided under the rules of its admission; None when it was, or is none."""
    found = list(decisions)
    if not found or not isinstance(found[0].facts, ReleaseFacts):
        return None
    earlier = admitted_under.get(found[0].facts.admission_digest)
    if earlier is None or earlier in {each.bundle_digest for each in found}:
        return None
    reason = "The rules were changed since its admission, and it was not decided under the earlier ones."
    return Difference(index, found[0].outcome, "", found[0].rules, reason)
