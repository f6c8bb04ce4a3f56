"""The plaintext of a sealed record: all signals a deposit holds about one identifier.

Rule: RFC 8785 JSON, versioned:

    {"signals":[{"attributes":{"seen":"2026-01-02"},"reference":"case 7"}],"v":1}

Signals are sorted by their own bytes and equal ones appear once, and neither line numbers nor the identifier
are in it: the same rows give the same record, whatever file they came in and in whatever order. The reference
is the row's own, else the source's name; the contributor alone can do anything with it.

It does not pad or encrypt: see `broker.protocol.sealing`.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import rfc8785

from broker.protocol.errors import BadInput
from clients.readers.signals import REFERENCE, Signal

VERSION = 1
_END = b'],"v":1}'


class SignalPart(NamedTuple):
    """What a record says of one signal: its own reference, or nothing, and its attributes as RFC 8785 JSON."""

    reference: str
    attributes: bytes


@dataclass(frozen=True)
class RecordedSignal:
    """One signal of an opened record."""

    reference: str = field(repr=False)
    attributes: tuple[tuple[str, str], ...] = field(repr=False)


def encode_record(signals: Sequence[Signal], source: str, *, maximum_bytes: int) -> bytes:
    """The plaintext of one identifier's record.

    Args:
        signals: at least one, all of one identifier (a group of `clients.readers.grouped`).
        source: the contributor's name for where rows without a reference of their own came from.
        maximum_bytes: what the space's size class leaves for the plaintext.

    Raises: BadInput if it does not fit, or if the signals are not of one identifier.
    """
    if len({signal.canonical.text for signal in signals}) != 1:
        raise BadInput("A record holds the signals of exactly one identifier. Group the signals first.")
    parts = [part_of(signal) for signal in signals]
    return record_of(parts, source, line=signals[0].line, maximum_bytes=maximum_bytes)


def part_of(signal: Signal) -> SignalPart:
    """What a record says of one signal."""
    attributes = dict(signal.attributes)
    reference = attributes.pop(REFERENCE, "")
    return SignalPart(reference, rfc8785.dumps(attributes))


def record_of(parts: Iterable[SignalPart], source: str, *, line: int, maximum_bytes: int) -> bytes:
    """The plaintext of one identifier's record from what it says of each signal. As `encode_record`; `line` is named
    in the error."""
    # RFC 8785 sorts "attributes" before "reference".
    members = {
        b'{"attributes":%b,"reference":%b}' % (part.attributes, rfc8785.dumps(part.reference or source))
        for part in parts
    }
    # RFC 8785 sorts "signals" before "v", and joining canonical members with commas is canonical.
    plaintext = b'{"signals":[' + b",".join(sorted(members)) + _END
    if len(plaintext) > maximum_bytes:
        raise BadInput(
            f"The record of the identifier on line {line} takes {len(plaintext):,} bytes; the "
            f"space's size class leaves {maximum_bytes:,}. Leave out columns or split its rows."
        )
    return plaintext


def decode_record(plaintext: bytes) -> tuple[RecordedSignal, ...]:
    """The signals of an opened record. Raises BadInput if it is not a record of this version."""
    try:
        record = json.loads(plaintext)
        if set(record) != {"signals", "v"} or rfc8785.dumps(record) != plaintext:
            raise ValueError
        if not plaintext.endswith(_END) or not record["signals"]:
            raise ValueError
        return tuple(_recorded(member) for member in record["signals"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise BadInput(
            "The record is not a list of signals of version 1. Ask its contributor to deposit it again."
        ) from None


def _recorded(member: dict[str, object]) -> RecordedSignal:
    reference, attributes = member["reference"], member["attributes"]
    if len(member) != 2 or not isinstance(reference, str) or not isinstance(attributes, dict):
        raise ValueError
    if not all(isinstance(value, str) for value in attributes.values()):
        raise ValueError
    return RecordedSignal(reference, tuple(sorted(attributes.items())))
