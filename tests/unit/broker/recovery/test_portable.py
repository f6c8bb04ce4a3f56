"""The stream of a backup: every value comes back as it was, and nothing passes that the manifest does not say."""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol.errors import BadInput, NarrowgateError, VerificationFailed
from broker.recovery.portable import FileRead, Manifest, PortableReader, PortableWriter

VALUES = st.one_of(
    st.none(),
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    st.binary(max_size=50),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=50),
)
SAID = {"log_origin": "log", "size": 1, "root": bytes(32), "schema_version": "0003", "made_at": 1}


class Exact(io.BytesIO):
    """As a sealed file gives bytes: so many, or an error."""

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if size is not None and len(data) < size:
            raise VerificationFailed("cut short")
        return data


def read(data: bytes) -> tuple[dict[str, Any], Manifest | None]:
    reader = PortableReader(Exact(data))
    found: dict[str, Any] = {}
    for section in reader.sections():
        found[section.name] = section.data if isinstance(section, FileRead) else list(section.rows)
    return found, reader.read_manifest


def written(rows: list[tuple[Any, ...]]) -> bytes:
    sink = io.BytesIO()
    writer = PortableWriter(sink)
    writer.file("keys.json", b"secret")
    writer.table("ledger", ("one", "two"), rows)
    writer.table("empty", ("one",), [])
    writer.manifest(**SAID)
    return sink.getvalue()


@given(rows=st.lists(st.tuples(VALUES, VALUES), max_size=20))
def test_every_value_comes_back_as_it_was(rows: list[tuple[Any, ...]]) -> None:
    found, manifest = read(written(rows))
    assert found == {"keys.json": b"secret", "ledger": rows, "empty": []}
    assert manifest is not None
    assert [(each.name, each.number) for each in manifest.sections] == [
        ("keys.json", 6),
        ("ledger", len(rows)),
        ("empty", 0),
    ]


def test_rows_that_nobody_asks_for_are_compared_all_the_same() -> None:
    reader = PortableReader(Exact(written([(1, b"x"), (2, None)])))
    assert [section.name for section in reader.sections()] == ["keys.json", "ledger", "empty"]
    assert reader.read_manifest is not None


@given(place=st.integers(min_value=0), other=st.integers(min_value=1, max_value=255))
def test_what_differs_from_the_manifest_is_refused(place: int, other: int) -> None:
    data = bytearray(written([(1, b"token"), (2, "text"), (None, 3)]))
    body = data.index(b"M\x00\x00")
    data[place % body] ^= other
    with pytest.raises(NarrowgateError):
        read(bytes(data))


def test_a_section_that_was_left_out_is_noticed() -> None:
    data = written([(1, 2)])
    start = data.index(b"T" + b"\x00\x00\x00\x05empty")
    end = data.index(b"M\x00\x00", start)
    with pytest.raises(VerificationFailed, match="not what its manifest says"):
        read(data[:start] + data[end:])


def test_an_unknown_section_is_of_another_release() -> None:
    with pytest.raises(BadInput, match="of a form"):
        read(b"X" + written([]))
