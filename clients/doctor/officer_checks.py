"""The doctor's look at the folder of an officer whose signature can put rules in force: its key opens and is its own.

Rule: an officer calls nobody, so nobody is asked.
"""

from pathlib import Path

from broker.protocol.errors import NarrowgateError
from broker.protocol.messages.base import RandomBytes
from clients.doctor.finding import broken, ok
from clients.doctor.peers import Looked
from clients.doctor.permissions import look_at_permissions
from clients.rule_officer import Officer


def look_at_officer(directory: Path, random_bytes: RandomBytes, passphrase: str | None) -> Looked:
    """All of the folder."""
    permissions = look_at_permissions(directory)
    try:
        Officer.open(directory, random_bytes, passphrase)
    except NarrowgateError as error:
        return Looked((permissions, broken("keys", "The officer's key cannot be used.", error.detail)))
    return Looked((permissions, ok("keys", "The officer's key opens and is the one of its public file.")))
