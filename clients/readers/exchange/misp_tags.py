"""What the tags and the distribution of a MISP event or attribute allow (taxonomies tlp, PAP and retention).

Rule: the strictest Traffic Light tag counts, on whichever level it is; a distribution to the own organisation or to a
named sharing group forbids to deposit, since a space has other members. `retention:expired` refuses. What is permitted
to be done with it (PAP) and how long it may be kept go on as attributes, for whoever opens the record.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clients.readers.exchange.markings import known_tlp, strictest, why_forbidden

_NOT_A_LIGHT = frozenset({"ex:chr"})
"""Of the taxonomy tlp, but about naming who said it, which a deposit never does."""
_DISTRIBUTIONS = {
    "0": "its distribution in MISP is the own organisation alone. Raise it there if you may share it.",
    "4": "its distribution in MISP is a sharing group, and this space is none. Raise it there if you may share it.",
}


@dataclass(frozen=True)
class Tagged:
    """What tags and distribution come to. `expired` refuses for every purpose, `forbidden` to deposit."""

    tlp: str | None = None
    pap: str | None = None
    retention: str | None = None
    expired: bool = False
    forbidden: str | None = None

    def within(self, outer: "Tagged") -> "Tagged":
        """This, inside of something that is tagged too."""
        tlp = strictest(each for each in (self.tlp, outer.tlp) if each is not None)
        return Tagged(
            tlp=tlp,
            pap=self.pap or outer.pap,
            retention=self.retention or outer.retention,
            expired=self.expired or outer.expired,
            forbidden=why_forbidden(tlp) or self.forbidden or outer.forbidden,
        )


def tagged(thing: Mapping[str, Any]) -> Tagged:
    """What the tags and the distribution of one event, object or attribute come to."""
    names = list(_names(thing.get("Tag")))
    lights = [known_tlp(name) for name in _of("tlp", names) if name.lower() not in _NOT_A_LIGHT]
    retention = _of("retention", names)
    tlp = strictest(lights)
    forbidden = why_forbidden(tlp) or _DISTRIBUTIONS.get(str(thing.get("distribution", "")))
    return Tagged(
        tlp=tlp,
        pap=next((name.lower() for name in _of("pap", names)), None),
        retention=next((name for name in retention if name != "expired"), None),
        expired="expired" in retention,
        forbidden=forbidden,
    )


def _names(tags: object) -> Iterable[str]:
    for each in tags if isinstance(tags, list) else []:
        if isinstance(each, dict) and isinstance(each.get("name"), str):
            yield each["name"]


def _of(taxonomy: str, names: Iterable[str]) -> list[str]:
    found = [name.partition(":") for name in names]
    return [value.strip().strip('"') for space, _, value in found if space.strip().lower() == taxonomy]
