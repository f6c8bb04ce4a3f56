"""How one sound is written in several countries: rules of letters for names in A to Z.

Rule: `RULES` change one thing at a time, `SYSTEMS` a whole name at once, since whoever transliterated it kept to one
system: ICAO 9303 (Cyrillic), English as BGN/PCGN writes, German as the Duden writes, French, ISO 9 without its marks,
and Latin letters whose marks were dropped instead of written out (Muller for Mueller).

It knows no name and no person: see `clients.spellings.person_name_families` and `clients.spellings.person_spellings`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

_CONSONANT = "[B-DF-HJ-NP-TV-Z]"
_VOWEL = "[AEIOU]"

_WRITTEN: Sequence[tuple[str, str, int]] = (
    ("U", "UE", 6), ("O", "OE", 6), ("A", "AE", 8), ("OE", "O", 2), ("UE(?!L$)", "U", 2), ("AE", "A", 2),
    ("AA", "A", 3),
    (rf"({_CONSONANT})\1", r"\1", 3), ("EE", "I", 3), ("OO", "U", 3), ("OU", "U", 3), ("OU", "O", 6),
    ("(?<![AEO])U(?!E)", "OU", 4), ("(?<![AEOU])U(?![EIA])", "O", 5), ("(?<![AEO])O(?![EUO])", "U", 5),
    ("(?<=[AEOU])I$", "Y", 3), ("(?<=[AEOU])Y$", "I", 3), ("II$", "Y", 3), ("II$", "I", 4), ("IY$", "II", 3),
    ("SKII$", "SKY", 2), ("SKY$", "SKII", 2), ("SKY$", "SKI", 3), ("SKI$", "SKII", 3), ("SKYI$", "SKII", 3),
    ("IA", "YA", 3), ("YA", "IA", 3), ("IU", "YU", 3), ("YU", "IU", 3), ("IA", "JA", 4), ("JA", "IA", 4),
    ("IU", "JU", 4), ("JU", "IU", 4), ("IE", "YE", 5), ("YE", "IE", 5), ("YE", "E", 4), ("^E", "YE", 5),
    (f"(?<={_VOWEL})EV", "YEV", 5), ("Y", "I", 4), (f"(?<=[AEOU])I(?={_CONSONANT})", "Y", 4), ("J", "Y", 5),
    (f"Y(?={_VOWEL})", "J", 5), ("J", "DJ", 5), ("DJ", "J", 4), ("DSCH", "J", 4), ("J", "DSCH", 8), ("J", "G", 7),
    ("KH", "CH", 5), ("KH", "H", 5), (f"(?<![SCKTP])H(?={_VOWEL})", "KH", 8), ("(?<!S)CH", "TCH", 6),
    ("TSCH", "CH", 4), ("SH", "SCH", 5), ("SH", "CH", 5), ("SCH", "SH", 4), ("(?<![TS])CH", "SH", 6),
    ("(?<![TS])CH", "KH", 6), ("SHCH", "SCH", 5), ("ZH", "J", 5), ("ZH", "SCH", 8), ("ZH", "Z", 6), ("TS", "C", 6),
    ("TS", "Z", 6), ("V", "W", 4), ("W", "V", 4), ("OV(?=A?$)", "OFF", 8), ("W", "OU", 6), ("PH", "F", 4),
    ("TCH", "CH", 4), ("Q", "K", 4), ("K(?!H)", "Q", 7), ("C(?=[AOU])", "K", 5), ("KS", "X", 4),
    (f"X(?={_VOWEL})", "KS", 5), ("AH$", "A", 3), ("A$", "AH", 5), ("EH$", "A", 5),
    (f"A(?={_CONSONANT}{{2}})", "E", 6), ("E", "A", 6), (f"A(?={_CONSONANT})", "E", 7), ("E", "I", 7),
    (f"I(?={_CONSONANT})", "E", 7), ("DH", "D", 5), ("DH", "Z", 6), (f"D(?={_VOWEL})", "DH", 9), ("TH", "T", 5),
    ("GH", "G", 4), (f"G(?={_VOWEL})", "GH", 7), (f"(?<={_VOWEL})([LMNSTR])(?={_VOWEL})", r"\1\1", 7),
    (f"^AL(?={_CONSONANT}[A-Z]{{3}})", "", 5), (f"^EL(?={_CONSONANT}[A-Z]{{3}})", "", 5),
    ("^([A-Z]{4,})$", r"AL\1", 9), ("OVA$", "OV", 9), ("OV$", "OVA", 9), ("IN$", "INE", 8),
)  # fmt: skip

RULES: Sequence[tuple[re.Pattern[str], str, int]] = tuple(
    (re.compile(pattern), other, cost) for pattern, other, cost in _WRITTEN
)
"""What stands in a name, what else may stand there, and what the change costs: more is less likely."""


def _rewriter(pairs: str) -> Callable[[str], str]:
    """One pass over a name, the longest writing first; `pairs` such as "SH=SCH KH=CH", a $ for the end of the name."""
    table = dict(pair.split("=") for pair in pairs.split())
    pattern = re.compile("|".join(sorted(table, key=len, reverse=True)))
    return partial(pattern.sub, partial(_other, table))


def _other(table: Mapping[str, str], found: re.Match[str]) -> str:
    at_the_end = f"{found[0]}$"
    return table[at_the_end] if found.end() == len(found.string) and at_the_end in table else table[found[0]]


SYSTEMS: Mapping[str, Callable[[str], str]] = {
    "marks dropped": _rewriter("OE=O UE=U AE=A AA=A OE$=O UE$=U AE$=A AA$=A"),
    "English letters for ICAO's": _rewriter(
        "IIA=IYA IA=YA IU=YU II$=Y EI$=EY AI$=AY OI$=OY UI$=UY EI=EI AI=AI OI=OI UI=UI II=II"
    ),
    "ICAO's letters for English": _rewriter("IYA=IIA YA=IA YU=IU IY$=II EY$=EI AY$=AI OY$=OI YE=E SKY$=SKII"),
    "German letters for ICAO's": _rewriter(
        "SHCH=SCHTSCH SH=SCH ZH=SCH KH=CH CH=TSCH TS=Z V=W IA=JA YA=JA IU=JU YU=JU Z=S J=DSCH II$=I EI$=EJ AI$=AI"
    ),
    "ICAO's letters for German": _rewriter(
        "SHCH=SHCH SH=SH KH=KH SCHTSCH=SHCH TSCH=CH DSCH=J SCH=SH CH=KH W=V JA=IA JU=IU EJ$=EI Z=TS"
    ),
    "French letters for ICAO's": _rewriter(
        "OU=OU SHCH=CHTCH SH=CH ZH=J CH=TCH U=OU IU=IOU J=DJ W=OU IN$=INE II$=I EI$=EI"
    ),
    "ICAO's letters for French": _rewriter(
        "SHCH=SHCH SH=SH KH=KH CHTCH=SHCH TCH=CH CH=SH IOU=IU OU=U DJ=J INE$=IN"
    ),
    "ISO 9 for ICAO's": _rewriter("SHCH=S SH=S ZH=Z KH=H CH=C TS=C IA=JA IU=JU II$=IJ EI$=EJ AI$=AJ OI$=OJ"),
}
"""What is changed, and the name by the other system. The commoner first."""
