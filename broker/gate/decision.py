"""A decision as a value: what was decided, on what facts, by which rules and law, under which bundle.

Rule: `text` is the canonical JSON (RFC 8785) of everything, and `digest` its SHA-256: two machines that decide the
same have the same digest. It explains and compares; it does not decide.
"""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, Self

from broker.gate.facts import AdmitFacts, DepositFacts, ReleaseFacts
from broker.protocol.messages.base import Bytes32, Message, encode
from broker.protocol.messages.vocabulary import Outcome, Tier

Action = Literal["deposit", "admit", "release"]


class SeriesVerdict(Message):
    """What the rules say about one series."""

    series_id: Bytes32
    outcome: Outcome
    rules: tuple[str, ...]
    missed: tuple[str, ...]


class Decision(Message):
    """One decision. `rules`, `reasons` and `law` run in parallel; `missed` and `notes` are for people."""

    v: Literal[1] = 1
    action: Action
    bundle_digest: Bytes32
    facts: DepositFacts | AdmitFacts | ReleaseFacts
    outcome: Outcome
    tier: Tier | None
    """The tier it was decided as, which may be another than the one asked for; None for deposits."""
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    law: tuple[str, ...]
    missed: tuple[str, ...]
    series: tuple[SeriesVerdict, ...]
    notes: tuple[str, ...]

    @cached_property
    def text(self) -> str:
        """Everything, as canonical JSON. Written once: a decision is frozen, so its text cannot differ."""
        return encode(self).decode()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, with fields changed where `update` says so: another decision, of another text."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("text", None)
        return copied

    @property
    def digest(self) -> bytes:
        """SHA-256 of `text`. Facts hold a request's or declaration's digest, so it is no test for guesses."""
        return hashlib.sha256(self.text.encode()).digest()

    @property
    def allowed(self) -> bool:
        """Whether the outcome is ALLOW."""
        return self.outcome is Outcome.ALLOW

    @property
    def admitted_series(self) -> tuple[bytes, ...]:
        """The series the rules admit, in the order of the facts."""
        if not self.allowed:
            return ()
        return tuple(one.series_id for one in self.series if one.outcome is Outcome.ALLOW)
