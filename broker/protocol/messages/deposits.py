"""Deposits: the contributor's signed declaration, and the records on the wire.

Rule: a batch is a plain concatenation of records of one fixed size, `token (16) || record_version (u32, big-endian)
|| sealed`, sorted by token over the whole deposit, so that order tells nothing. The declared root is RFC 6962 over
`sealing.record_leaf` in that order (DESIGN 2.3).
"""

import struct
from collections.abc import Iterable, Iterator
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field

from broker.protocol.errors import BadInput
from broker.protocol.messages.base import Blob, Bytes32, Id16, Message, Seconds, Slug, Text

TOKEN_BYTES = 16
SEAL_OVERHEAD_BYTES = 28
"""Nonce (12) and tag (16) of ChaCha20-Poly1305 around the padded plaintext."""
MAXIMUM_RECORDS = 20_000_000
MAXIMUM_BATCH_BYTES = 8 * 1024 * 1024


class Record(NamedTuple):
    """One record: what the broker stores of one identifier."""

    token: bytes
    record_version: int
    sealed: bytes


class DepositDeclaration(Message):
    """What a deposit is: signed by the contributor, so that a released record proves where it came from."""

    TYP: ClassVar[str] = "deposit"
    v: Literal[1] = 1
    deposit_id: Bytes32
    series_id: Bytes32
    space_id: Id16
    contributor: Slug
    salt_id: Bytes32
    size_class: Literal[512, 2048, 8192, 32768]
    records: Annotated[int, Field(ge=1, le=MAXIMUM_RECORDS)]
    root: Bytes32
    self_test_token: Blob
    """Token of the series' public self-test element; one record of the deposit bears it."""
    period_from: Seconds
    period_until: Seconds
    declared_at: Seconds


class SelfTest(Message):
    """The contributor's word that the self-test record was found and opened through holders and broker."""

    TYP: ClassVar[str] = "self-test"
    v: Literal[1] = 1
    series_id: Bytes32
    deposit_id: Bytes32
    quorum: tuple[int, ...]
    sealed_digest: Bytes32
    tested_at: Seconds


class DepositWithdrawal(Message):
    """The contributor takes one deposit back: its records are deleted, its series goes on."""

    TYP: ClassVar[str] = "deposit-withdrawal"
    v: Literal[1] = 1
    deposit_id: Bytes32
    reason: Text
    withdrawn_at: Seconds


class DepositState(Message):
    """Where a deposit stands: how an interrupted upload knows where to go on."""

    deposit_id: Bytes32
    state: Literal["admitted", "complete", "serving", "withdrawn", "expired"]
    next_batch: int
    records_stored: int


def record_bytes(size_class: int) -> int:
    """Bytes of one record on the wire for a size class."""
    return TOKEN_BYTES + 4 + size_class + SEAL_OVERHEAD_BYTES


def encode_batch(records: Iterable[Record]) -> bytes:
    """Records to the bytes of one batch. The caller keeps them sorted by token."""
    return b"".join(token + struct.pack(">I", version) + sealed for token, version, sealed in records)


def decode_batch(data: bytes, size_class: int) -> Iterator[Record]:
    """The records of a batch. Raises BadInput when its length is no multiple of the record size."""
    size = record_bytes(size_class)
    if not data or len(data) % size:
        raise BadInput(
            "A batch is a whole number of records of the deposit's size class. It may have been cut short."
        )
    for start in range(0, len(data), size):
        token = data[start : start + TOKEN_BYTES]
        (version,) = struct.unpack_from(">I", data, start + TOKEN_BYTES)
        yield Record(token, version, data[start + TOKEN_BYTES + 4 : start + size])
