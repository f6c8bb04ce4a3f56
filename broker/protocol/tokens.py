"""From a canonical identifier to the token under which its record lies, and the key that seals it.

    h     = HMAC-SHA-512(salt, "narrowgate/v1/id" 00 canonical)                            DESIGN 2.1
    y     = Evaluate(k, h), RFC 9497 3.3.2 in mode VOPRF, under k_match and under k_open     2.2, 2.3
    token = HKDF-SHA-256(salt=series_id, y_match,           "narrowgate/v1/token" 00 space deposit), 16 bytes
    key   = HKDF-SHA-256(salt=series_id, y_match || y_open, "narrowgate/v1/seal"  00 space deposit), 32 bytes

Rule: all lengths are fixed (space 16 bytes, series and deposit 32, y 64), so no two inputs read alike. A deposit whose
payload category is none has nothing that k_open should guard: there y_open is empty, and whoever holds a matching
token may open the record.

It does not canonicalise (`clients.identifiers`) and does not seal (`broker.protocol.sealing`).
"""

import hashlib
import hmac
from dataclasses import dataclass, field

from broker.protocol import group, oprf
from broker.protocol.errors import BadInput

SALT_BYTES = 32
SALTED_HASH_BYTES = 64
SERIES_ID_BYTES = 32
SPACE_ID_BYTES = 16
DEPOSIT_ID_BYTES = 32
TOKEN_BYTES = 16
SEAL_KEY_BYTES = 32

_ID = b"narrowgate/v1/id\x00"
_SALT_ID = b"narrowgate/v1/salt-id"
_TOKEN = b"narrowgate/v1/token\x00"
_SEAL = b"narrowgate/v1/seal\x00"
_SELF_TEST = b"narrowgate/v1/self-test\x00"


@dataclass(frozen=True, slots=True)
class Outputs:
    """Both pseudorandom outputs of one identifier, 64 bytes each; `y_open` is empty where k_open is not used."""

    y_match: bytes = field(repr=False)
    y_open: bytes = field(repr=False)


def salted_hash(salt: bytes, canonical: str) -> bytes:
    """h of one canonical form `type/version|text`: 64 bytes. Raises BadInput unless the salt has 32 bytes."""
    if len(salt) != SALT_BYTES:
        raise BadInput("A space's salt has 32 bytes.")
    return hmac.digest(salt, _ID + canonical.encode("utf-8"), "sha512")


def salt_id(salt: bytes) -> bytes:
    """The public name of a salt, 32 bytes: two agencies with different salts find out before they match nothing.

    Raises BadInput unless the salt has 32 bytes.
    """
    if len(salt) != SALT_BYTES:
        raise BadInput("A space's salt has 32 bytes.")
    return hashlib.sha256(_SALT_ID + salt).digest()


def mask(k_match: bytes, k_open: bytes | None, h: bytes) -> Outputs:
    """The dealer's own evaluation of one input under its keys: one hash to the group, one multiplication a key.

    `k_open` is None where the records carry no payload. Raises BadInput.
    """
    element = oprf.hash_input(h)
    y_match = oprf.output(h, group.multiply(k_match, element))
    y_open = b"" if k_open is None else oprf.output(h, group.multiply(k_open, element))
    return Outputs(y_match, y_open)


def derive(y_match: bytes, series_id: bytes, space_id: bytes, deposit_id: bytes) -> bytes:
    """The 16-byte token of one identifier in one deposit. Raises BadInput if a length is wrong."""
    if len(y_match) != oprf.OUTPUT_BYTES:
        raise BadInput("The output of the pseudorandom function has 64 bytes.")
    return _hkdf(series_id, y_match, _TOKEN, space_id, deposit_id)[:TOKEN_BYTES]


def seal_key(y_match: bytes, y_open: bytes, series_id: bytes, space_id: bytes, deposit_id: bytes) -> bytes:
    """The 32-byte key of one record. `y_open` is b"" in a deposit of payload category none. Raises BadInput."""
    if len(y_match) != oprf.OUTPUT_BYTES or len(y_open) not in (0, oprf.OUTPUT_BYTES):
        raise BadInput("The output of the pseudorandom function has 64 bytes; the second may be empty.")
    return _hkdf(series_id, y_match + y_open, _SEAL, space_id, deposit_id)


def self_test_input(series_id: bytes) -> bytes:
    """The public input of a series' self-test, in place of h. Anyone may have it evaluated: at 56 bytes it can never
    equal a salted hash, which has 64, so it is nobody's identifier. Raises BadInput.
    """
    if len(series_id) != SERIES_ID_BYTES:
        raise BadInput("A series id has 32 bytes.")
    return _SELF_TEST + series_id


def self_test_plaintext(series_id: bytes) -> bytes:
    """What the self-test record of a series holds, as canonical JSON. Raises BadInput."""
    if len(series_id) != SERIES_ID_BYTES:
        raise BadInput("A series id has 32 bytes.")
    return b'{"self_test":"' + series_id.hex().encode("ascii") + b'","v":1}'


def _hkdf(series_id: bytes, key_material: bytes, label: bytes, space_id: bytes, deposit_id: bytes) -> bytes:
    """HKDF-SHA-256 (RFC 5869) for 32 bytes: extract, then a single step of expand."""
    if (len(series_id), len(space_id), len(deposit_id)) != (
        SERIES_ID_BYTES,
        SPACE_ID_BYTES,
        DEPOSIT_ID_BYTES,
    ):
        raise BadInput("Series and deposit ids have 32 bytes, space ids 16.")
    extracted = hmac.digest(series_id, key_material, "sha256")
    return hmac.digest(extracted, b"".join((label, space_id, deposit_id, b"\x01")), "sha256")
