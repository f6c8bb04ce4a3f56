"""What a contributor of a story signs to take something back, and the call that brings it to a broker.

Rule: the statements are those that a contributor's client signs; the root over what remains is derived from the rows.
"""

import hashlib
from dataclasses import dataclass

from broker import root_changes, series, withdrawals
from broker.context import Broker
from broker.protocol import sealing
from broker.protocol.documents import sign
from broker.protocol.merkle import leaf_hash, root_of
from broker.protocol.messages.base import decode, encode
from broker.protocol.messages.deposits import DepositWithdrawal
from broker.protocol.messages.roots import RecordWithdrawal, RecordWithdrawalSubmission, withdrawn_digest
from broker.protocol.messages.series import Withdrawal
from broker.registry import Caller
from broker.store import deposits as rows
from tests.exchange_story import Story, key_of

RECORDS, DEPOSIT, SERIES = "records", "deposit", "series"
WAYS = (RECORDS, DEPOSIT, SERIES)
"""How a record can be taken back: with some of its deposit, with the deposit, with the series."""


@dataclass(frozen=True)
class TakeBack:
    """Something is taken back; `body` is the call's."""

    way: str
    caller: Caller
    name: bytes
    body: bytes

    def take(self, broker: Broker) -> bytes:
        """The record of the entry."""
        if self.way == SERIES:
            return series.withdraw_series(broker, self.caller, self.name, self.body.decode()).record
        if self.way == DEPOSIT:
            return withdrawals.withdraw_deposit(broker, self.caller, self.name, self.body.decode()).record
        submission = decode(RecordWithdrawalSubmission, self.body)
        return root_changes.withdraw_records(broker, self.caller, self.name, submission).record


def taking_back(story: Story, way: str, deposit_id: bytes, tokens: list[bytes]) -> TakeBack:
    """The call that takes these records of a deposit back, or all that they are among."""
    with story.broker.database.read() as connection:
        deposit = rows.find(connection, deposit_id)
        assert deposit is not None
        remaining = [
            leaf_hash(sealing.record_leaf(each.token, each.sealed, each.record_version))
            for each in rows.all_records(connection, deposit.deposit_number)
            if each.token not in tokens
        ]
    caller, key = story.caller(deposit.contributor), key_of(deposit.contributor)
    if way == SERIES:
        whole = Withdrawal(series_id=deposit.series_id, reason="Example", withdrawn_at=story.now)
        return TakeBack(way, caller, deposit.series_id, sign(whole, key).document.encode())
    if way == DEPOSIT:
        one = DepositWithdrawal(deposit_id=deposit_id, reason="Example", withdrawn_at=story.now)
        return TakeBack(way, caller, deposit_id, sign(one, key).document.encode())
    data, nonce = b"".join(sorted(tokens)), hashlib.sha256(deposit_id).digest()
    some = RecordWithdrawal(
        deposit_id=deposit_id,
        number=1,
        records=len(remaining),
        root=root_of(remaining),
        reason="Example",
        tokens_digest=withdrawn_digest(nonce, data),
        records_withdrawn=len(tokens),
        withdrawn_at=story.now,
    )
    submission = RecordWithdrawalSubmission(document=sign(some, key).document, nonce=nonce, tokens=data)
    return TakeBack(way, caller, deposit_id, encode(submission))
