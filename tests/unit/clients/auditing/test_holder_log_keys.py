"""Which log keys of a key holder's log an auditor takes, by the checkpoints it saw and the entries between them."""

from collections.abc import Sequence

import pytest

from broker.protocol import checkpoint
from broker.protocol.documents import public_bytes
from broker.protocol.errors import VerificationFailed
from clients.auditing import holder_log_keys
from clients.auditing.log_key_entries import KeyChanged
from clients.mirrors.watched_log import WatchedLog
from tests.log_key_case import key_of

ORIGIN = "court.example.org:8000/court-office/log"
LOG = WatchedLog(
    address="http://court.example.org:8000",
    origin=ORIGIN,
    key=public_bytes(key_of("signing")),
    folder="00-court-office",
    served_by="key holder",
    has_own_key=True,
)


def note(size: int, *keys: str) -> str:
    """A checkpoint that the signing key signed, and these log keys."""
    signers = [key_of(name) for name in (*keys, "signing")]
    return checkpoint.sign(ORIGIN, size, bytes([size]) * 32, signers, ORIGIN).decode()


def changed(index: int, old: str, new: str, lost: bool = False) -> KeyChanged:
    return KeyChanged(index, public_bytes(key_of(old)), public_bytes(key_of(new)), "Planned.", lost)


ONE = [changed(5, "first", "second")]
TWO = [*ONE, changed(8, "second", "third")]

TAKEN: dict[str, tuple[str, str, Sequence[KeyChanged]]] = {
    "never changed": (note(3, "first"), note(9, "first"), ()),
    "never changed, seen once": (note(3, "first"), note(3, "first"), ()),
    "changed, both sign": (note(3, "first"), note(6, "second", "first"), ONE),
    "changed, in another order": (note(3, "first"), note(6, "first", "second"), ONE),
    "changed, the old one dropped": (note(3, "first"), note(9, "second"), ONE),
    "changed before the first was seen": (note(6, "second", "first"), note(9, "second"), ONE),
    "changed right behind the first": (note(5, "first"), note(6, "second", "first"), ONE),
    "changed twice": (note(3, "first"), note(9, "third", "second"), TWO),
    "changed twice, seen between": (note(7, "second"), note(9, "third"), TWO),
    "said to be lost": (note(3, "first"), note(9, "second"), [changed(5, "first", "second", lost=True)]),
}

TOLD: dict[str, tuple[str, str, Sequence[KeyChanged], str]] = {
    "another without an entry": (note(3, "first"), note(9, "second"), (), "no entry of the log hands it on"),
    "another besides": (note(3, "first"), note(9, "first", "second"), (), "no entry of the log hands it on"),
    "none any more": (note(3, "first"), note(9), (), "another log key (none)"),
    "not the one handed on": (note(3, "first"), note(9, "thief"), ONE, "not signed with the log key"),
    "the old one alone, behind the change": (note(3, "first"), note(6, "first"), ONE, "not signed with"),
    "a third besides": (note(3, "first"), note(9, "second", "thief"), ONE, "nobody handed on"),
    "the last but one besides": (note(3, "first"), note(9, "third", "first"), TWO, "nobody handed on"),
    "the new one before its time": (note(3, "first", "second"), note(9, "second"), ONE, "nobody handed on"),
    "a made-up forerunner": (
        note(3, "first"),
        note(9, "second"),
        [changed(5, "made up", "second")],
        "not signed",
    ),
}


@pytest.mark.parametrize("story", TAKEN)
def test_it_takes(story: str) -> None:
    holder_log_keys.check(LOG, *TAKEN[story])


@pytest.mark.parametrize("story", TOLD)
def test_it_tells(story: str) -> None:
    first, newest, changes, words = TOLD[story]
    with pytest.raises(VerificationFailed) as told:
        holder_log_keys.check(LOG, first, newest, changes)
    assert words in told.value.detail


def test_a_signature_under_a_known_id_that_does_not_verify_is_told() -> None:
    """An id is no evidence: once an entry tells the key whole, the line is verified under it."""
    good, other = note(3, "first"), note(4, "first")
    line = next(each for each in other.splitlines() if each.startswith("—"))
    forged = good.replace(next(each for each in good.splitlines() if each.startswith("—")), line)
    holder_log_keys.check(LOG, forged, good, ())
    with pytest.raises(VerificationFailed, match="not signed with the log key"):
        holder_log_keys.check(LOG, forged, note(9, "second"), ONE)
