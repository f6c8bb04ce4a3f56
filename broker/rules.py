"""By which rules this broker decides: those in force, asked for in the transaction that decides.

Rule (decision 0014): a broker that started under rules which are no longer the newest activation decides nothing, so
that of several brokers on one database none goes on under old ones. A space's members agreed to the rules that their
roster names; under others nothing new is taken in for them. What was admitted under earlier rules is released only as
those and the rules in force allow both.
"""

from broker.context import Broker
from broker.gate.bundle import Bundle
from broker.gate.facts import ReleaseFacts
from broker.gate.ruling import Ruling, rule_release
from broker.protocol.errors import Conflict, NarrowgateError, Unavailable
from broker.protocol.messages.parties import Space
from broker.protocol.messages.vocabulary import Tier
from broker.store import activations
from broker.store.database import Connection


def in_force(broker: Broker, connection: Connection) -> Bundle:
    """The rules in force, until this transaction ends. Raises Unavailable when this broker runs under older ones."""
    activations.hold(connection)
    newest = activations.newest(connection)
    if newest is None or newest.bundle_digest != broker.bundle.digest:
        raise Unavailable(
            "Other rules were put in force since this broker started, so it decides nothing. Its operator has to "
            "restart it. Try again later."
        )
    return broker.bundle


def agreed(broker: Broker, connection: Connection, space: Space) -> Bundle:
    """The rules in force, if they are those that the space's members agreed to. Raises Conflict or Unavailable."""
    bundle = in_force(broker, connection)
    if space.bundle_digest != bundle.digest:
        raise Conflict(
            "The rules in force are not those that the space's roster names. Its founder publishes a roster that "
            "names them (narrowgate space change-rules); join again from that file and prepare it anew."
        )
    return bundle


def rule(
    broker: Broker, connection: Connection, admitted_under: bytes, facts: ReleaseFacts, tier: Tier
) -> Ruling:
    """Decide a release, under the rules in force and those its request was admitted under.

    Raises Unavailable, also when the shelf has no true copy of the earlier ones."""
    bundle = in_force(broker, connection)
    earlier = None if admitted_under == bundle.digest else _kept(broker, admitted_under)
    return rule_release(bundle, earlier, facts, tier)


def rule_again(broker: Broker, ruling: Ruling, tier: Tier) -> Ruling:
    """The same release at another tier, under the rules it was decided by. Raises Unavailable."""
    earlier = None if ruling.earlier is None else _kept(broker, ruling.earlier.bundle_digest)
    return rule_release(_kept(broker, ruling.decision.bundle_digest), earlier, ruling.facts, tier)


def _kept(broker: Broker, digest: bytes) -> Bundle:
    if digest == broker.bundle.digest:
        return broker.bundle
    try:
        return broker.shelf.get(digest)
    except NarrowgateError as error:
        raise Unavailable(
            "The rules that this was decided by before are not at hand at this broker. Tell its operator."
        ) from error
