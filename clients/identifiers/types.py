"""What a canonical form is, and how a refusal is put.

Rule: a canonical form is typed and versioned, `phone/1|+447700900123` (DESIGN 2.1); this text is what gets
hashed, so a change of any rule of a type is a new version of it. A refusal says why in plain words and never
repeats the value.

It knows no type: each family has its own module, and the package's front lists them.
"""

from collections.abc import Callable
from typing import NamedTuple

from broker.protocol.errors import BadInput


class Rejected(BadInput):
    """A value has no canonical form of the type asked for. The text says why, without the value."""


class Canonical(NamedTuple):
    """The canonical form of one identifier.

    `flags` warn a person ("not-valid", "look-alike") and never enter the text that is hashed. The value has
    no repr: an identifier must not reach a log by way of a traceback. A named tuple, because one is made for every
    row of a file and a frozen dataclass takes more than twice the time (docs/figures.md).
    """

    type: str
    version: int
    value: str
    flags: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Canonical(type={self.type!r}, version={self.version}, flags={self.flags!r})"

    @property
    def text(self) -> str:
        """The text that is hashed, UTF-8: type, "/", version, "|", value."""
        return f"{self.type}/{self.version}|{self.value}"


Canonicaliser = Callable[[str, str | None], Canonical]
"""What each family's module provides per type: (raw, hint) to the form, or Rejected."""
