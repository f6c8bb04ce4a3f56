"""Check offline that an entry stands in a log: leaf, path and signed checkpoint, under a pinned log key.

Rule: RFC 9162 2.1.3 for the path, C2SP tlog-checkpoint for the note. Without witnesses this proves what the log's
key signed and no more: that is a trial, and whoever shows a receipt says so.
"""

from dataclasses import dataclass

from broker.protocol import checkpoint as notes
from broker.protocol import leaves, merkle
from broker.protocol.messages.log import LogProof


@dataclass(frozen=True)
class VerifiedEntry:
    """Evidence that `content` is the leaf at `index` of the log that signed `checkpoint`."""

    index: int
    content: leaves.LeafContent
    checkpoint: notes.Checkpoint


def verify_log_proof(proof: LogProof, log_origin: str, log_key: bytes) -> VerifiedEntry:
    """Verify `proof` under the log's raw Ed25519 key.

    Raises VerificationFailed (note, path or leaf) or BadInput (a key or origin no note could carry)."""
    key = notes.VerifierKey(log_origin, notes.ED25519, log_key)
    checkpoint = notes.parse_and_verify(proof.checkpoint.encode(), log_origin, key)
    merkle.verify_inclusion(
        merkle.leaf_hash(proof.leaf), proof.index, checkpoint.size, list(proof.path), checkpoint.root
    )
    return VerifiedEntry(proof.index, leaves.parse_leaf(proof.leaf), checkpoint)
