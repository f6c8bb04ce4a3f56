"""Take back what somebody says is wrong or not theirs, for as long as it is contested; then decide how that ends.

Rule (decision 0041): what is kept out is marked before anything is sent, so that no file puts it in again meanwhile.
The records go as in any withdrawal (`clients.deposit_changes.taking_back`), with the statement that they are contested;
whoever was told of them is told so. The contributor decides, once, with a reason: upheld, and the next deposit may hold
them, or withdrawn, and they stay out. A decision is signed and kept before it is sent, and sent again by the same
command.

Who may contest is asked by `clients.cli.contest`: the person by number and PIN, or the agency for its own record.
"""

from collections.abc import Sequence

from broker.protocol import documents
from broker.protocol.errors import BadInput, Conflict, NotFound
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.consent import ContestState, ContestStatement
from broker.protocol.messages.envelopes import DocumentMessage
from broker.protocol.messages.parties import Space
from broker.protocol.messages.vocabulary import RecordKind
from clients.deposit_changes.kept_out import KeptOut, Reason
from clients.deposit_changes.root_changes import RootChanges
from clients.deposit_changes.taking_back import Result, TakingBack
from clients.depositing import deposit_index
from clients.depositing.deposit_folder import DepositFolder
from clients.depositing.series_folder import SeriesFolder
from clients.home import Home
from clients.persons import contested_records
from clients.persons.contested_records import ContestedPart, ContestedSubmission, KeptMark
from clients.recorded import post_recorded
from clients.transport import Caller, Clock

_REASON = "Contested"
"""On the statement of the withdrawal; what the person says stays in the home."""


class _Kept:
    """Keeps what goes, before it goes; see `taking_back.Contest`."""

    def __init__(self, home: Home, submission: ContestedSubmission, kept_out: KeptOut) -> None:
        self.submission = submission
        self._kept_out = kept_out
        self._home = home
        self._change()

    def going(self, deposit: DepositFolder, tokens: Sequence[bytes]) -> None:
        """Keep the marks of the identifiers behind the tokens."""
        manifest = SeriesFolder(self._home, deposit.declaration.payload.series_id).manifest.payload
        wanted, marks = frozenset(tokens), {each.mark: each for each in self.submission.marks}
        try:
            for row in deposit_index.rows(self._home.vault, deposit.deposit_id):
                if row.token in wanted:
                    mark = self._kept_out.mark_of_hash(row.key)
                    marks[mark] = KeptMark(space_id=manifest.space_id, salt_id=manifest.salt_id, mark=mark)
        except NotFound:
            return  # Made before there was an index: the reference alone keeps it out.
        self._change(marks=tuple(marks[each] for each in sorted(marks)))

    def note(self, deposit_id: bytes, withdrawal_digest: bytes) -> None:
        """Keep which withdrawal takes them back: the decision names it."""
        part = ContestedPart(deposit_id=deposit_id, withdrawal_digest=withdrawal_digest)
        self._change(parts=(*self.submission.parts, part))

    def _change(self, **changes: object) -> None:
        self.submission = self.submission.model_copy(update=changes)
        contested_records.keep(self._home, self.submission)


class Contesting:
    """The acts of one contributor. `caller` signs with the home's key."""

    def __init__(self, home: Home, caller: Caller, clock: Clock, random_bytes: RandomBytes) -> None:
        self._home = home
        self._caller = caller
        self._clock = clock
        self._random_bytes = random_bytes

    def contest(self, reference: str, said: str, *, shared_too: bool = False) -> Result:
        """Take back what is deposited under a reference, and hold it back until it is decided.

        Args:
            said: what is wrong with it, as the person says; it stays in the home.
            shared_too: also records that hold what another person gave.

        Again, it finds nothing more. Raises BadInput, Conflict (a decision before this is not sent, or a deposit is not
        finished), or what the broker refuses with."""
        if not 0 < len(said.strip()) <= 500:
            raise BadInput("Say what is wrong with it, in a sentence: it is kept here and sent nowhere.")
        known = contested_records.find(self._home, reference)
        if known is not None and known.unsent:
            raise Conflict("The decision before this is not sent yet. Run `consent decide` again first.")
        if known is None or known.state is not ContestState.CONTESTED:
            known = ContestedSubmission(
                submission_id=self._random_bytes(16) if known is None else known.submission_id,
                reference=reference,
                said=said.strip(),
                contested_at=self._clock(),
            )
        acts = TakingBack(self._home, self._caller, self._clock, self._random_bytes)
        kept = _Kept(self._home, known, self._kept_out())
        return acts.withdraw_reference(
            reference, _REASON, shared_too=shared_too, keep_out="contested", contest=kept
        )

    def decide(self, reference: str, state: ContestState, reason: str) -> ContestedSubmission:
        """End it, and have whoever was told of it notified. Again, what the broker has not heard of is sent.

        Raises NotFound (nothing is contested under it), BadInput (no reason), Conflict (decided otherwise before), or
        what the broker refuses with."""
        known = contested_records.find(self._home, reference)
        if known is None:
            raise NotFound(
                "Nothing is contested under this reference. See what is: narrowgate consent contested"
            )
        if state is ContestState.CONTESTED or not 0 < len(reason.strip()) <= 500:
            raise BadInput("Decide upheld or withdrawn, and say why in a sentence that names nobody.")
        if known.state is ContestState.CONTESTED:
            known = self._decided(known, state, reason.strip())
        elif known.state is not state:
            raise Conflict(f"It was decided before: {known.state.value}. That decision stands.")
        else:
            self._end(known)
        for place, part in enumerate(known.parts):
            if part.decision is None or part.sent:
                continue
            self._send(part, part.decision)
            done = part.model_copy(update={"sent": True})
            parts = (*known.parts[:place], done, *known.parts[place + 1 :])
            known = known.model_copy(update={"parts": parts})
            contested_records.keep(self._home, known)
        return known

    def _decided(self, known: ContestedSubmission, state: ContestState, reason: str) -> ContestedSubmission:
        # 1. A withdrawal that was cut short comes first: else it would be contested after it was decided.
        for deposit_id in dict.fromkeys(part.deposit_id for part in known.parts):
            deposit = DepositFolder(self._home, deposit_id)
            changes = RootChanges(
                self._home, self._space(deposit), deposit, self._caller, self._clock, self._random_bytes
            )
            changes.finish()
        # 2. Signed and kept, then sent.
        now = self._clock()
        parts = []
        for part in known.parts:
            said = ContestStatement(
                contributor=self._home.party_id,
                deposit_id=part.deposit_id,
                withdrawal_digest=part.withdrawal_digest,
                state=state,
                reason=reason,
                stated_at=now,
            )
            document = documents.sign(said, self._home.signing_key).document
            parts.append(part.model_copy(update={"decision": document}))
        changes_made = {"state": state, "reason": reason, "decided_at": now, "parts": tuple(parts)}
        decided = known.model_copy(update=changes_made)
        contested_records.keep(self._home, decided)
        self._end(decided)
        return decided

    def _end(self, decided: ContestedSubmission) -> None:
        """Let it in again, or keep it out as what a person took back."""
        then: Reason | None = None if decided.state is ContestState.UPHELD else "consent_withdrawn"
        marks = [each.mark for each in decided.marks]
        self._kept_out().end("contested", marks, [decided.reference], then)

    def _kept_out(self) -> KeptOut:
        return KeptOut(self._home, self._clock(), self._random_bytes)

    def _send(self, part: ContestedPart, decision: str) -> None:
        space = self._space(DepositFolder(self._home, part.deposit_id))
        path = f"/v1/deposits/{part.deposit_id.hex()}/decide-contest"
        body = DocumentMessage(document=decision)
        try:
            post_recorded(self._caller, path, body, space, RecordKind.CONTEST_STATED)
        except NotFound:
            # Noted, and killed before it was kept for sending: the broker never had that withdrawal.
            return

    def _space(self, deposit: DepositFolder) -> Space:
        return SeriesFolder(self._home, deposit.declaration.payload.series_id).space
