"""The demo's files: what contributors keep, messy, and the lists of those who ask, with the truth beside.

Rule: phone numbers come from Ofcom's ranges for drama and addresses from example.org, so nobody is meant. The truth
is what the generator put in, never what the product found: hits are checked against it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clients.demo.files import write_table

# Area codes whose 496 0xxx (Newcastle 498 0xxx) numbers Ofcom reserves for drama, and the mobile range.
_DRAMA_PREFIXES = (
    "+4477009", "+4420794", "+4411349", "+4411449", "+4411549", "+4411649", "+4411749", "+4411849",
    "+4412149", "+4413149", "+4414149", "+4415149", "+4416149",
)  # fmt: skip
_STEMS = {prefix: prefix + "60" for prefix in _DRAMA_PREFIXES} | {
    "+4477009": "+44770090",
    "+4419149": "+44191498",
}
_WORDS = ("river", "stone", "amber", "cedar", "north", "harbour", "meadow", "copper", "linden", "falcon")
MALFORMED = ("call me", "12", "n/a", "not-an-address", "+44 7700", "ask at the door", "@@example")


@dataclass(frozen=True)
class Identifiers:
    """Canonical phones (E.164) and emails, each list without repeats."""

    phones: tuple[str, ...]
    emails: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.phones) + len(self.emails)

    def as_set(self) -> frozenset[str]:
        return frozenset(self.phones) | frozenset(self.emails)


@dataclass(frozen=True)
class ContributorFile:
    """One file: where it is, how many rows, what is in it in truth, and how many rows are malformed."""

    path: Path
    rows: int
    identifiers: Identifiers
    malformed: int


@dataclass(frozen=True)
class DemoData:
    """Everything the demo's parties hold at the start."""

    company: ContributorFile
    payments: ContributorFile
    payments_disputed: ContributorFile
    ngo: ContributorFile
    helpline: ContributorFile
    border: ContributorFile
    police: ContributorFile
    police_emails: ContributorFile
    selected: ContributorFile
    """The two matches of the police unit's that its officer confirms and goes on with."""
    fishing: ContributorFile
    trust_desk: ContributorFile
    """What the payments company asks about itself."""

    def hits(self, *files: ContributorFile) -> frozenset[str]:
        """The police unit's identifiers that any of `files` holds."""
        return known(self.police, *files)

    def pairs(self, *files: ContributorFile) -> int:
        """Matches counted as a broker counts them: (identifier, deposit) pairs."""
        return sum(len(self.police.identifiers.as_set() & file.identifiers.as_set()) for file in files)


def known(asked: ContributorFile, *files: ContributorFile) -> frozenset[str]:
    """The identifiers of `asked` that any of `files` holds: plain set intersection."""
    held = frozenset[str]().union(*(file.identifiers.as_set() for file in files))
    return asked.identifiers.as_set() & held


def generate(directory: Path, seed: int) -> DemoData:
    """Write all files under `directory`; the same seed gives the same rows."""
    chance = random.Random(seed)
    pool = _pool(chance)
    shared = Identifiers(pool.phones[:11], pool.emails[:7])
    rest = Identifiers(pool.phones[11:], pool.emails[7:])
    company = _take(rest, 0, 2600, 1900)
    payments = _take(rest, 2600, 500, 350, email_start=1900)
    disputed = _take(rest, 3100, 40, 20, email_start=2250)
    ngo = _take(rest, 3140, 110, 60, email_start=2270)
    police_own = _take(rest, 3250, 13, 9, email_start=2330)
    fishing = _take(rest, 3270, 350, 250, email_start=2340)
    helpline = _take(rest, 3620, 38, 0)
    border = _take(rest, 3660, 30, 10, email_start=2590)
    trust = _take(rest, 3690, 10, 5, email_start=2600)
    # Of the unit's 40 identifiers 18 are known: 10 to the company, 6 to payments, 3 only in its disputed file, 3 to
    # the NGO; four of them are in two files, which a set intersection counts once. A helpline and another police unit
    # hold some, too, and other lanes lead there.
    company_all = _join(company, Identifiers(shared.phones[0:6], shared.emails[0:4]))
    payments_all = _join(payments, Identifiers(shared.phones[4:7], shared.emails[3:6]))
    disputed_all = _join(disputed, Identifiers(shared.phones[7:9], shared.emails[6:7]))
    ngo_all = _join(ngo, Identifiers(shared.phones[9:11], shared.emails[0:1]))
    helpline_all = _join(helpline, Identifiers((shared.phones[2], shared.phones[10]), ()))
    border_all = _join(border, Identifiers(shared.phones[1:4], shared.emails[5:6]))
    police = _join(police_own, shared)
    selected = Identifiers(shared.phones[4:5], shared.emails[0:1])
    trust_all = _join(trust, Identifiers(company.phones[:3], company.emails[:2]))
    account = "account closed after review, ticket"
    report = "what the caller told us, call"
    return DemoData(
        _write(directory / "company.csv", company_all, 5000, 37, chance, account),
        _write(directory / "payments.csv", payments_all, 940, 11, chance, account),
        _write(directory / "payments-disputed.json", disputed_all, 66, 0, chance, account),
        _write(directory / "ngo.xlsx", ngo_all, 200, 6, chance, report),
        _write(directory / "helpline.csv", helpline_all, 44, 2, chance, report, "HL-2026"),
        _write(directory / "border.csv", border_all, 46, 2, chance),
        _write(directory / "police.csv", police, 40, 0, chance),
        _write(directory / "police-emails.csv", Identifiers((), police.emails), 16, 0, chance),
        _write(directory / "police-selected.csv", selected, 2, 0, chance),
        _write(directory / "police-all-contacts.csv", fishing, 600, 0, chance),
        _write(directory / "trust-desk.csv", trust_all, 20, 0, chance),
    )


def _pool(chance: random.Random) -> Identifiers:
    phones = [f"{stem}{number:03d}" for stem in _STEMS.values() for number in range(1000)]
    phones = [phone for phone in phones if len(phone) == 13]
    emails = [f"{word}.{other}{n}@example.org" for word in _WORDS for other in _WORDS for n in range(40)]
    chance.shuffle(phones)
    chance.shuffle(emails)
    return Identifiers(tuple(phones), tuple(emails))


def _take(pool: Identifiers, start: int, phones: int, emails: int, email_start: int = 0) -> Identifiers:
    taken = Identifiers(pool.phones[start : start + phones], pool.emails[email_start : email_start + emails])
    assert len(taken) == phones + emails, "the pool of reserved numbers is too small"
    return taken


def _join(first: Identifiers, second: Identifiers) -> Identifiers:
    return Identifiers(first.phones + second.phones, first.emails + second.emails)


def _write(
    path: Path,
    held: Identifiers,
    rows: int,
    malformed: int,
    chance: random.Random,
    note: str = "row of the sample, ticket",
    reference: str | None = None,
) -> ContributorFile:
    phones, emails = list(held.phones), list(held.emails)
    # People write the same number twice, in another way: those rows fold into one record.
    again = chance.sample(phones + emails, rows - malformed - len(held))
    phones += [one for one in again if "@" not in one]
    emails += [one for one in again if "@" in one]
    values = [_messy_phone(phone, chance) for phone in phones]
    values += [_messy_email(email, chance) for email in emails]
    values += [chance.choice(MALFORMED) for _ in range(malformed)]
    chance.shuffle(values)
    _write_rows(path, values, chance, note, reference)
    return ContributorFile(path, len(values), held, malformed)


def _write_rows(
    path: Path, values: Sequence[str], chance: random.Random, note: str, reference: str | None
) -> None:
    own = () if reference is None else ("reference",)
    rows = []
    for number, value in enumerate(values):
        phone, email = ("", value) if "@" in value else (value, "")
        day = f"2026-{chance.randint(1, 9):02d}-{chance.randint(1, 28):02d}"
        referred = () if reference is None else (f"{reference}-{number:03d}",)
        rows.append((phone, email, day, f"{note} {10_000 + number}", *referred))
    write_table(path, ("phone", "email", "first seen", "note", *own), rows)


def _messy_phone(phone: str, chance: random.Random) -> str:
    national = "0" + phone[3:]
    forms = (
        phone,
        f"+44 {phone[3:7]} {phone[7:]}",
        f"+44 (0){phone[3:7]} {phone[7:10]} {phone[10:]}",
        f"0044{phone[3:]}",
        f"{national[:5]} {national[5:]}",
        f"{national[:5]}-{national[5:8]}-{national[8:]}",
        f"  {phone[:6]}.{phone[6:]}  ",
        "".join(chr(ord("０") + int(c)) if c.isdigit() else "＋" for c in phone),
        f"https://wa.me/{phone[1:]}",
    )
    return chance.choice(forms)


def _messy_email(email: str, chance: random.Random) -> str:
    forms = (email, email.upper(), email.title(), f" {email} ", email.replace("@example.org", "@Example.ORG"))
    return chance.choice(forms)
