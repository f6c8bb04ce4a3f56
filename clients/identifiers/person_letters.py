"""Letters of names to A to Z, by the tables that passports use.

Rule: ICAO Doc 9303 part 3, section 6: A (Latin letters), B (Cyrillic) and C (Arabic). Where a table leaves a choice,
the shorter form is taken (A, O and U for letters with two dots, as files have them that dropped the dots), and for a
Cyrillic letter the one that does not depend on the language. Marks over and under letters are left out, the Arabic
vowel signs and shadda too: files have them or not. A letter in no table is refused: two agencies might guess two ways.

It splits no names and knows no other script.
"""

import unicodedata
from collections.abc import Mapping

from clients.identifiers.types import Rejected

_LATIN = {
    "Ä": "A", "Å": "AA", "Æ": "AE", "Ð": "D", "Đ": "D", "Ə": "E", "Ħ": "H", "Ĳ": "IJ", "Ł": "L", "Ŋ": "N", "Ö": "O",
    "Ø": "OE", "Œ": "OE", "ẞ": "SS", "Þ": "TH", "Ŧ": "T", "Ü": "U",
}  # fmt: skip
_CYRILLIC = {
    "А": "A", "Б": "B", "В": "V", "Г": "G", "Ґ": "G", "Д": "D", "Ђ": "D", "Ѓ": "G", "Е": "E", "Ё": "E", "Є": "IE",
    "Ж": "ZH", "З": "Z", "Ѕ": "DZ", "И": "I", "І": "I", "Ї": "I", "Й": "I", "Ј": "J", "К": "K", "Ќ": "K", "Л": "L",
    "Љ": "LJ", "М": "M", "Н": "N", "Њ": "NJ", "О": "O", "П": "P", "Р": "R", "С": "S", "Т": "T", "Ћ": "C", "У": "U",
    "Ў": "U", "Ф": "F", "Х": "KH", "Ц": "TS", "Ч": "CH", "Џ": "DZ", "Ш": "SH", "Щ": "SHCH", "Ъ": "IE", "Ы": "Y",
    "Ь": "", "Э": "E", "Ю": "IU", "Я": "IA",
}  # fmt: skip
_ARABIC = {
    "ء": "XE", "آ": "XAA", "أ": "XAE", "ؤ": "U", "إ": "I", "ئ": "XI", "ا": "A", "ب": "B", "ة": "XTA", "ت": "T",
    "ث": "XTH", "ج": "J", "ح": "XH", "خ": "XKH", "د": "D", "ذ": "XDH", "ر": "R", "ز": "Z", "س": "S", "ش": "XSH",
    "ص": "XSS", "ض": "XDZ", "ط": "XTT", "ظ": "XZZ", "ع": "E", "غ": "G", "ـ": "", "ف": "F", "ق": "Q", "ك": "K",
    "ل": "L", "م": "M", "ن": "N", "ه": "H", "و": "W", "ى": "XAY", "ي": "Y", "ٱ": "XXA", "ٹ": "XXT", "ټ": "XRT",
    "پ": "P", "ځ": "XKE", "څ": "XXH", "چ": "XC", "ڈ": "XXD", "ډ": "XDR", "ڑ": "XXR", "ړ": "XRR", "ږ": "XRX",
    "ژ": "XJ", "ښ": "XXS", "ک": "XKK", "ګ": "XXK", "ڭ": "XNG", "گ": "XGG", "ں": "XNN", "ڼ": "XXN", "ھ": "XDO",
    "ۀ": "XYH", "ہ": "XXG", "ۂ": "XGE", "ۃ": "XTG", "ی": "XYA", "ۍ": "XXY", "ې": "Y", "ے": "XYB", "ۓ": "XBE",
}  # fmt: skip
_LETTERS: Mapping[str, str] = {**_LATIN, **_CYRILLIC, **_ARABIC}
_TEH_MARBUTA, _AT_THE_END = "ة", "XAH"
_SCRIPTS = ("LATIN", "CYRILLIC", "ARABIC")


def transliterated(word: str) -> str:
    """One name in A to Z, from letters alone; "" if nothing of it is written. Raises Rejected."""
    if word.isascii():
        return word.upper()
    # Composed, so that Ö is one letter; the Arabic marks have no composed form and go with the others.
    letters = unicodedata.normalize("NFC", word.upper())
    plain = [_plain(letter) for letter in letters]
    if letters.endswith(_TEH_MARBUTA):
        plain[-1] = _AT_THE_END
    return "".join(plain)


def scripts_of(word: str) -> frozenset[str]:
    """The scripts that the letters of a word are of, as Unicode calls them."""
    return frozenset(
        unicodedata.name(letter, "UNKNOWN").split(" ", 1)[0] for letter in word if letter.isalpha()
    )


def _plain(letter: str) -> str:
    found = _LETTERS.get(letter)
    if found is not None:
        return found
    if unicodedata.category(letter) == "Mn":
        return ""
    bare = unicodedata.normalize("NFD", letter)[0]
    if "A" <= bare <= "Z":
        return bare
    if unicodedata.name(letter, "").startswith(_SCRIPTS):
        raise Rejected(
            "The name has a letter that the passport tables (ICAO 9303) do not list. Write the name as in the "
            "passport, in A to Z."
        )
    raise Rejected(
        "The name is written in letters other than Latin, Cyrillic or Arabic ones. Write it as in the passport, in "
        "A to Z."
    )
