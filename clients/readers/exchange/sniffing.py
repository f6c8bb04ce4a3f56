"""Which format a file has whose ending says only that it is JSON.

Rule: a STIX bundle is told by its "objects", a MISP export by its events and attributes. What is neither is said to be
neither, and never guessed.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from broker.protocol.errors import BadInput
from clients.readers.columns.mapping import ColumnMapping
from clients.readers.exchange.json_stream import JsonStream
from clients.readers.input_file import opened
from clients.readers.misp_file import read_misp
from clients.readers.reading import silent
from clients.readers.signals import RefusedRow, Signal
from clients.readers.stix_file import read_stix

_STIX = frozenset({"objects", "spec_version"})
_MISP = frozenset({"Event", "response", "Attribute", "Object"})


def read_json(
    path: Path,
    *,
    mapping: ColumnMapping | None = None,
    default_region: str | None = None,
    say: Callable[[str], None] = silent,
) -> Iterator[Signal | RefusedRow]:
    """Stream the signals of a STIX bundle or a MISP export. Raises BadInput, at the first step, if it is neither."""
    reader = read_stix if _is_bundle(path) else read_misp
    yield from reader(path, mapping=mapping, default_region=default_region, say=say)


def _is_bundle(path: Path) -> bool:
    with opened(path) as file:
        stream = JsonStream(file)
        try:
            return _told(stream)
        finally:
            stream.detach()


def _told(stream: JsonStream) -> bool:
    if stream.kind() == "[":
        return False  # a list of events
    if stream.kind() == "{":
        for name in stream.members():
            if name in _STIX or name in _MISP:
                return name in _STIX
    raise BadInput(
        "The file is JSON, but neither a STIX bundle nor an export of MISP. For lines of JSON, one object a line, use "
        "the ending .ndjson."
    )
