"""The mutants of a bundle's tables: every number one off, every entry dropped. Tables are rules, too.

Rule (issue 4): each number of limits.toml one more and one less, each gateway of a lane, each entry of each list of an
instrument, each date a day off or gone, each instrument and each member of a region dropped. A number outside the
bounds of its type is none, since it could not be loaded; nor is a slip in an instrument that opens no gateway or has no
date, since it allows nothing whatever else it says. Rules are mutated elsewhere.
"""

import datetime
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from broker.gate.bundle import Bundle
from broker.gate.catalogue import Limits
from broker.gate.instruments import Instrument
from broker.protocol.messages.base import Message

_DAY = datetime.timedelta(days=1)
_READ = (
    "gateways",
    "issuers",
    "validators",
    "tiers",
    "payload_categories",
    "identifier_types",
    "in_force_from",
    "in_force_until",
)
"""What the rules are told of an instrument, besides its pairs; the rest is for people."""
_SAID = ("issuers", "validators", "payload_categories", "identifier_types")
"""Of these an entry is compared with a word in the facts themselves."""


@dataclass(frozen=True)
class TableMutant:
    """One table with one slip. It makes no difference to a case that lacks one of the words `read_for`."""

    name: str
    read_for: frozenset[str]
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
                yield _mutant(f"limits.toml, {name}: {other} for {value}", (), "limits", limits)


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
        if not instrument.gateways or instrument.in_force_from is None:
            continue
        others = {key: each for key, each in bundle.instruments.items() if key != name}
        yield _mutant(f"{name}: dropped", (name,), "instruments", MappingProxyType(others))
        slips = [
            (f"{field}: {slip}", _said(field, slip), {field: value})
            for field in _READ
            for slip, value in _slips(getattr(instrument, field))
        ]
        for slip, words, update in (*slips, *_of_pairs(instrument)):
            changed = _checked(Instrument, instrument, update)
            if changed is not None:
                slipped = MappingProxyType({**bundle.instruments, name: changed})
                yield _mutant(f"{name}, {slip}", (name, *words), "instruments", slipped)


def _said(field: str, slip: str) -> tuple[str, ...]:
    """The word that facts must have for an entry to be read for them; none for what facts do not say."""
    return (slip.partition(" ")[0],) if field in _SAID else ()


def _of_pairs(instrument: Instrument) -> Iterator[tuple[str, tuple[str, ...], dict[str, Any]]]:
    """Every pair of jurisdictions dropped, and every jurisdiction of either side."""
    pairs = instrument.pairs
    for index, pair in enumerate(pairs):
        where = f"pair {index + 1}"
        yield f"{where}: dropped", (), {"pairs": pairs[:index] + pairs[index + 1 :]}
        for side in ("issuing", "contributors"):
            listed = getattr(pair, side)
            for country in listed if isinstance(listed, tuple) else ():
                left = tuple(each for each in listed if each != country)
                fewer = pair.model_copy(update={side: left})
                changed = tuple(fewer if each is pair else each for each in pairs)
                yield f"{where}, {side}: {country} dropped", (country,), {"pairs": changed if left else ()}


def _of_regions(bundle: Bundle) -> Iterator[TableMutant]:
    """Of the regions rules read the Union alone; in packs the others are written out, and mutated there."""
    for slip, value in _slips(bundle.regions.union):
        changed = bundle.regions.model_copy(update={"union": value})
        yield _mutant(f"regions.toml, union: {slip}", (slip.partition(" ")[0],), "regions", changed)


def _slips(value: Any) -> Iterator[tuple[str, Any]]:
    """What may have gone wrong with one entry; nothing for one that is not there."""
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


def _mutant(name: str, read_for: tuple[str, ...], table: str, value: object) -> TableMutant:
    slipped: dict[str, Any] = {table: value}

    def apply(bundle: Bundle) -> Bundle:
        return replace(bundle, **slipped)

    return TableMutant(name, frozenset(read_for), apply)
