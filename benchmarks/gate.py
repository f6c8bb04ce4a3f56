"""What a decision costs: through the wrapper, with record text and digest, against the bare engine in the same run.

Run: python -m benchmarks.gate [ROUNDS]

Bare is `cedarpy.is_authorized` on the very question, with policies, entities and schema as handles prepared before. The
wrapper makes the question from the facts, builds the entities against the schema, asks, collects what was missed, and
writes the decision as canonical text with its SHA-256. Both are timed in turns, in CPU time of this one thread, since
neither waits for anything and a busy machine would interrupt the longer one more often. Figures of one run are
comparable with one another only; the target is a ratio of at most 3 at the median.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cedarpy

from broker.gate import question
from broker.gate.bundle import Bundle, load
from broker.gate.decide import Case, decide_admission
from broker.gate.facts import AdmitFacts, SeriesFacts
from broker.gate.question import NAMESPACE, Question
from broker.protocol.messages.base import read
from broker.protocol.messages.vocabulary import Authority, Outcome

POLICIES = Path(__file__).parents[1] / "policies"
STORY = POLICIES / "scenarios" / "DENY" / "one-approver-for-sources.json"
"""Facts at the tier sources, where each series is asked about once; a second approver makes them an ALLOW."""
TARGET = 3.0
MANY_SERIES = 20


@dataclass(frozen=True)
class Timed:
    """CPU seconds of one call in each round, sorted."""

    seconds: Sequence[float]

    def at(self, share: float) -> float:
        """The value below which so large a share of the rounds lies."""
        return self.seconds[min(len(self.seconds) - 1, int(len(self.seconds) * share))]

    @property
    def milliseconds(self) -> str:
        """Median and 99th percentile."""
        return f"{self.at(0.5) * 1e3:8.3f} ms CPU median {self.at(0.99) * 1e3:8.3f} ms p99"


def main(rounds: int) -> None:
    """Print the figures. Ends with 1 when an allowed decision costs more than the target."""
    bundle = load(POLICIES)
    one_approver = _facts()
    allowed = _with_approvers(one_approver, 2)
    print(
        f"{rounds} rounds each; the ratio is wrapper to bare engine, of the same question, at the median (and p99)"
    )
    ratio = _compare("allowed, one series", bundle, allowed, Outcome.ALLOW, rounds)
    _compare("refused by a limit, one series", bundle, one_approver, Outcome.DENY, rounds)
    _compare("refused for lack of a gateway, one series", bundle, _by_police(allowed), Outcome.DENY, rounds)
    many = allowed.model_copy(update={"series": _copies(allowed.series[0], MANY_SERIES)})
    _compare(f"allowed, {MANY_SERIES} series", bundle, many, Outcome.ALLOW, max(20, rounds // 10))
    if ratio > TARGET:
        raise SystemExit(
            f"An allowed decision costs {ratio:.2f} times the bare engine; the target is {TARGET:g}."
        )


def _compare(name: str, bundle: Bundle, facts: AdmitFacts, expected: Outcome, rounds: int) -> float:
    asks = [_bare(bundle, facts, series) for series in facts.series]
    if {ask() for ask in asks} != {
        cedarpy.Decision.Allow if expected is Outcome.ALLOW else cedarpy.Decision.Deny
    }:
        raise SystemExit("The bare engine comes to another answer than the benchmark is about.")
    if decide_admission(bundle, facts).outcome is not expected:
        raise SystemExit("The wrapper comes to another answer than the benchmark is about.")

    def bare() -> None:
        for ask in asks:
            ask()

    def wrapped() -> None:
        decision = decide_admission(bundle, facts)
        assert decision.text
        assert decision.digest

    engine, wrapper = _in_turns(bare, wrapped, rounds)
    ratio = wrapper.at(0.5) / engine.at(0.5)
    print(f"{name}:")
    print(f"  {'bare engine, handles and schema':<42} {engine.milliseconds}")
    print(f"  {'wrapper, record text and digest included':<42} {wrapper.milliseconds}")
    print(f"  {'ratio':<42} {ratio:8.2f}    ({wrapper.at(0.99) / engine.at(0.99):.2f} at p99)")
    return ratio


def _bare(bundle: Bundle, facts: AdmitFacts, series: SeriesFacts) -> Callable[[], cedarpy.Decision]:
    about: Question = question.about_series(bundle, "admit", facts, series, facts.tier, None)
    request = {
        "principal": about.entities[0]["uid"],
        "action": {"type": f"{NAMESPACE}::Action", "id": about.action},
        "resource": about.entities[1]["uid"],
        "context": dict(about.context),
    }
    known = cedarpy.Entities.from_json_str(json.dumps(list(about.entities)), schema=bundle.schema)
    return lambda: cedarpy.is_authorized(request, bundle.policies, known, bundle.schema).decision


def _in_turns(first: Callable[[], None], second: Callable[[], None], rounds: int) -> tuple[Timed, Timed]:
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + rounds // 10):
        for call, taken in ((first, seconds[0]), (second, seconds[1])):
            started = time.thread_time()
            call()
            taken.append(time.thread_time() - started)
    warm = rounds // 10
    return Timed(sorted(seconds[0][warm:])), Timed(sorted(seconds[1][warm:]))


def _facts() -> AdmitFacts:
    facts = read(Case, STORY.read_bytes()).admit
    if facts is None:
        raise SystemExit("The scenario that the benchmark starts from is not about an admission.")
    return facts.model_copy(update={"series": facts.series[:1]})


def _with_approvers(facts: AdmitFacts, number: int) -> AdmitFacts:
    approvers = tuple(f"supervisor-{each}" for each in range(1, number + 1))
    return facts.model_copy(update={"people": facts.people.model_copy(update={"approvers": approvers})})


def _by_police(facts: AdmitFacts) -> AdmitFacts:
    """An order that police issued, which opens no gateway."""
    assert facts.verified is not None
    basis = facts.verified.basis.model_copy(update={"issued_by": Authority.POLICE})
    return facts.model_copy(
        update={
            "claims": facts.claims.model_copy(update={"basis": basis}),
            "verified": facts.verified.model_copy(update={"basis": basis}),
        }
    )


def _copies(series: SeriesFacts, number: int) -> tuple[SeriesFacts, ...]:
    return tuple(
        series.model_copy(update={"series_id": place.to_bytes(32, "big")}) for place in range(1, number + 1)
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
