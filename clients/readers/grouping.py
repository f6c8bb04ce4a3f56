"""Signals grouped by identifier in constant memory, on disk where they are many, and split into deposits of one class.

Rule (DESIGN 2.3): one record per identifier and class. Signals are written to a file as they come; DuckDB sorts where
they lie, in narrow rows of (place, salted hash, line, position), and spills what does not fit its memory. (Whole
signals it cannot sort in so little.) No identifier is on the disk: of it there is only the hash under the space's salt;
everything else of a signal is sealed under a key that lives as long as this process. So a crash leaves nothing to read,
and what it leaves is swept (`clients.working_folder`). DuckDB's own encryption of spilled files is not used: version
2.0 asks for an extension to be fetched from the network.

It reads no format and masks nothing. The same signals come out the same, in whatever order they went in.
"""

import os
import struct
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from broker.protocol import tokens
from broker.protocol.messages.base import RandomBytes
from clients.readers.record import SignalPart, part_of
from clients.readers.signals import Signal

MEMORY = "64MB"
"""What DuckDB may hold before it spills."""
_KEY_BYTES = 32
_HEAD = struct.Struct(">QH")
_BUFFER_ROWS = 8_192
_BUFFER_BYTES = 8 * 1024 * 1024
_FETCH_ROWS = 2_048


class Group(NamedTuple):
    """All signals of one identifier in one place, by line: the line of the first, and what a record says of each."""

    salted_hash: bytes
    line: int
    parts: tuple[SignalPart, ...]


class Grouping:
    """Takes signals and gives groups. Close it, or use it in a `with`.

    Args:
        folder: for what is spilled; of mode 0700, and emptied by whoever made it.
        salt: of the space.
    """

    def __init__(self, folder: Path, salt: bytes, random_bytes: RandomBytes) -> None:
        # Imported on use: the other commands of `deposit` group nothing.
        import duckdb

        self._salt = salt
        self._cipher = ChaCha20Poly1305(random_bytes(_KEY_BYTES))
        self._sealed_rows = 0
        self._file = os.open(folder / "signals", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._end = 0
        self._rows: list[tuple[int, bytes, int, int, int]] = []
        self._unwritten: list[bytes] = []
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": MEMORY,
                "threads": "1",
                "temp_directory": str(folder),
                # Nothing is fetched from the network, and no other file is opened.
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            },
        )
        self._connection.execute(
            "CREATE TABLE signals (place USMALLINT, hash BLOB, line UBIGINT, position UBIGINT, size UINTEGER)"
        )

    def add(self, place: int, signal: Signal) -> None:
        """Take one signal into a place, the number of a deposit of one type and class."""
        part = part_of(signal)
        reference = part.reference.encode("utf-8", errors="replace")
        data = _HEAD.pack(signal.line, len(reference)) + reference + part.attributes
        # The key is this object's own, so a counter is a nonce that never comes twice.
        nonce = self._sealed_rows.to_bytes(12, "big")
        self._sealed_rows += 1
        sealed = nonce + self._cipher.encrypt(nonce, data, None)
        h = tokens.salted_hash(self._salt, signal.canonical.text)
        self._rows.append((place, h, signal.line, self._end, len(sealed)))
        self._unwritten.append(sealed)
        self._end += len(sealed)
        if len(self._rows) >= _BUFFER_ROWS or len(sealed) * len(self._rows) >= _BUFFER_BYTES:
            self._flush()

    def identifiers(self) -> dict[int, int]:
        """How many identifiers each place has."""
        self._flush()
        query = "SELECT place, count(*) FROM (SELECT DISTINCT place, hash FROM signals) GROUP BY place"
        return dict(self._connection.execute(query).fetchall())

    def groups(self, place: int) -> Iterator[Group]:
        """The groups of a place in order of their hashes, the same at every call."""
        self._flush()
        query = "SELECT hash, position, size FROM signals WHERE place = ? ORDER BY hash, line, position"
        for h, rows in groupby(self._fetched(query, place), key=lambda row: row[0]):
            opened = [self._opened(os.pread(self._file, size, position)) for _, position, size in rows]
            yield Group(h, opened[0][0], tuple(part for _, part in opened))

    def close(self) -> None:
        """Give up the memory and the spilled files."""
        self._connection.close()
        os.close(self._file)

    def __enter__(self) -> "Grouping":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _flush(self) -> None:
        if self._rows:
            _write_whole(self._file, b"".join(self._unwritten))
            # Whole columns at once: row by row DuckDB takes fifty times as long.
            self._connection.execute(
                "INSERT INTO signals SELECT unnest(?::USMALLINT[]), unnest(?::BLOB[]), unnest(?::UBIGINT[]),"
                " unnest(?::UBIGINT[]), unnest(?::UINTEGER[])",
                [list(column) for column in zip(*self._rows, strict=True)],
            )
        self._rows, self._unwritten = [], []

    def _fetched(self, query: str, place: int) -> Iterator[tuple[bytes, int, int]]:
        cursor = self._connection.cursor()
        try:
            cursor.execute(query, [place])
            while rows := cursor.fetchmany(_FETCH_ROWS):
                yield from rows
        finally:
            cursor.close()

    def _opened(self, sealed: bytes) -> tuple[int, SignalPart]:
        data = self._cipher.decrypt(sealed[:12], sealed[12:], None)
        line, length = _HEAD.unpack_from(data)
        body = data[_HEAD.size :]
        return line, SignalPart(body[:length].decode("utf-8"), body[length:])


def _write_whole(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
