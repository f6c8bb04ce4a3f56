"""Lists of made-up persons, each as two agencies would have written it. For `python -m benchmarks.person`.

Rule: nobody's name. Given names are common ones, drawn by how common they are; family names are made of syllables;
birth dates are of the years 2050 to 2099, in which nobody is born yet. Equal seeds give equal lists.

A person is made in the letters of its origin, and each agency writes it by one of the systems that files of that origin
are in: Cyrillic by ICAO 9303, BGN/PCGN, the Duden, French use, ISO 9 without marks, or left in Cyrillic; Arabic names
by English, French or German use, with the vowels that people write, or left in Arabic letters; Latin names with their
marks, with ae for ä, or without marks. Then each has the slips of files: a name left out, day and month exchanged,
1 January for an unknown day, a letter missing, doubled or exchanged.

The shares are judgement, not measured in anybody's files. Slips are made by other code than the spellings are.
"""

import datetime
import random
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

FIRST, DAYS = datetime.date(2050, 1, 1), 18_262


@dataclass(frozen=True)
class Made:
    """One person: its origin, and the texts of two agencies' files."""

    origin: str
    held: str
    asked: str


_Write = Callable[[str], str]


def _words(text: str) -> Sequence[str]:
    return text.split()


# --- Cyrillic ---

_SLAVIC_GIVEN = _words(
    "Александр Сергей Дмитрий Юрий Михаил Николай Андрей Алексей Владимир Евгений Виктор Игорь Олег Павел Роман Максим "
    "Екатерина Елена Наталья Татьяна Оксана Анастасия Ирина Юлия Анна Мария Светлана Ольга Людмила Галина Вера Надежда"
)
_SLAVIC_SYLLABLES = _words(
    "кор жук хар щер цар мель гри чер шев тка бон мар сав лит ко ви да ря ло бе зуб яс юр ел"
)
_SLAVIC_ENDS = _words("ов ев ин енко ский чук ук ова ева ина ская")
_ICAO = (
    "а=a б=b в=v г=g д=d е=e ё=e ж=zh з=z и=i й=i к=k л=l м=m н=n "
    "о=o п=p р=r с=s т=t у=u ф=f х=kh ц=ts ч=ch ш=sh щ=shch ъ=ie ы=y ь= э=e ю=iu я=ia"
)
_BGN = _ICAO.replace("й=i", "й=y").replace("ъ=ie", "ъ=").replace("ю=iu", "ю=yu").replace("я=ia", "я=ya")
_DUDEN = (
    "а=a б=b в=w г=g д=d е=e ё=jo ж=sch з=s и=i й=i к=k л=l м=m н=n "
    "о=o п=p р=r с=s т=t у=u ф=f х=ch ц=z ч=tsch ш=sch щ=schtsch ъ= ы=y ь= э=e ю=ju я=ja"
)
_FRENCH = (
    "а=a б=b в=v г=g д=d е=e ё=io ж=j з=z и=i й=i к=k л=l м=m н=n "
    "о=o п=p р=r с=s т=t у=ou ф=f х=kh ц=ts ч=tch ш=ch щ=chtch ъ= ы=y ь= э=e ю=iou я=ia"
)
_ISO = (
    "а=a б=b в=v г=g д=d е=e ё=e ж=z з=z и=i й=j к=k л=l м=m н=n "
    "о=o п=p р=r с=s т=t у=u ф=f х=h ц=c ч=c ш=s щ=s ъ= ы=y ь= э=e ю=ju я=ja"
)


def _by_letters(pairs: str, endings: Mapping[str, str]) -> _Write:
    table = dict(pair.split("=") for pair in pairs.split())

    def write(name: str) -> str:
        small = name.lower()
        for ending, other in endings.items():
            if small.endswith(ending):
                return write(small.removesuffix(ending)) + other
        return "".join(table[letter] for letter in small)

    return write


_CYRILLIC_SYSTEMS: Sequence[tuple[int, _Write]] = (
    (35, _by_letters(_ICAO, {})),
    (25, _by_letters(_BGN, {"ий": "y", "ия": "iya"})),
    (12, _by_letters(_DUDEN, {"ий": "i"})),
    (8, _by_letters(_FRENCH, {"ин": "ine", "ий": "i"})),
    (5, _by_letters(_ISO, {})),
    (15, lambda name: name),
)

# --- Arabic, in one sign a sound: $ sh, x kh, 7 h, 3 ain, T D S Z emphatic, V th, G gh, A I U long ---

_ARABIC_GIVEN = _words(
    "mu7ammad a7mad 3alI 7usayn 7asan ibrAhIm yUsuf 3umar 3uVmAn ma7mUd muSTafA xAlid sa3Id ismA3Il jamAl $arIf bilAl "
    "fATima 3A'i$a xadIja maryam zaynab amIna laylA salmA samIra nUra hudA rA$id nAdir karIm TAriq yAsmIn hind suhA"
)  # fmt: skip
_ARABIC_FAMILY = (
    "sa lam na7 jab bAr xal $ah man Sur qAs dar wIs ziyA fAr hAd rub tam gar bad zah ram 7ak mUs yan".replace(
        "H", "7"
    ).split()
)
_ARABIC_ENDS = ("I", "An", "Ar", "Id", "Im", "awI", "a")
_ENGLISH_SOUNDS = {
    "$": "sh",
    "x": "kh",
    "7": "h",
    "3": "",
    "'": "",
    "T": "t",
    "D": "d",
    "S": "s",
    "Z": "z",
    "V": "th",
    "G": "gh",
    "A": "a",
    "I": "i",
    "U": "u",
}
_FRENCH_SOUNDS = {**_ENGLISH_SOUNDS, "$": "ch", "u": "ou", "U": "ou", "j": "dj", "w": "ou"}
_GERMAN_SOUNDS = {**_ENGLISH_SOUNDS, "$": "sch", "x": "ch", "j": "dsch", "y": "j", "w": "w"}
_ARABIC_LETTERS = {
    "$": "ش", "x": "خ", "7": "ح", "3": "ع", "'": "ئ", "T": "ط", "D": "ض", "S": "ص", "Z": "ظ", "V": "ث", "G": "غ",
    "A": "ا", "I": "ي", "U": "و", "b": "ب", "t": "ت", "j": "ج", "d": "د", "r": "ر", "z": "ز", "s": "س", "f": "ف",
    "q": "ق", "k": "ك", "l": "ل", "m": "م", "n": "ن", "h": "ه", "w": "و", "y": "ي", "g": "غ", "a": "", "i": "", "u": "",
}  # fmt: skip


def _romanised(name: str, draw: random.Random) -> str:
    """Read aloud and written down: the country's letters, and the vowels as people hear them."""
    sounds = draw.choices((_ENGLISH_SOUNDS, _FRENCH_SOUNDS, _GERMAN_SOUNDS), (65, 25, 10))[0]
    written = "".join(sounds.get(sign, sign) for sign in name)
    heard = (
        ("u", "o", 0.2),
        ("mm", "m", 0.4),
        ("a", "e", 0.12),
        ("i", "e", 0.08),
        ("ay", "ei", 0.3),
        ("ou", "o", 0.1),
    )
    for sound, other, share in heard:
        if draw.random() < share:
            written = written.replace(sound, other, 1)
    if name.endswith("a") and draw.random() < 0.25:
        written += "h"
    if name.endswith("I") and draw.random() < 0.15:
        written = written[:-1] + "y"
    return written.replace("q", "k") if draw.random() < 0.2 else written


def _in_arabic(name: str) -> str:
    ending = "ة" if name.endswith("a") else ""
    first = "ا" if name[0] in "aiu" else ""
    return first + "".join(_ARABIC_LETTERS[sign] for sign in name) + ending


# --- Latin with marks ---

_GERMAN_GIVEN = _words(
    "Jürgen Günther Jörg Björn Käthe Sören Anna Karl Lena Paul Ulrich Heike Bärbel Jan Petra Dörte"
)
_GERMAN_SYLLABLES = _words("mül schä böh grö kär leh wag hof ries berg lünd stein brück ack haus für")
_GERMAN_ENDS = _words("ler fer mann ner holz sen dorf")
_TURKISH_GIVEN = _words(
    "Mehmet Ayşe Hüseyin Gülşen Çağrı Şükrü Ömer Zeynep Özlem Uğur İbrahim Emine Fatma Yıldız"
)
_TURKISH_SYLLABLES = _words("yıl öz gün çel şa ka doğ tür er ak koç güm")
_TURKISH_ENDS = _words("maz oğlu dız kan türk er han")
_SPANISH_GIVEN = _words("José María Andrés Lucía Jesús Sofía Ramón Inés Julián Mónica Ana Luis Carmen Pilar")
_SPANISH_SYLLABLES = _words("gar fer mar lo ló gó val so pe nú ra mén cas tro")
_SPANISH_ENDS = _words("cía nández mez ñez rez les ro")


def _marks_dropped(name: str) -> str:
    plain = unicodedata.normalize("NFD", name.replace("ı", "i"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def _written_out(name: str) -> str:
    for letter, other in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("Ö", "Oe"), ("Ü", "Ue")):
        name = name.replace(letter, other)
    return _marks_dropped(name)


_LATIN_SYSTEMS: Sequence[tuple[int, _Write]] = (
    (45, lambda name: name),
    (15, _written_out),
    (40, _marks_dropped),
)
_ORIGINS = ("Cyrillic", "Arabic", "German", "Turkish", "Spanish")
_PARTS: Mapping[str, tuple[Sequence[str], Sequence[str], Sequence[str]]] = {
    "Cyrillic": (_SLAVIC_GIVEN, _SLAVIC_SYLLABLES, _SLAVIC_ENDS),
    "Arabic": (_ARABIC_GIVEN, _ARABIC_FAMILY, _ARABIC_ENDS),
    "German": (_GERMAN_GIVEN, _GERMAN_SYLLABLES, _GERMAN_ENDS),
    "Turkish": (_TURKISH_GIVEN, _TURKISH_SYLLABLES, _TURKISH_ENDS),
    "Spanish": (_SPANISH_GIVEN, _SPANISH_SYLLABLES, _SPANISH_ENDS),
}


def persons(number: int, seed: int) -> list[Made]:
    """So many persons, of five origins in turn."""
    draw = random.Random(seed)
    return [_person(_ORIGINS[place % len(_ORIGINS)], draw) for place in range(number)]


def _person(origin: str, draw: random.Random) -> Made:
    given, syllables, ends = _PARTS[origin]
    # The n-th name of a list is 1/(n+2) as common as the first would be: names are far from equally common.
    weights = [1 / (place + 3) for place in range(len(given))]
    names = draw.choices(given, weights)
    if draw.random() < 0.4:
        names += draw.choices(given, weights)
    family = "".join(draw.choices(syllables, k=draw.choice((1, 2, 2)))) + draw.choice(ends)
    names.append(family)
    born = FIRST + datetime.timedelta(draw.randrange(DAYS))
    return Made(origin, _filed(origin, names, born, draw), _filed(origin, names, born, draw))


def _filed(origin: str, names: Sequence[str], born: datetime.date, draw: random.Random) -> str:
    """The person as one agency's file has it."""
    written = _written(origin, names, draw)
    if len(written) > 2 and draw.random() < 0.2:
        del written[1]
    if draw.random() < 0.03:
        place = draw.randrange(len(written))
        written[place] = _mistyped(written[place], draw)
    if draw.random() < 0.3:
        written.reverse()
    slip = draw.random()
    if slip < 0.02 and born.day <= 12:
        born = born.replace(month=born.day, day=born.month)
    elif slip < 0.05:
        born = born.replace(month=1, day=1)
    return f"{' '.join(written)}; {born.isoformat()}"


def _written(origin: str, names: Sequence[str], draw: random.Random) -> list[str]:
    if origin == "Arabic":
        if draw.random() < 0.1:
            return list(map(_in_arabic, names))
        family = ("al-" if draw.random() < 0.3 else "") + _romanised(names[-1], draw)
        return [*(_romanised(name, draw) for name in names[:-1]), family]
    systems = _CYRILLIC_SYSTEMS if origin == "Cyrillic" else _LATIN_SYSTEMS
    write = draw.choices([each for _, each in systems], [weight for weight, _ in systems])[0]
    return list(map(write, names))


def _mistyped(name: str, draw: random.Random) -> str:
    at = draw.randrange(max(1, len(name) - 1))
    kind = draw.randrange(3)
    if kind == 0 and len(name) > 3:
        return name[:at] + name[at + 1 :]
    if kind == 1:
        return name[: at + 1] + name[at:]
    return name[:at] + name[at + 1 : at + 2] + name[at : at + 1] + name[at + 2 :]
