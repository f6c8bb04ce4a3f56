"""What the rules come to on a release, when they changed since its request was admitted: the stricter of two.

Rule (decision 0014): a release is decided under the rules in force; and where its request was admitted under others,
under those too. Only what both let leave leaves. Both decisions stand in the record, each replayable by itself: the
one under the rules in force is about the series that the earlier rules let leave, or about all if they refuse.
"""

from dataclasses import dataclass

from broker.gate.bundle import Bundle
from broker.gate.decide import decide_release
from broker.gate.decision import Decision
from broker.gate.facts import ReleaseFacts
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.base import decode
from broker.protocol.messages.vocabulary import Outcome, Tier

CHANGED = (
    "The rules were changed since this request was admitted. It was decided under the earlier rules and under those "
    "in force, and only what both allow leaves."
)


@dataclass(frozen=True)
class Ruling:
    """A decision about a release, and the one under the earlier rules where those are others.

    It reads as one decision, the stricter: refused when either refuses, with the rules of those that do."""

    decision: Decision
    earlier: Decision | None = None

    @classmethod
    def read(cls, decision: str, earlier: str | None) -> "Ruling":
        """From the texts in a record. Raises BadInput, or VerificationFailed when they are not about the same."""
        read = decode(Decision, decision.encode())
        if earlier is None:
            return cls(read)
        return cls(read, check_same(read, decode(Decision, earlier.encode())))

    @property
    def refusing(self) -> tuple[Decision, ...]:
        """The decisions that refuse."""
        return tuple(each for each in self.decisions if not each.allowed)

    @property
    def allowed(self) -> bool:
        """Whether both allow."""
        return not self.refusing

    def rests_on(self, rule: str) -> bool:
        """Whether a rule of that name decided in either."""
        return any(rule in each.rules for each in self.decisions)

    @property
    def outcome(self) -> Outcome:
        """What both come to."""
        return Outcome.ALLOW if self.allowed else Outcome.DENY

    @property
    def tier(self) -> Tier | None:
        """The tier that was decided on; the same for both."""
        return self.decision.tier

    @property
    def admitted_series(self) -> tuple[bytes, ...]:
        """The series that both let leave."""
        return self.decision.admitted_series if self.allowed else ()

    @property
    def facts(self) -> ReleaseFacts:
        """What was decided on: the facts of all series. Raises VerificationFailed when it is no release."""
        facts = (self.earlier or self.decision).facts
        if not isinstance(facts, ReleaseFacts):
            raise VerificationFailed("The decision is none about a release.")
        return facts

    @property
    def digest(self) -> bytes:
        """That of the decision under the rules in force."""
        return self.decision.digest

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that decided; in a refusal, those of each decision that refuses."""
        return tuple(rule for each in self._telling for rule in each.rules)

    @property
    def reasons(self) -> tuple[str, ...]:
        """One for each of `rules`."""
        return tuple(reason for each in self._telling for reason in each.reasons)

    @property
    def law(self) -> tuple[str, ...]:
        """One for each of `rules`."""
        return tuple(law for each in self._telling for law in each.law)

    @property
    def missed(self) -> tuple[str, ...]:
        """What would have been needed."""
        return tuple(dict.fromkeys(line for each in self._telling for line in each.missed))

    @property
    def notes(self) -> tuple[str, ...]:
        """What else to know: the notes of both, and that the rules changed."""
        said = tuple(dict.fromkeys(note for each in self.decisions for note in each.notes))
        return said if self.earlier is None else (*said, CHANGED)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The one decision, or both, the one under the earlier rules first."""
        return (self.decision,) if self.earlier is None else (self.earlier, self.decision)

    @property
    def _telling(self) -> tuple[Decision, ...]:
        return self.refusing or (self.decision,)


def rule_release(in_force: Bundle, earlier: Bundle | None, facts: ReleaseFacts, tier: Tier) -> Ruling:
    """Decide a release under the rules in force, and under the earlier ones of its admission where those are others."""
    if earlier is None or earlier.digest == in_force.digest:
        return Ruling(decide_release(in_force, facts, tier))
    first = decide_release(earlier, facts, tier)
    return Ruling(decide_release(in_force, _left_by(first, facts), tier), first)


def check_same(decision: Decision, earlier: Decision) -> Decision:
    """The earlier decision, once it is about the same release under other rules, and the other one about no more than
    it lets leave. Raises VerificationFailed."""
    facts = earlier.facts
    if (
        not isinstance(facts, ReleaseFacts)
        or (decision.action, earlier.action) != ("release", "release")
        or decision.tier is not earlier.tier
        or decision.bundle_digest == earlier.bundle_digest
        or decision.facts != _left_by(earlier, facts)
    ):
        raise VerificationFailed("The two decisions about a release are not about the same.")
    return earlier


def _left_by(earlier: Decision, facts: ReleaseFacts) -> ReleaseFacts:
    """The same facts about what the earlier rules let leave; about all of it where they refuse."""
    if not earlier.allowed:
        return facts
    leaving = set(earlier.admitted_series)
    series = tuple(each for each in facts.admitted.series if each.series_id in leaving)
    return facts.model_copy(update={"admitted": facts.admitted.model_copy(update={"series": series})})
