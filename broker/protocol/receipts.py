"""Check offline that an entry stands in a log: leaf, path and signed checkpoint, under a pinned log key.

Rule: RFC 9162 2.1.3 for the path, C2SP tlog-checkpoint for the note, tlog-cosignature for the witnesses of the space.
What a permit or a disclosure rests on must be witnessed as the space document says; any other receipt proves what the
log's key signed and no more. In a trial that is all there is, and whoever shows a receipt says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from broker.protocol import checkpoint as notes
from broker.protocol import leaves, merkle
from broker.protocol.messages.log import LogProof
from broker.protocol.messages.parties import Space


@dataclass(frozen=True)
class VerifiedEntry:
    """Evidence that `content` is the leaf at `index` of the log that signed `checkpoint`."""

    index: int
    content: leaves.LeafContent
    checkpoint: notes.Checkpoint


def verify_witnessed(proof: LogProof, space: Space) -> VerifiedEntry:
    """Verify `proof` under the log key of a pinned space, and that enough of its witnesses cosigned the checkpoint.

    Raises VerificationFailed (note, quorum, path or leaf) or BadInput (keys that no note could carry)."""
    return verify_log_proof(proof, space.log_origin, space.log_key, space.witness_keys, space.witness_quorum)


def verify_log_proof(
    proof: LogProof,
    log_origin: str,
    log_key: bytes,
    witness_keys: Sequence[notes.VerifierKey] = (),
    quorum: int = 0,
) -> VerifiedEntry:
    """Verify `proof` under the log's raw Ed25519 key, with the cosignatures of `quorum` of these witnesses.

    Raises VerificationFailed (note, quorum, path or leaf) or BadInput (a key or origin no note could carry)."""
    checkpoint = verify_checkpoint(proof.checkpoint, log_origin, log_key, witness_keys, quorum)
    merkle.verify_inclusion(
        merkle.leaf_hash(proof.leaf), proof.index, checkpoint.size, list(proof.path), checkpoint.root
    )
    return VerifiedEntry(proof.index, leaves.parse_leaf(proof.leaf), checkpoint)


def verify_checkpoint(
    note: str,
    log_origin: str,
    log_key: bytes,
    witness_keys: Sequence[notes.VerifierKey] = (),
    quorum: int = 0,
) -> notes.Checkpoint:
    """Verify a checkpoint's note alone. Raises as `verify_log_proof`."""
    key = notes.VerifierKey(log_origin, notes.ED25519, log_key)
    return notes.parse_and_verify(note.encode(), log_origin, key, witness_keys, quorum)
