"""Change the key that signs a log, through the log itself: what a broker's log and a key holder's do alike.

    1 the new key is drawn and lies durably beside the old one
    2 the entry LOG_KEY_ROTATED is appended, signed with both keys                       `announcement`
    3 witnesses cosign a checkpoint with it, that both keys signed                       `proven`
    4 the file of log keys has the proof, and is handed out                              `with_link`
    5 both keys sign while everybody follows                                             `signing_keys`
    6 the old key is dropped, once the witnesses cosign without it                       `check_followed`

Rule (decisions 18 and 47): which keys sign is read from the log and from no flag beside it, so that each step may be
cut short and the same command goes on: with the entry both keys sign, without it the old one alone. A key file that has
not the key the log names serves nothing.

It stores nothing: entries and files are `broker.log_rotation`'s and `clients.keyholder.log_keys`'s.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol import checkpoint as notes
from broker.protocol import documents, log_keys
from broker.protocol.checkpoint import ED25519, VerifierKey, parse_verifier_key
from broker.protocol.documents import public_bytes
from broker.protocol.errors import BadInput, Conflict, Unavailable, VerificationFailed
from broker.protocol.log_keys import WitnessQuorum
from broker.protocol.messages.base import decode
from broker.protocol.messages.log import LogProof
from broker.protocol.messages.log_keys import LogKeyChain, LogKeyLink, LogKeyRecord, LogKeyRotation
from broker.translog.cosigning import Witnesses
from broker.translog.log import root_at
from broker.translog.storage import LogStorage

ERASED = "The record of the last change of the log's key was erased, so its key is not known."
Form = TypeVar("Form", bound=LogKeyRecord)


@dataclass(frozen=True)
class LostKey:
    """What takes the place of the old key's signature when that key is lost: its public part, and the newest
    checkpoint that it signed and witnesses cosigned, as an auditor has it."""

    old_key: bytes
    last_checkpoint: str


@dataclass(frozen=True)
class ChangingKeys:
    """The keys in a folder: the one that signs, and the one that was drawn to follow it, if there is one."""

    present: Ed25519PrivateKey = field(repr=False)
    following: Ed25519PrivateKey | None = field(default=None, repr=False)


def read_lost(key: str, last_checkpoint: str) -> LostKey:
    """The lost key's public line and the last checkpoint that it signed. Raises BadInput."""
    old = parse_verifier_key(key)
    if old.algorithm != ED25519:
        raise BadInput("This is not a log's key: it is of another kind.")
    return LostKey(old.public_key, last_checkpoint)


def check_lost(storage: LogStorage, origin: str, lost: LostKey) -> None:
    """That the lost key signed the last checkpoint, and it is of this log: before the entry is appended, since no entry
    can be taken back. Raises VerificationFailed."""
    key = VerifierKey(origin, ED25519, lost.old_key)
    last = notes.parse_and_verify(lost.last_checkpoint.encode(), origin, key)
    if last.size > storage.head().size or root_at(storage, last.size) != last.root:
        raise VerificationFailed("The last checkpoint is of a longer or another log than this folder has.")


def signing_keys(rotated: LogKeyRecord | None, keys: ChangingKeys) -> tuple[Ed25519PrivateKey, ...]:
    """The keys that sign the log now, the newest first, by the log's last entry about its key.

    Raises Unavailable when the key file has not the key that the log was changed to: it is an old copy."""
    if rotated is None or rotated.new_key == public_bytes(keys.present):
        return (keys.present,)
    if keys.following is None or public_bytes(keys.following) != rotated.new_key:
        raise Unavailable(
            "The log's key was changed, and this folder's keys.json has another one: it is an older copy. Put back the "
            "newest keys.json. Nothing is served."
        )
    return (keys.following,) if rotated.by_old_key is None else (keys.following, keys.present)


def announced_at(rotated: LogKeyRecord | None, keys: ChangingKeys) -> int | None:
    """The index of the entry that changes the log's key to the one that was drawn; None before it is appended.

    Raises Conflict: none was drawn."""
    if keys.following is None:
        raise Conflict("No new key of the log was drawn yet.")
    if rotated is None or rotated.new_key != public_bytes(keys.following):
        return None
    return rotated.from_size - 1


def announcement(
    form: type[Form],
    rotated: LogKeyRecord | None,
    keys: ChangingKeys,
    origin: str,
    size: int,
    reason: str,
    now: int,
    lost: LostKey | None = None,
) -> Form:
    """The record of the entry that changes a log's key, to be appended as number `size`.

    Args:
        rotated: the log's last entry about its key.
        size: how many entries the log has.
        now: Unix seconds.

    Raises BadInput (a reason that no statement may bear) or Conflict."""
    if keys.following is None:
        raise Conflict("No new key of the log was drawn yet.")
    old_key = public_bytes(keys.present) if lost is None else lost.old_key
    if rotated is not None and rotated.new_key != old_key:
        raise Conflict("The log has another key by now than the one that is said to be lost.")
    if not 1 <= len(reason) <= 1000:
        raise BadInput("Say why the key is changed, in a sentence of at most 1,000 letters.")
    statement = LogKeyRotation(
        log_origin=origin,
        old_key=old_key,
        new_key=public_bytes(keys.following),
        from_size=size + 1,
        reason=reason,
        rotated_at=now,
    )
    return form(
        old_key=old_key,
        new_key=statement.new_key,
        from_size=statement.from_size,
        reason=reason,
        by_old_key=None if lost is not None else documents.sign(statement, keys.present).document,
        by_new_key=documents.sign(statement, keys.following).document,
    )


def proven(
    origin: str,
    stored: tuple[bytes, bytes] | None,
    proof: LogProof,
    witnesses: Witnesses,
    path: Callable[[int, int], Sequence[bytes]],
    lost: LostKey | None = None,
) -> LogKeyLink:
    """The link of the file of log keys for an entry, whose proof is under a cosigned checkpoint.

    Args:
        stored: the entry's record and salt, None once erased.
        path: the proof that the log of the second size continues that of the first.

    Raises Unavailable or VerificationFailed (the link would convince nobody)."""
    if stored is None:
        raise Unavailable("The record of the change of the log's key was erased, so it cannot be proved.")
    link = LogKeyLink(record=stored[0], salt=stored[1], proof=proof)
    if lost is not None:
        last, _ = notes.read_unverified(lost.last_checkpoint.encode())
        if last > proof.index:
            raise VerificationFailed("The last checkpoint is of a longer log than this database has.")
        size, _ = notes.read_unverified(proof.checkpoint.encode())
        goes_on = {"last_checkpoint": lost.last_checkpoint, "consistency": tuple(path(last, size))}
        link = link.model_copy(update=goes_on)
    keys, quorum = witnesses.asked
    log_keys.check_link(link, origin, (WitnessQuorum(tuple(keys), quorum),))
    return link


def with_link(known: LogKeyChain | None, log_origin: str, link: LogKeyLink) -> LogKeyChain:
    """The file of log keys with this link as the last; the same change proved anew takes the place of its link.

    Raises BadInput or VerificationFailed when the link does not go on from the last change in the file."""
    links = () if known is None else known.links
    added = decode(LogKeyRecord, link.record)
    if links and decode(LogKeyRecord, links[-1].record).new_key == added.new_key:
        links = links[:-1]
    if links and decode(LogKeyRecord, links[-1].record).new_key != added.old_key:
        raise VerificationFailed(
            "log-keys.json is an older copy: a change is missing in it. Put back the newest one."
        )
    return LogKeyChain(log_origin=log_origin, links=(*links, link))


def check_followed(witnesses: Witnesses) -> None:
    """That enough witnesses cosign what the new key signs alone. Raises Conflict: the old key is still needed."""
    try:
        witnesses.start()
    except Unavailable as error:
        raise Conflict(
            "Too few witnesses cosign the log under its new key alone. Hand each the file of log keys, to be followed "
            "with: narrowgate witness follow-log. Until then the old key is kept."
        ) from error


def told_lost(error: Unavailable, origin: str, following: Ed25519PrivateKey) -> Unavailable:
    """The same error, with the new key for the witnesses' operators: nothing they pinned signs it."""
    key = notes.verifier_key(origin, public_bytes(following))
    return Unavailable(
        f"{error.detail} The new key is\n{key}\nRead it out to each witness's operator, who pins it with: "
        "narrowgate witness add-log DIR KEY --replace. Then repeat this command."
    )


def describe(chain: LogKeyChain) -> dict[str, str | int]:
    """The last change, in plain values."""
    record = decode(LogKeyRecord, chain.links[-1].record)
    return {
        "log_origin": chain.log_origin,
        "old_verifier_key": notes.verifier_key(chain.log_origin, record.old_key),
        "new_verifier_key": notes.verifier_key(chain.log_origin, record.new_key),
        "from_size": record.from_size,
        "changes": len(chain.links),
    }
