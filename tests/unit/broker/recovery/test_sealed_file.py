"""A sealed file opens whole, under its passphrase, or not at all."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol.errors import BadInput, VerificationFailed
from broker.recovery import sealed_file
from broker.recovery.sealed_file import CHUNK_BYTES, MAGIC
from tests.broker_case import seeded

PASSPHRASE = "five unusual words are enough"


@pytest.fixture(autouse=True, scope="module")
def _quick_keys() -> object:
    """Stretching is scrypt's matter; the header says how much it was."""
    patched = pytest.MonkeyPatch()
    patched.setattr(sealed_file, "_LOG2_N", 1)
    yield
    patched.undo()


def sealed(*parts: bytes) -> bytes:
    file = io.BytesIO()
    with sealed_file.sealing(file, PASSPHRASE, seeded("sealed")) as writer:
        for part in parts:
            writer.write(part)
    return file.getvalue()


def opened(data: bytes, size: int, passphrase: str = PASSPHRASE) -> bytes:
    reader = sealed_file.opening(io.BytesIO(data), passphrase)
    read = reader.read(size)
    reader.check_end()
    return read


SIZES = (0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 5)


@pytest.mark.parametrize("size", SIZES)
def test_what_was_written_is_read(size: int) -> None:
    data = bytes(index % 251 for index in range(size))
    assert opened(sealed(data[: size // 3], data[size // 3 :]), size) == data


@pytest.mark.parametrize("size", SIZES)
def test_a_file_that_was_cut_short_at_whatever_place_is_refused(size: int) -> None:
    whole = sealed(bytes(size))
    chunk = CHUNK_BYTES + 16
    start = len(whole) - size - 16 * max(1, -(-size // CHUNK_BYTES))
    cuts = {1, len(MAGIC) + 2, start, start + chunk, start + 2 * chunk, len(whole) - 1, len(whole) - 16}
    for cut in sorted(each for each in cuts if 0 < each < len(whole)):
        with pytest.raises((VerificationFailed, BadInput)):
            opened(whole[:cut], size)


@given(place=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_a_bit_that_was_changed_anywhere_is_noticed(place: int, bit: int) -> None:
    whole = bytearray(sealed(b"keys and records" * 4))
    whole[place % len(whole)] ^= 1 << bit
    with pytest.raises((VerificationFailed, BadInput)):
        opened(bytes(whole), 64)


def test_chunks_cannot_change_places_or_come_twice() -> None:
    whole = sealed(bytes(3 * CHUNK_BYTES))
    chunk = CHUNK_BYTES + 16
    start = len(whole) - 3 * chunk
    one, two, three = (whole[start + at * chunk : start + (at + 1) * chunk] for at in range(3))
    for order in ((two, one, three), (one, two, two, three), (one, three), (one, two, three, three)):
        with pytest.raises(VerificationFailed):
            opened(whole[:start] + b"".join(order), 3 * CHUNK_BYTES)


def test_another_passphrase_opens_nothing_and_a_short_one_seals_nothing() -> None:
    with pytest.raises(VerificationFailed, match="passphrase is another"):
        opened(sealed(b"keys"), 4, "five unusual words are enougH")
    with (
        pytest.raises(BadInput, match="at least 12"),
        sealed_file.sealing(io.BytesIO(), "hunter2", seeded("x")),
    ):
        pass


def test_no_two_files_share_a_key_or_show_what_is_in_them() -> None:
    random_bytes = seeded("two files")
    files = []
    for _ in range(2):
        file = io.BytesIO()
        with sealed_file.sealing(file, PASSPHRASE, random_bytes) as writer:
            writer.write(b"the very same secret")
        files.append(file.getvalue())
    assert files[0][-20:] != files[1][-20:]
    assert all(b"secret" not in each for each in files)


def test_a_header_that_asks_for_endless_work_is_refused() -> None:
    whole = sealed(b"keys")
    length = struct.unpack(">I", whole[len(MAGIC) : len(MAGIC) + 4])[0]
    header = whole[len(MAGIC) + 4 : len(MAGIC) + 4 + length]
    asked = header.replace(b'"log2_n":1', b'"log2_n":60')
    with pytest.raises(VerificationFailed):
        opened(MAGIC + struct.pack(">I", len(asked)) + asked + whole[len(MAGIC) + 4 + length :], 4)


def test_another_kind_of_file_is_said_to_be_none() -> None:
    with pytest.raises(BadInput, match="no backup"):
        opened(b"SQLite format 3\x00" * 10, 4)
