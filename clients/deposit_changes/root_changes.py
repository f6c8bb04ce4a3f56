"""Sign a change of a deposit's root, bring it to the broker, and note here that it took effect.

Rule (decisions 0006, 0008): a statement is kept in the home before anybody hears of it, and finished before the next,
so that a run that was killed goes on with the same one. Each names the root over all records as they will be, computed
from what this home remembers, never from what the broker says.

Which records change, and how, is `clients.deposit_changes.taking_back` and `clients.deposit_changes.replacing`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from broker.protocol import documents
from broker.protocol.messages.base import Message, RandomBytes
from broker.protocol.messages.consent import ContestState, ContestStatement, ContestSubmission
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
from clients.depositing import deposit_index, local_references, record_leaves
from clients.depositing.deposit_folder import DepositFolder, PendingChange
from clients.home import Home
from clients.recorded import post_recorded
from clients.transport import Caller, Clock

ContestNote = Callable[[bytes, bytes], None]
"""Told the deposit, and the digest of the withdrawal that takes contested records back, before it is kept."""


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

    def versions(self, tokens: Collection[bytes]) -> dict[bytes, int]:
        """The version of each record of these tokens that is at the broker, once nothing is pending. Errors as
        `record_leaves`."""
        root = self._deposit.last_change()[1]
        return record_leaves.versions(self._home.vault, self._deposit.deposit_id, tokens, root)

    def withdraw(
        self,
        gone: Sequence[bytes],
        reason: str,
        revocation: str | None = None,
        contest: ContestNote | None = None,
    ) -> None:
        """Take back the records of these tokens, sorted.

        Args:
            revocation: the signed revocation of the consent they rested on, if that is why.
            contest: keeps which withdrawal it is, before it is sent, if they are contested."""
        (before, root), vault = self._deposit.last_change(), self._home.vault
        left = record_leaves.changed(vault, self._deposit.deposit_id, root, gone=set(gone))
        nonce, data = self._random_bytes(32), b"".join(gone)
        statement = RecordWithdrawal(
            deposit_id=self._deposit.deposit_id,
            number=before + 1,
            tokens_digest=withdrawn_digest(nonce, data),
            records_withdrawn=len(gone),
            records=left.records,
            root=left.root,
            reason=reason,
            withdrawn_at=self._clock(),
        )
        signed = documents.sign(statement, self._home.signing_key)
        submission = RecordWithdrawalSubmission(
            document=signed.document, nonce=nonce, revocation=revocation, tokens=data
        )
        stated = None
        if contest is not None:
            contest(self._deposit.deposit_id, signed.digest)
            said = ContestStatement(
                contributor=self._home.party_id,
                deposit_id=self._deposit.deposit_id,
                withdrawal_digest=signed.digest,
                state=ContestState.CONTESTED,
                reason="",
                stated_at=self._clock(),
            )
            stated = documents.sign(said, self._home.signing_key).document
        self._deposit.keep_pending(PendingChange(submission=submission, contest=stated))
        self.finish()

    def replace(
        self,
        new: Sequence[Record],
        references: Mapping[bytes, str],
        contents: Mapping[bytes, bytes],
        reason: str,
    ) -> None:
        """Put these records, sorted, in the place of the old ones. `contents` are the digests of what they hold."""
        before, root = self._deposit.last_change()
        then = record_leaves.changed(self._home.vault, self._deposit.deposit_id, root, new=new)
        nonce, data = self._random_bytes(32), encode_batch(new)
        statement = RecordReplacement(
            deposit_id=self._deposit.deposit_id,
            number=before + 1,
            records_digest=replaced_digest(nonce, data),
            records_replaced=len(new),
            records=then.records,
            root=then.root,
            reason=reason,
            replaced_at=self._clock(),
        )
        document = documents.sign(statement, self._home.signing_key).document
        submission = RecordReplacementSubmission(document=document, nonce=nonce, records=data)
        called = {token.hex(): text for token, text in references.items()}
        digests = {token.hex(): digest.hex() for token, digest in contents.items()}
        self._deposit.keep_pending(PendingChange(submission=submission, references=called, contents=digests))
        self.finish()

    def finish(self) -> Finished:
        """Send the statement that is kept, if one is, and note that it took effect.

        Raises what the broker refuses with."""
        pending = self._deposit.pending()
        if pending is None:
            return Finished()
        if isinstance(pending.submission, RecordWithdrawalSubmission):
            return Finished(withdrawn=self._finish_withdrawal(pending.submission, pending.contest))
        return Finished(replaced=self._finish_replacement(pending, pending.submission))

    def _finish_withdrawal(self, submission: RecordWithdrawalSubmission, contest: str | None) -> int:
        signed = documents.verify(RecordWithdrawal, submission.document, self._home.identity.signing_key)
        if contest is None:
            self._post("withdraw-records", submission, RecordKind.RECORDS_WITHDRAWN)
        else:
            body = ContestSubmission(withdrawal=submission, statement=contest)
            self._post("contest-records", body, RecordKind.RECORDS_WITHDRAWN)
        data = submission.tokens
        gone = {data[at : at + TOKEN_BYTES] for at in range(0, len(data), TOKEN_BYTES)}
        vault, deposit_id = self._home.vault, self._deposit.deposit_id
        record_leaves.change(vault, deposit_id, *self._roots(signed.payload.root), gone=gone)
        deposit_index.change(vault, deposit_id, gone=gone)
        local_references.change(vault, deposit_id, gone=gone)
        self._deposit.finish_pending(signed.payload, signed.document)
        return len(gone)

    def _finish_replacement(self, pending: PendingChange, submission: RecordReplacementSubmission) -> int:
        signed = documents.verify(RecordReplacement, submission.document, self._home.identity.signing_key)
        self._post("replace-records", submission, RecordKind.RECORDS_REPLACED)
        new = tuple(decode_batch(submission.records, self._deposit.declaration.payload.size_class))
        vault, deposit_id = self._home.vault, self._deposit.deposit_id
        record_leaves.change(vault, deposit_id, *self._roots(signed.payload.root), new=new)
        contents = {bytes.fromhex(token): bytes.fromhex(each) for token, each in pending.contents.items()}
        deposit_index.change(vault, deposit_id, new=contents)
        called = {bytes.fromhex(token): text for token, text in pending.references.items()}
        local_references.change(vault, deposit_id, new=called)
        self._deposit.finish_pending(signed.payload, signed.document)
        return len(new)

    def _roots(self, new_root: bytes) -> tuple[bytes, bytes]:
        # The leaves may be the new ones already: a crash can stand between any two of these steps.
        return self._deposit.last_change()[1], new_root

    def _post(self, step: str, body: Message, kind: RecordKind) -> None:
        path = f"/v1/deposits/{self._deposit.deposit_id.hex()}/{step}"
        post_recorded(self._caller, path, body, self._space, kind)
