"""Log leaves: the frozen format byte for byte, and everything that is not it."""

import hashlib
import json
import re

import pytest
import rfc8785
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


@given(
    st.from_regex(r"[A-Za-z][A-Za-z0-9._/-]{0,63}", fullmatch=True),
    st.integers(0, leaves.MAX_TIME),
    st.binary(min_size=32, max_size=32),
)
def test_a_leaf_is_canonical_json(kind: str, recorded_at: int, salt: bytes) -> None:
    leaf = leaves.compose(kind, recorded_at, b"record", salt).leaf
    digest = hashlib.sha256(salt + b"record").hexdigest()
    assert leaf == rfc8785.dumps({"v": 1, "kind": kind, "time": recorded_at, "digest": digest})


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


def canonical(leaf: bytes) -> leaves.LeafContent | None:
    """What RFC 8785 itself says of some bytes: read as JSON, judged member by member, and written again."""
    try:
        members = json.loads(leaf.decode("ascii"))
    except ValueError:
        return None
    if not isinstance(members, dict) or set(members) != {"digest", "kind", "time", "v"}:
        return None
    digest, kind, time, version = members["digest"], members["kind"], members["time"], members["v"]
    if not isinstance(kind, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9._/-]{0,63}", kind):
        return None
    if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        return None
    if type(time) is not int or not 0 <= time <= leaves.MAX_TIME or type(version) is not int or version != 1:
        return None
    if rfc8785.dumps({"digest": digest, "kind": kind, "time": time, "v": 1}) != leaf:
        return None
    return leaves.LeafContent(kind, time, bytes.fromhex(digest))


def read(leaf: bytes) -> leaves.LeafContent | None:
    try:
        return leaves.parse_leaf(leaf)
    except VerificationFailed:
        return None


_TIMES = st.one_of(
    st.integers(-1, 2**60), st.integers(leaves.MAX_TIME - 2, leaves.MAX_TIME + 2), st.floats(), st.booleans()
)
_KINDS = st.one_of(
    st.from_regex(r"[A-Za-z][A-Za-z0-9._/-]{0,65}\n?"), st.text(max_size=4), st.just("k" * 64), st.none()
)


@given(
    members=st.fixed_dictionaries(
        {"digest": st.sampled_from([DIGEST, DIGEST.upper(), "7"]), "kind": _KINDS, "time": _TIMES},
        optional={"v": st.sampled_from([1, 1, 1, 2, "1", True])},
    ),
    compact=st.booleans(),
    ascii_only=st.booleans(),
    ordered=st.booleans(),
)
def test_the_pattern_takes_what_the_canonical_form_takes_however_json_spells_it(
    members: dict[str, object], compact: bool, ascii_only: bool, ordered: bool
) -> None:
    separators = (",", ":") if compact else None
    text = json.dumps(members, separators=separators, ensure_ascii=ascii_only, sort_keys=ordered)
    leaf = text.encode("utf-8", "surrogatepass")
    assert read(leaf) == canonical(leaf)


@given(
    at=st.integers(0, len(LEAF)),
    gone=st.integers(0, 3),
    put=st.one_of(
        st.binary(max_size=3),
        st.sampled_from([b"0", b"1", b" ", b"\n", b'"', b"/", b"\\/", b"e", b",", b"."]),
    ),
)
def test_the_pattern_takes_what_the_canonical_form_takes_after_any_small_change(
    at: int, gone: int, put: bytes
) -> None:
    leaf = LEAF[:at] + put + LEAF[at + gone :]
    assert read(leaf) == canonical(leaf)
    if read(leaf) is not None:
        assert leaves.leaf_kind(leaf) == leaves.parse_leaf(leaf).kind.encode()


@pytest.mark.parametrize(
    ("kind", "recorded_at", "salt"),
    [("", 0, SALT), ("two words", 0, SALT), ("k" * 65, 0, SALT), ("k", -1, SALT), ("k", 0, SALT[:31])],
)
def test_what_a_leaf_cannot_hold_is_not_composed(kind: str, recorded_at: int, salt: bytes) -> None:
    with pytest.raises(BadInput):
        leaves.compose(kind, recorded_at, RECORD, salt)
