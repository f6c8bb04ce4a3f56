"""Whom a column is about, by words in its name: "victim_first_name", "suspect phone no.", "client dob", "tel2".

Rule: such words are seen through to find what a column holds, and never lost: a name and a birth date are joined to one
person only if they are about the same one, and a table about several people is not taken under one set of conditions
unless somebody says so. Words are taken off the ends of a name alone, so that "phone type" is no phone number.

It does not know what the rest of a name means: see `mapping` and `person_columns`.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

from clients.readers.columns.column_names import plain_name

_WORDS = {
    "victim": """
        victim victims survivor opfer geschädigte geschädigter geschädigten victime víctima vittima slachtoffer mağdur
        mwathirika mhanga ضحية الضحية жертва жертвы потерпевший потерпевшего victimei
    """,
    "suspect": """
        suspect suspects offender perpetrator accused defendant abuser reported verdächtiger verdächtigter verdächtigen
        tatverdächtiger beschuldigter beschuldigte beschuldigten täter sospechoso imputado sospettato indagato verdachte
        dader şüpheli mshukiwa مشتبه المشتبه подозреваемый подозреваемого suspectului
    """,
    "witness": "witness zeuge zeugin témoin testigo testimone getuige tanık shahidi شاهد الشاهد свидетель martor",
    "client": """
        client clients customer klient klientin kunde kundin kunden mandant cliente klant cliënt müşteri mteja عميل
        العميل клиент клиента
    """,
    "caller": "caller anrufer anruferin appelant llamante chiamante beller arayan mpigaji المتصل",
    "child": "child minor enfant niño niña bambino",
    "subject": "subject",
    "reporter": """
        reporter reporting complainant informant notifier melder anzeigeerstatter plaignant denunciante aangever
    """,
    "relative": """
        relative guardian parent mother father kin emergency mutter vater eltern mère père tuteur madre padre moeder
        vader
    """,
    "sender": "sender absender expéditeur remitente mittente afzender",
    "recipient": "recipient receiver empfänger destinataire destinatario ontvanger",
}
_SUBJECTS = {plain_name(word): subject for subject, words in _WORDS.items() for word in words.split()}
OTHERS = frozenset({"witness", "reporter", "relative"})
"""Subjects who are hardly the one that a column without such a word is about."""
_WHICH = """
    primary secondary alternative alternate alt other additional home work private personal business main new old
    current person contact user account subscriber owner holder registered privat geschäftlich dienstlich andere autre
    secondaire professionnel otro secundario altro
"""
_OF_NOBODY = frozenset(map(plain_name, _WHICH.split()))
"""Words that say which of several, and not whose."""
_FIRST_ONLY = frozenset(
    {"contact", "user", "account", "owner", "holder", "subject", "reported", "reporting", "sender"}
)
"""Words that mean another thing at the end: "email subject", "phone contact"."""
_JOINING = frozenset(
    {"s", "of", "the", "for", "de", "du", "des", "la", "le", "l", "d", "del", "della", "van", "von", "der"}
)
_TOKEN = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_DIGITS = re.compile(r"\A(.*?)([0-9]+)\Z")


@dataclass(frozen=True)
class ColumnWord:
    """What is left of a name, plain, when some words are taken off: `subject` whom they name ("" for nobody), `number`
    which of several, and `bare` whether only words of a subject and numbers went."""

    word: str
    subject: str = ""
    number: str = ""
    bare: bool = True


@lru_cache(maxsize=4096)
def readings(name: str) -> tuple[ColumnWord, ...]:
    """A column's name as it may be meant, from the whole name to what is left when all such words are off."""
    return tuple(_readings(name))


def _readings(name: str) -> Iterator[ColumnWord]:
    yield ColumnWord(plain_name(name))
    tokens = [plain_name(token) for token in _TOKEN.findall(_HUMP.sub(" ", name))]
    subject, number, bare = "", "", True
    while tokens:
        for first in (True, False):
            taken = _taken(tokens, first)
            if taken is not None:
                break
        else:
            return
        tokens, word, digits = taken
        subject = subject or _SUBJECTS.get(word, "")
        number = number or digits
        bare = bare and (not word or word in _SUBJECTS)
        if tokens:
            yield ColumnWord("".join(tokens), subject, number, bare)


def _taken(tokens: list[str], first: bool) -> tuple[list[str], str, str] | None:
    """The tokens without the one at an end, with it and its digits; None if it belongs to the name."""
    token = tokens[0 if first else -1]
    found = _DIGITS.match(token)
    word, digits = (found[1], found[2]) if found else (token, "")
    if word not in _SUBJECTS and word not in _OF_NOBODY:
        if first or not digits:
            return None
        # "phone 1", "tel2": the number goes, the word stays.
        return [*tokens[:-1], word] if word else tokens[:-1], "", digits
    if not first and word in _FIRST_ONLY:
        return None
    rest = tokens[1:] if first else tokens[:-1]
    if first and rest and rest[0].isdecimal():
        rest, digits = rest[1:], digits or rest[0]
    while rest and rest[0 if first else -1] in _JOINING:
        rest = rest[1:] if first else rest[:-1]
    return rest, word, digits


def known_as(name: str, words: Collection[str], *, bare: bool = False) -> ColumnWord | None:
    """The first reading of a name that is one of these plain words.

    Args: `bare` whether only a subject's words and numbers may be taken off.
    """
    return next((each for each in readings(name) if each.word in words and (each.bare or not bare)), None)


def subject_of(name: str) -> str:
    """Whom a column is about; "" if its name does not say."""
    return readings(name)[-1].subject
