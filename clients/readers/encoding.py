"""How the letters of a text file are written: by its mark, by what the person says, or as UTF-8; never assumed.

Rule: a byte order mark counts; else what was declared; else the file must be UTF-8. If it is not, the reader stops and
says which encodings would fit and which letters each would give, for a person to choose from and declare. A wrong
encoding makes wrong letters without any error ("mojibake"), and a handle with a wrong letter matches nobody or somebody
else. The letters are shown by themselves, each once and sorted: no word of the file is.

It reads no line: see `clients.readers.text_lines`.
"""

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from broker.protocol.errors import BadInput

ENCODINGS: Mapping[str, str] = MappingProxyType(
    {
        "utf-8": "utf-8",
        "utf-16-le": "utf-16-le",
        "utf-16-be": "utf-16-be",
        "windows-1252": "cp1252",
        "windows-1254": "cp1254",
        "windows-1250": "cp1250",
        "windows-1251": "cp1251",
        "windows-1256": "cp1256",
        "iso-8859-15": "iso8859-15",
    }
)
"""Names that can be declared, and Python's codec for each. The likelier of two that fit equally stands first."""

_OTHER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "utf8": "utf-8",
        "utf-8-sig": "utf-8",
        "utf16le": "utf-16-le",
        "utf-16le": "utf-16-le",
        "utf16be": "utf-16-be",
        "utf-16be": "utf-16-be",
        "latin-9": "iso-8859-15",
        "latin9": "iso-8859-15",
        "iso8859-15": "iso-8859-15",
    }
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SHOWN_GUESSES = 3
_SHOWN_LETTERS = 16
_USUAL_SIGNS = frozenset("’‘“”„–—…€£§°«»·º²³´\u00a0")
_RARE_LETTERS = frozenset("þðýÞÐÝ¸¨¦¤¼½¾")


@dataclass(frozen=True)
class Encoding:
    """An encoding that is settled: its name here, Python's codec, and how many bytes the file's mark takes."""

    name: str
    codec: str
    mark_bytes: int = 0

    @property
    def two_bytes(self) -> bool:
        """Whether a line break is two bytes, so that lines cannot be told apart before decoding."""
        return self.name.startswith("utf-16")


def settle_encoding(sample: bytes, declared: str | None) -> Encoding:
    """The encoding of a file.

    Args: `sample` its first bytes; `declared` what the person says, in any usual spelling, or None.
    Raises: BadInput if it is unknown, not the file's own, or not declared and not UTF-8.
    """
    wanted = None if declared is None else _known(declared)
    if sample.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise BadInput('The file is UTF-32, which few programs write. Save it as "CSV UTF-8".')
    for mark, name in _MARKS:
        if sample.startswith(mark):
            if wanted not in (None, name):
                raise BadInput(
                    f"The file says itself that it is {name.upper()}, by a mark at its start. Leave --encoding out."
                )
            return Encoding(name, ENCODINGS[name], len(mark))
    if wanted is not None:
        return Encoding(wanted, ENCODINGS[wanted])
    fault = _first_fault(sample)
    if fault is None and not _half_empty(sample):
        return Encoding("utf-8", "utf-8")
    raise BadInput(_which(sample, fault))


def _known(declared: str) -> str:
    name = declared.strip().lower().replace("_", "-").replace(" ", "-")
    name = re.sub(r"\A(?:cp|win|windows)-?(?=12)", "windows-", name)
    name = _OTHER_NAMES.get(name, name)
    if name not in ENCODINGS:
        raise BadInput(f"--encoding names none that is known here. Known are {', '.join(ENCODINGS)}.")
    return name


def _first_fault(sample: bytes) -> int | None:
    """Where the sample stops being UTF-8."""
    try:
        # Not final: the sample may end within a character.
        codecs.getincrementaldecoder("utf-8")().decode(sample, final=False)
    except UnicodeDecodeError as error:
        return error.start
    return None


def _half_empty(sample: bytes) -> str | None:
    """Which UTF-16 this is, if every second byte of the first hundred or so is empty, as in text of ASCII letters."""
    start = sample[: len(sample[:256]) // 2 * 2]
    if len(start) < 4:
        return None
    low, high = start[0::2], start[1::2]
    if high.count(0) > 0.7 * len(high) and low.count(0) < 0.1 * len(low):
        return "utf-16-le"
    if low.count(0) > 0.7 * len(low) and high.count(0) < 0.1 * len(high):
        return "utf-16-be"
    return None


def _which(sample: bytes, fault: int | None) -> str:
    without_mark = _half_empty(sample)
    if without_mark is not None:
        return (
            f"The file looks like {without_mark.upper()} without the mark at its start. If it is, add: "
            f"--encoding {without_mark}"
        )
    line = sample[: fault or 0].count(b"\n") + 1
    opening = f"The file is not UTF-8 (first seen on line {line})"
    guesses = list(_guesses(sample))[:_SHOWN_GUESSES]
    if not guesses:
        return (
            f'{opening}, and in no other known encoding is it text. Save it as "CSV UTF-8" and read it again.'
        )
    shown = "; ".join(f"{name} (its letters would be {_letters(text)})" for name, text in guesses)
    return (
        f"{opening}. It may be {shown}. Choose the one whose letters belong in it and add, for example: "
        f'--encoding {guesses[0][0]}. Or save the file as "CSV UTF-8".'
    )


def _guesses(sample: bytes) -> Iterable[tuple[str, str]]:
    """(name, the sample's text) of the encodings in which it is text, the likeliest first."""
    if b"\0" in sample:
        return []
    found = []
    for order, (name, codec) in enumerate(ENCODINGS.items()):
        if name.startswith("utf"):
            continue
        try:
            text = sample.decode(codec)
        except UnicodeDecodeError:
            continue
        score = _likeness(text)
        if score > 0:
            found.append((-score, order, name, text))
    found.sort()
    return [(name, text) for _, _, name, text in found]


def _likeness(text: str) -> float:
    """Share of the words beyond ASCII that look like words: one script, and capitals only where people put them."""
    good = total = 0.0
    for word in re.findall(r"\w*[^\W\x00-\x7f]\w*|[^\x00-\x7f]", text):
        total += 1
        if all(character in _USUAL_SIGNS for character in word):
            good += 1
        elif word.isalpha() and len({_script(character) for character in word}) == 1:
            usual = word.islower() or word.istitle() or word.isupper() or word.upper() == word.lower()
            rare = any(character in _RARE_LETTERS for character in word)
            # A word in Latin letters is not made of accented ones alone; in other scripts every letter is beyond ASCII.
            accented = sum(ord(character) > 0x7F for character in word) > 2 and _script(word[0]) == "LATIN"
            strange = accented and sum(character.isascii() for character in word) < len(word) / 3
            good += (1.0 if usual else 0.3) * (0.5 if rare else 1.0) * (0.1 if strange else 1.0)
    return good / total if total else 0.0


def _script(character: str) -> str:
    return unicodedata.name(character, "NONE").partition(" ")[0]


def _letters(text: str) -> str:
    counted = Counter(character for character in text if ord(character) > 0x7F and character.isprintable())
    return " ".join(sorted(letter for letter, _ in counted.most_common(_SHOWN_LETTERS)))
