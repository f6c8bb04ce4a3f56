"""STIX bundles, 2.0 and 2.1: indicators, observables, observed data and sightings (OASIS STIX 2.1).

Rule: the file is read three times from front to back and never held: for the marking definitions, for what sightings
and observed data say of other objects, and for the identifiers. References are looked up once and not followed further,
so circles among them cost nothing. Of an object that is there in several versions the newest counts. What its author's
marking forbids to hand on is so marked (`Signal.forbidden`) and, unless it is only asked about, refused.

It reads single objects or lists of objects not at all: those are no bundles. Whether `valid_until` is over is for the
conditions of the deposit to say; here there is no clock.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from broker.protocol.errors import BadInput
from clients.identifiers import Rejected
from clients.readers.columns.mapping import ColumnMapping
from clients.readers.columns.table import checked_region
from clients.readers.exchange import elements
from clients.readers.exchange.json_stream import JsonStream, Unreadable
from clients.readers.exchange.passed_over import PassedOver
from clients.readers.exchange.stix_markings import Definitions
from clients.readers.exchange.stix_observables import facts_of, is_observable, named_by, word_for
from clients.readers.input_file import opened
from clients.readers.reading import silent
from clients.readers.signals import REFERENCE, RefusedRow, Signal

MAXIMUM_OBJECTS = 2_000_000
UNIT = "object"


def read_stix(
    path: Path,
    *,
    mapping: ColumnMapping | None = None,
    default_region: str | None = None,
    say: Callable[[str], None] = silent,
) -> Iterator[Signal | RefusedRow]:
    """Stream the signals of a STIX bundle. `line` is the number of the object in the bundle, from 1.

    Args: `mapping` must be None, since a bundle has no columns; `default_region` for phone numbers in national format;
    `say` is told, at the end, what was passed over.
    Raises: BadInput, at the first step, if the file is no bundle.
    """
    if mapping is not None:
        raise BadInput("A STIX bundle has no columns, so it takes no mapping.")
    region = checked_region(default_region)
    with opened(path) as file:
        bundle = _Bundle()
        for number, thing in _objects(file):
            bundle.survey(number, thing)
        for _, thing in _objects(file) if bundle.related else ():
            bundle.relate(thing)
        found = False
        for number, thing in _objects(file):
            for item in bundle.signals(number, thing, region):
                found = True
                yield item
        if not found:
            words = bundle.passed.words()
            raise BadInput(f"The bundle holds no identifier of a kind that is compared here. {words}".strip())
        if bundle.passed.counts:
            say(bundle.passed.words())


def _objects(file: BinaryIO) -> Iterator[tuple[int, dict[str, Any] | Unreadable]]:
    """The objects of a bundle with their numbers. Raises BadInput if the file is no bundle."""
    stream = JsonStream(file)
    try:
        if stream.kind() != "{":
            raise _no_bundle()
        kind: object = None
        listed = False
        for name in stream.members():
            if name == "type":
                kind = stream.load()
            elif name == "objects" and stream.kind() == "[" and not listed:
                listed = True
                for number in stream.elements():
                    if number > MAXIMUM_OBJECTS:
                        raise BadInput(f"The bundle has more than {MAXIMUM_OBJECTS:,} objects. Split it.")
                    yield number, _object(stream)
        stream.end()
        if kind != "bundle":
            raise _no_bundle()
    finally:
        stream.detach()


def _object(stream: JsonStream) -> dict[str, Any] | Unreadable:
    try:
        thing = stream.load()
    except Unreadable as error:
        return error
    return thing if isinstance(thing, dict) else Unreadable("it is no JSON object.")


def _no_bundle() -> BadInput:
    return BadInput(
        'The file is no STIX bundle: a JSON object of type "bundle" with a list "objects". Export it as a bundle.'
    )


@dataclass(slots=True)
class _Seen:
    """What others say of one object: how often it was seen, and from when to when."""

    count: int = 0
    first: str = ""
    last: str = ""
    forbidden: str | None = None

    def add(self, count: object, first: object, last: object) -> None:
        self.count += count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 1
        if isinstance(first, str) and (not self.first or first < self.first):
            self.first = first
        if isinstance(last, str) and last > self.last:
            self.last = last


@dataclass
class _Bundle:
    """What is kept of a bundle between the readings: of ids only their hashes, which differ from run to run."""

    definitions: Definitions = field(default_factory=Definitions)
    ids: set[int] = field(default_factory=set)
    repeated: set[int] = field(default_factory=set)
    newest: dict[int, tuple[str, str]] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    seen: dict[int, _Seen] = field(default_factory=dict)
    related: bool = False
    passed: PassedOver = field(default_factory=PassedOver)

    def survey(self, number: int, thing: dict[str, Any] | Unreadable) -> None:
        """First reading: definitions, and which ids occur twice."""
        if isinstance(thing, Unreadable):
            return
        kind = thing.get("type")
        if kind == "marking-definition":
            self.definitions.note(thing)
        key = _key(thing.get("id"))
        if key and key in self.ids:
            self.repeated.add(key)
        self.ids.add(key)
        self.related |= kind in ("sighting", "observed-data") or bool(self.repeated)

    def relate(self, thing: dict[str, Any] | Unreadable) -> None:
        """Second reading: what sightings and observed data say of others, and the newest of several versions."""
        if isinstance(thing, Unreadable):
            return
        key = _key(thing.get("id"))
        if key in self.repeated:
            self.newest[key] = max(self.newest.get(key, ("", "")), _moment(thing.get("modified")))
        marked = self.definitions.marked(thing)
        if thing.get("type") == "sighting" and not marked.forbidden and thing.get("revoked") is not True:
            # A sighting in confidence is left out; what was sighted is marked for itself.
            seen = self.seen.setdefault(_key(thing.get("sighting_of_ref")), _Seen())
            seen.add(thing.get("count"), thing.get("first_seen"), thing.get("last_seen"))
        elif thing.get("type") == "observed-data" and isinstance(thing.get("object_refs"), list):
            for reference in thing["object_refs"]:
                seen = self.seen.setdefault(_key(reference), _Seen())
                # What was observed in confidence is not to be told by the observable that stands beside it.
                seen.forbidden = seen.forbidden or marked.forbidden
                seen.add(
                    thing.get("number_observed"), thing.get("first_observed"), thing.get("last_observed")
                )

    def signals(
        self, number: int, thing: dict[str, Any] | Unreadable, region: str | None
    ) -> Iterator[Signal | RefusedRow]:
        """Third reading: the signals and refusals of one object."""
        if isinstance(thing, Unreadable):
            yield RefusedRow(number, thing.detail, unit=UNIT)
            return
        kind = thing.get("type")
        word = word_for(kind)
        try:
            if kind == "observed-data":
                yield from self._embedded(number, thing, region)
            elif kind == "sighting":
                self._check_sighting(thing)
            elif isinstance(kind, str) and (kind == "indicator" or is_observable(kind)):
                self._check_version(thing)
                yield from self._named(number, word, thing, thing, region)
            elif kind != "marking-definition":
                self.passed.add(kind)
        except Rejected as error:
            yield RefusedRow(number, f"{word}: {error.detail}", unit=UNIT)

    def _named(
        self,
        number: int,
        word: str,
        thing: Mapping[str, Any],
        marked_as: Mapping[str, Any],
        region: str | None,
    ) -> Iterator[Signal | RefusedRow]:
        marked = self.definitions.marked(marked_as)
        seen = self.seen.get(_key(thing.get("id")), _Seen())
        facts = {
            REFERENCE: thing.get("id", marked_as.get("id")),
            **facts_of(thing),
            "tlp": marked.tlp,
            "statement": list(marked.statements),
            "times_seen": seen.count or None,
            "first_seen": seen.first,
            "last_seen": seen.last,
        }
        forbidden = marked.forbidden or seen.forbidden
        named = named_by(thing)
        if not named:
            self.passed.add(word_for(thing.get("type")), "without an identifier that is compared")
        yield from elements.signals(number, UNIT, word, named, facts, forbidden, region)

    def _embedded(
        self, number: int, thing: Mapping[str, Any], region: str | None
    ) -> Iterator[Signal | RefusedRow]:
        """Observed data of STIX 2.0 hold their observables; those of 2.1 refer to them."""
        held = thing.get("objects", {})
        if not isinstance(held, dict):
            raise Rejected('its "objects" are no observables.')
        self._check_version(thing)
        for each in held.values():
            if isinstance(each, dict) and isinstance(each.get("type"), str) and is_observable(each["type"]):
                facts = {name: thing.get(name) for name in ("created_by_ref", "created", "modified")}
                held_thing = {**facts, **each, "id": thing.get("id")}
                yield from self._named(number, "observed-data", held_thing, thing, region)
            else:
                self.passed.add(each.get("type") if isinstance(each, dict) else None)

    def _check_sighting(self, thing: Mapping[str, Any]) -> None:
        if _key(thing.get("sighting_of_ref")) not in self.ids:
            raise Rejected("what was sighted is not in the file. Export the indicator with it.")

    def _check_version(self, thing: Mapping[str, Any]) -> None:
        key = _key(thing.get("id"))
        if key not in self.repeated:
            return
        if _moment(thing.get("modified")) < self.newest[key]:
            raise Rejected("the file holds a newer version of it.")
        if key in self.done:
            raise Rejected("the file holds it twice.")
        self.done.add(key)


def _key(name: object) -> int:
    return hash(name) if isinstance(name, str) else 0


def _moment(stamp: object) -> tuple[str, str]:
    """A time stamp so that a later one is greater: RFC 3339 in UTC, with any number of decimals."""
    whole, _, decimals = str(stamp or "").upper().removesuffix("Z").partition(".")
    return whole, decimals.ljust(9, "0")
