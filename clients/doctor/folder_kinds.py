"""What a folder is: a party's home, a rule officer's, a broker's, a key holder's or a witness's.

Rule: told by the names of the files in it, so that a folder whose key file is gone is still known. It opens none of
them, and does not say that they are any good.
"""

from enum import StrEnum
from pathlib import Path


class FolderKind(StrEnum):
    """Whose folder it is, in words for people."""

    HOME = "home"
    OFFICER = "rule officer's folder"
    BROKER = "broker's folder"
    KEY_HOLDER = "key holder's folder"
    WITNESS = "witness's folder"


# The most telling first: a key holder and a witness both have a keys.json, and so has a broker.
_TOLD_BY = (
    (FolderKind.OFFICER, ("officer.jws",)),
    (FolderKind.HOME, ("home.key", "identity.json")),
    (FolderKind.BROKER, ("settings.toml", "operator.key", "broker.sqlite3")),
    (FolderKind.KEY_HOLDER, ("keyholder.sqlite", "enrolment.jws")),
    (FolderKind.WITNESS, ("witness.sqlite", "keys.json")),
)


def kind_of(directory: Path) -> FolderKind | None:
    """What the folder is; None for one that is none of them."""
    for kind, names in _TOLD_BY:
        if any((directory / name).exists() for name in names):
            return kind
    return None
