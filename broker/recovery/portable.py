"""Files and tables as one stream of bytes that no database has a part in: the same for SQLite and PostgreSQL.

    "F" name, bytes                          a file of the folder
    "T" name, columns; "R" values ...; "E"   a table, row by row
    "M" manifest                             last: canonical JSON with the number and SHA-256 of each of the above

A text is u32 length and UTF-8; a value is "N", "I" and 8 bytes, "B" or "T" with u32 length and its bytes.

Rule: what is read is compared with the manifest before it is of any use; memory does not grow with a table. It opens no
database, and knows no meaning of what it carries.
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.base import Bytes32, Count, Message, Name, Seconds, decode, encode

MAXIMUM_FILE_BYTES = 64 * 1024 * 1024
_DIFFERS = "What is in the backup is not what its manifest says. Use another copy."
_NO_STREAM = "The backup is not of a form that this release writes. Restore it with the release that made it."


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes, /) -> object:
        """Go on with these bytes."""
        ...


class Source(Protocol):
    """Where bytes come from."""

    def read(self, size: int, /) -> bytes:
        """So many bytes, no fewer."""
        ...


class Section(Message):
    """One file or table: its bytes or rows, and SHA-256 over how it is written here."""

    name: Name
    kind: Literal["file", "table"]
    number: Count
    digest: Bytes32


class Manifest(Message):
    """What a backup holds: of which log, how far it had come, and when."""

    v: Literal[1] = 1
    log_origin: Name
    size: Count
    root: Bytes32
    schema_version: Name
    made_at: Seconds
    sections: tuple[Section, ...]


class PortableWriter:
    """Writes sections and then their manifest."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._sections: list[Section] = []
        self._digest = hashlib.sha256()

    def file(self, name: str, data: bytes) -> None:
        """A file of the folder."""
        self._digest = hashlib.sha256()
        self._put(b"F" + _text(name) + struct.pack(">I", len(data)) + data)
        self._end(name, "file", len(data))

    def table(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """A table with all its rows."""
        self._digest = hashlib.sha256()
        self._put(b"T" + _text(name) + struct.pack(">I", len(columns)) + b"".join(map(_text, columns)))
        number = 0
        for number, row in enumerate(rows, 1):  # noqa: B007 - the last is how many there were
            self._put(b"R" + b"".join(map(_value, row)))
        self._put(b"E")
        self._end(name, "table", number)

    def manifest(self, **said: Any) -> Manifest:
        """The end. `said` are the manifest's fields but `sections`."""
        manifest = Manifest(**said, sections=tuple(self._sections))
        data = encode(manifest)
        self._sink.write(b"M" + struct.pack(">I", len(data)) + data)
        return manifest

    def _put(self, data: bytes) -> None:
        self._digest.update(data)
        self._sink.write(data)

    def _end(self, name: str, kind: Literal["file", "table"], number: int) -> None:
        self._sections.append(Section(name=name, kind=kind, number=number, digest=self._digest.digest()))


@dataclass(frozen=True)
class FileRead:
    """A file's name and bytes."""

    name: str
    data: bytes


@dataclass(frozen=True)
class TableRead:
    """A table; its rows are read as they are asked for, and must be before the next section is."""

    name: str
    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


class PortableReader:
    """Reads sections; `read_manifest` is there once all of them were read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._sections: list[Section] = []
        self._digest = hashlib.sha256()
        self.read_manifest: Manifest | None = None

    def sections(self) -> Iterator[FileRead | TableRead]:
        """Each in turn. Raises BadInput, or VerificationFailed when they are not those of the manifest."""
        while (tag := self._source.read(1)) != b"M":
            self._digest = hashlib.sha256(tag)
            name = self._text()
            if tag == b"F":
                data = self._bytes(MAXIMUM_FILE_BYTES)
                self._end(name, "file", len(data))
                yield FileRead(name, data)
            elif tag == b"T":
                columns = tuple(self._text() for _ in range(self._length(1000)))
                table = TableRead(name, columns, self._rows(name, len(columns)))
                yield table
                for _ in table.rows:  # whatever was not asked for
                    pass
            else:
                raise BadInput(_NO_STREAM)
        data = self._source.read(int.from_bytes(self._source.read(4), "big"))
        self.read_manifest = decode(Manifest, data)
        if self.read_manifest.sections != tuple(self._sections):
            raise VerificationFailed(_DIFFERS)

    def _rows(self, name: str, columns: int) -> Iterator[tuple[Any, ...]]:
        number = 0
        while (tag := self._take(1)) == b"R":
            number += 1
            yield tuple(self._value() for _ in range(columns))
        if tag != b"E":
            raise BadInput(_NO_STREAM)
        self._end(name, "table", number)

    def _value(self) -> Any:
        tag = self._take(1)
        if tag == b"N":
            return None
        if tag == b"I":
            return int.from_bytes(self._take(8), "big", signed=True)
        data = self._bytes(1 << 31)
        if tag == b"B":
            return data
        if tag != b"T":
            raise BadInput(_NO_STREAM)
        return _decoded(data)

    def _text(self) -> str:
        return _decoded(self._bytes(4096))

    def _bytes(self, limit: int) -> bytes:
        return self._take(self._length(limit))

    def _length(self, limit: int) -> int:
        length = int.from_bytes(self._take(4), "big")
        if length > limit:
            raise BadInput(_NO_STREAM)
        return length

    def _take(self, size: int) -> bytes:
        data = self._source.read(size)
        self._digest.update(data)
        return data

    def _end(self, name: str, kind: Literal["file", "table"], number: int) -> None:
        self._sections.append(Section(name=name, kind=kind, number=number, digest=self._digest.digest()))


def _text(value: str) -> bytes:
    data = value.encode("utf-8")
    return struct.pack(">I", len(data)) + data


def _value(value: Any) -> bytes:
    if value is None:
        return b"N"
    if isinstance(value, int):
        return b"I" + value.to_bytes(8, "big", signed=True)
    if isinstance(value, str):
        return b"T" + _text(value)
    return b"B" + struct.pack(">I", len(value)) + bytes(value)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(_NO_STREAM) from error
