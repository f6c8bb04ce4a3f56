"""Algorithms of notes: other people's ML-DSA-44 checkpoint, our own cosignatures, and every way to break one."""

import base64
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from broker.protocol import checkpoint, note_algorithms, tlog_proof
from broker.protocol.checkpoint import ML_DSA_44_COSIGNATURE, Checkpoint, VerifierKey
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.leaves import compose
from broker.protocol.merkle import leaf_hash
from broker.protocol.messages.log import LogProof
from broker.protocol.note_algorithms import ALGORITHMS, Signing

# A checkpoint of size 1 that a log signed with type 0x06 and time 0: torchwood v0.10.0, litewitness's own test.
VECTORS = Path(__file__).parents[3] / "vectors" / "tlog"
PUBLIC_KEY = checkpoint.parse_verifier_key((VECTORS / "ml-dsa-44.key").read_text().strip())
PUBLIC_NOTE = (VECTORS / "ml-dsa-44.note").read_text()

ORIGIN = "log.example.org/narrowgate"
ROOT = bytes(range(32))
LOG = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
LOG_KEY = VerifierKey(ORIGIN, checkpoint.ED25519, LOG.public_key().public_bytes_raw())
TEXT = checkpoint.body(ORIGIN, 7, ROOT)
NOTE = checkpoint.sign(ORIGIN, 7, ROOT, LOG, ORIGIN)
NAME, NOW = "w1.example.org", 1767225600
PQ = MLDSA44PrivateKey.from_seed_bytes(b"p" * 32)
PQ_KEY = VerifierKey(NAME, ML_DSA_44_COSIGNATURE, PQ.public_key().public_bytes_raw())
CLASSIC = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
CLASSIC_KEY = VerifierKey(NAME, checkpoint.ED25519_COSIGNATURE, CLASSIC.public_key().public_bytes_raw())
BY_PQ = checkpoint.cosign(TEXT, NOW, PQ, NAME)


def verify(note: bytes, witnesses: Sequence[VerifierKey], quorum: int = 1) -> Checkpoint:
    return checkpoint.parse_and_verify(note, ORIGIN, LOG_KEY, witnesses, quorum)


def line_with(signature: bytes, key: VerifierKey = PQ_KEY) -> bytes:
    return f"— {key.name} {base64.b64encode(key.key_id + signature).decode()}\n".encode()


def signature_of(line: bytes) -> bytes:
    return base64.b64decode(line.split()[2])[4:]


def public_signing() -> tuple[bytes, Signing]:
    text, _, line = PUBLIC_NOTE.rpartition("\n\n")
    origin, size, root = (text + "\n").splitlines()
    signing = Signing(f"{text}\n".encode(), origin, int(size), base64.b64decode(root), PUBLIC_KEY.name)
    return signature_of(line.encode()), signing


def test_another_implementations_ml_dsa_checkpoint_verifies() -> None:
    signature, signing = public_signing()
    assert note_algorithms.verify(ML_DSA_44_COSIGNATURE, PUBLIC_KEY.public_key, signature, signing) == 0


def test_and_not_with_one_bit_of_it_changed() -> None:
    signature, signing = public_signing()
    for changed in (
        Signing(signing.text, signing.origin, 2, signing.root, signing.signer),
        Signing(signing.text, signing.origin, signing.size, bytes(32), signing.signer),
        Signing(signing.text, "example.com/other-log", signing.size, signing.root, signing.signer),
        Signing(signing.text, signing.origin, signing.size, signing.root, "example.com/other"),
    ):
        with pytest.raises(VerificationFailed, match="known key"):
            note_algorithms.verify(ML_DSA_44_COSIGNATURE, PUBLIC_KEY.public_key, signature, changed)


def test_its_key_id_is_as_the_standard_computes_it() -> None:
    assert PUBLIC_KEY.algorithm == ML_DSA_44_COSIGNATURE
    assert PUBLIC_KEY.key_id.hex() == "b5df45c5"
    assert str(PUBLIC_KEY) == (VECTORS / "ml-dsa-44.key").read_text().strip()


def test_the_message_is_the_standards_structure() -> None:
    signing = Signing(TEXT + b"extension\n", ORIGIN, 7, ROOT, NAME, NOW)
    assert ALGORITHMS[ML_DSA_44_COSIGNATURE].message(signing) == (
        b"subtree/v1\n\x00"
        + b"\x0ew1.example.org"
        + NOW.to_bytes(8, "big")
        + b"\x1alog.example.org/narrowgate"
        + bytes(8)
        + (7).to_bytes(8, "big")
        + ROOT
    )


def test_an_ml_dsa_cosignature_counts_beside_an_ed25519_one() -> None:
    other = VerifierKey("w2.example.org", checkpoint.ED25519_COSIGNATURE, CLASSIC_KEY.public_key)
    by_other = checkpoint.cosign(TEXT, NOW + 1, CLASSIC, other.name)
    read = verify(NOTE + BY_PQ + by_other, [PQ_KEY, other], 2)
    assert [(each.witness, each.cosigned_at) for each in read.cosignatures] == [
        (NAME, NOW),
        (other.name, NOW + 1),
    ]


def test_one_witness_with_two_algorithms_counts_once() -> None:
    note = NOTE + BY_PQ + checkpoint.cosign(TEXT, NOW, CLASSIC, NAME)
    assert len(verify(note, [PQ_KEY, CLASSIC_KEY]).cosignatures) == 1
    with pytest.raises(VerificationFailed, match="Too few"):
        verify(note, [PQ_KEY, CLASSIC_KEY], 2)


def test_who_knows_no_ml_dsa_key_passes_over_the_line() -> None:
    assert verify(NOTE + BY_PQ + checkpoint.cosign(TEXT, NOW, CLASSIC, NAME), [CLASSIC_KEY]).size == 7


@pytest.mark.parametrize("at", [0, 7, 8, 500, 2427])
def test_a_changed_byte_refuses_the_note(at: int) -> None:
    changed = bytearray(signature_of(BY_PQ))
    changed[at] ^= 1
    with pytest.raises(VerificationFailed, match="known key"):
        verify(NOTE + line_with(bytes(changed)), [PQ_KEY])


@pytest.mark.parametrize("length", [1, 8, 72, 2427, 2429])
def test_a_signature_of_another_length_refuses_the_note(length: int) -> None:
    with pytest.raises(VerificationFailed, match="known key"):
        verify(NOTE + line_with((signature_of(BY_PQ) + b"\0")[:length]), [PQ_KEY])


def test_a_cosignature_is_bound_to_the_witnesss_name() -> None:
    """Unlike an Ed25519 one, so that one key cannot stand for two witnesses."""
    other = VerifierKey("w2.example.org", ML_DSA_44_COSIGNATURE, PQ_KEY.public_key)
    with pytest.raises(VerificationFailed, match="known key"):
        verify(NOTE + line_with(signature_of(BY_PQ), other), [other])


def test_a_cosignature_without_a_time_does_not_count() -> None:
    """It says that the tree continues others, and not that no larger one was seen."""
    note = NOTE + checkpoint.cosign(TEXT, 0, PQ, NAME)
    assert verify(note, [PQ_KEY], 0).cosignatures == ()
    with pytest.raises(VerificationFailed, match="Too few"):
        verify(note, [PQ_KEY], 1)


def test_extension_lines_are_not_in_an_ml_dsa_cosignature() -> None:
    text = TEXT + b"an extension\n"
    signed = base64.b64encode(LOG_KEY.key_id + LOG.sign(text)).decode()
    note = text + f"\n— {ORIGIN} {signed}\n".encode()
    assert verify(note + BY_PQ, [PQ_KEY]).size == 7
    with pytest.raises(VerificationFailed, match="known key"):
        verify(note + checkpoint.cosign(TEXT, NOW, CLASSIC, NAME), [CLASSIC_KEY])


def test_a_log_does_not_sign_with_ml_dsa_yet() -> None:
    with pytest.raises(BadInput, match="algorithm byte"):
        checkpoint.parse_and_verify(PUBLIC_NOTE.encode(), PUBLIC_KEY.name, PUBLIC_KEY)


@pytest.mark.parametrize("name", ["n" * 256, "é" * 128])
def test_a_name_too_long_for_the_structure_is_not_signed(name: str) -> None:
    with pytest.raises(BadInput, match="255 bytes"):
        checkpoint.cosign(TEXT, NOW, PQ, name)


def test_what_is_signed_over_no_checkpoint_is_refused() -> None:
    with pytest.raises(VerificationFailed):
        checkpoint.cosign(b"no checkpoint\n", NOW, PQ, NAME)


@pytest.mark.parametrize("length", [31, 33, 1311, 1313])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    for algorithm in ALGORITHMS:
        with pytest.raises(BadInput):
            VerifierKey(NAME, algorithm, bytes(length))


def test_a_receipt_takes_twenty_ml_dsa_cosignatures() -> None:
    leaf = compose("ADMITTED", NOW, b"{}", bytes(32)).leaf
    root = leaf_hash(leaf)
    note = checkpoint.sign(ORIGIN, 1, root, LOG, ORIGIN)
    keys = []
    for number in range(20):
        key = MLDSA44PrivateKey.from_seed_bytes(bytes([number]) * 32)
        name = f"w{number}.example.org"
        keys.append(VerifierKey(name, ML_DSA_44_COSIGNATURE, key.public_key().public_bytes_raw()))
        note += checkpoint.cosign(checkpoint.body(ORIGIN, 1, root), NOW, key, name)
    proof = LogProof(index=0, leaf=leaf, path=(), checkpoint=note.decode())
    read = tlog_proof.verify(tlog_proof.read(tlog_proof.write(proof)), LOG_KEY, keys, 20)
    assert len(read.checkpoint.cosignatures) == 20


def test_of_an_answer_with_both_lines_each_key_finds_its_own() -> None:
    classic = checkpoint.cosign(TEXT, NOW, CLASSIC, NAME).decode()
    lines = (BY_PQ.decode() + classic).splitlines()
    assert checkpoint.line_of(PQ_KEY, lines) == lines[0]
    assert checkpoint.line_of(CLASSIC_KEY, lines) == lines[1]
    assert checkpoint.line_of(LOG_KEY, lines) is None
    assert checkpoint.key_ids(NAME, lines) == (PQ_KEY.key_id, CLASSIC_KEY.key_id)
    assert checkpoint.key_ids("somebody else", lines) == ()
