"""What its contributor calls each of its own records: token to local reference, sealed, for the day a release is asked.

    file = u16 width, then one row or more for each record in order of its token
    row  = token (16) || nonce (12) || ChaCha20-Poly1305 (u16 length || UTF-8 || zeros up to width) || tag (16)

Rule (DESIGN 2.8): the contributor sees the local reference of its own record, such as the case number in its file, and
never the identifier, which is kept nowhere. A row is sealed by itself, bound to its token, and found by halving the
file, so that one of a million is read without the rest. Rows of one file have one width: a length tells nothing. None
of a record's references is left out, however many people gave the same identifier: what does not fit one row goes on in
the next, whole references in each, and is put together again in no particular order. The file outlives the keys of its
series, and goes with its record, its deposit or the retention.
"""

import itertools
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO

from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.deposits import TOKEN_BYTES
from clients.vault import Vault

if TYPE_CHECKING:
    from clients.depositing.deposit_folder import DepositFolder

MAXIMUM_BYTES = 800
"""A longer single reference is cut. A case's has 200 characters at most (`persons.consent_case`), so it always fits."""
_ROW_BYTES = 400
"""What a row has room for, unless a single reference is longer: more makes each row of the file longer."""
_LENGTH_BYTES = 2
_WIDTHS = (32, 64, 128, _ROW_BYTES + _LENGTH_BYTES, MAXIMUM_BYTES + _LENGTH_BYTES)
_HEADER_BYTES = 2
_CUT = "..."
_BETWEEN = "; "


def references_name(deposit_id: bytes) -> str:
    """The name of the file in the home."""
    return f"deposits/{deposit_id.hex()}/references"


def find(deposit: "DepositFolder", token: bytes) -> str | None:
    """The local reference of one record; None if the deposit has none of that token, or keeps no references (any more).

    Raises VerificationFailed when the file is damaged."""
    name, found = references_name(deposit.deposit_id), []
    try:
        with deposit.vault.path(name).open("rb") as file:
            width, rows = _measure(file)
            below, above = 0, rows
            while below < above:
                middle = (below + above) // 2
                if _row(file, middle, width)[:TOKEN_BYTES] < token:
                    below = middle + 1
                else:
                    above = middle
            for at in range(below, rows):
                row = _row(file, at, width)
                if row[:TOKEN_BYTES] != token:
                    break
                found.append(_opened(deposit.vault, name, row))
    except FileNotFoundError:
        pass
    return _BETWEEN.join(found) if found else None


def all_references(deposit: "DepositFolder") -> Iterator[tuple[bytes, str]]:
    """(token, reference) of each record, in order of the tokens; none where no references are kept.

    Raises VerificationFailed when the file is damaged."""
    name = references_name(deposit.deposit_id)
    if not deposit.vault.exists(name):
        return
    with deposit.vault.path(name).open("rb") as file:
        width, number = _measure(file)
        for token, of_record in itertools.groupby(_rows(file, number, width), key=_token):
            yield token, _BETWEEN.join(_opened(deposit.vault, name, row) for row in of_record)


def parts(reference: str) -> frozenset[str]:
    """The references that one record has: of several rows of a file, divided by semicolons."""
    return frozenset(part.strip() for part in reference.split(";") if part.strip())


def joined(references: Iterable[str], unnamed: str) -> str:
    """What a record of several rows is called.

    Args:
        references: of each row its own, or nothing.
        unnamed: stands for rows without one: they are somebody's too, and no one else's to take back.
    """
    found = (reference.strip() if parts(reference) else unnamed.replace(";", ",") for reference in references)
    return _BETWEEN.join(dict.fromkeys(found))


def needed_bytes(text: str) -> int:
    """How many bytes of UTF-8 a row has to have room for, so that this goes into one row or several."""
    whole = len(text.encode("utf-8", errors="replace"))
    if whole <= _ROW_BYTES:
        return whole
    return max(_ROW_BYTES, *(len(_cut(part)) for part in _divided(text)))


def width_for(needed: int) -> int:
    """The width of a file's rows, of the most that any of its references needs (`needed_bytes`)."""
    return next((width for width in _WIDTHS if width >= needed + _LENGTH_BYTES), _WIDTHS[-1])


def sealed_rows(vault: Vault, deposit_id: bytes, token: bytes, text: str, width: int) -> list[bytes]:
    """The rows of one record in a deposit's file; several where they do not fit one."""
    return _sealed(vault, references_name(deposit_id), token, text, width)


def row_bytes(width: int) -> int:
    """The size of a row of that width."""
    return TOKEN_BYTES + Vault.SEAL_OVERHEAD_BYTES + width


def write(vault: Vault, deposit_id: bytes, width: int, rows: Iterable[bytes]) -> None:
    """Write a deposit's file from its `sealed_rows`, in order of the tokens."""
    with vault.writing(references_name(deposit_id)) as file:
        file.write(struct.pack(">H", width))
        for row in rows:
            file.write(row)


def change(
    vault: Vault,
    deposit_id: bytes,
    *,
    gone: Collection[bytes] = (),
    new: Mapping[bytes, str] | None = None,
) -> None:
    """Leave out the rows of some tokens, and give others a new reference. Again, it changes nothing.

    Rows stream; nothing happens where no references are kept. Raises VerificationFailed when the file is damaged."""
    name, changed = references_name(deposit_id), dict(new or {})
    if not vault.exists(name):
        return
    with vault.path(name).open("rb") as old:
        width, rows = _measure(old)
        wider = max(width, width_for(max(map(needed_bytes, changed.values()), default=0)))
        with vault.writing(name) as file:
            file.write(struct.pack(">H", wider))
            for token, of_record in itertools.groupby(_rows(old, rows, width), key=_token):
                if token in gone:
                    continue
                kept = list(of_record)
                if token in changed:
                    kept = _sealed(vault, name, token, changed[token], wider)
                elif wider != width:
                    texts = (_opened(vault, name, row) for row in kept)
                    kept = [row for text in texts for row in _sealed(vault, name, token, text, wider)]
                file.writelines(kept)


def _measure(file: BinaryIO) -> tuple[int, int]:
    """The width of a file's rows, and how many there are. Raises VerificationFailed."""
    header = file.read(_HEADER_BYTES)
    size = file.seek(0, 2) - _HEADER_BYTES
    width = struct.unpack(">H", header)[0] if len(header) == _HEADER_BYTES else 0
    if width not in _WIDTHS or size % row_bytes(width):
        raise VerificationFailed("The home's list of a deposit's references is damaged. Restore a backup.")
    return width, size // row_bytes(width)


def _row(file: BinaryIO, number: int, width: int) -> bytes:
    file.seek(_HEADER_BYTES + number * row_bytes(width))
    return file.read(row_bytes(width))


def _rows(file: BinaryIO, number: int, width: int) -> Iterator[bytes]:
    for at in range(number):
        yield _row(file, at, width)


def _token(row: bytes) -> bytes:
    return row[:TOKEN_BYTES]


def _divided(text: str) -> list[str]:
    """The references of a text, one by one; the text itself where it has none."""
    return list(dict.fromkeys(part.strip() for part in text.split(";") if part.strip())) or [text]


def _cut(text: str) -> bytes:
    data = text.encode("utf-8", errors="replace")
    if len(data) <= MAXIMUM_BYTES:
        return data
    # A character may be cut in two, and is then left out.
    return data[: MAXIMUM_BYTES - len(_CUT)].decode("utf-8", errors="ignore").encode() + _CUT.encode()


def _fitting(text: str, width: int) -> Iterator[bytes]:
    """The text in as many pieces of whole references as a width asks for."""
    room = width - _LENGTH_BYTES
    data = text.encode("utf-8", errors="replace")
    if len(data) <= room:
        yield data
        return
    piece = b""
    for part in map(_cut, _divided(text)):
        joined = piece + _BETWEEN.encode() + part if piece else part
        if len(joined) > room and piece:
            yield piece
            joined = part
        piece = joined
    yield piece


def _sealed(vault: Vault, name: str, token: bytes, text: str, width: int) -> list[bytes]:
    padded = ((struct.pack(">H", len(data)) + data).ljust(width, b"\x00") for data in _fitting(text, width))
    return [token + vault.seal_part(name, token, each) for each in padded]


def _opened(vault: Vault, name: str, row: bytes) -> str:
    padded = vault.open_part(name, row[:TOKEN_BYTES], row[TOKEN_BYTES:])
    (length,) = struct.unpack_from(">H", padded)
    return padded[2 : 2 + length].decode("utf-8")
