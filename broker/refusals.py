"""Errors that the broker alone raises: a refusal by the gate with its proof, and limits of size and rate.

Rule: a refusal names its rules, reasons and law and proves that it was recorded (AUDIT 3, promise 1). It is raised
after the transaction that recorded it is durable, never inside: raising inside would roll the record back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from broker.audit.log import Receipt
from broker.protocol.errors import NarrowgateError, Refused


class Verdict(Protocol):
    """The part of a gate's decision that a refused caller is told. `broker.gate.decide.Decision` is one."""

    @property
    def rules(self) -> Sequence[str]:
        """The rules that decided."""
        ...

    @property
    def reasons(self) -> Sequence[str]:
        """Why, in plain English."""
        ...

    @property
    def law(self) -> Sequence[str]:
        """The law the rules stand on."""
        ...

    @property
    def missed(self) -> Sequence[str]:
        """What would have been needed."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What else the caller should know."""
        ...


@dataclass(frozen=True)
class Told:
    """What a refused caller was told, kept so that a retry is told the same."""

    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    law: tuple[str, ...]
    missed: tuple[str, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, verdict: Verdict) -> "Told":
        """The told part of any verdict."""
        return cls(
            tuple(verdict.rules),
            tuple(verdict.reasons),
            tuple(verdict.law),
            tuple(verdict.missed),
            tuple(verdict.notes),
        )


class GateRefusal(Refused):
    """The gate refused, and the refusal is recorded: `receipt` proves it."""

    def __init__(self, decision: Verdict, receipt: Receipt) -> None:
        super().__init__("The rules refuse this. The refusal is recorded.")
        self.told = Told.of(decision)
        self.receipt = receipt


class TooLarge(NarrowgateError):
    """The body is larger than the broker takes."""

    problem = "too-large"


class TooManyCalls(NarrowgateError):
    """More calls, or more waiting enrolments, than the broker takes."""

    problem = "too-many-calls"
