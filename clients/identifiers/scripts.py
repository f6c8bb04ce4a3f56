"""Look-alikes: names that mix writing systems, or are written in letters of another one that look Latin.

Rule: a look-alike is flagged for a person to see and never folded: Cyrillic a names another account (Unicode
TR 39, section 5.1 and its "highly restrictive" level, in short). The standard library has no script property,
so the script is the first word of a character's Unicode name.

It does not say which of two names is the true one.
"""

import unicodedata

LOOK_ALIKE = "look-alike"

# Japanese, Korean and Chinese are written in several scripts together, and with Latin (TR 39, table 1).
_EAST_ASIAN = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
)
# Cyrillic and Greek letters that common typefaces draw as Latin ones.
_DRAWN_AS_LATIN = frozenset("аеорсухіјѕһԁԛԝӏ" + "αικνορτυχ")


def look_alike_flags(*names: str) -> tuple[str, ...]:
    """("look-alike",) if any of the names, each a label of its own, could be taken for another; else ()."""
    return (LOOK_ALIKE,) if any(_is_look_alike(name) for name in names) else ()


def _is_look_alike(name: str) -> bool:
    if name.isascii():
        return False
    letters = [character for character in name if character.isalpha()]
    # Full-width, circled or mathematical letters look like plain ones.
    if unicodedata.normalize("NFKC", name) != unicodedata.normalize("NFC", name):
        return True
    scripts = {unicodedata.name(letter, "UNKNOWN").split(" ", 1)[0] for letter in letters}
    if len(scripts) > 1 and not any(scripts <= together for together in _EAST_ASIAN):
        return True
    return bool(letters) and _DRAWN_AS_LATIN.issuperset("".join(letters).lower())
