"""What a canonical form costs, and how much of it is ours. Run: `python -m benchmarks.identifiers [ROUNDS]`.

For every registered type: forms a second on one core, and the share of the time that is spent inside the library that
knows the rules of the type (libphonenumber's metadata, e-mail syntax, PRECIS). The rest is ours; the aim is under 30%.

Rule: the calls that our code makes into the library are written down in one pass over the samples, and then made again
by themselves. Both are timed in turn in one run, on processor time, and the median of the rounds is the figure. So
nothing is measured from inside, where the measuring would count as ours. A type whose rules no library holds says so,
and has no share. Figures of two machines are not comparable; shares are.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import phonenumbers
from phonenumbers import shortnumberinfo

from clients.identifiers import canonicalise, email, ip, registered_types

AIM = 0.30
ROUNDS = 15
FORMS_A_ROUND = 400

Sample = tuple[str, str | None]
Call = tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Subject:
    """What is measured of one type.

    `samples` are values as people write them, in equal parts; `library` is its name and `entrances` the functions by
    which our code enters it, as (owner, attribute). Without entrances `library` says why there is none. `held` is
    whether the aim holds: not for a library so quick that the checks and the frozen value that every type has weigh
    as much.
    """

    samples: Sequence[Sample]
    library: str
    entrances: Sequence[tuple[object, str]] = ()
    held: bool = True


_ADDRESSES: Sequence[Sample] = (
    ("User.Name@example.org", None),
    ("mailto:j.doe+ads@example.com?subject=hi", None),
    ("user@bücher.example", None),
    ("john.doe+x@gmail.com", None),
)
_EMAIL_ENTRANCES: Sequence[tuple[object, str]] = ((email, "validate_email"),)

SUBJECTS: Mapping[str, Subject] = {
    "email": Subject(_ADDRESSES, "email-validator", _EMAIL_ENTRANCES),
    "email_mailbox": Subject(_ADDRESSES, "email-validator", _EMAIL_ENTRANCES),
    "handle": Subject(
        (("@Alice_99", "telegram"), ("https://t.me/Alice_99?start=1", None), ("ig: a.lice", None), ("аlice", "vk")),
        "none knows platforms; PRECIS prepares the letters",
    ),
    "ip": Subject(
        (("203.0.113.7", None), ("2001:DB8:0220:0001:0248:1893:25C8:1946", None), ("203[.]0[.]113[.]9", None)),
        "ipaddress, too quick to hold the share to the aim",
        ((ip, "IPv4Address"), (ip, "IPv6Address"), (IPv4Address, "__str__"), (IPv6Address, "__str__")),
        held=False,
    ),
    "phone": Subject(
        (
            ("07700 900123", "GB"),
            ("+44 (0)20 7946 0958", None),
            ("https://wa.me/447700900123", None),
            ("+1 212 555 0123 x45", None),
        ),
        "phonenumbers",
        (
            (phonenumbers, "parse"),
            (phonenumbers, "is_possible_number_with_reason"),
            (phonenumbers, "is_valid_number"),
            (phonenumbers, "format_number"),
            (shortnumberinfo, "is_possible_short_number"),
        ),
    ),
    "url": Subject(
        (
            ("HTTP://Example.COM:80/a/./b/../c?b=2&a=1#frag", None),
            ("hxxps://example[.]com/ad/9", None),
            ("https://example.org/ad/9?utm_source=x&id=4", None),
            ("https://bücher.example/%7Euser/", None),
        ),
        "none: those that exist refuse defanged links, or merge two pages",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """Forms a second on one core, and the share of our own code; None where no library knows the type."""

    forms_a_second: float
    ours: float | None


def measured(type_name: str, subject: Subject, rounds: int) -> Measured:
    """Times one type. Raises Rejected if a sample has no form, since a refusal costs something else."""
    samples = subject.samples

    def forms() -> None:
        for raw, hint in samples:
            canonicalise(type_name, raw, hint)

    with calls_written_down(subject.entrances) as calls:
        forms()
    if subject.entrances and len(calls) < len(samples):
        raise SystemExit(f"{type_name}: its samples do not all reach the library, so there is no share.")

    def library() -> None:
        for function, arguments, named in calls:
            try:
                function(*arguments, **named)
            except Exception:  # what it raised for us it raises again: part of its work
                continue

    repeats = max(1, FORMS_A_ROUND // len(samples))
    taken = [(seconds(forms, repeats), seconds(library, repeats)) for _ in range(rounds)]
    whole = statistics.median(each for each, _ in taken)
    ours = 1 - statistics.median(inside / each for each, inside in taken) if subject.entrances else None
    return Measured(repeats * len(samples) / whole, ours)


@contextmanager
def calls_written_down(entrances: Sequence[tuple[object, str]]) -> Iterator[list[Call]]:
    """Within, every outermost call through one of the entrances is added to the list, and made."""
    calls: list[Call] = []
    originals = [(owner, name, getattr(owner, name)) for owner, name in entrances]
    inside = False

    def writing(original: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: Any, **named: Any) -> object:
            nonlocal inside
            if inside:
                return original(*arguments, **named)
            calls.append((original, arguments, named))
            inside = True
            try:
                return original(*arguments, **named)
            finally:
                inside = False

        return call

    try:
        for owner, name, original in originals:
            setattr(owner, name, writing(original))
        yield calls
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def seconds(work: Callable[[], None], repeats: int) -> float:
    """Processor time of this process for so many repeats."""
    started = time.process_time()
    for _ in range(repeats):
        work()
    return time.process_time() - started


def main(rounds: int) -> int:
    """Prints the table; exit code 1 if a share of ours is over the aim that it is held to."""
    missing = set(registered_types()) - set(SUBJECTS)
    if missing:
        raise SystemExit(
            f"No samples for {', '.join(sorted(missing))}: add them to benchmarks/identifiers.py."
        )
    print(f"| type | forms a second and core | ours (aim: under {AIM:.0%}) | library |")
    print("|---|---:|---:|---|")
    over = []
    for type_name in registered_types():
        result = measured(type_name, SUBJECTS[type_name], rounds)
        ours = "all" if result.ours is None else f"{result.ours:.0%}"
        print(f"| {type_name} | {result.forms_a_second:,.0f} | {ours} | {SUBJECTS[type_name].library} |")
        if SUBJECTS[type_name].held and result.ours is not None and result.ours > AIM:
            over.append(type_name)
    if over:
        print(f"\nover the aim: {', '.join(over)}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
