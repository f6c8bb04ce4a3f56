"""A receipt as one text file (C2SP tlog-proof): the leaf, its place, its path and the signed checkpoint.

    c2sp.org/tlog-proof@v1
    extra <base64 of the leaf>
    index 12
    <base64 of each hash of the inclusion path, the leaf's sibling first>

    <the checkpoint, verbatim, with the witnesses' cosignatures>

Rule: the file alone, with the log's and the witnesses' public keys, shows that the leaf stands in the log: no network,
no account, no other file. The leaf rides as the format's extra data, which nothing authenticates but the path itself.
The record behind the leaf is not in it: who has record and salt compares their digest (`broker.protocol.leaves`).
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from broker.protocol import checkpoint as notes
from broker.protocol import leaves, merkle
from broker.protocol.errors import BadInput
from broker.protocol.messages.log import LogProof
from broker.protocol.receipts import VerifiedEntry

FIRST_LINE = "c2sp.org/tlog-proof@v1"
MAXIMUM_BYTES = 1_000_000
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")
_MALFORMED = "This is no receipt: a receipt begins with c2sp.org/tlog-proof@v1. Ask for it again."


@dataclass(frozen=True)
class Receipt:
    """A receipt that was read; nothing in it is believed yet."""

    index: int
    leaf: bytes
    path: tuple[bytes, ...]
    checkpoint: str


def write(proof: LogProof) -> str:
    """The text of a receipt, to be kept as FILE.tlog-proof."""
    lines = [
        FIRST_LINE,
        f"extra {_base64(proof.leaf)}",
        f"index {proof.index}",
        *map(_base64, proof.path),
        "",
    ]
    return "\n".join(lines) + "\n" + proof.checkpoint


def read(text: str) -> Receipt:
    """Read a receipt. Raises BadInput for anything that is not exactly one."""
    if len(text) > MAXIMUM_BYTES:
        raise BadInput(_MALFORMED)
    head, blank, note = text.partition("\n\n")
    lines = head.split("\n")
    index = _INDEX.fullmatch(lines[2]) if len(lines) >= 3 else None
    if not blank or lines[0] != FIRST_LINE or not lines[1].startswith("extra ") or index is None:
        raise BadInput(_MALFORMED)
    path = tuple(_bytes(line) for line in lines[3:])
    if any(len(each) != merkle.HASH_BYTES for each in path) or len(path) > 64:
        raise BadInput(_MALFORMED)
    return Receipt(int(index[1]), _bytes(lines[1].removeprefix("extra ")), path, note)


def verify(
    receipt: Receipt,
    log_key: notes.VerifierKey,
    witness_keys: Sequence[notes.VerifierKey] = (),
    quorum: int = 0,
) -> VerifiedEntry:
    """Verify a receipt with keys alone.

    Args:
        log_key: the log's; its name is the log's origin.
        quorum: how many of `witness_keys` must have cosigned.

    Raises VerificationFailed (note, cosignatures, path or leaf) or BadInput (keys that no note could carry)."""
    signed = notes.parse_and_verify(
        receipt.checkpoint.encode(), log_key.name, log_key, tuple(witness_keys), quorum
    )
    leaf_hash = merkle.leaf_hash(receipt.leaf)
    merkle.verify_inclusion(leaf_hash, receipt.index, signed.size, list(receipt.path), signed.root)
    return VerifiedEntry(receipt.index, leaves.parse_leaf(receipt.leaf), signed)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadInput(_MALFORMED) from None
    if _base64(data) != text:
        raise BadInput(_MALFORMED)
    return data
