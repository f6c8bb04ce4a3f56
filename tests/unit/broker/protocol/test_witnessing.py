"""The bodies of calls to a witness: read back as written, refused in any other shape."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol import witnessing
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.witnessing import AddCheckpoint
from broker.translog import log
from broker.translog.memory import MemoryStorage

NOTE = "log.example.org\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\u2014 log.example.org AAAA\n"


@given(st.integers(0, 2**62), st.lists(st.binary(min_size=32, max_size=32), max_size=63))
def test_a_call_is_read_back_as_it_was_written(old_size: int, path: list[bytes]) -> None:
    call = AddCheckpoint(old_size, tuple(path), NOTE)
    assert witnessing.read_call(witnessing.write_call(call)) == call


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 1\n",
        b"old 1\n\n",
        b"old 01\n\nnote",
        b"old -1\n\nnote",
        b"new 1\n\nnote",
        b"old 1\nAAAA\n\nnote",
        b"old 1\n!\n\nnote",
        b"old 1\n\xff\n\nnote",
        b"old 1\n" + b"CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n" * 64 + b"\nnote",
        b"old 1\n\n" + b"x" * witnessing.MAXIMUM_BYTES,
    ],
)
def test_any_other_body_is_refused(body: bytes) -> None:
    with pytest.raises(BadInput, match="tlog-witness"):
        witnessing.read_call(body)


def test_a_size_is_read_back_and_nothing_else_is_a_size() -> None:
    assert witnessing.read_size(witnessing.write_size(12)) == 12
    for body in ("", "12", "012\n", "-1\n", "12\n\n", "twelve\n"):
        with pytest.raises(BadInput):
            witnessing.read_size(body)


@given(st.integers(0, 30), st.integers(0, 30))
def test_only_what_continues_the_old_tree_passes(old: int, new: int) -> None:
    storage = MemoryStorage()
    log.append(storage, [b"leaf %d" % number for number in range(30)])
    old_root = log.root_at(storage, old)
    root = log.root_at(storage, new)
    path = log.consistency_proof(storage, old, new) if old <= new else ()
    call = AddCheckpoint(old, path, NOTE)
    if old > new:
        with pytest.raises(BadInput, match="larger"):
            witnessing.check_continues(call, new, root, old_root)
        return
    witnessing.check_continues(call, new, root, old_root)
    if 0 < old < new:
        with pytest.raises(VerificationFailed):
            witnessing.check_continues(call, new, root, bytes(32))
    if old == 0:
        with pytest.raises(BadInput, match="empty"):
            witnessing.check_continues(AddCheckpoint(0, (bytes(32),), NOTE), new, root, old_root)


def test_signatures_are_joined_once_each() -> None:
    line = "\u2014 w.example.org BBBB"
    joined = witnessing.join_signatures(NOTE, [line, line, "\u2014 log.example.org AAAA"])
    assert joined == NOTE + line + "\n"
