"""An answer to tokens leaves with the entry that records it, opened, under a checkpoint that witnesses cosigned.

Rule (decision 0022): RELEASE is durable and cosigned before anything is assembled; RELEASED or FAILED names the exact
answer, is durable with it, and is cosigned before the answer leaves. The entry is proved to the newest cosigned
checkpoint each time, and its record is read from beside the log and kept nowhere else, so that erasing it erases it.
The witnesses are asked outside of any transaction; a call that was cut short in between is sent again and goes on here.
It decides nothing and changes no answer.
"""

from dataclasses import replace

from broker.audit.log import Receipt
from broker.context import Broker
from broker.protocol.errors import Unavailable
from broker.protocol.messages.requests import TokensAnswered
from broker.refusals import GateRefusal
from broker.store import requests as rows
from broker.translog.cosigning import Witnessed


def cosign_release(broker: Broker, request_id: bytes) -> Witnessed:
    """A cosigned checkpoint of a log that holds a request's RELEASE. Raises Unavailable: then nothing is disclosed."""
    return broker.witnesses.cosign(_latest_entry(broker, request_id))


def with_entry(broker: Broker, request_id: bytes, answer: TokensAnswered) -> TokensAnswered:
    """The answer with its RELEASED entry. Raises Unavailable: then nothing leaves."""
    receipt = _cosigned(broker, _latest_entry(broker, request_id))
    return answer.model_copy(update={"recorded": receipt.opened()})


def refused_with_entry(broker: Broker, refusal: GateRefusal) -> GateRefusal:
    """A refusal on the result with its FAILED entry. Raises Unavailable: then nothing is told."""
    return GateRefusal(refusal.told, _cosigned(broker, refusal.receipt.proof.index))


def _latest_entry(broker: Broker, request_id: bytes) -> int:
    with broker.database.read() as connection:
        stored = rows.find(connection, request_id)
    if stored is None:
        raise Unavailable("The request is not stored any more. Nothing was disclosed.")
    return stored.log_index


def _cosigned(broker: Broker, index: int) -> Receipt:
    witnessed = broker.witnesses.cosign(index)
    with broker.database.read() as connection:
        receipt = broker.audit.receipt(connection, index)
        return replace(receipt, proof=broker.audit.under(connection, index, witnessed))
