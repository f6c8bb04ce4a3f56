"""The mutants of a bundle's tables: every number one off, every entry dropped. Tables are rules, too.

Rule (issue 4): each number of limits.toml one more and one less, each gateway of a lane, each entry of each list of an
instrument, each date a day off or gone, each instrument and each member of a region dropped. A number outside the
bounds of its type is none, since it could not be loaded. Rules are mutated elsewhere.
"""

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from broker.gate.bundle import Bundle
from broker.gate.catalogue import Instrument, Limits, Regions
from broker.protocol.messages.base import Message

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class TableMutant:
    """One table with one slip. It makes no difference to a case that lacks one of the words `read_for`."""

    name: str
    read_for: frozenset[str]
    number: str | None
    """The name of the number that is one off; None for what is no number of limits.toml."""
    apply: Callable[[Bundle], Bundle]

    def applied(self, bundle: Bundle) -> Bundle:
        """The bundle with this slip."""
        return replace(self.apply(bundle), digest=bytes(32))


def table_mutants(bundle: Bundle) -> tuple[TableMutant, ...]:
    """All mutants of the tables: limits, lanes, instruments, regions."""
    return (*_of_limits(bundle), *_of_lanes(bundle), *_of_instruments(bundle), *_of_regions(bundle))


def _of_limits(bundle: Bundle) -> Iterator[TableMutant]:
    for name, value in bundle.limits.model_dump().items():
        for other in (value - 1, value + 1):
            limits = _checked(Limits, bundle.limits, {name: other})
            if limits is not None:
                yield _mutant(f"limits.toml, {name}: {other} for {value}", (), "limits", limits, number=name)


def _of_lanes(bundle: Bundle) -> Iterator[TableMutant]:
    for depositor, readers in bundle.lanes.items():
        for reader, gateways in readers.items():
            for gateway in gateways:
                left = tuple(name for name in gateways if name != gateway)
                lanes = {**bundle.lanes, depositor: {**readers, reader: left}}
                name = f"lanes.toml, {depositor} to {reader}: {gateway} dropped"
                yield _mutant(name, (depositor, reader), "lanes", MappingProxyType(lanes))


def _of_instruments(bundle: Bundle) -> Iterator[TableMutant]:
    for name, instrument in bundle.instruments.items():
        others = {key: each for key, each in bundle.instruments.items() if key != name}
        yield _mutant(f"{name}: dropped", (name,), "instruments", MappingProxyType(others))
        for field in Instrument.model_fields:
            for slip, value in _slips(getattr(instrument, field)):
                changed = _checked(Instrument, instrument, {field: value})
                if changed is not None:
                    slipped = MappingProxyType({**bundle.instruments, name: changed})
                    yield _mutant(f"{name}, {field}: {slip}", (name,), "instruments", slipped)


def _of_regions(bundle: Bundle) -> Iterator[TableMutant]:
    for region in Regions.model_fields:
        for slip, value in _slips(getattr(bundle.regions, region)):
            changed = bundle.regions.model_copy(update={region: value})
            yield _mutant(f"regions.toml, {region}: {slip}", (slip.partition(" ")[0],), "regions", changed)


def _slips(value: Any) -> Iterator[tuple[str, Any]]:
    """What may have gone wrong with one entry; nothing for what no rule reads, such as names and remarks."""
    if isinstance(value, tuple):
        yield from ((f"{each} dropped", tuple(other for other in value if other != each)) for each in value)
    elif isinstance(value, datetime.date):
        yield "a day early", value - _DAY
        yield "a day late", value + _DAY
        yield "no date", None


def _checked(kind: type[Message], message: Message, update: Mapping[str, Any]) -> Any:
    """The message with an update, or None where that is outside the bounds of its type."""
    try:
        return kind.model_validate({**{name: getattr(message, name) for name in kind.model_fields}, **update})
    except ValidationError:
        return None


def _mutant(
    name: str, read_for: tuple[str, ...], table: str, value: object, number: str | None = None
) -> TableMutant:
    slipped: dict[str, Any] = {table: value}

    def apply(bundle: Bundle) -> Bundle:
        return replace(bundle, **slipped)

    return TableMutant(name, frozenset(read_for), number, apply)
