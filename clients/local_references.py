"""What its contributor calls each of its own records: token to local reference, sealed, for the day a release is asked.

    file = u16 width, then a row for each record in order of its token
    row  = token (16) || nonce (12) || ChaCha20-Poly1305 (u16 length || UTF-8 || zeros up to width) || tag (16)

Rule (DESIGN 2.8): the contributor sees the local reference of its own record, such as the case number in its file, and
never the identifier, which is kept nowhere. A row is sealed by itself, bound to its token, and found by halving the
file, so that one of a million is read without the rest. Rows of one file have one width: a length tells nothing. The
file outlives the keys of its series, and goes with its record, its deposit or the retention.
"""

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO

from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.deposits import TOKEN_BYTES
from clients.vault import Vault

if TYPE_CHECKING:
    from clients.deposit_folder import DepositFolder

MAXIMUM_BYTES = 400
"""A longer reference is cut."""
_WIDTHS = (32, 64, 128, 402)
_HEADER_BYTES = 2
_CUT = "..."


def references_name(deposit_id: bytes) -> str:
    """The name of the file in the home."""
    return f"deposits/{deposit_id.hex()}/references"


def find(deposit: "DepositFolder", token: bytes) -> str | None:
    """The local reference of one record; None if the deposit has none of that token, or keeps no references (any more).

    Raises VerificationFailed when the file is damaged."""
    name = references_name(deposit.deposit_id)
    try:
        with deposit.vault.path(name).open("rb") as file:
            width, rows = _measure(file)
            below, above = 0, rows
            while below < above:
                middle = (below + above) // 2
                row = _row(file, middle, width)
                if row[:TOKEN_BYTES] == token:
                    return _opened(deposit.vault, name, row)
                below, above = (middle + 1, above) if row[:TOKEN_BYTES] < token else (below, middle)
    except FileNotFoundError:
        pass
    return None


def all_references(deposit: "DepositFolder") -> Iterator[tuple[bytes, str]]:
    """(token, reference) of each record, in order of the tokens; none where no references are kept.

    Raises VerificationFailed when the file is damaged."""
    name = references_name(deposit.deposit_id)
    if not deposit.vault.exists(name):
        return
    with deposit.vault.path(name).open("rb") as file:
        width, number = _measure(file)
        for row in _rows(file, number, width):
            yield row[:TOKEN_BYTES], _opened(deposit.vault, name, row)


def parts(reference: str) -> frozenset[str]:
    """The references that one record has: of several rows of a file, divided by semicolons."""
    return frozenset(part.strip() for part in reference.split(";") if part.strip())


def keep(vault: Vault, deposit_id: bytes, references: Iterable[tuple[bytes, str]]) -> None:
    """Write the references of a deposit's records, (token, reference) each, in any order.

    Memory: the list of them, sorted."""
    ordered = sorted(references)
    width = _width_for(max((len(_cut(text)) for _, text in ordered), default=0))
    name = references_name(deposit_id)
    with vault.writing(name) as file:
        file.write(struct.pack(">H", width))
        for token, text in ordered:
            file.write(_sealed(vault, name, token, text, width))


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
        longest = max((len(_cut(text)) for text in changed.values()), default=0)
        wider = max(width, _width_for(longest))
        with vault.writing(name) as file:
            file.write(struct.pack(">H", wider))
            for row in _rows(old, rows, width):
                token = row[:TOKEN_BYTES]
                if token in gone:
                    continue
                if token in changed or wider != width:
                    text = changed[token] if token in changed else _opened(vault, name, row)
                    row = _sealed(vault, name, token, text, wider)
                file.write(row)


def _measure(file: BinaryIO) -> tuple[int, int]:
    """The width of a file's rows, and how many there are. Raises VerificationFailed."""
    header = file.read(_HEADER_BYTES)
    size = file.seek(0, 2) - _HEADER_BYTES
    width = struct.unpack(">H", header)[0] if len(header) == _HEADER_BYTES else 0
    if width not in _WIDTHS or size % _row_bytes(width):
        raise VerificationFailed("The home's list of a deposit's references is damaged. Restore a backup.")
    return width, size // _row_bytes(width)


def _row_bytes(width: int) -> int:
    return TOKEN_BYTES + Vault.SEAL_OVERHEAD_BYTES + width


def _row(file: BinaryIO, number: int, width: int) -> bytes:
    file.seek(_HEADER_BYTES + number * _row_bytes(width))
    return file.read(_row_bytes(width))


def _rows(file: BinaryIO, number: int, width: int) -> Iterator[bytes]:
    for at in range(number):
        yield _row(file, at, width)


def _cut(text: str) -> bytes:
    data = text.encode("utf-8", errors="replace")
    if len(data) <= MAXIMUM_BYTES:
        return data
    # A character may be cut in two, and is then left out.
    return data[: MAXIMUM_BYTES - len(_CUT)].decode("utf-8", errors="ignore").encode() + _CUT.encode()


def _width_for(length: int) -> int:
    return next((width for width in _WIDTHS if width >= length + 2), _WIDTHS[-1])


def _sealed(vault: Vault, name: str, token: bytes, text: str, width: int) -> bytes:
    data = _cut(text)
    padded = (struct.pack(">H", len(data)) + data).ljust(width, b"\x00")
    return token + vault.seal_part(name, token, padded)


def _opened(vault: Vault, name: str, row: bytes) -> str:
    padded = vault.open_part(name, row[:TOKEN_BYTES], row[TOKEN_BYTES:])
    (length,) = struct.unpack_from(">H", padded)
    return padded[2 : 2 + length].decode("utf-8")
