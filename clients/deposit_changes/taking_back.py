"""Take back one deposit, or what was deposited of some identifiers or under a reference of one's own.

A whole series is `clients.contributor`'s.

Rule (decision 0006): identifiers stay here. Their tokens are derived under k, so this works while the series is open;
what goes out is a signed statement with the root over the records that remain, and beside it the tokens, which the
broker neither keeps nor logs (`clients.deposit_changes.root_changes`). What a person took back is first marked, so that
no file puts it in again (`clients.deposit_changes.kept_out`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from broker.protocol import documents, tokens
from broker.protocol.errors import BadInput, Conflict, NotFound
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.deposits import DepositWithdrawal
from broker.protocol.messages.envelopes import DocumentMessage
from broker.protocol.messages.parties import Space
from broker.protocol.messages.roots import MAXIMUM_WITHDRAWN
from broker.protocol.messages.vocabulary import RecordKind
from clients.deposit_changes.kept_out import KeptOut, Reason
from clients.deposit_changes.root_changes import RootChanges
from clients.depositing import deposit_index, local_references
from clients.depositing.deposit_folder import DepositFolder, all_deposits
from clients.depositing.series_folder import SeriesFolder, SeriesState
from clients.home import Home
from clients.persons import consent_record
from clients.recorded import post_recorded
from clients.transport import Caller, Clock


@dataclass(frozen=True)
class TakenBack:
    """Records taken back from one deposit, and how many identifiers are left in it."""

    deposit_id: bytes
    series_id: bytes
    records: int
    identifiers_left: int


@dataclass(frozen=True)
class Result:
    """What became of the identifiers: from which deposits records went, and which deposits could not be looked into,
    since the keys of their series are erased; those can only be withdrawn whole. `shared` counts records that were
    left since they are of other submissions too."""

    taken: tuple[TakenBack, ...]
    closed: tuple[bytes, ...]
    shared: int = 0


class Contest(Protocol):
    """Is told what is taken back because it is contested, each time before it goes."""

    def going(self, deposit: DepositFolder, tokens: Sequence[bytes]) -> None:
        """Records of a deposit that are to go."""

    def note(self, deposit_id: bytes, withdrawal_digest: bytes) -> None:
        """A withdrawal that takes some of them back."""


class TakingBack:
    """The acts of one contributor. `caller` signs with the home's key."""

    def __init__(self, home: Home, caller: Caller, clock: Clock, random_bytes: RandomBytes) -> None:
        self._home = home
        self._caller = caller
        self._clock = clock
        self._random_bytes = random_bytes

    def withdraw_deposit(self, deposit_id: bytes, reason: str) -> None:
        """Take one deposit back; the rest of its series goes on. Again, it changes nothing.

        Raises NotFound (no such deposit in this home), Conflict (gone already), or what the broker refuses with."""
        deposit = DepositFolder(self._home, deposit_id)
        if deposit.entry.stage == "refused":
            raise Conflict("The broker refused this deposit, so there is nothing to take back.")
        space = self._series(deposit).space
        statement = DepositWithdrawal(deposit_id=deposit_id, reason=reason, withdrawn_at=self._clock())
        kept = deposit.keep("withdrawal", documents.sign(statement, self._home.signing_key).document)
        try:
            path = f"/v1/deposits/{deposit_id.hex()}/withdraw"
            body = DocumentMessage(document=kept)
            post_recorded(self._caller, path, body, space, RecordKind.DEPOSIT_WITHDRAWN)
        except NotFound:
            if deposit.entry.stage != "masked":
                raise
            # It broke off before the broker heard of it.
        deposit.move_to("withdrawn", self._clock())

    def withdraw_identifiers(
        self,
        space: Space,
        identifiers: Mapping[str, Sequence[str]],
        reason: str,
        *,
        keep_out: Reason | None = None,
    ) -> Result:
        """Take back whatever this home deposited of these identifiers in a space.

        Args:
            identifiers: canonical texts by identifier type.
            keep_out: why they may not go in again; None where they may.

        Again, it finds nothing more. Raises BadInput (none given), Conflict (a deposit is not finished), NotFound,
        VerificationFailed, or what the broker refuses with."""
        if not any(identifiers.values()):
            raise BadInput("There is no identifier to take back.")
        if keep_out is not None:
            salt = self._home.salt(space)
            hashes = [tokens.salted_hash(salt, text) for texts in identifiers.values() for text in texts]
            self._kept_out().keep_out(keep_out, space_id=space.space_id, salt_id=space.salt_id, hashes=hashes)
        taken, closed = [], []
        for deposit in all_deposits(self._home):
            series = self._series(deposit)
            texts = identifiers.get(series.manifest.payload.identifier_type, ())
            over = series.manifest.payload.conditions.retain_until <= self._clock()
            if series.manifest.payload.space_id != space.space_id or not texts or over:
                continue
            if deposit.entry.stage == "masked":
                raise Conflict("A deposit is not finished. Finish it first: narrowgate deposit resume")
            if deposit.entry.stage != "serving":
                continue
            if series.state is SeriesState.CLOSED:
                closed.append(deposit.deposit_id)
                continue
            taken += list(self._take(deposit, series, texts, reason))
        return Result(tuple(taken), tuple(closed))

    def withdraw_reference(
        self,
        reference: str,
        reason: str,
        *,
        shared_too: bool = False,
        keep_out: Reason = "consent_withdrawn",
        contest: Contest | None = None,
    ) -> Result:
        """Take back the records that this home calls by a reference of its own, in whatever space they are.

        A consent that was recorded for the reference is revoked with it, unless they are only contested.

        Args:
            shared_too: also those that rows with other references were put together with.
            keep_out: why neither the reference nor what is taken back may go in again.
            contest: told what goes, if it goes because it is contested.

        Again, it finds nothing more. Raises Conflict (a deposit is not finished), VerificationFailed, or what the
        broker refuses with."""
        self._kept_out().keep_out(keep_out, references=[reference])
        taken, closed, shared = [], [], 0
        for deposit in all_deposits(self._home):
            series = self._series(deposit)
            called = [
                (token, local_references.parts(text))
                for token, text in local_references.all_references(deposit)
            ]
            named = [(token, parts) for token, parts in called if reference in parts]
            # A statement that was cut short is finished even if its records are gone from the list already.
            if not named and deposit.pending() is None:
                continue
            if deposit.entry.stage == "masked":
                raise Conflict("A deposit is not finished. Finish it first: narrowgate deposit resume")
            if series.state is SeriesState.CLOSED:
                closed.append(deposit.deposit_id)
                continue
            own = [token for token, parts in named if shared_too or parts == {reference}]
            shared += len(named) - len(own)
            self._keep_out_of(deposit, series, set(own), keep_out)
            conditions = series.manifest.payload.conditions
            revoked = None
            if contest is None:
                revoked = consent_record.revocation(
                    self._home, reference, conditions, deposit.deposit_id, self._clock()
                )
            else:
                contest.going(deposit, own)
            taken += list(self._take_tokens(deposit, series, own, reason, revoked, contest))
        return Result(tuple(taken), tuple(closed), shared)

    def _take(
        self, deposit: DepositFolder, series: SeriesFolder, texts: Iterable[str], reason: str
    ) -> Iterator[TakenBack]:
        wanted = list(self._tokens(deposit, series, texts))
        yield from self._take_tokens(deposit, series, wanted, reason)

    def _take_tokens(
        self,
        deposit: DepositFolder,
        series: SeriesFolder,
        wanted: Iterable[bytes],
        reason: str,
        revocation: str | None = None,
        contest: Contest | None = None,
    ) -> Iterator[TakenBack]:
        """The one result of a deposit, if it holds any of them."""
        changes = RootChanges(
            self._home, series.space, deposit, self._caller, self._clock, self._random_bytes
        )
        # 1. A statement that was kept and perhaps not sent is finished first: the next one follows it.
        before = changes.finish().withdrawn
        # 2. Which of them are in this deposit?
        held = sorted(changes.versions(set(wanted)))
        # 3. So many a statement.
        for at in range(0, len(held), MAXIMUM_WITHDRAWN):
            note = None if contest is None else contest.note
            changes.withdraw(held[at : at + MAXIMUM_WITHDRAWN], reason, revocation, note)
        if held or before:
            left = deposit.entry.identifiers
            yield TakenBack(deposit.deposit_id, series.series_id, len(held) + before, left)

    def _keep_out_of(
        self, deposit: DepositFolder, series: SeriesFolder, gone: set[bytes], reason: Reason
    ) -> None:
        """Mark the identifiers of a deposit's records, before the index that knows them forgets them."""
        vault, manifest = self._home.vault, series.manifest.payload
        if not gone or not vault.exists(deposit_index.index_name(deposit.deposit_id)):
            return
        self._kept_out().keep_out(
            reason,
            space_id=manifest.space_id,
            salt_id=manifest.salt_id,
            hashes=[row.key for row in deposit_index.rows(vault, deposit.deposit_id) if row.token in gone],
        )

    def _kept_out(self) -> KeptOut:
        return KeptOut(self._home, self._clock(), self._random_bytes)

    def _tokens(self, deposit: DepositFolder, series: SeriesFolder, texts: Iterable[str]) -> Iterator[bytes]:
        manifest = series.manifest.payload
        # The salt of the series, which need not be the space's any more.
        salt = self._home.salt_of(manifest.space_id, manifest.salt_id)
        keys = series.keys()
        for text in texts:
            outputs = tokens.mask(keys.k_match, None, tokens.salted_hash(salt, text))
            yield tokens.derive(outputs.y_match, series.series_id, manifest.space_id, deposit.deposit_id)

    def _series(self, deposit: DepositFolder) -> SeriesFolder:
        return SeriesFolder(self._home, deposit.declaration.payload.series_id)
