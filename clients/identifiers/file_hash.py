"""Type `file_hash`: the MD5, SHA-1 or SHA-256 of a file, as lower-case hexadecimal digits.

Rule: the length says which of the three it is; a name in front must agree. Hashes of files that everybody has (empty
ones, a line end, blocks of zeros, counting pixels) and filled-in placeholders are refused. The list holds contents and
not hashes, so that each hash in it is right by construction.

It reads no file: what computes hashes gives them here. It holds no list of common software, such as NIST's.
"""

import re
from base64 import b64decode
from functools import cache
from hashlib import md5, sha1, sha256

from clients.identifiers.plain_text import plain_characters
from clients.identifiers.types import Canonical, Rejected

TYPE = "file_hash"
VERSION = 1

_LENGTHS = {"md5": 32, "sha1": 40, "sha256": 64}
_NAMED = re.compile(r"(md5|sha-?1|sha-?256)[:=](.*)\Z", re.IGNORECASE | re.DOTALL)
_DROPPED = str.maketrans("", "", " \t\r\n:-")
_PIXELS = (
    "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7",
    "R0lGODlhAQABAIAAAP///wAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==",
    "R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=",
)
_EVERYBODYS_TEXTS = (b"", b" ", b"\n", b"\r\n", b"\0", b"\xef\xbb\xbf", b"0", b"1", b"{}", b"[]", b"null")
_EMPTY_ARCHIVE = b"PK\x05\x06" + bytes(18)
_ZERO_BLOCKS = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)


def canonicalise_file_hash(raw: str, hint: str | None) -> Canonical:
    """The hash in lower-case digits. `hint` is not used. Raises Rejected."""
    text = plain_characters(raw).strip()
    named = _NAMED.match(text)
    digits = (named[2] if named is not None else text).translate(_DROPPED).lower()
    if not re.fullmatch(r"[0-9a-f]+", digits):
        raise Rejected(
            "The hash of a file has the signs 0-9 and a-f only. If it ends in =, export it as hexadecimal."
        )
    if len(digits) not in _LENGTHS.values():
        raise Rejected(
            "The hash is none of MD5 (32 signs), SHA-1 (40) and SHA-256 (64): it was cut, or is of another kind. "
            "Copy it whole."
        )
    if named is not None and _LENGTHS[named[1].lower().replace("-", "")] != len(digits):
        raise Rejected("The hash does not have the length of the kind named in front of it. Copy it again.")
    if len(set(digits)) == 1 or digits in _everybodys():
        raise Rejected(
            "This is the hash of a file that all have, such as an empty one: it would match everyone. Leave it out."
        )
    return Canonical(TYPE, VERSION, digits)


@cache
def _everybodys() -> frozenset[str]:
    contents = (*_EVERYBODYS_TEXTS, *map(b64decode, _PIXELS), _EMPTY_ARCHIVE, *map(bytes, _ZERO_BLOCKS))
    return frozenset(
        digest
        for content in contents
        for digest in (
            md5(content, usedforsecurity=False).hexdigest(),
            sha1(content, usedforsecurity=False).hexdigest(),
            sha256(content).hexdigest(),
        )
    )
