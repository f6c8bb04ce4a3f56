"""What a file of another program holds that is not compared here: counted by kind and said, never dropped in silence.

Rule: kinds are said and values never. A kind is a word that a file may choose, so it is repeated only if it looks like
one of a format (letters first, no run of digits); however many there are, memory and words are bounded.
"""

import re
from collections import Counter
from dataclasses import dataclass, field

MAXIMUM_KINDS = 200
_SHOWN_KINDS = 20
_KIND = re.compile(r"(?!.*[0-9]{5})[A-Za-z][A-Za-z0-9|/_. -]{0,63}")
_OTHER = "of other kinds"


@dataclass
class PassedOver:
    """How many of each kind were passed over."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, *kind: object) -> None:
        """Count one, of a kind that may be said in several words."""
        name = " ".join(each for each in kind if isinstance(each, str) and each)
        known = _KIND.fullmatch(name) and (name in self.counts or len(self.counts) < MAXIMUM_KINDS)
        self.counts[name if known else _OTHER] += 1

    def words(self) -> str:
        """What was passed over, the commonest first; empty if nothing was."""
        if not self.counts:
            return ""
        shown = [f"{name} ({count:,})" for name, count in self.counts.most_common(_SHOWN_KINDS)]
        rest = sum(self.counts.values()) - sum(count for _, count in self.counts.most_common(_SHOWN_KINDS))
        more = f", and {rest:,} more" if rest else ""
        return f"Not compared here, and so left out: {', '.join(shown)}{more}."
