"""Entries that a lying broker appends to its own log, and answers that it signs anew; each truly signed for."""

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.messages.base import Message, decode
from broker.protocol.messages.closings import Released
from broker.protocol.messages.log import OpenedEntry
from broker.protocol.messages.requests import Disclosure, TokensAnswered
from broker.protocol.messages.vocabulary import RecordKind
from tests.world import World


def planted(world: World, record: Message, kind: RecordKind = RecordKind.RELEASED) -> OpenedEntry:
    """An entry that the broker appends to its log, whatever it says."""
    with world.broker.database.write() as connection:
        receipt = world.broker.audit.append(connection, kind, record, world.now)
    return OpenedEntry(proof=receipt.proof, record=receipt.record, salt=receipt.salt)


def signed_anew(world: World, told: Disclosure) -> Signed[Disclosure]:
    """Another disclosure under the broker's own key."""
    return documents.sign(told, world.broker_keys.signing_key)


def told_anew(world: World, answer: TokensAnswered, told: Disclosure) -> TokensAnswered:
    """The answer with another disclosure, which the log records as it is."""
    assert answer.recorded is not None
    signed = signed_anew(world, told)
    record = decode(Released, answer.recorded.record).model_copy(
        update={"disclosure_digest": signed.digest, "tier": told.tier, "release_index": told.proof.index}
    )
    return answer.model_copy(update={"document": signed.document, "recorded": planted(world, record)})
