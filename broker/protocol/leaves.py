"""Log leaves: what the log promises about a record, without showing the record.

A leaf is RFC 8785 canonical JSON of exactly four members, frozen for good because every proof stands on it:

    {"digest":"<64 hex digits>","kind":"admitted","time":1767225600,"v":1}

with digest = SHA-256(salt || record) over a salt of 32 random bytes. The record (facts, rules, law, officer)
lies beside the log for auditors. Without its salt a record of low entropy cannot be guessed from the leaf,
so erasing record and salt erases the content while the leaf, and every proof over it, stays.

This module composes and checks leaves; it does not store them, and draws neither time nor salt itself.
"""

import hashlib
import re
from dataclasses import dataclass, field

from broker.protocol.errors import BadInput, VerificationFailed

LEAF_VERSION = 1
SALT_BYTES = 32
CLOCK_TOLERANCE_SECONDS = 60
"""An entry so much earlier than the one before it is no sign of a clock put back: a service reads its clock before it
waits for its database, several have several clocks, and a signed call may take as long to arrive."""
MAX_TIME = 2**53 - 1  # the largest integer of RFC 8785 (I-JSON)

_KIND = re.compile(r"[A-Za-z][A-Za-z0-9._/-]{0,63}")
_LEAF = re.compile(
    rb'\{"digest":"(?P<digest>[0-9a-f]{64})","kind":"(?P<kind>[A-Za-z][A-Za-z0-9._/-]{0,63})",'
    rb'"time":(?P<time>0|[1-9][0-9]{0,15}),"v":1\}'
)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf with the record and salt that open it. Only `leaf` enters the log."""

    leaf: bytes
    record: bytes = field(repr=False)
    salt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LeafContent:
    """What a leaf says: the kind of entry, when it was recorded (Unix seconds UTC) and the 32-byte digest."""

    kind: str
    recorded_at: int
    digest: bytes


def compose(kind: str, recorded_at: int, record: bytes, salt: bytes) -> Leaf:
    """Returns the leaf for a record.

    Args:
        kind: what sort of entry, a short ASCII word such as `admitted`; at most 64 characters.
        recorded_at: Unix seconds UTC. It is data: the order of the log is its index.
        record: the record's exact bytes, of any length.
        salt: 32 random bytes, drawn for this record alone.

    Raises BadInput if kind, time or salt is not of that form.
    """
    if len(salt) != SALT_BYTES:
        raise BadInput("A log record's salt is 32 random bytes.")
    if not _KIND.fullmatch(kind):
        raise BadInput("A log entry's kind is a word of at most 64 ASCII letters, digits and . _ / -")
    if not 0 <= recorded_at <= MAX_TIME:
        raise BadInput("A log entry's time is Unix seconds, not negative.")
    return Leaf(_encode(kind, recorded_at, _digest(record, salt)), record, salt)


def parse_leaf(leaf: bytes) -> LeafContent:
    """Reads a leaf and raises VerificationFailed unless these are the exact bytes `compose` would have
    written.
    """
    match = _match(leaf)
    return LeafContent(match["kind"].decode(), int(match["time"]), bytes.fromhex(match["digest"].decode()))


def leaf_kind(leaf: bytes) -> bytes:
    """The kind that a leaf tells, as ASCII. Raises as `parse_leaf`, of which it is the quick part."""
    return _match(leaf)["kind"]


def _match(leaf: bytes) -> re.Match[bytes]:
    # RFC 8785 leaves one way to write these four members, so a pattern tells it, in a fifth of the time that reading
    # JSON and writing it again takes. tests/unit/broker/protocol/test_leaves.py holds it to that.
    match = _LEAF.fullmatch(leaf)
    if match is None or int(match["time"]) > MAX_TIME:
        raise VerificationFailed("The log leaf is not the canonical JSON of a version 1 leaf.")
    return match


def verify_record(leaf: bytes, record: bytes, salt: bytes) -> None:
    """Checks that the leaf was made from this record and salt. Raises VerificationFailed otherwise."""
    if len(salt) != SALT_BYTES or parse_leaf(leaf).digest != _digest(record, salt):
        raise VerificationFailed("The record and its salt do not give the digest in the log leaf.")


def verify_digest(leaf: bytes, record: bytes, salt: bytes) -> None:
    """As `verify_record`, for a leaf whose form is known to be right: for reading a whole log, at a tenth of the cost.

    Raises VerificationFailed unless the record and its salt give the digest in the leaf."""
    opened = b'{"digest":"%b"' % _digest(record, salt).hex().encode()
    if len(salt) != SALT_BYTES or not leaf.startswith(opened):
        raise VerificationFailed("The record and its salt do not give the digest in the log leaf.")


def _digest(record: bytes, salt: bytes) -> bytes:
    return hashlib.sha256(salt + record).digest()


def _encode(kind: str, recorded_at: int, digest: bytes) -> bytes:
    # RFC 8785 of these four members: nothing in a kind or a digest needs escaping, and the time is a whole number.
    return b'{"digest":"%b","kind":"%b","time":%d,"v":%d}' % (
        digest.hex().encode(),
        kind.encode(),
        recorded_at,
        LEAF_VERSION,
    )
