"""A new roster may name another key of the same log: then the file of log keys has to lead from the pinned key to it.

Rule (decision 0018): a pinned log key changes by two words together, and by neither alone: the founder's roster names
the new key, and the log itself, by its old key and its witnesses, says that it goes on under that key. Without the
second a founder and a broker could let a log start over; without the first each party would choose a key for itself.

It pins nothing: that is `clients.home`'s and `clients.keyholder.pinning`'s.
"""

from dataclasses import dataclass

from broker.protocol import log_keys
from broker.protocol.checkpoint import ED25519, VerifierKey
from broker.protocol.errors import Conflict, VerificationFailed
from broker.protocol.log_keys import FollowedKeys
from broker.protocol.messages.log_keys import LogKeyChain
from broker.protocol.messages.parties import Space


@dataclass(frozen=True)
class LogKeyChange:
    """What a person handed over with a new roster: the file of log keys, and whether it says that a key was lost and
    that this is true."""

    chain: LogKeyChain | None = None
    accept_lost: bool = False


NO_LOG_KEY_CHANGE = LogKeyChange()


def verifier_key_of(space: Space) -> VerifierKey:
    """The log's key as a space names it."""
    return VerifierKey(space.log_origin, ED25519, space.log_key)


def check_same_log(before: Space, space: Space, change: LogKeyChange) -> None:
    """That a new roster names the log that the one before named, though perhaps under a newer key.

    Raises Conflict (another log, or the file of log keys is wanted), VerificationFailed or BadInput."""
    if space.log_origin != before.log_origin:
        raise Conflict("The new roster names another log. A broker with a new log needs a new space.")
    if space.log_key == before.log_key:
        return
    if change.chain is None:
        raise Conflict(
            "The new roster names another key of the broker's log. Get the file of log keys from the founder or the "
            "broker's operator, and give it too: --log-keys FILE. If they have none, the log started over: do not go "
            "on, and tell an auditor."
        )
    followed = follow(before, space, change.chain, accept_lost=change.accept_lost)
    if followed.newest.public_key != space.log_key:
        raise VerificationFailed(
            "The file of log keys leads to another key than the new roster names. Ask the founder which is right."
        )


def follow(before: Space, space: Space, chain: LogKeyChain, *, accept_lost: bool = False) -> FollowedKeys:
    """The keys of the log that `before` pinned. Witnesses may have been changed since: those of either roster count.

    Raises VerificationFailed or BadInput."""
    quorums = (log_keys.quorum_of(before), log_keys.quorum_of(space))
    return log_keys.follow(chain, verifier_key_of(before), quorums, accept_lost=accept_lost)
