"""The plaintext of a sealed record: byte-exact, and the same whatever order the rows came in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol.errors import BadInput
from clients.identifiers import Canonical
from clients.readers import RecordedSignal, Signal, decode_record, encode_record, grouped

PHONE = Canonical("phone", 1, "+447700900123", ("not-valid",))
OTHER = Canonical("phone", 1, "+447700900124", ("not-valid",))
NAMES = st.text(alphabet="abcé", min_size=1, max_size=3)
ATTRIBUTES = st.dictionaries(NAMES, st.text(alphabet='x"\\\n€', max_size=4), max_size=3)


def test_a_record_is_these_bytes() -> None:
    signals = [
        Signal(9, PHONE, (("reference", "case 7"), ("seen", "2026-01-02"))),
        Signal(2, PHONE, (("city", "Zürich"),)),
    ]
    assert encode_record(signals, "hotline", maximum_bytes=200).decode() == (
        '{"signals":[{"attributes":{"city":"Zürich"},"reference":"hotline"},'
        '{"attributes":{"seen":"2026-01-02"},"reference":"case 7"}],"v":1}'
    )


@given(st.lists(ATTRIBUTES, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_order_lines_and_repetition_do_not_count_and_all_comes_back(
    rows: list[dict[str, str]], random: st.DataObject
) -> None:
    signals = [Signal(line, PHONE, tuple(row.items())) for line, row in enumerate(rows, start=2)]
    shuffled = [Signal(1, signal.canonical, signal.attributes) for signal in [*signals, signals[0]]]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis types its Random as data
    record = encode_record(signals, "s", maximum_bytes=10_000)
    assert encode_record(shuffled, "s", maximum_bytes=10_000) == record
    expected = {RecordedSignal("s", tuple(sorted(row.items()))) for row in rows}
    assert set(decode_record(record)) == expected
    assert len(decode_record(record)) == len(expected)


def test_neither_identifier_nor_line_is_in_the_record() -> None:
    record = encode_record([Signal(4711, PHONE)], "s", maximum_bytes=100)
    assert b"7700900123" not in record
    assert b"4711" not in record


def test_a_record_over_the_size_class_is_refused_without_its_contents() -> None:
    signals = [Signal(2, PHONE, (("note", "x" * 100),))]
    size = len(encode_record(signals, "s", maximum_bytes=10_000))
    assert len(encode_record(signals, "s", maximum_bytes=size)) == size
    with pytest.raises(BadInput, match="on line 2") as refusal:
        encode_record(signals, "s", maximum_bytes=size - 1)
    assert "xxx" not in refusal.value.detail


def test_a_record_is_of_exactly_one_identifier() -> None:
    for signals in ([], [Signal(2, PHONE), Signal(3, OTHER)]):
        with pytest.raises(BadInput, match="exactly one identifier"):
            encode_record(signals, "s", maximum_bytes=1000)


def test_signals_group_by_identifier_in_order_of_appearance() -> None:
    signals = [Signal(2, OTHER), Signal(3, PHONE), Signal(4, OTHER)]
    groups = grouped(iter(signals))
    assert list(groups.items()) == [
        ("phone/1|+447700900124", [signals[0], signals[2]]),
        ("phone/1|+447700900123", [signals[1]]),
    ]


@pytest.mark.parametrize(
    "plaintext",
    [
        b"",
        b"7",
        b"[]",
        b"\xff",
        b'{"signals":[],"v":1}',
        b'{"signals":[{"attributes":{},"reference":"s"}],"v":2}',
        b'{"signals":[{"attributes":{},"reference":"s"}],"v":true}',
        b'{"v":1,"signals":[{"attributes":{},"reference":"s"}]}',
        b'{"signals":[{"attributes":{"a":1},"reference":"s"}],"v":1}',
        b'{"signals":[{"attributes":{},"more":1,"reference":"s"}],"v":1}',
        b'{"signals":[{"attributes":{}}],"v":1}',
        b'{"signals":["s"],"v":1}',
    ],
)
def test_what_is_not_a_record_of_this_version_is_refused(plaintext: bytes) -> None:
    with pytest.raises(BadInput, match="version 1"):
        decode_record(plaintext)


def test_attributes_do_not_show_in_a_repr() -> None:
    assert "secret" not in repr(Signal(2, PHONE, (("note", "secret"),)))
    assert "secret" not in repr(RecordedSignal("secret", (("note", "secret"),)))
