"""A person's own case: number and PIN, with which they follow and withdraw what they gave, through the agency's desk.

Rule: nothing of it leaves the home, and neither number nor PIN is kept: the file is named by a digest of the number,
the PIN is a salted scrypt hash, both under the home key. A PIN has six digits, so guesses are few: each is counted
durably before it is tried, one at a time, and after three wrong ones there is a growing wait. A wrong number reads like
a wrong PIN. Whoever forgot the PIN gets a new one from the agency, which makes sure who asks by its own procedure and
says how.

Whoever has the disk and the home's passphrase can try all million PINs in days: the PIN guards the desk, not the disk.

    submissions/CASE                                                            sealed: a ConsentCase
"""

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import Field

from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted
from broker.protocol.messages.base import (
    Bytes32,
    Count,
    Id16,
    Message,
    Name,
    RandomBytes,
    Seconds,
    encode,
    read,
)
from clients.home import Home
from clients.persons.case_number import draw, new, parse

PIN_DIGITS = 6
FREE_TRIES = 3
WAITS_SECONDS = (30, 120, 600, 3_600, 21_600, 86_400)
"""After each wrong PIN beyond the free ones; the last stands for all later ones."""
_LOG2_N = 15
_MAXIMUM_STEPS = 200
_WRONG = "Number and PIN do not belong together. Ask for both again; after three wrong PINs there is a wait."

Step = Literal["opened", "followed", "contested", "withdrawing", "withdrawn", "let_in", "new_pin"]
"""`withdrawing` is noted before anything is taken back: that there was something."""


class CaseStep(Message):
    """What was done in a case, and when. `remark` for a new PIN: how the agency made sure who asks, and who did; for
    `let_in`: why, and `by` whom."""

    step: Step
    at: Seconds
    remark: Annotated[str, Field(max_length=400)] = ""
    by: Annotated[str, Field(max_length=200)] = ""


class ConsentCase(Message):
    """One case. `reference` is the agency's own, under which the records were deposited."""

    v: Literal[1] = 1
    reference: Name
    tells_asked: bool
    """Whether the law lets the person be told that somebody asked for the records."""
    salt: Id16
    pin_hash: Annotated[Bytes32, Field(repr=False)]
    log2_n: Annotated[int, Field(ge=10, le=20)]
    wrong: Count = 0
    """Wrong PINs since the last right one."""
    wait_until: Seconds = 0
    withdrawn_at: Seconds | None = None
    steps: tuple[CaseStep, ...] = ()


@dataclass(frozen=True)
class NewCase:
    """What the person is given, once: it can be read nowhere later."""

    number: str
    pin: str


class OpenedCase:
    """Evidence that somebody gave number and PIN, or that the agency made sure otherwise. Made by `Cases`."""

    def __init__(self, name: str, case: ConsentCase, wrong_before: int) -> None:
        self.name = name
        self.case = case
        self.wrong_before = wrong_before


class Cases:
    """The cases of one home. `log2_n` is scrypt's cost, for tests to lower."""

    def __init__(self, home: Home, now: int, random_bytes: RandomBytes, log2_n: int | None = None) -> None:
        self._vault = home.vault
        self._now = now
        self._random_bytes = random_bytes
        self._log2_n = _LOG2_N if log2_n is None else log2_n

    def open_case(self, reference: str, *, tells_asked: bool) -> NewCase:
        """A new case for a reference of the agency's own. Raises BadInput, or Conflict if it has one."""
        reference = reference.strip()
        if not 0 < len(reference) <= 200 or ";" in reference:
            raise BadInput("A reference has 1 to 200 characters and no semicolon, as in the file of signals.")
        with self._vault.alone():
            if self._named(reference) is not None:
                raise Conflict(
                    "There is a case for this reference. For a new number and PIN: consent new-pin"
                )
            number, pin = new(self._random_bytes), self._draw_pin()
            salt = self._random_bytes(16)
            case = ConsentCase(
                reference=reference,
                tells_asked=tells_asked,
                salt=salt,
                pin_hash=_hash(pin, salt, self._log2_n),
                log2_n=self._log2_n,
                steps=(CaseStep(step="opened", at=self._now),),
            )
            self._write(_file_name(number), case)
        return NewCase(number, pin)

    def enter(self, number: str, pin: str) -> OpenedCase:
        """Open a case by its number and PIN, as the person gave them.

        Raises BadInput (the number cannot be one), NotPermitted (they do not belong together, or it is too early to try
        again)."""
        name = _file_name(parse(number))
        digits = "".join(pin.split())
        with self._vault.alone():
            case = self._read(name)
            if case is None:
                # As long as a wrong PIN takes, and the same words.
                _hash(digits, bytes(16), self._log2_n)
                raise NotPermitted(_WRONG)
            if self._now < case.wait_until:
                raise NotPermitted(
                    f"Too many wrong PINs. Try again in {_duration(case.wait_until - self._now)}; whoever forgot the "
                    "PIN gets a new one: consent new-pin"
                )
            wrong = case.wrong + 1
            wait = (
                WAITS_SECONDS[min(wrong - FREE_TRIES, len(WAITS_SECONDS) - 1)] if wrong >= FREE_TRIES else 0
            )
            # Counted before it is tried: a program that is killed in between has used the try.
            self._write(
                name, case.model_copy(update={"wrong": wrong, "wait_until": self._now + wait if wait else 0})
            )
            if not hmac.compare_digest(_hash(digits, case.salt, case.log2_n), case.pin_hash):
                raise NotPermitted(_WRONG)
            entered = case.model_copy(update={"wrong": 0, "wait_until": 0})
            self._write(name, entered)
        return OpenedCase(name, entered, case.wrong)

    def new_number_and_pin(self, reference: str, remark: str) -> NewCase:
        """For whoever forgot: a new number and PIN in the place of the old ones, which no longer open anything.

        Args:
            remark: how the agency made sure who asks, and who did; kept in the case.

        Raises NotFound or BadInput."""
        if not 0 < len(remark.strip()) <= 400:
            raise BadInput("Say how you made sure who asks, in a sentence: it is kept in the case.")
        with self._vault.alone():
            old = self._named(reference.strip())
            if old is None:
                raise NotFound("There is no case for this reference. Open one: consent open")
            number, pin, salt = new(self._random_bytes), self._draw_pin(), self._random_bytes(16)
            renewed = {
                "salt": salt,
                "pin_hash": _hash(pin, salt, self._log2_n),
                "log2_n": self._log2_n,
                "wrong": 0,
                "wait_until": 0,
            }
            case = _with_step(old.case.model_copy(update=renewed), "new_pin", self._now, remark.strip())
            self._write(_file_name(number), case)
            # All but the new one: a run that was killed here has left two.
            for each in list(self.every()):
                if each.case.reference == case.reference and each.name != _file_name(number):
                    self.erase(each)
        return NewCase(number, pin)

    def by_agency(self, reference: str) -> OpenedCase:
        """The case of a reference, for the agency itself. Raises NotFound."""
        found = self._named(reference.strip())
        if found is None:
            raise NotFound("There is no case for this reference. Open one: consent open")
        return found

    def note(self, opened: OpenedCase, step: Step, *, remark: str = "", by: str = "") -> OpenedCase:
        """Note durably what was done, in the case as it is now: in between, wrong PINs may have been counted, or a new
        PIN given, whose case takes the note then. A case that is gone stays gone. Once let in, it is withdrawn no
        more."""
        with self._vault.alone():
            name, kept = opened.name, self._read(opened.name)
            if kept is None:
                following = self._named(opened.case.reference)
                if following is None:
                    return opened
                name, kept = following.name, following.case
            case = _with_step(kept, step, self._now, remark, by)
            if step == "let_in":
                case = case.model_copy(update={"withdrawn_at": None})
            if step == "withdrawn" and case.withdrawn_at is None:
                case = case.model_copy(update={"withdrawn_at": self._now})
            self._write(name, case)
        return OpenedCase(name, case, opened.wrong_before)

    def every(self) -> Iterator[OpenedCase]:
        """Every case, for what has to go by itself."""
        for name in self._vault.names("submissions"):
            case = self._read(name)
            if case is not None:
                yield OpenedCase(name, case, case.wrong)

    def erase(self, opened: OpenedCase) -> None:
        """Erase a case."""
        self._vault.erase(f"submissions/{opened.name}")

    def _named(self, reference: str) -> OpenedCase | None:
        return next((each for each in self.every() if each.case.reference == reference), None)

    def _read(self, name: str) -> ConsentCase | None:
        if not self._vault.exists(f"submissions/{name}"):
            return None
        return read(ConsentCase, self._vault.read_secret(f"submissions/{name}"))

    def _write(self, name: str, case: ConsentCase) -> None:
        self._vault.write_secret(f"submissions/{name}", encode(case))

    def _draw_pin(self) -> str:
        return draw(self._random_bytes, "0123456789", PIN_DIGITS)


def _with_step(case: ConsentCase, step: Step, at: int, remark: str, by: str = "") -> ConsentCase:
    steps = (*case.steps, CaseStep(step=step, at=at, remark=remark, by=by))[-_MAXIMUM_STEPS:]
    return case.model_copy(update={"steps": steps})


def _file_name(number: str) -> str:
    return hashlib.sha256(b"narrowgate/v1/case-number\x00" + number.encode("ascii")).hexdigest()[:32]


def _hash(pin: str, salt: bytes, log2_n: int) -> bytes:
    return Scrypt(salt=salt, length=32, n=1 << log2_n, r=8, p=1).derive(pin.encode("utf-8"))


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} seconds"
    if seconds < 7_200:
        return f"{-(-seconds // 60)} minutes"
    return f"{-(-seconds // 3_600)} hours"
