"""From what another program's file names as identifiers to signals and refusals.

Rule: a refusal says which object it is about by its number and kind, never by its value or by what the file calls it.
Only facts with a fixed meaning (times, counts, confidence, markings, ids) go on as attributes: names, descriptions and
comments are free text, in which other people's identifiers stand.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from clients.identifiers import Rejected, canonicalise
from clients.readers.exchange.stix_patterns import Named
from clients.readers.signals import RefusedRow, Signal

MAXIMUM_FACT_CHARACTERS = 256
_DAMAGED = re.compile("[\0\ud800-\udfff]")


def signals(
    number: int,
    unit: str,
    kind: str,
    named: Iterable[Named],
    facts: Mapping[str, object],
    forbidden: str | None,
    default_region: str | None,
) -> Iterator[Signal | RefusedRow]:
    """The signals and refusals of one object.

    Args: `number` from 1 of what the file counts as `unit`; `kind` of object, a word of the format's own; `facts` that
    go on as attributes, those that are None or no text or number being left out; `forbidden` why a marking forbids to
    deposit it.
    """
    attributes = tuple((name, text) for name, value in facts.items() if (text := _text(value)))
    seen: set[str] = set()
    for each in named:
        hint = each.hint or (default_region if each.kind == "phone" else None)
        try:
            canonical = canonicalise(each.kind, each.raw, hint)
        except Rejected as error:
            yield RefusedRow(number, f"{kind}: {error.detail}", unit=unit)
            continue
        if canonical.text not in seen:
            seen.add(canonical.text)
            yield Signal(number, canonical, attributes, forbidden and f"{kind}: {forbidden}", unit)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        value = "; ".join(each for each in value if isinstance(each, str))
    return _DAMAGED.sub("", value).strip()[:MAXIMUM_FACT_CHARACTERS] if isinstance(value, str) else ""
