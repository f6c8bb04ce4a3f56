"""A receipt as a text file: written, read back, verified with keys alone; whatever is changed in it is found."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol import checkpoint, leaves, tlog_proof
from broker.protocol.documents import public_bytes
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.log import LogProof
from broker.translog import log
from broker.translog.memory import MemoryStorage

ORIGIN = "log.example.org"
LOG = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
WITNESS = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
LOG_KEY = checkpoint.VerifierKey(ORIGIN, checkpoint.ED25519, public_bytes(LOG))
WITNESS_KEY = checkpoint.VerifierKey("w.example.org", checkpoint.ED25519_COSIGNATURE, public_bytes(WITNESS))
NOW = 1_795_000_000


def proof_of(index: int, size: int, witnessed: bool = False) -> LogProof:
    """The proof of one leaf in a log of `size`."""
    storage = MemoryStorage()
    composed = [leaves.compose("ADMITTED", NOW + number, b"{}", bytes(32)).leaf for number in range(size)]
    log.append(storage, composed)
    head = storage.head()
    note = checkpoint.sign(ORIGIN, head.size, head.root, LOG, ORIGIN)
    if witnessed:
        text = note.split(b"\n\n")[0] + b"\n"
        note += checkpoint.cosign(text, NOW, WITNESS, WITNESS_KEY.name)
    path = log.inclusion_proof(storage, index, size)
    return LogProof(index=index, leaf=composed[index], path=path, checkpoint=note.decode())


@given(st.integers(1, 40), st.data())
def test_a_receipt_is_read_back_and_verified_with_the_logs_key_alone(size: int, data: st.DataObject) -> None:
    proof = proof_of(data.draw(st.integers(0, size - 1)), size)
    receipt = tlog_proof.read(tlog_proof.write(proof))
    assert (receipt.index, receipt.leaf, receipt.path) == (proof.index, proof.leaf, proof.path)
    entry = tlog_proof.verify(receipt, LOG_KEY)
    assert (entry.index, entry.content.kind, entry.checkpoint.size) == (proof.index, "ADMITTED", size)


def test_a_receipt_has_the_lines_of_the_format() -> None:
    lines = tlog_proof.write(proof_of(2, 3)).split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1].startswith("extra ")
    assert lines[2] == "index 2"
    assert lines[4:7] == ["", ORIGIN, "3"]
    assert lines[-1] == ""


def test_a_quorum_of_witnesses_is_asked_for_by_their_keys() -> None:
    bare, witnessed = (
        tlog_proof.read(tlog_proof.write(proof_of(1, 5, with_one))) for with_one in (False, True)
    )
    with pytest.raises(VerificationFailed, match="Too few"):
        tlog_proof.verify(bare, LOG_KEY, [WITNESS_KEY], 1)
    assert (
        tlog_proof.verify(witnessed, LOG_KEY, [WITNESS_KEY], 1).checkpoint.cosignatures[0].cosigned_at == NOW
    )
    with pytest.raises(VerificationFailed, match="Too few"):
        tlog_proof.verify(witnessed, LOG_KEY, [WITNESS_KEY], 2)


def test_what_was_changed_is_found() -> None:
    receipt = tlog_proof.read(tlog_proof.write(proof_of(3, 9)))
    other = replace(LOG_KEY, public_key=WITNESS_KEY.public_key)
    with pytest.raises(VerificationFailed):
        tlog_proof.verify(receipt, other)
    changes = (
        {"index": 2},
        {"leaf": receipt.leaf.replace(b"ADMITTED", b"RELEASED")},
        {"path": receipt.path[:-1]},
        {"path": (*receipt.path[:-1], bytes(32))},
        {"checkpoint": receipt.checkpoint.replace("\n9\n", "\n8\n")},
    )
    for change in changes:
        with pytest.raises(VerificationFailed):
            tlog_proof.verify(replace(receipt, **change), LOG_KEY)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("tlog-proof@v1", "tlog-proof@v2"),
        ("extra ", "EXTRA "),
        ("index 3", "index 03"),
        ("index 3", "index -3"),
        ("index 3\n", "index 3\n\n"),
        ("index 3\n", "index 3\nAAAA\n"),
        ("index 3\n", "index 3\nnot base64\n"),
        ("c2sp.org", ""),
    ],
)
def test_what_is_no_receipt_is_refused_in_words(before: str, after: str) -> None:
    text = tlog_proof.write(proof_of(3, 9))
    assert before in text
    with pytest.raises((BadInput, VerificationFailed)):
        tlog_proof.verify(tlog_proof.read(text.replace(before, after, 1)), LOG_KEY)
    for cut in ("", "\n\n", text[:40], text.replace("\n\n", "\n")):
        with pytest.raises(BadInput, match="no receipt"):
            tlog_proof.read(cut)
