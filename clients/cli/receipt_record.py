"""What the entry of a receipt records: the record that was kept beside the receipt, opened against its leaf.

Rule (decision 0022): a record is believed once it and its salt give the digest in the leaf that the receipt proves, and
a paper once the record names its SHA-256. Only then is said whose entry it is. Who has no record learns nothing of it:
the leaf is a salted digest.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.protocol import leaves
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.base import decode, read
from broker.protocol.messages.closings import Failed, Released
from broker.protocol.messages.requests import OpenedRecord
from broker.protocol.messages.vocabulary import RecordKind
from clients.cli import run

SUFFIX = ".record.json"


@dataclass(frozen=True)
class Opened:
    """Evidence of what an entry records: its members, and the papers shown that it names, each with which one it is."""

    members: dict[str, Any]
    papers: dict[str, str]
    words: tuple[str, ...]


def open_record(leaf: bytes, file: Path, papers: Sequence[Path]) -> Opened:
    """Open the record in `file` against the leaf, and hold the papers against it.

    Raises VerificationFailed when it is another entry's record, or names none of a paper; BadInput for no such file."""
    kept = read(OpenedRecord, run.read_input(file, "the record"))
    leaves.verify_record(leaf, kept.record, kept.salt)
    try:
        members = json.loads(kept.record)
    except ValueError:
        raise BadInput("The record is not in JSON, so this program cannot show it.") from None
    kind = leaves.parse_leaf(leaf).kind
    named = {_digest(each): each for each in papers}
    found = {
        str(named[text]): name
        for name, text in members.items()
        if isinstance(text, str) and text in named and name.endswith("_digest")
    }
    for paper in named.values():
        if str(paper) not in found:
            raise VerificationFailed(f"The entry does not name this paper by its SHA-256: {paper.name}.")
    lines = [*_words(kind, kept.record), *(f"{name} is its {which}." for name, which in found.items())]
    return Opened(members, found, tuple(lines))


def _digest(paper: Path) -> str:
    return hashlib.sha256(run.read_input(paper, "a paper").strip()).hexdigest()


def _words(kind: str, record: bytes) -> list[str]:
    if kind == RecordKind.RELEASED:
        said = decode(Released, record)
        return [
            f"It records that request {said.request_id.hex()} of {said.requester}, the signed document with SHA-256 "
            f"{said.request_digest.hex()}, was answered at tier {said.tier.value} by the signed disclosure with "
            f"SHA-256 {said.disclosure_digest.hex()}, as entry {said.release_index} decided."
        ]
    if kind == RecordKind.FAILED:
        failed = decode(Failed, record)
        return [
            f"It records that request {failed.request_id.hex()} of {failed.requester}, the signed document with "
            f"SHA-256 {failed.request_digest.hex()}, was told nothing of its result but a refusal, as entry "
            f"{failed.release_index} decided."
        ]
    return ["Its record opens; --json shows it."]
