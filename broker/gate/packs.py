"""Packs of legal instruments: read from their files, and held against each other.

Rule: a pack is packs/NAME.toml and says so itself; an instrument has one name over all packs, since two texts of one
law contradict each other. Regions and gateways that it names must exist. Whatever is wrong is refused with the file
and the field. It does not judge whether the law is cited rightly.
"""

import datetime
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field, ValidationError

from broker.gate.catalogue import Regions
from broker.gate.instrument_terms import Pair, Words
from broker.gate.instruments import Instrument
from broker.gate.plain_text import read_toml
from broker.protocol.errors import BadInput
from broker.protocol.messages.base import Message, Name, Slug, explain

FOLDER = "packs"
_UNION = "EU"


class PackHead(Message):
    """The table [pack]: which pack this is, and of what day the law in it is."""

    name: Slug
    title: Name
    as_of: datetime.date
    written_by: Words


class Pack(Message):
    """One file of instruments."""

    pack: PackHead
    instrument: Annotated[dict[Slug, Instrument], Field(min_length=1, max_length=200)]


def read_packs(
    files: Mapping[str, str], regions: Regions, gateways: Collection[str] | None
) -> Mapping[str, Instrument]:
    """The instruments of all packs by name.

    Args:
        files: text by path in the bundle, such as packs/eu.toml; what is not below packs/ is not looked at.
        gateways: ids of the rules that are gateways; None where no rule is asked, so that they do not matter.

    Raises BadInput naming file and field."""
    names = sorted(name for name in files if name.startswith(f"{FOLDER}/") and name.endswith(".toml"))
    if not names:
        raise BadInput(f"The bundle has no pack of instruments: {FOLDER}/NAME.toml.")
    found: dict[str, Instrument] = {}
    written_in: dict[str, str] = {}
    for file in names:
        for name, instrument in read_pack(file, files[file], regions, gateways).items():
            if name in found:
                raise BadInput(
                    f"{file}: instrument.{name} is in {written_in[name]} already. Two texts of one law contradict "
                    "each other: keep one."
                )
            found[name], written_in[name] = instrument, file
    return MappingProxyType(found)


def read_pack(
    file: str, text: str, regions: Regions, gateways: Collection[str] | None
) -> dict[str, Instrument]:
    """The instruments of one pack, regions written out. Raises BadInput naming file and field."""
    try:
        pack = Pack.model_validate(read_toml(file, text), strict=False)
    except ValidationError as error:
        raise BadInput(f"{file}: {explain(error)}") from None
    path = PurePosixPath(file)
    if pack.pack.name != path.stem or path.parent.name != FOLDER or len(path.parts) != 2:
        raise BadInput(
            f"{file}: pack.name is another name than the file's, or the file is in a folder of its own. A pack is "
            f"{FOLDER}/NAME.toml, once."
        )
    known = regions.model_dump()
    return {
        name: _checked(f"{file}: instrument.{name}", instrument, known, gateways)
        for name, instrument in pack.instrument.items()
    }


def _checked(
    where: str, instrument: Instrument, regions: Mapping[str, Any], gateways: Collection[str] | None
) -> Instrument:
    if gateways is not None and not set(instrument.gateways) <= set(gateways):
        raise BadInput(
            f"{where}.gateways names a gateway that no rule is. The gateways are {', '.join(sorted(gateways))}."
        )
    pairs = tuple(
        Pair(
            across_borders_only=pair.across_borders_only,
            issuing=_written_out(f"{where}.pairs", pair.issuing, regions),
            contributors=(
                "same"
                if pair.contributors == "same"
                else _written_out(f"{where}.pairs", pair.contributors, regions)
            ),
        )
        for pair in instrument.pairs
    )
    return instrument.model_copy(update={"pairs": pairs})


def _written_out(where: str, places: tuple[str, ...], regions: Mapping[str, Any]) -> tuple[str, ...]:
    """The jurisdictions behind names of regions, sorted."""
    found: set[str] = set()
    for place in places:
        if place == _UNION:
            raise BadInput(f"{where} says {_UNION}, which is no jurisdiction. Name a region of regions.toml.")
        if place.isupper():
            found.add(place)
        elif place in regions:
            found.update(regions[place])
        else:
            raise BadInput(f"{where} names a region that is not in regions.toml.")
    return tuple(sorted(found))
