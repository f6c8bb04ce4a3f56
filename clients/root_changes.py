"""Sign a change of a deposit's root, bring it to the broker, and note here that it took effect.

Rule (decisions 0006, 0008): a statement is kept in the home before anybody hears of it, and finished before the next,
so that a run that was killed goes on with the same one. Each names the root over all records as they will be, computed
from what this home remembers, never from what the broker says.

Which records change, and how, is `clients.taking_back` and `clients.replacing`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from broker.protocol import documents
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.deposits import TOKEN_BYTES, Record, decode_batch, encode_batch
from broker.protocol.messages.parties import Space
from broker.protocol.messages.roots import (
    RecordReplacement,
    RecordReplacementSubmission,
    RecordWithdrawal,
    RecordWithdrawalSubmission,
    replaced_digest,
    withdrawn_digest,
)
from broker.protocol.messages.vocabulary import RecordKind
from clients import local_references, record_leaves
from clients.deposit_folder import DepositFolder, PendingChange
from clients.home import Home
from clients.record_leaves import Leaves
from clients.recorded import post_recorded
from clients.transport import Caller, Clock


@dataclass(frozen=True)
class Finished:
    """How many records the statement that was pending took back or replaced; none if there was none."""

    withdrawn: int = 0
    replaced: int = 0


class RootChanges:
    """The statements of one deposit. `caller` signs with the home's key."""

    def __init__(
        self,
        home: Home,
        space: Space,
        deposit: DepositFolder,
        caller: Caller,
        clock: Clock,
        random_bytes: RandomBytes,
    ) -> None:
        self._home = home
        self._space = space
        self._deposit = deposit
        self._caller = caller
        self._clock = clock
        self._random_bytes = random_bytes

    def leaves(self) -> Leaves:
        """The leaves of all records as they are at the broker, once nothing is pending. Errors as `record_leaves`."""
        return record_leaves.load(self._home.vault, self._deposit.deposit_id, self._deposit.last_change()[1])

    def withdraw(
        self, gone: Sequence[bytes], leaves: Leaves, reason: str, revocation: str | None = None
    ) -> Leaves:
        """Take back the records of these tokens, sorted. Returns the leaves that remain.

        Args:
            revocation: the signed revocation of the consent they rested on, if that is why."""
        left, nonce, data = record_leaves.without(leaves, set(gone)), self._random_bytes(32), b"".join(gone)
        statement = RecordWithdrawal(
            deposit_id=self._deposit.deposit_id,
            number=self._deposit.last_change()[0] + 1,
            tokens_digest=withdrawn_digest(nonce, data),
            records_withdrawn=len(gone),
            records=len(left),
            root=record_leaves.root_over(left),
            reason=reason,
            withdrawn_at=self._clock(),
        )
        document = documents.sign(statement, self._home.signing_key).document
        submission = RecordWithdrawalSubmission(
            document=document, nonce=nonce, revocation=revocation, tokens=data
        )
        self._deposit.keep_pending(PendingChange(submission=submission))
        self.finish()
        return left

    def replace(
        self, new: Sequence[Record], references: Mapping[bytes, str], leaves: Leaves, reason: str
    ) -> Leaves:
        """Put these records, sorted, in the place of the old ones. Returns the leaves as they are then."""
        then, nonce, data = record_leaves.with_new(leaves, new), self._random_bytes(32), encode_batch(new)
        statement = RecordReplacement(
            deposit_id=self._deposit.deposit_id,
            number=self._deposit.last_change()[0] + 1,
            records_digest=replaced_digest(nonce, data),
            records_replaced=len(new),
            records=len(then),
            root=record_leaves.root_over(then),
            reason=reason,
            replaced_at=self._clock(),
        )
        document = documents.sign(statement, self._home.signing_key).document
        submission = RecordReplacementSubmission(document=document, nonce=nonce, records=data)
        called = {token.hex(): text for token, text in references.items()}
        self._deposit.keep_pending(PendingChange(submission=submission, references=called))
        self.finish()
        return then

    def finish(self) -> Finished:
        """Send the statement that is kept, if one is, and note that it took effect.

        Raises what the broker refuses with."""
        pending = self._deposit.pending()
        if pending is None:
            return Finished()
        if isinstance(pending.submission, RecordWithdrawalSubmission):
            return Finished(withdrawn=self._finish_withdrawal(pending.submission))
        return Finished(replaced=self._finish_replacement(pending.submission, pending.references))

    def _finish_withdrawal(self, submission: RecordWithdrawalSubmission) -> int:
        signed = documents.verify(RecordWithdrawal, submission.document, self._home.identity.signing_key)
        self._post("withdraw-records", submission, RecordKind.RECORDS_WITHDRAWN)
        data = submission.tokens
        gone = {data[at : at + TOKEN_BYTES] for at in range(0, len(data), TOKEN_BYTES)}
        self._note(record_leaves.without(self._leaves_or_new(signed.payload.root), gone))
        local_references.change(self._home.vault, self._deposit.deposit_id, gone=gone)
        self._deposit.finish_pending(signed.payload, signed.document)
        return len(gone)

    def _finish_replacement(
        self, submission: RecordReplacementSubmission, references: Mapping[str, str]
    ) -> int:
        signed = documents.verify(RecordReplacement, submission.document, self._home.identity.signing_key)
        self._post("replace-records", submission, RecordKind.RECORDS_REPLACED)
        new = tuple(decode_batch(submission.records, self._deposit.declaration.payload.size_class))
        self._note(record_leaves.with_new(self._leaves_or_new(signed.payload.root), new))
        called = {bytes.fromhex(token): text for token, text in references.items()}
        local_references.change(self._home.vault, self._deposit.deposit_id, new=called)
        self._deposit.finish_pending(signed.payload, signed.document)
        return len(new)

    def _leaves_or_new(self, new_root: bytes) -> Leaves:
        # The leaves may be the new ones already: a crash can stand between any two of these steps.
        roots = (self._deposit.last_change()[1], new_root)
        return record_leaves.load(self._home.vault, self._deposit.deposit_id, *roots)

    def _note(self, leaves: Leaves) -> None:
        record_leaves.replace(self._home.vault, self._deposit.deposit_id, leaves)

    def _post(
        self, step: str, body: RecordWithdrawalSubmission | RecordReplacementSubmission, kind: RecordKind
    ) -> None:
        path = f"/v1/deposits/{self._deposit.deposit_id.hex()}/{step}"
        post_recorded(self._caller, path, body, self._space, kind)
