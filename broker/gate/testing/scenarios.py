"""The stories beside a bundle: facts as files, each with the outcome and exactly the rules its author expects.

Rule (POLICY 4): a scenario passes when outcome, tier and rules are those it names, and it lies in the folder of its
outcome. It writes nothing and changes no rule.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from broker.gate.bundle import Bundle
from broker.gate.decide import Case, Expected, decide_case
from broker.gate.decision import Decision
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import read
from broker.protocol.messages.vocabulary import Outcome


@dataclass(frozen=True)
class Scenario:
    """A case with what is expected of it. `name` is its file below `scenarios/`, or how it was made from one."""

    name: str
    case: Case
    expected: Expected


@dataclass(frozen=True)
class Judged:
    """A scenario and what the rules came to."""

    scenario: Scenario
    decided: Expected

    @property
    def passed(self) -> bool:
        """Whether the rules came to exactly what was expected."""
        return self.decided == self.scenario.expected


def read_scenarios(directory: Path) -> tuple[Scenario, ...]:
    """The scenarios of the bundle in `directory`, by name. Raises BadInput naming the file."""
    found = []
    for outcome in Outcome:
        for path in sorted((directory / "scenarios" / outcome).glob("*.json")):
            name = f"{outcome}/{path.stem}"
            try:
                case = read(Case, path.read_bytes())
            except BadInput as error:
                raise BadInput(f"Scenario {name}: {error.detail}") from None
            if not case.story or case.expected is None:
                raise BadInput(f"Scenario {name} has no story, or does not say what is expected.")
            if case.expected.outcome is not outcome:
                raise BadInput(f"Scenario {name} expects another outcome than its folder says. Move it.")
            found.append(Scenario(name, case, case.expected))
    if not found:
        raise BadInput("The bundle has no scenarios. Put them in scenarios/ALLOW and scenarios/DENY.")
    return tuple(found)


def come_to(bundle: Bundle, case: Case) -> Expected:
    """What the rules come to on a case. Raises BadInput."""
    return told(decide_case(bundle, case))


def told(decision: Decision) -> Expected:
    """What a scenario compares of a decision."""
    return Expected(outcome=decision.outcome, tier=decision.tier, rules=decision.rules)


def judge(bundle: Bundle, scenarios: Iterable[Scenario]) -> tuple[Judged, ...]:
    """Decide each scenario by the rules. Raises BadInput for one with facts of no or of several actions."""
    return tuple(Judged(scenario, come_to(bundle, scenario.case)) for scenario in scenarios)
