"""Hashes of files: one form in every spelling, and none that everybody's disk has."""

from hashlib import md5, sha1, sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.identifiers import Rejected, canonicalise

FOX = b"The quick brown fox jumps over the lazy dog"
HASHES = [md5(FOX).hexdigest(), sha1(FOX).hexdigest(), sha256(FOX).hexdigest()]


@pytest.mark.parametrize(("digest", "name"), list(zip(HASHES, ["MD5", "SHA-1", "SHA256"], strict=True)))
def test_case_grouping_and_the_kinds_name_do_not_count(digest: str, name: str) -> None:
    pairs = [digest[place : place + 2] for place in range(0, len(digest), 2)]
    wide = "".join(chr(ord(sign) + 0xFEE0) for sign in digest)
    for written in (
        digest,
        digest.upper(),
        f"{name}: {digest}",
        f"{name.lower()}={digest}",
        *(separator.join(pairs).upper() for separator in (":", "-", " ", "\u00a0")),
        wide,
    ):
        form = canonicalise("file_hash", written)
        assert (form.text, form.flags) == (f"file_hash/1|{digest}", ())


@given(st.binary(min_size=1, max_size=40), st.sampled_from([md5, sha1, sha256]))
def test_a_form_is_its_own_form(content: bytes, kind: type) -> None:
    digest = kind(b"a file that only one has: " + content).hexdigest()
    assert canonicalise("file_hash", canonicalise("file_hash", digest).value).value == digest


@pytest.mark.parametrize("kind", [md5, sha1, sha256])
@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n", bytes(4096), b"PK\x05\x06" + bytes(18)])
def test_what_everybody_has_is_refused_with_the_reason(content: bytes, kind: type) -> None:
    with pytest.raises(Rejected, match="match everyone"):
        canonicalise("file_hash", kind(content).hexdigest())


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("d41d8cd98f00b204e9800998ecf8427e", "match everyone"),
        ("da39a3ee5e6b4b0d3255bfef95601890afd80709", "match everyone"),
        ("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "match everyone"),
        ("0" * 64, "match everyone"),
        ("1B2M2Y8AsgTpgAmY7PhCfg==", "hexadecimal"),
        (HASHES[0][:-1], "cut"),
        ("a" * 127 + "b", "another kind"),
        (f"sha256:{HASHES[0]}", "named in front"),
        ("\u0430" + HASHES[0][1:], "0-9 and a-f only"),
    ],
)
def test_what_is_no_files_hash_is_refused_in_words(raw: str, words: str) -> None:
    with pytest.raises(Rejected) as refusal:
        canonicalise("file_hash", raw)
    assert words in refusal.value.detail
    assert raw not in refusal.value.detail
