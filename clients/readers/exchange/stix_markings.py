"""The marking definitions of a STIX bundle, and what they come to for one object (STIX 2.1, 7.2 and 10.7).

Rule: the Traffic Light definitions have fixed ids and mean what the standards say, whatever a bundle says of them. A
definition that is missing, or of a kind that is not known here, might forbid to share, so it counts as forbidding. A
marking of a part of an object counts for all of it.

A marking's own markings and author are not followed, so that no circle of references can be entered.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clients.readers.exchange.markings import known_tlp, strictest, why_forbidden

MAXIMUM_DEFINITIONS = 10_000
_TLP_2 = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
_FIXED = {
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": "clear",
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": "green",
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": "amber",
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": "red",
    "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": "clear",
    "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": "green",
    "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": "amber",
    "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": "amber+strict",
    "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1": "red",
}
"""STIX 2.1, 7.2.1.4 (TLP 1); OASIS, TLP 2.0 for STIX 2.1."""


@dataclass(frozen=True)
class Marked:
    """What the markings of one object come to: Traffic Light name, statements, and why it may not be shared."""

    tlp: str | None = None
    statements: tuple[str, ...] = ()
    forbidden: str | None = None


@dataclass
class Definitions:
    """The definitions that a bundle brings with it."""

    lights: dict[str, str] = field(default_factory=dict)
    statements: dict[str, str] = field(default_factory=dict)

    def note(self, definition: Mapping[str, Any]) -> None:
        """Take in one marking-definition object. Beyond the bound they are unknown, and so forbid."""
        name = definition.get("id")
        if not isinstance(name, str) or len(self.lights) + len(self.statements) >= MAXIMUM_DEFINITIONS:
            return
        kind, said = definition.get("definition_type"), definition.get("definition")
        extensions = definition.get("extensions")
        if isinstance(extensions, dict) and isinstance(extensions.get(_TLP_2), dict):
            self._light(name, extensions[_TLP_2].get("tlp_2_0"))
        elif kind == "tlp" and isinstance(said, dict):
            self._light(name, said.get("tlp"))
        elif kind == "statement" and isinstance(said, dict) and isinstance(said.get("statement"), str):
            self.statements[name] = said["statement"][:1000]

    def _light(self, name: str, said: object) -> None:
        light = known_tlp(said) if isinstance(said, str) else "unclear"
        # The id twice: the stricter counts.
        self.lights[name] = strictest(filter(None, (self.lights.get(name), light))) or light

    def marked(self, thing: Mapping[str, Any]) -> Marked:
        """What the markings of an object come to."""
        lights, statements = [], []
        for reference in _references(thing):
            if reference in _FIXED:
                lights.append(_FIXED[reference])
            elif reference in self.lights:
                lights.append(self.lights[reference])
            elif reference in self.statements:
                statements.append(self.statements[reference])
            else:
                return Marked(forbidden=_UNKNOWN)
        tlp = strictest(lights)
        return Marked(tlp, tuple(dict.fromkeys(statements)), why_forbidden(tlp))


_UNKNOWN = (
    "it bears a marking that the file does not explain, or that is not known here. Leave it out, or ask its author "
    "whether it may be shared."
)


def _references(thing: Mapping[str, Any]) -> Iterable[str]:
    whole = thing.get("object_marking_refs", [])
    found = list(whole) if isinstance(whole, list) else [""]
    parts = thing.get("granular_markings", [])
    for each in parts if isinstance(parts, list) else [{"marking_ref": ""}]:
        # A granular marking may also name a language, and no marking.
        if not isinstance(each, dict) or "marking_ref" in each or "lang" not in each:
            found.append(each.get("marking_ref") if isinstance(each, dict) else "")
    return [reference if isinstance(reference, str) else "" for reference in found]
