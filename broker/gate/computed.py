"""Refusals that no Cedar rule makes, because the engine cannot count or because there is nothing to ask it about.

Rule: they are named, reasoned and cited like the rules of a bundle, and no bundle may use their names. When each is
given is `broker.gate.decide`'s to say.
"""

from collections.abc import Mapping
from types import MappingProxyType

LANE = "LANE"
NO_SERIES = "NO_SERIES"
GATEWAY = "GATEWAY"
FEW_CONTRIBUTORS = "L21"
ABOVE_ADMISSION = "TIER"
ENGINE_ERROR = "ENGINE"

COMPUTED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        LANE: (
            "There is no lane from this kind of contributor to this kind of requester.",
            "Narrowgate rule: a lane that the bundle does not open is closed",
        ),
        NO_SERIES: (
            "Nobody has deposited identifiers of this type here that could be asked.",
            "Narrowgate rule: a permit names at least one series",
        ),
        GATEWAY: (
            "No gateway opens: what each would need is listed.",
            "Narrowgate rule: what no gateway opens is refused",
        ),
        FEW_CONTRIBUTORS: (
            "Fewer than three contributors could answer, so it was decided as a request for sources.",
            "Narrowgate rule: a match over few contributors names them",
        ),
        ABOVE_ADMISSION: (
            "The answer would tell more than the request was admitted for.",
            "Narrowgate rule: a result is released at the tier admitted, or below",
        ),
        ENGINE_ERROR: (
            "The rules could not be evaluated without an error, so the answer is no. Tell the operator.",
            "Narrowgate rule: in doubt, no",
        ),
    }
)
"""Reason and law by name."""
