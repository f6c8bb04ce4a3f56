"""Types `pdq` and `photodna`: pictures by their perceptual hashes.

Rule: a PDQ hash is 256 bits in lower-case hexadecimal, its quality (0 to 100) the hint. Quality under 50 and hashes of
flat or smooth pictures are refused: they match unrelated pictures. Without a quality the form is flagged
`quality-unknown`. A PhotoDNA hash is 144 opaque bytes, given in hexadecimal, base64 or decimal numbers, and comes out
in hexadecimal; nobody here computes one. Equal forms are equal hashes: near-duplicates are not found by these types.

It opens no picture: what computes a PDQ hash gives hash and quality here.
"""

import re
from base64 import b64decode
from itertools import pairwise

from clients.identifiers.plain_text import plain_characters
from clients.identifiers.types import Canonical, Rejected

PDQ = "pdq"
PHOTODNA = "photodna"
VERSION = 1
QUALITY_UNKNOWN = "quality-unknown"
MINIMUM_QUALITY = 50
MAXIMUM_QUALITY = 100

_PDQ_SIDE = 16
_PDQ_DIGITS = _PDQ_SIDE * _PDQ_SIDE // 4
# Half the bits of a PDQ hash are above the median, but where many are equal, as in flat pictures. pdqhash 0.2.8 gives
# flat pictures of any brightness 0 to 80 ones, pictures 128 (99 in a half-black one of quality 71).
_FEWEST_ONES, _MOST_ONES = 90, 166
# Neighbouring bits that differ, of 480 pairs: 23 in ThreatExchange's smooth one, 226 and more in its pictures.
_FEWEST_CHANGES = 100
_PHOTODNA_BYTES = 144
_LABELS = re.compile(r"\A(?:pdq|photodna|pdna)[:=]", re.IGNORECASE)


def canonicalise_pdq(raw: str, hint: str | None) -> Canonical:
    """A PDQ hash. Raises Rejected. Source: facebook/ThreatExchange, "The TMK+PDQF video-hashing algorithm and PDQ".

    Args: `raw` 64 hexadecimal digits; `hint` the quality, a whole number from 0 to 100, or None.
    """
    digits = _compact(raw).lower()
    if not re.fullmatch(rf"[0-9a-f]{{{_PDQ_DIGITS}}}", digits):
        raise Rejected(
            "A PDQ hash is 64 signs from 0-9 and a-f. Give the quality as the hint, not behind the hash."
        )
    quality = _quality(hint)
    if quality is not None and quality < MINIMUM_QUALITY:
        raise Rejected(
            f"The quality of the PDQ hash is under {MINIMUM_QUALITY}: the picture has too little in it and would match "
            "unrelated ones. Leave it out."
        )
    if _is_flat(digits):
        raise Rejected(
            "This is the PDQ hash of a flat or smooth picture: it would match unrelated ones. Leave it out."
        )
    return Canonical(PDQ, VERSION, digits, () if quality is not None else (QUALITY_UNKNOWN,))


def canonicalise_photodna(raw: str, hint: str | None) -> Canonical:
    """A PhotoDNA hash in hexadecimal. `hint` is not used. Raises Rejected.

    Args: `raw` 288 hexadecimal digits, 192 signs of base64, or 144 numbers from 0 to 255 with commas between.
    """
    text = _compact(raw)
    hashed = _numbers(text) if "," in text else _bytes(text)
    if hashed is None or len(hashed) != _PHOTODNA_BYTES:
        raise Rejected(
            "A PhotoDNA hash is 144 bytes: 288 hexadecimal signs, 192 of base64, or 144 numbers with commas between. "
            "Export it whole."
        )
    if len(set(hashed)) == 1:
        raise Rejected(
            "This is the PhotoDNA hash of a flat picture: it would match unrelated ones. Leave it out."
        )
    return Canonical(PHOTODNA, VERSION, hashed.hex())


def _compact(raw: str) -> str:
    return _LABELS.sub("", "".join(plain_characters(raw).split()))


def _quality(hint: str | None) -> int | None:
    if hint is None or not hint.strip():
        return None
    text = hint.strip()
    if not (re.fullmatch(r"[0-9]{1,3}", text) and int(text) <= MAXIMUM_QUALITY):
        raise Rejected(
            "The hint of a PDQ hash is its quality, a whole number from 0 to 100. Leave it empty if it is not known."
        )
    return int(text)


def _is_flat(digits: str) -> bool:
    bits = int(digits, 16)
    if not _FEWEST_ONES <= bits.bit_count() <= _MOST_ONES:
        return True
    rows = [bits >> shift & 0xFFFF for shift in range(0, _PDQ_SIDE * _PDQ_SIDE, _PDQ_SIDE)]
    along = sum(((row ^ row >> 1) & 0x7FFF).bit_count() for row in rows)
    across = sum((upper ^ lower).bit_count() for upper, lower in pairwise(rows))
    return along + across < _FEWEST_CHANGES


def _numbers(text: str) -> bytes | None:
    parts = text.strip(",").split(",")
    if all(re.fullmatch(r"[0-9]{1,3}", part) and int(part) <= 255 for part in parts):
        return bytes(map(int, parts))
    return None


def _bytes(text: str) -> bytes | None:
    if re.fullmatch(r"[0-9A-Fa-f]+", text) and len(text) == 2 * _PHOTODNA_BYTES:
        return bytes.fromhex(text)
    if re.fullmatch(r"[A-Za-z0-9+/]{192}", text):
        return b64decode(text)
    return None
