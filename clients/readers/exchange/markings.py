"""What an author's marking allows: the Traffic Light Protocol, as STIX and MISP carry it (TLP 1 and 2, FIRST).

Rule: a space has other members than the depositor's own organisation and its clients, so RED, AMBER+STRICT and AMBER
forbid to deposit, and GREEN and CLEAR do not. Of several markings the strictest counts, and one that is not known here
counts as forbidding. To ask about an identifier hands nobody anything, so a marking does not forbid that.

Whoever is the author may mark anew; it does not know who that is.
"""

from collections.abc import Iterable

_FROM_LAX_TO_STRICT = ("clear", "green", "amber", "amber+strict", "red", "unclear")
_ADVICE = "Leave it out, or ask its author for TLP:GREEN; if you are the author, mark it so."
_FORBIDDEN = {
    "amber": f"it is marked TLP:AMBER, for the recipient's own organisation and its clients. {_ADVICE}",
    "amber+strict": f"it is marked TLP:AMBER+STRICT, for the recipient's own organisation alone. {_ADVICE}",
    "red": f"it is marked TLP:RED, for the persons it was sent to alone. {_ADVICE}",
    "unclear": f"its Traffic Light marking is not known here, so it counts as forbidding. {_ADVICE}",
}


def known_tlp(text: str) -> str:
    """The name of a Traffic Light marking in lower case; "unclear" for one that is not known."""
    name = text.strip().lower().replace("_", "+").replace("amber-strict", "amber+strict")
    name = "clear" if name == "white" else name
    return name if name in _FROM_LAX_TO_STRICT else "unclear"


def strictest(names: Iterable[str]) -> str | None:
    """The strictest of some markings, None if there is none."""
    return max(names, key=_FROM_LAX_TO_STRICT.index, default=None)


def why_forbidden(tlp: str | None) -> str | None:
    """Why a marking forbids to deposit, in words; None if it does not."""
    return None if tlp is None else _FORBIDDEN.get(tlp)
