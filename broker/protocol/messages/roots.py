"""The root over a deposit's records after it was declared: signed changes of it, and a record's place under it.

Rule (decisions 0006, 0008): a deposit's root changes only by a statement of its contributor. The statements of a
deposit, of either kind, are numbered 1, 2, 3 in one sequence without a gap, and the newest has the root that holds.
Broker and requesters keep the document, so it binds the records it is about without telling which they are: those, and
the nonce, ride beside it.
"""

import hashlib
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from broker.protocol.messages.base import Blob, Bytes32, Document, Message, Seconds, Text
from broker.protocol.messages.deposits import MAXIMUM_RECORDS, TOKEN_BYTES

MAXIMUM_WITHDRAWN = 10_000
"""Tokens that one RecordWithdrawal takes back; more go in several."""
MAXIMUM_REPLACED_BYTES = 4 * 1024 * 1024
"""Records, as in a batch, that one RecordReplacement puts in place; more go in several."""


class RootChange(Message):
    """What both kinds of statement say of the root. No document by itself."""

    v: Literal[1] = 1
    deposit_id: Bytes32
    number: Annotated[int, Field(ge=1, le=MAXIMUM_RECORDS)]
    """1 for the first change of a deposit, then without a gap, whichever kind it is."""
    records: Annotated[int, Field(ge=1, le=MAXIMUM_RECORDS)]
    """How many records there are now; the self-test record is always among them."""
    root: Bytes32
    """RFC 6962 root over all of them, in order of their tokens."""
    reason: Text


class RecordWithdrawal(RootChange):
    """The contributor takes some records of a deposit back, and declares the root over those that remain."""

    TYP: ClassVar[str] = "record-withdrawal"
    tokens_digest: Bytes32
    """`withdrawn_digest` of the nonce and the tokens."""
    records_withdrawn: Annotated[int, Field(ge=1, le=MAXIMUM_WITHDRAWN)]
    withdrawn_at: Seconds


class RecordReplacement(RootChange):
    """The contributor puts new records in the place of some, each of the next version under its old token."""

    TYP: ClassVar[str] = "record-replacement"
    records_digest: Bytes32
    """`replaced_digest` of the nonce and the new records."""
    records_replaced: Annotated[int, Field(ge=1, le=MAXIMUM_WITHDRAWN)]
    replaced_at: Seconds


class RecordWithdrawalSubmission(Message):
    """The call with a RecordWithdrawal: its nonce and the tokens, concatenated in increasing order."""

    document: Document
    nonce: Bytes32
    revocation: Document | None = None
    """The `ConsentRevocation` that it follows, if the person had consented."""
    tokens: Annotated[Blob, Field(min_length=TOKEN_BYTES, max_length=TOKEN_BYTES * MAXIMUM_WITHDRAWN)]


class RecordReplacementSubmission(Message):
    """The call with a RecordReplacement: its nonce and the new records, as in a batch (`deposits.encode_batch`)."""

    document: Document
    nonce: Bytes32
    records: Annotated[Blob, Field(min_length=TOKEN_BYTES, max_length=MAXIMUM_REPLACED_BYTES)]


class RecordInclusion(Message):
    """Where a record stands under its deposit's newest root, in order of tokens (RFC 9162 2.1.3)."""

    index: Annotated[int, Field(ge=0, lt=MAXIMUM_RECORDS)]
    path: Annotated[tuple[Bytes32, ...], Field(max_length=64)]


def withdrawn_digest(nonce: bytes, tokens: bytes) -> bytes:
    """What a RecordWithdrawal binds its tokens by; without the 32-byte nonce no guess can be tested. 32 bytes."""
    return hashlib.sha256(b"narrowgate/v1/withdrawn-tokens\x00" + nonce + tokens).digest()


def replaced_digest(nonce: bytes, records: bytes) -> bytes:
    """What a RecordReplacement binds its records by, tokens, versions and sealed bytes. 32 bytes."""
    return hashlib.sha256(b"narrowgate/v1/replaced-records\x00" + nonce + records).digest()
