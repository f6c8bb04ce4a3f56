"""MISP events and objects, as MISP exports them in JSON (MISP core format).

Rule: the file is read twice from front to back and never held: for what is said of whole events, and for their
attributes. What a tag or the distribution forbids to hand on is so marked (`Signal.forbidden`) and, unless it is only
asked about, refused. Deleted attributes are refused.

It reads one event, a list of events, a MISP answer to a search for events or attributes, or one object. It takes no
files that are attached, no names of persons, and asks no MISP server.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.protocol.errors import BadInput
from clients.identifiers import Rejected
from clients.readers.columns.mapping import ColumnMapping
from clients.readers.columns.table import checked_region
from clients.readers.exchange import elements
from clients.readers.exchange.json_stream import JsonStream, Unreadable
from clients.readers.exchange.misp_tags import Tagged, tagged
from clients.readers.exchange.misp_types import TARGETS, TYPES, named_by
from clients.readers.exchange.passed_over import PassedOver
from clients.readers.input_file import opened
from clients.readers.reading import silent
from clients.readers.signals import REFERENCE, RefusedRow, Signal

UNIT = "attribute"
MAXIMUM_EVENTS = 200_000
_MAXIMUM_WRAPPERS = 4
_MAXIMUM_SIBLINGS = 100
_WRAPPERS = frozenset({"Event", "response", "events"})
_FACTS = ("Tag", "distribution", "date", "uuid", "name", "deleted")


def read_misp(
    path: Path,
    *,
    mapping: ColumnMapping | None = None,
    default_region: str | None = None,
    say: Callable[[str], None] = silent,
) -> Iterator[Signal | RefusedRow]:
    """Stream the signals of a MISP export. `line` is the number of the attribute in the file, from 1.

    Args: `mapping` must be None, since MISP has no columns; `default_region` for phone numbers in national format;
    `say` is told, at the end, what was passed over.
    Raises: BadInput, at the first step, if the file is no export of MISP.
    """
    if mapping is not None:
        raise BadInput("A MISP event has no columns, so it takes no mapping.")
    region = checked_region(default_region)
    with opened(path) as file:
        survey = _Export(JsonStream(file))
        for _ in survey.attributes(surveying=True):
            pass
        survey.stream.detach()
        if not survey.listed:
            raise BadInput(
                'The file is no event or object of MISP: it has no list "Attribute" or "Object". Export it as JSON.'
            )
        export = _Export(JsonStream(file), events=survey.events)
        found, passed = False, PassedOver()
        for attribute in export.attributes(surveying=False):
            for item in _signals(attribute, region, passed):
                found = True
                yield item
        export.stream.detach()
        if not found:
            raise BadInput(
                f"The export holds no identifier of a kind that is compared here. {passed.words()}".strip()
            )
        if passed.counts:
            say(passed.words())


@dataclass(frozen=True)
class _Event:
    """What is said of one event, or of an object that stands by itself."""

    tags: Tagged = field(default_factory=Tagged)
    date: object = None
    uuid: object = None
    name: str = ""
    siblings: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class _Attribute:
    """One attribute where it stands: the event, the object ("" for none) and the object's other values."""

    number: int
    members: Mapping[str, Any] | Unreadable
    event: _Event
    thing: str = ""
    siblings: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass
class _Export:
    """One reading of an export."""

    stream: JsonStream
    events: list[_Event] = field(default_factory=list)
    number: int = 0
    event: int = 0
    listed: bool = False

    def attributes(self, *, surveying: bool) -> Iterator[_Attribute]:
        """The attributes of the file; surveying, none, but what is said of the events is noted."""
        yield from self._walk(surveying, 0)
        self.stream.end()

    def _walk(self, surveying: bool, depth: int) -> Iterator[_Attribute]:
        if self.stream.kind() == "[" and depth <= _MAXIMUM_WRAPPERS:
            for _ in self.stream.elements():
                yield from self._walk(surveying, depth + 1)
        elif self.stream.kind() == "{" and depth <= _MAXIMUM_WRAPPERS:
            yield from self._event(surveying, depth)

    def _event(self, surveying: bool, depth: int) -> Iterator[_Attribute]:
        own = self.event
        self.event += 1
        if surveying:
            if own >= MAXIMUM_EVENTS:
                raise BadInput(f"The export has more than {MAXIMUM_EVENTS:,} events. Split it.")
            self.events.append(_Event())
        facts: dict[str, Any] = {}
        siblings: Mapping[str, str] = {}
        for name in self.stream.members():
            if name in ("Attribute", "Object") and self.stream.kind() == "[":
                self.listed = True
                if not surveying:
                    yield from self._listed(name, self.events[own])
                elif name == "Attribute":
                    siblings = self._siblings()
            elif name in _WRAPPERS:
                yield from self._walk(surveying, depth + 1)
            elif surveying and name in _FACTS:
                facts[name] = self.stream.load()
        if surveying:
            named = facts.get("name")
            name = named if isinstance(named, str) else ""
            self.events[own] = _Event(
                tagged(facts), facts.get("date"), facts.get("uuid"), name, siblings if name else {}
            )

    def _siblings(self) -> Mapping[str, str]:
        """The values of an object that stands by itself, which is not known of it before its name is read."""
        listed = []
        for number in self.stream.elements():
            if number <= _MAXIMUM_SIBLINGS:
                with suppress(Unreadable):
                    listed.append(self.stream.load())
        return _by_relation(listed)

    def _listed(self, name: str, event: _Event) -> Iterator[_Attribute]:
        for _ in self.stream.elements():
            try:
                members = self.stream.load()
            except Unreadable as error:
                members = error
            if isinstance(members, dict) and name == "Object":
                yield from self._object(members, event)
                continue
            self.number += 1
            if not isinstance(members, dict | Unreadable):
                members = Unreadable("it is no JSON object.")
            yield _Attribute(self.number, members, event, event.name, event.siblings)

    def _object(self, thing: dict[str, Any], event: _Event) -> Iterator[_Attribute]:
        named, held = thing.get("name"), thing.get("Attribute")
        outer = _Event(tagged(thing).within(event.tags), event.date, event.uuid)
        listed = [each for each in held if isinstance(each, dict)] if isinstance(held, list) else []
        siblings = _by_relation(listed)
        for members in listed:
            self.number += 1
            inside = {**members, "deleted": members.get("deleted") or thing.get("deleted")}
            yield _Attribute(self.number, inside, outer, named if isinstance(named, str) else "", siblings)


def _by_relation(attributes: Iterable[object]) -> dict[str, str]:
    found = [each for each in attributes if isinstance(each, dict)]
    return {str(each.get("object_relation")): str(each.get("value")) for each in found}


def _signals(attribute: _Attribute, region: str | None, passed: PassedOver) -> Iterator[Signal | RefusedRow]:
    members, event = attribute.members, attribute.event
    if isinstance(members, Unreadable):
        yield RefusedRow(attribute.number, members.detail, unit=UNIT)
        return
    kind, raw, relation = members.get("type"), members.get("value"), members.get("object_relation")
    if not isinstance(kind, str) or not isinstance(raw, str):
        passed.add("attribute without type or value")
        return
    word = kind if kind in TYPES or kind in TARGETS else "attribute"
    try:
        named = named_by(
            attribute.thing, attribute.siblings, relation if isinstance(relation, str) else "", kind, raw
        )
        if named is None:
            passed.add(attribute.thing, relation if attribute.thing else kind)
            return
        # An answer to a search for attributes tells the event's distribution inside of each.
        around = members.get("Event")
        tags = (
            tagged(members)
            .within(tagged(around) if isinstance(around, dict) else Tagged())
            .within(event.tags)
        )
        if members.get("deleted") in (True, 1, "1"):
            raise Rejected("it was deleted in MISP.")
        if tags.expired:
            raise Rejected("its retention is over (retention:expired).")
    except Rejected as error:
        yield RefusedRow(attribute.number, f"{word}: {error.detail}", unit=UNIT)
        return
    facts = {
        REFERENCE: members.get("uuid"),
        "event": event.uuid,
        "event_date": event.date,
        "misp_type": word,
        "category": members.get("category"),
        "to_ids": members.get("to_ids"),
        "first_seen": members.get("first_seen"),
        "last_seen": members.get("last_seen"),
        "tlp": tags.tlp,
        "pap": tags.pap,
        "retention": tags.retention,
    }
    yield from elements.signals(attribute.number, UNIT, word, [named], facts, tags.forbidden, region)
