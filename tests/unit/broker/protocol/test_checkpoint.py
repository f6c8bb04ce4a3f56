"""Checkpoints: real ones of public logs and witnesses, our own, and every way to break one."""

import base64
from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol import checkpoint
from broker.protocol.checkpoint import Checkpoint, Cosignature, VerifierKey
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.merkle import EMPTY_ROOT

# A checkpoint of Sigstore's public log, as three public witnesses cosigned it, and the published keys.
PUBLIC_ORIGIN = "log2025-1.rekor.sigstore.dev"
PUBLIC_LOG_KEY = VerifierKey(
    PUBLIC_ORIGIN, checkpoint.ED25519, base64.b64decode("t8rlp1knGwjfbcXAYPYAkn0XiLz1x8O4t0YkEhie244=")
)
NAVIGLI = "witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G"
STAGEMOLE = "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv"
PUBLIC_NOTE = """log2025-1.rekor.sigstore.dev
114068855
uXmV5jkyZgXN2o6QMPYIPpTwzaAdL+3IFw0SMp4JmGI=

— log2025-1.rekor.sigstore.dev zxGZFazjmbNyzy8EePBwh61DpCvLn/pkXQhgwGayQKZeQ7BxDrs3XQPZTCridH/VjPk5eL36dtHVyLyKbtQ08lT51QA=
— witness.navigli.sunlight.geomys.org o+AP4gAAAABqrBYQPMdDRNVwMGPQD9N5E3AIrptPZ6/6OcsZY1+xNfGu0CsxNM0BsXvltbFkMsY/pjOaNT0Oz8ZBHN510YN+vn8lBg==
— witness.stagemole.eu Z/euoAAAAABqrBYQ+q67WRizVAmFq6sUXpfA+eMyO+dQ7i5Ce9WBkqPvq4RZTZLR/sU1hHl/NDSzJ4mLzhmQULr0HdTJoOVl/5BACg==
— staging.witness.transparency.goog/ring-any-bells LhqNyQAAAABqrBYQ3tiCPy63VE7DlWh6263nnhFXaEodX50PL9nB7QQ+3PGAlTajdyo/D+UWY9+pAlJF6PIVmSCYfbo71E6kuj5yAw==
""".encode()  # noqa: E501 - the exact bytes that were signed

ORIGIN = "log.example.org/narrowgate"
ROOT = bytes(range(32))
LOG = Ed25519PrivateKey.from_private_bytes(b"l" * 32)
WITNESS = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
LOG_KEY = VerifierKey(ORIGIN, checkpoint.ED25519, LOG.public_key().public_bytes_raw())
TEXT = checkpoint.body(ORIGIN, 7, ROOT)
NOTE = checkpoint.sign(ORIGIN, 7, ROOT, LOG, ORIGIN)


def witness_key(name: str, key: Ed25519PrivateKey) -> VerifierKey:
    return VerifierKey(name, checkpoint.ED25519_COSIGNATURE, key.public_key().public_bytes_raw())


W1 = witness_key("w1.example.org", WITNESS)
W2 = witness_key("w2.example.org", OTHER)
BY_W1 = checkpoint.cosign(TEXT, 1767225600, WITNESS, "w1.example.org")
BY_W2 = checkpoint.cosign(TEXT, 1767225601, OTHER, "w2.example.org")


def signed_text(text: bytes) -> bytes:
    """A note over any text at all, with the log's good signature."""
    encoded = base64.b64encode(LOG_KEY.key_id + LOG.sign(text)).decode()
    return text + f"\n— {ORIGIN} {encoded}\n".encode()


def verify(note: bytes, witnesses: Sequence[VerifierKey] = (), quorum: int = 0) -> Checkpoint:
    return checkpoint.parse_and_verify(note, ORIGIN, LOG_KEY, witnesses, quorum)


def test_a_public_logs_checkpoint_and_its_witnesses_verify() -> None:
    witnesses = [checkpoint.parse_verifier_key(key) for key in (NAVIGLI, STAGEMOLE)]
    read = checkpoint.parse_and_verify(PUBLIC_NOTE, PUBLIC_ORIGIN, PUBLIC_LOG_KEY, witnesses, 2)
    assert read.size == 114068855
    assert read.root.hex().startswith("b97995e6393266")
    assert {each.witness for each in read.cosignatures} == {key.name for key in witnesses}
    assert {each.cosigned_at for each in read.cosignatures} == {0x6AAC1610}


def test_the_unknown_third_witness_does_not_count() -> None:
    witnesses = [checkpoint.parse_verifier_key(key) for key in (NAVIGLI, STAGEMOLE)]
    with pytest.raises(VerificationFailed, match="Too few"):
        checkpoint.parse_and_verify(PUBLIC_NOTE, PUBLIC_ORIGIN, PUBLIC_LOG_KEY, witnesses, 3)


def test_the_reference_implementations_key_reads_and_writes() -> None:
    text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    key = checkpoint.parse_verifier_key(text)
    assert (key.name, key.algorithm, key.key_id.hex()) == ("PeterNeumann", 1, "c74f20a3")
    assert str(key) == text
    assert checkpoint.verifier_key(key.name, key.public_key) == text
    misspelt = [text.replace("c74f", "C74F"), text.replace("ARpc", "AhpC")]
    for damaged in (text[:-1], text[1:], *misspelt, "", "a+b"):
        with pytest.raises(BadInput):
            checkpoint.parse_verifier_key(damaged)


def test_a_checkpoint_reads_back_as_it_was_signed() -> None:
    assert verify(NOTE) == Checkpoint(ORIGIN, 7, ROOT, TEXT)
    assert TEXT == b"log.example.org/narrowgate\n7\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"


def test_two_witnesses_make_a_quorum_of_two_in_any_order() -> None:
    read = verify(NOTE + BY_W2 + BY_W1, [W1, W2], 2)
    assert read.cosignatures == (
        Cosignature("w2.example.org", 1767225601),
        Cosignature("w1.example.org", 1767225600),
    )


def test_a_witness_who_cosigns_twice_counts_once() -> None:
    later = checkpoint.cosign(TEXT, 1767229200, WITNESS, "w1.example.org")
    assert verify(NOTE + later + BY_W1, [W1], 1).cosignatures == (Cosignature("w1.example.org", 1767229200),)
    with pytest.raises(VerificationFailed, match="Too few"):
        verify(NOTE + BY_W1 + later, [W1, W2], 2)


def test_one_witness_under_two_names_is_refused_as_a_configuration() -> None:
    with pytest.raises(BadInput):
        verify(NOTE + BY_W1, [W1, witness_key("w2.example.org", WITNESS)], 2)


def test_the_log_cannot_be_its_own_witness() -> None:
    with pytest.raises(BadInput):
        verify(NOTE, [witness_key("w1.example.org", LOG)], 1)


def test_a_log_key_is_no_witness_key_nor_the_reverse() -> None:
    with pytest.raises(BadInput):
        checkpoint.parse_and_verify(NOTE, ORIGIN, W1)
    with pytest.raises(BadInput):
        verify(NOTE, [VerifierKey("w1.example.org", checkpoint.ED25519, W1.public_key)])


def test_a_cosignature_of_another_checkpoint_refuses_the_note() -> None:
    stray = checkpoint.cosign(checkpoint.body(ORIGIN, 8, ROOT), 1767225600, WITNESS, "w1.example.org")
    with pytest.raises(VerificationFailed, match="known key"):
        verify(NOTE + BY_W2 + stray, [W1, W2], 1)
    assert verify(NOTE + BY_W2 + stray, [W2], 1).size == 7  # unknown to this verifier: passed over


def test_a_cosignature_whose_time_was_changed_refuses_the_note() -> None:
    name, encoded = BY_W1.decode().removeprefix("— ").split()
    forged = bytearray(base64.b64decode(encoded))
    forged[11] ^= 1
    line = f"— {name} {base64.b64encode(bytes(forged)).decode()}\n".encode()
    with pytest.raises(VerificationFailed, match="known key"):
        verify(NOTE + line, [W1])


def test_a_good_and_a_bad_signature_of_the_log_refuse_the_note() -> None:
    bad = checkpoint.sign(ORIGIN, 8, ROOT, LOG, ORIGIN).splitlines(keepends=True)[-1]
    with pytest.raises(VerificationFailed, match="known key"):
        verify(NOTE + bad)


def test_a_signature_cut_short_refuses_the_note() -> None:
    short = base64.b64encode(LOG_KEY.key_id + LOG.sign(TEXT)[:63]).decode()
    with pytest.raises(VerificationFailed, match="known key"):
        verify(TEXT + f"\n— {ORIGIN} {short}\n".encode())


def test_a_witness_alone_does_not_make_a_checkpoint() -> None:
    with pytest.raises(VerificationFailed, match="log's key"):
        verify(TEXT + b"\n" + BY_W1, [W1], 1)


def test_the_logs_name_with_another_key_is_an_unknown_key() -> None:
    with pytest.raises(VerificationFailed, match="log's key"):
        verify(checkpoint.sign(ORIGIN, 7, ROOT, OTHER, ORIGIN))


def test_a_checkpoint_of_another_log_under_the_same_key_is_refused() -> None:
    with pytest.raises(VerificationFailed, match="another log"):
        verify(checkpoint.sign("other.example.org/log", 7, ROOT, LOG, ORIGIN))


def test_a_hundred_signature_lines_are_read_and_one_more_is_malformed() -> None:
    line = checkpoint.cosign(TEXT, 1, OTHER, "unknown.example.org")
    assert verify(NOTE + line * 99).size == 7
    with pytest.raises(VerificationFailed, match="well-formed"):
        verify(NOTE + line * 100)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        TEXT,
        TEXT + b"\n",
        NOTE[:-1],
        NOTE + b"\n",
        NOTE.replace(b"\n", b"\r\n"),
        NOTE + b"\xff",
        NOTE + b"- w1.example.org AAAAAAAA\n",
        NOTE + "— w1.example.org\n".encode(),
        NOTE + "— w1.example.org AAAA\n".encode(),
        NOTE + "— w1.example.org AAAAAAB=\n".encode(),
        NOTE + "— w1.example.org !!!!!!!!\n".encode(),
        NOTE + "—  AAAAAAAA\n".encode(),
        NOTE + "— w1+x AAAAAAAA\n".encode(),
        NOTE + "— w1.example.org  AAAAAAAA\n".encode(),
        NOTE + "— w1.example.org ".encode() + b"A" * 1_000_000 + b"\n",
    ],
)
def test_a_malformed_note_is_refused(note: bytes) -> None:
    with pytest.raises(VerificationFailed, match="well-formed"):
        verify(note)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\n7\n", b"\n07\n"),
        (b"\n7\n", b"\n+7\n"),
        (b"\n7\n", b"\n-7\n"),
        (b"\n7\n", b"\n 7\n"),
        (b"\n7\n", b"\n\xd9\xa7\n"),
        (b"\n7\n", b"\n9223372036854775808\n"),
        (b"\n7\n", b"\n0\n"),
        (b"\n7\n", b"\n"),
        (b"\n7\n", b"\n\n7\n"),
        (b"Hh8=", b"Hh8"),
        (b"Hh8=", b"Hh9="),
        (b"Hh8=", b""),
        (b"Hh8=\n", b"Hh8=\n\nextension\n"),
    ],
)
def test_a_signed_text_that_is_no_checkpoint_is_refused(old: bytes, new: bytes) -> None:
    assert old in TEXT
    with pytest.raises(VerificationFailed):
        verify(signed_text(TEXT.replace(old, new)))


def test_extension_lines_are_signed_over_and_mean_nothing() -> None:
    read = verify(signed_text(TEXT + b"an extension\n"))
    assert (read.size, read.root) == (7, ROOT)
    assert read.text.endswith(b"an extension\n")


def test_an_empty_log_has_the_empty_root() -> None:
    assert verify(checkpoint.sign(ORIGIN, 0, EMPTY_ROOT, LOG, ORIGIN)).size == 0


@pytest.mark.parametrize(
    ("origin", "size", "root", "name"),
    [
        ("", 7, ROOT, ORIGIN),
        ("two\nlines", 7, ROOT, ORIGIN),
        (ORIGIN, -1, ROOT, ORIGIN),
        (ORIGIN, 0, ROOT, ORIGIN),
        (ORIGIN, 7, ROOT[:31], ORIGIN),
        (ORIGIN, 7, ROOT, ""),
        (ORIGIN, 7, ROOT, "a name"),
        (ORIGIN, 7, ROOT, "a+name"),
    ],
)
def test_what_could_not_be_read_back_is_not_signed(origin: str, size: int, root: bytes, name: str) -> None:
    with pytest.raises(BadInput):
        checkpoint.sign(origin, size, root, LOG, name)


def test_a_cosignature_has_a_time_that_is_not_negative() -> None:
    with pytest.raises(BadInput):
        checkpoint.cosign(TEXT, -1, WITNESS, "w1.example.org")
