"""Columns that name a person together: names in one or several of them, the birth date in another.

Rule: the cells of a row are joined to what `clients.identifiers.person` reads, "names; birth date", and nothing is made
of them but that: its canonical form sorts the names, so that it does not count which column is whose. Which columns
they are is guessed only where somebody compares persons (the type is opt-in per space): elsewhere names and birth
dates are attributes as before. A date that a program made of the text is a birth date here, and nowhere else.

It reads no name and no date itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from broker.protocol.errors import BadInput
from clients.identifiers.person import TYPE
from clients.identifiers.person_dates import DAY_FIRST, MONTH_FIRST
from clients.readers.cells import MADE_A_DATE, Cell, NoIdentifier, plain
from clients.readers.columns.column_names import plain_name
from clients.readers.columns.column_subjects import known_as

NAME, BIRTH_DATE = "person-name", "birth-date"
"""What a column holds, in the words of `clients.readers.columns.roles`."""

_GIVEN = """
    givenname givennames firstname firstnames forename forenames fname vorname vornamen rufname prenom prenoms nombre
    nombres nombredepila nome voornaam voornamen ad adi adı isim jinalakwanza имя الاسمالاول prenume
"""
_FAMILY = """
    familyname surname surnames lastname lastnames lname nachname familienname zuname nom nomdefamille apellido
    apellidos primerapellido segundoapellido apellido1 apellido2 cognome sobrenome apelido achternaam familienaam
    soyad soyadi soyadı soyisim jinalaukoo jinalafamilia фамилия العائلة اسمالعائلة اللقب numedefamilie nume
"""
_MIDDLE = """
    middlename middlenames zweitername deuxiemeprenom segundonombre tweedenaam отчество patronymic jinalakati
"""
_WHOLE = """
    name fullname personname wholename vollername vollstandigername nomcomplet nometprenom nomprenom nomprenoms
    nombrecompleto nombreyapellidos nombreapellidos nomecompleto nomecognome volledigenaam naam adsoyad adısoyadı
    adisoyadi isimsoyisim jina jinakamili фио полноеимя الاسم الاسمالكامل numecomplet numelecomplet numeprenume
"""
_BIRTH = """
    birthdate dateofbirth dob birthday bdate bday born geburtsdatum geburtstag gebdatum geb geboren datedenaissance
    naissance dnaissance fechadenacimiento fechanacimiento nacimiento fnacimiento datadinascita datanascita nascita
    datadenascimento datanascimento nascimento geboortedatum dogumtarihi doğumtarihi dogumtarihı tareheyakuzaliwa
    датарождения рождения تاريخالميلاد datanasterii dataderenastere
"""


def _words(written: str) -> frozenset[str]:
    return frozenset(map(plain_name, written.split()))


_GIVEN_WORDS, _FAMILY_WORDS, _WHOLE_WORDS = _words(_GIVEN), _words(_FAMILY), _words(_WHOLE)
_PART_WORDS = _GIVEN_WORDS | _FAMILY_WORDS | _words(_MIDDLE)
_BIRTH_WORDS, _NAME_WORDS = _words(_BIRTH), _PART_WORDS | _WHOLE_WORDS


@dataclass(frozen=True)
class PersonColumns:
    """The columns that name a person, by name: those of names, and that of birth dates.

    `date_order` is "day-first" or "month-first" for dates such as 03/04/1990, None if they are not written so.
    Raises BadInput without names, or for another order.
    """

    names: tuple[str, ...]
    birth_date: str
    date_order: str | None = None

    def __post_init__(self) -> None:
        if not self.names:
            raise BadInput(
                f"A column is said to hold birth dates ({BIRTH_DATE}) and none the names that go with them. Say which "
                f"hold names, such as Surname={NAME}, or make the dates an attribute."
            )
        if self.date_order not in (None, DAY_FIRST, MONTH_FIRST):
            raise BadInput(
                f"Birth dates such as 03/04/2050 are {BIRTH_DATE}:{DAY_FIRST} or {BIRTH_DATE}:{MONTH_FIRST}."
            )


@dataclass(frozen=True)
class PersonPlaces:
    """The same settled on one table, by position from 0. `kind` is "person", or "person:day-first"."""

    names: tuple[int, ...]
    birth_date: int
    kind: str = TYPE


def guess_person(names: Sequence[str]) -> PersonColumns | None:
    """The columns whose names say that they hold a person's names and birth date; None if not all are there."""
    births = {plain_name(name): name for name in names if known_as(name, _BIRTH_WORDS, bare=True) is not None}
    if len(births) != 1:
        return None
    (birth,) = births.values()
    called: dict[tuple[str, str], dict[str, str]] = {}
    for name in names:
        word = known_as(name, _NAME_WORDS, bare=True)
        if word is not None:
            called.setdefault((word.subject, word.number), {})[name] = word.word
    found = _names_of(called.get(_whose(birth), {})) or _only_others(called, birth)
    return PersonColumns(found, birth) if found else None


def _whose(name: str) -> tuple[str, str]:
    word = known_as(name, _BIRTH_WORDS, bare=True)
    return ("", "") if word is None else (word.subject, word.number)


def _names_of(called: Mapping[str, str]) -> tuple[str, ...]:
    """Of one person's columns, those of names, if they suffice: given and family names, else whole ones."""
    words = set(called.values())
    in_parts = words & _GIVEN_WORDS and words & _FAMILY_WORDS
    wanted = _PART_WORDS if in_parts else _WHOLE_WORDS
    return tuple(name for name, word in called.items() if word in wanted)


def _only_others(called: Mapping[tuple[str, str], Mapping[str, str]], birth: str) -> tuple[str, ...]:
    """The names, where they are about one only, and either they or the birth date do not say about whom."""
    if len(called) != 1:
        return ()
    ((whose, names),) = called.items()
    return _names_of(names) if ("", "") in (whose, _whose(birth)) else ()


def other_names(names: Sequence[str], person: PersonColumns) -> tuple[str, ...]:
    """Columns that say once more what a guess has joined, such as "full name" beside given and family name: handed on
    as attributes they would name the person."""
    return tuple(name for name in names if is_name(name) and name not in person.names)


def is_name(name: str) -> bool:
    """Whether a column's name says that it holds names of a person, whoever it is."""
    return known_as(name, _NAME_WORDS, bare=True) is not None


def is_birth_date(name: str) -> bool:
    """Whether a column's name says that it holds birth dates, of whomever."""
    return known_as(name, _BIRTH_WORDS, bare=True) is not None


def joined(names: Sequence[Cell], birth_date: Cell) -> Cell:
    """The one value that the cells of a row are, "names; birth date"; empty if all of them are."""
    for cell in (*names, birth_date):
        if isinstance(cell, NoIdentifier) and not (cell is birth_date and cell.reason == MADE_A_DATE):
            return cell
    parts = [text for cell in names if (text := plain(cell))]
    born = plain(birth_date)
    return f"{' '.join(parts)}; {born}" if parts or born else ""
