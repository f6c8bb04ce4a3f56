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
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import phonenumbers
from Crypto.Hash import keccak
from phonenumbers import shortnumberinfo
from schwifty import IBAN
from stdnum import luhn

from clients.identifiers import bank_account, canonicalise, email, ip, registered_types

AIM = 0.30
ROUNDS = 15
FORMS_A_ROUND = 400

Sample = tuple[str, str | None]
Call = tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Subject:
    """What is measured of one type.

    `samples` are values as people write them, in equal parts; `library` is its name and `entrances` the functions by
    which our code enters it, as (owner, attribute). Without entrances `library` says why there is none. `aim` is the
    share of ours that a type is held to; docs/figures.md says why one is higher.
    """

    samples: Sequence[Sample]
    library: str
    entrances: Sequence[tuple[object, str]] = ()
    aim: float = AIM


_ADDRESSES: Sequence[Sample] = (
    ("User.Name@example.org", None),
    ("mailto:j.doe+ads@example.com?subject=hi", None),
    ("user@bücher.example", None),
    ("john.doe+x@gmail.com", None),
)
_EMAIL_ENTRANCES: Sequence[tuple[object, str]] = ((email, "validate_email"),)

SUBJECTS: Mapping[str, Subject] = {
    "btc_address": Subject(
        (
            ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", None),
            ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", None),
            ("bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa?amount=0.1", None),
        ),
        "none: python-stdnum takes mixed case and knows no Bech32m",
    ),
    "email": Subject(_ADDRESSES, "email-validator", _EMAIL_ENTRANCES),
    "email_mailbox": Subject(_ADDRESSES, "email-validator", _EMAIL_ENTRANCES),
    "eth_address": Subject(
        (
            ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", None),
            ("ethereum:0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359@1?value=1", None),
        ),
        "pycryptodome for Keccak; comparing with it (EIP-55) is ours",
        ((keccak, "new"), (keccak.Keccak_Hash, "digest")),
        aim=0.35,
    ),
    "file_hash": Subject(
        (("MD5: 9E107D9D372BB6826BD81D3542A419D6", None), ("2fd4e1c67a2d28fced849ee1bb76e7391b93eb12", None)),
        "none: a length and hexadecimal digits",
    ),
    "handle": Subject(
        (("@Alice_99", "telegram"), ("https://t.me/Alice_99?start=1", None), ("ig: a.lice", None), ("аlice", "vk")),
        "none knows platforms; PRECIS prepares the letters",
    ),
    "iban": Subject(
        (
            ("IBAN: DE89 3704 0044 0532 0130 00", None),
            ("gb29 nwbk 6016 1331 9268 19", None),
            ("FR1420041010050500013M02606", None),
        ),
        "schwifty",
        ((bank_account, "IBAN"), (IBAN, "account_code"), (IBAN, "is_aspirational")),
    ),
    "imei": Subject(
        (("49-015420-323751-8", None), ("4901542032375101", None), ("49015420323751", "network")),
        "python-stdnum for Luhn",
        ((luhn, "is_valid"), (luhn, "calc_check_digit")),
    ),
    "ip": Subject(
        (("203.0.113.7", None), ("2001:DB8:0220:0001:0248:1893:25C8:1946", None), ("203[.]0[.]113[.]9", None)),
        "ipaddress",
        ((ip, "IPv4Address"), (ip, "IPv6Address"), (IPv4Address, "__str__"), (IPv6Address, "__str__")),
    ),
    "licence_plate": Subject(
        (("b mw-1234", "DE"), ("AB12 CDE", "GB"), ("US-CA: 7ABC123", None), ("5 12345", "AE-AZ")),
        "none knows which separators count",
    ),
    "passport_mrz": Subject(
        (
            (
                "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10",
                None,
            ),
            ("I<UTOD231458907<<<<<<<<<<<<<<<7408122F1204159UTO<<<<<<<<<<<6ERIKSSON<<ANNA<MARIA<<<<<<<<<<", None),
        ),
        "none installed",
    ),
    "pdq": Subject(
        (("D8F8F0CEE0F4A84F0637022A078F67F0B36E2ED596621E1D33E6339C4E9C9B22", "100"),),
        "none: pdqhash computes hashes and does not read them",
    ),
    "person": Subject(
        (
            ("Karimova, Amina; 31.12.2050", None),
            ("Амина Каримова; 2050-12-31", None),
            ("van der Berg, Anna; 3/4/2050", "day-first"),
        ),
        "none: the passport tables are ours",
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
    "photodna": Subject(
        ((bytes(range(144)).hex(), None), (b64encode(bytes(range(144))).decode(), None)),
        "none: opaque bytes",
    ),
    "tron_address": Subject(
        (
            ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", None),
            ("41a614f803b6fd780986a42c78ec9c7f77e6ded13c", None),
        ),
        "none: Base58Check is ours",
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
            # A property is entered by being read.
            getter = original.fget if isinstance(original, property) else None
            setattr(owner, name, writing(original) if getter is None else property(writing(getter)))
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
    """Prints the table; exit code 1 if a share of ours is over the one that its type is held to."""
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
        if result.ours is not None and result.ours > SUBJECTS[type_name].aim:
            over.append(type_name)
    if over:
        print(f"\nover the aim: {', '.join(over)}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
