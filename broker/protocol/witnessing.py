"""What a log asks of a witness, and what a witness answers (C2SP tlog-witness): bodies as text, no network.

    old 20852014
    <base64 of each hash of the consistency proof>

    <the checkpoint>

Rule: a witness cosigns a checkpoint only when it continues the newest one it cosigned, and remembers it before it
answers. This module writes and reads the bodies; keeping and cosigning are the witness's (`clients.witness`), checking
the answer is the log's (`broker.translog.cosigning`).
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from broker.protocol import merkle
from broker.protocol.errors import BadInput

ADD_CHECKPOINT = "/add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
MAXIMUM_PROOF_LINES = 63
MAXIMUM_BYTES = 100_000
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")
_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\n")
_MALFORMED = "The call is not as C2SP tlog-witness has it: old size, proof, an empty line, the checkpoint."


@dataclass(frozen=True)
class AddCheckpoint:
    """One call: the size that the log thinks the witness saw last, the proof from there, and the checkpoint's note."""

    old_size: int
    path: tuple[bytes, ...]
    note: str


def write_call(call: AddCheckpoint) -> bytes:
    """The body of the call."""
    lines = [f"old {call.old_size}", *(base64.b64encode(each).decode() for each in call.path), ""]
    return ("\n".join(lines) + "\n" + call.note).encode()


def read_call(body: bytes) -> AddCheckpoint:
    """Read the body of a call. Raises BadInput."""
    try:
        text = body.decode("utf-8") if len(body) <= MAXIMUM_BYTES else ""
    except UnicodeDecodeError:
        raise BadInput(_MALFORMED) from None
    head, blank, note = text.partition("\n\n")
    first, *proof = head.split("\n")
    old = _OLD.fullmatch(first)
    if not blank or not note or old is None or len(proof) > MAXIMUM_PROOF_LINES:
        raise BadInput(_MALFORMED)
    return AddCheckpoint(int(old[1]), tuple(_hash(line) for line in proof), note)


def write_size(size: int) -> str:
    """The body of a 409 answer: the size that the witness saw last."""
    return f"{size}\n"


def read_size(body: str) -> int:
    """The size in a 409 answer. Raises BadInput."""
    match = _SIZE.fullmatch(body)
    if match is None:
        raise BadInput("The witness answered without the size it saw.")
    return int(match[1])


def check_continues(call: AddCheckpoint, size: int, root: bytes, old_root: bytes) -> None:
    """That the tree of `size` and `root` continues the one of `call.old_size` and `old_root`.

    From size 0, which every tree continues, the proof is empty. Raises VerificationFailed, or BadInput for an old size
    above the new one."""
    if call.old_size > size:
        raise BadInput("The old size is larger than the checkpoint's.")
    if call.old_size == 0:
        if call.path:
            raise BadInput("From size 0 the consistency proof is empty.")
        return
    merkle.verify_consistency(call.old_size, size, call.path, old_root, root)


def join_signatures(note: str, lines: Sequence[str]) -> str:
    """The note with further signature lines, each once, in their order."""
    kept = [line for line in dict.fromkeys(lines) if line not in note.split("\n")]
    return note + "".join(f"{line}\n" for line in kept)


def _hash(line: str) -> bytes:
    try:
        data = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        raise BadInput(_MALFORMED) from None
    if len(data) != merkle.HASH_BYTES or base64.b64encode(data).decode() != line:
        raise BadInput(_MALFORMED)
    return data
