"""Log leaves: the frozen format byte for byte, and everything that is not it."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.protocol import leaves
from broker.protocol.errors import BadInput, VerificationFailed

SALT = bytes(range(32))
RECORD = b'{"decision":"admit","requester":"unit.example.org"}'
DIGEST = hashlib.sha256(SALT + RECORD).hexdigest()
LEAF = b'{"digest":"' + DIGEST.encode() + b'","kind":"admitted","time":1767225600,"v":1}'


def test_a_leaf_is_these_exact_bytes() -> None:
    leaf = leaves.compose("admitted", 1767225600, RECORD, SALT)
    assert leaf.leaf == LEAF
    assert (leaf.record, leaf.salt) == (RECORD, SALT)
    # Held against a fixed digest too, so that a change of the formula cannot pass by changing this test's.
    assert DIGEST == "590c3c5a915a7087b90a01859f28520d630264b9094792582937ed90ed178d00"


def test_a_leaf_does_not_show_its_record_or_salt() -> None:
    shown = repr(leaves.compose("admitted", 1767225600, RECORD, SALT))
    assert "requester" not in shown
    assert repr(SALT) not in shown


@settings(max_examples=50)
@given(
    kind=st.from_regex(r"[A-Za-z][A-Za-z0-9._/-]{0,63}", fullmatch=True),
    recorded_at=st.integers(0, leaves.MAX_TIME),
    record=st.binary(max_size=200),
    salt=st.binary(min_size=32, max_size=32),
)
def test_what_is_composed_is_read_back_and_opens(
    kind: str, recorded_at: int, record: bytes, salt: bytes
) -> None:
    leaf = leaves.compose(kind, recorded_at, record, salt)
    expected = leaves.LeafContent(kind, recorded_at, hashlib.sha256(salt + record).digest())
    assert leaves.parse_leaf(leaf.leaf) == expected
    leaves.verify_record(leaf.leaf, leaf.record, leaf.salt)


def test_another_record_or_salt_does_not_open_the_leaf() -> None:
    for record, salt in [(RECORD + b" ", SALT), (RECORD, bytes(32)), (SALT[-1:] + RECORD, SALT[:-1])]:
        with pytest.raises(VerificationFailed):
            leaves.verify_record(LEAF, record, salt)
        with pytest.raises(VerificationFailed):
            leaves.verify_digest(LEAF, record, salt)
    leaves.verify_digest(LEAF, RECORD, SALT)


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"null",
        b"[]",
        LEAF + b"\n",
        LEAF.replace(b",", b", "),
        LEAF.replace(b'"v":1', b'"v":2'),
        LEAF.replace(b'"v":1', b'"v":true'),
        LEAF.replace(b'"v":1', b'"v":1,"v":1'),
        LEAF.replace(b'"v":1', b'"v":1,"x":1'),
        LEAF.replace(b"1767225600", b"1767225600.0"),
        LEAF.replace(b"1767225600", b"true"),
        LEAF.replace(b"1767225600", b"-1"),
        LEAF.replace(b"1767225600", b"9007199254740992"),
        LEAF.replace(b"admitted", b"two words"),
        LEAF.replace(b"admitted", b"\xc3\xa9"),
        LEAF.replace(b"admitted", b"\\u0061dmitted"),
        LEAF.replace(b"admitted", b"a" * 400),
        LEAF.replace(DIGEST.encode(), DIGEST.upper().encode()),
        LEAF.replace(DIGEST.encode(), DIGEST[:-1].encode()),
        LEAF.replace(b'"' + DIGEST.encode() + b'"', b"7"),
    ],
)
def test_any_other_spelling_of_a_leaf_is_refused(leaf: bytes) -> None:
    with pytest.raises(VerificationFailed):
        leaves.parse_leaf(leaf)


@pytest.mark.parametrize(
    ("kind", "recorded_at", "salt"),
    [("", 0, SALT), ("two words", 0, SALT), ("k" * 65, 0, SALT), ("k", -1, SALT), ("k", 0, SALT[:31])],
)
def test_what_a_leaf_cannot_hold_is_not_composed(kind: str, recorded_at: int, salt: bytes) -> None:
    with pytest.raises(BadInput):
        leaves.compose(kind, recorded_at, RECORD, salt)
