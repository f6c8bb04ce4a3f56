"""The contributor: opens key series, deposits masked records, and takes them back.

Rule (DESIGN 2.2, 2.3): the contributor masks its own set locally; what leaves are tokens and sealed records of one
size, sorted. Each step is kept in the home before it is sent, so that any of them may be repeated after a crash. A
deposit serves only after a public test record was found and opened through a quorum of holders and the broker. A
withdrawal goes to the broker first, whose records go at once, then to the holders, whose shares go.

It reads no file of signals and canonicalises nothing: it is given canonical texts and plaintexts.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from broker.protocol import documents, tokens
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, Conflict, NotFound, Unavailable, VerificationFailed
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.envelopes import DocumentMessage, DocumentsMessage, Nothing
from broker.protocol.messages.parties import Holder, Space
from broker.protocol.messages.series import (
    Conditions,
    DestructionReceipt,
    SeriesClosing,
    SeriesOpening,
    Withdrawal,
)
from broker.protocol.messages.vocabulary import PayloadCategory, RecordKind
from clients.deposit_changes.index_comparison import compare
from clients.depositing import deposit_index, masking_runs, reference_changes
from clients.depositing.dealing import Dealer, draw_series
from clients.depositing.deposit_folder import DepositFolder, all_deposits
from clients.depositing.masked_deposit import DepositInput, Row, checked, mask_deposit
from clients.depositing.series_folder import SeriesFolder, SeriesState, all_series, quarter_of
from clients.depositing.upload import Progress, Upload
from clients.home import Home
from clients.persons.consent_record import covered
from clients.recorded import post_recorded
from clients.transport import Caller, Clock


@dataclass(frozen=True)
class DepositResult:
    """A deposit that serves. `identifiers` leaves out the test record; `repeated` says it served before this call;
    `elsewhere` are those of the input that serve in other deposits of the series, where some of it was taken back."""

    series_id: bytes
    deposit_id: bytes
    identifier_type: str
    identifiers: int
    repeated: bool
    trial: bool
    elsewhere: int = 0


@dataclass(frozen=True)
class WithdrawalResult:
    """A withdrawal: how many holders signed that their shares are gone, how many must, and whether that is enough."""

    series_id: bytes
    destruction_receipts: int
    needed: int

    @property
    def complete(self) -> bool:
        """Fewer than a quorum of holders can still have shares."""
        return self.destruction_receipts >= self.needed


class Contributor:
    """One contributor's acts.

    Args:
        home: its folder, with the space pinned and the salt kept.
        caller: signs with the home's key.
        threads: how many mask at the same time.
    """

    def __init__(
        self, home: Home, caller: Caller, clock: Clock, random_bytes: RandomBytes, *, threads: int = 1
    ) -> None:
        self._home = home
        self._caller = caller
        self._clock = clock
        self._random_bytes = random_bytes
        self._threads = threads

    # --- series ---

    def find_series(self, space: Space, identifier_type: str, conditions: Conditions) -> bytes | None:
        """This quarter's open series of the space for that type under exactly these conditions, or None."""
        return next(
            (item.series_id for item in self._fitting(space, identifier_type, conditions, SeriesState.OPEN)),
            None,
        )

    def open_series(self, space: Space, identifier_type: str, conditions: Conditions) -> bytes:
        """Draw a series, bring its shares to the holders, and open it at the broker. Returns the series_id.

        A series whose opening broke off goes on instead. Raises Unavailable (too few holders took their shares: run it
        again), NotPermitted (a type the space does not compare), or what the services refuse with.
        """
        started = self._fitting(space, identifier_type, conditions, SeriesState.OPENING)
        series = next((item for item in started if _is_current(item, space)), None)
        if series is None:
            series = draw_series(
                self._home, space, identifier_type, conditions, self._clock(), self._random_bytes
            )
        accepted = self._dealer(space).deliver(series)
        opening = SeriesOpening(manifest=series.manifest.document, acceptances=tuple(accepted.values()))
        post_recorded(self._caller, "/v1/series", opening, space, RecordKind.SERIES_OPENED)
        series.move_to(SeriesState.OPEN, self._clock())
        series.erase_shares()
        return series.series_id

    def close(self, series_id: bytes) -> None:
        """Mask no more under a series: erase its keys and say so to the broker. What was deposited goes on serving.

        Raises Conflict while a deposit of the series is not finished.
        """
        series = SeriesFolder(self._home, series_id)
        if series.state in (SeriesState.WITHDRAWN, SeriesState.EXPIRED):
            raise Conflict("The series is withdrawn, or its retention is over: its keys are erased.")
        if any(item.entry.stage == "masked" for item in all_deposits(self._home, series_id)):
            raise Conflict(
                "A deposit of this series is not finished. Finish it first: narrowgate deposit resume"
            )
        space = series.space
        statement = SeriesClosing(series_id=series_id, closed_at=self._clock())
        kept = series.keep("closing", documents.sign(statement, self._home.signing_key).document)
        # The statement says that k is gone, so it goes before anybody reads the statement.
        series.erase_keys()
        masking_runs.erase_unfinished(self._home, series_id)
        for item in all_deposits(self._home, series_id):
            item.forget_leaves()
        url = f"{space.broker_origin}/v1/series/{series_id.hex()}/close"
        self._caller.within(space.space_id).post(url, DocumentMessage(document=kept), Nothing)
        series.move_to(SeriesState.CLOSED, self._clock())

    def withdraw(self, series_id: bytes, reason: str) -> WithdrawalResult:
        """Take a whole series back. Run it again when it is not complete: it asks the holders that are missing.

        It stops new evaluations and unopened payloads, and no more is claimed: what was disclosed stays disclosed.
        """
        series = SeriesFolder(self._home, series_id)
        space = series.space
        statement = Withdrawal(series_id=series_id, reason=reason, withdrawn_at=self._clock())
        kept = series.keep("withdrawal", documents.sign(statement, self._home.signing_key).document)
        withdrawal = documents.verify(Withdrawal, kept, self._home.identity.signing_key)
        # 1. The broker: its records go at once. A series that never opened it does not know.
        opened = series.state is not SeriesState.OPENING
        path = f"/v1/series/{series_id.hex()}"
        body = DocumentMessage(document=kept)
        if opened:
            post_recorded(self._caller, f"{path}/withdraw", body, space, RecordKind.SERIES_WITHDRAWN)
            series.move_to(SeriesState.WITHDRAWN, self._clock())
        # 2. Here: k and whatever was not yet sent.
        series.erase_keys()
        masking_runs.erase_unfinished(self._home, series_id)
        for item in all_deposits(self._home, series_id):
            item.move_to("withdrawn", self._clock())
        # 3. The holders: their shares go, and each signs that they did.
        for holder in space.holders:
            if series.kept(f"destruction-{holder.holder_id}") is None:
                self._destroy_at(series, holder, withdrawal)
        receipts = series.documents("destruction")
        result = WithdrawalResult(series_id, len(receipts), len(space.holders) - space.threshold + 1)
        # 4. The broker again, which logs that the series is gone for good.
        if opened and result.complete:
            documents_body = DocumentsMessage(documents=tuple(receipts.values()))
            url = f"{path}/destruction-receipts"
            post_recorded(self._caller, url, documents_body, space, RecordKind.SERIES_DESTROYED)
        elif not opened:
            series.move_to(SeriesState.WITHDRAWN, self._clock())
        return result

    def _destroy_at(self, series: SeriesFolder, holder: Holder, withdrawal: Signed[Withdrawal]) -> None:
        url = f"{holder.origin}/v1/series/{series.series_id.hex()}/destroy"
        try:
            caller = self._caller.within(series.manifest.payload.space_id)
            answer = caller.post(url, DocumentMessage(document=withdrawal.document), DocumentMessage)
        except (Unavailable, NotFound):
            # It is down, or never had a share; the count of receipts tells whether the rest suffice.
            return
        receipt = documents.verify(DestructionReceipt, answer.document, holder.signing_key).payload
        named = (receipt.series_id, receipt.holder_id, receipt.x, receipt.withdrawal_digest)
        if named != (series.series_id, holder.holder_id, holder.x, withdrawal.digest):
            raise VerificationFailed("A key holder's destruction receipt is for something else.")
        series.keep(f"destruction-{holder.holder_id}", answer.document)

    # --- deposits ---

    def deposit(
        self,
        series_id: bytes,
        records: Iterable[tuple[str, bytes]],
        progress: Progress | None = None,
        *,
        references: Mapping[str, str] | None = None,
    ) -> DepositResult:
        """Deposit so many records as fit in memory: `deposit_rows` of what is given.

        Args:
            series_id: an open series of the records' type.
            records: (canonical text, plaintext) of each identifier, once each. A plaintext fits the size class.
            references: what the contributor calls a record, by canonical text; kept here, sealed, and sent nowhere.

        Errors as `deposit_rows`, and BadInput for an identifier of another type.
        """
        manifest, called = SeriesFolder(self._home, series_id).manifest.payload, references or {}
        salt = self._home.salt_of(manifest.space_id, manifest.salt_id)
        rows = []
        for text, plaintext in records:
            if not text.startswith(f"{manifest.identifier_type}/"):
                raise BadInput(
                    "The series is for another type of identifier. Deposit each type under its own series."
                )
            rows.append(Row(tokens.salted_hash(salt, text), plaintext, called.get(text)))
        rows.sort()
        return self.deposit_rows(series_id, lambda: iter(rows), progress)

    def deposit_rows(
        self,
        series_id: bytes,
        rows: Callable[[], Iterator[Row]],
        progress: Progress | None = None,
        *,
        anew: bool = False,
    ) -> DepositResult:
        """Mask records locally and bring them to the broker, up to and including the test that they are found.

        Args:
            series_id: an open series of the records' type.
            rows: gives the records at each call, in order of the hashes under the series' salt, once each. They are
                read twice and never held together. Where a row's reference has a consent, that must cover the
                series' conditions.
            progress: told (done, total) as records are masked and sent.
            anew: whether the same records may go in though they were deposited, since they were taken back after that.

        The same records again change nothing but what they are called here: one that broke off in masking or sending
        goes on, one that serves is returned. What was taken back of it since is deposited again (decision 0041): what
        may not be, the caller has left out (`clients.deposit_changes.sieve`). Raises RefusedByGate, BadInput (nothing
        to deposit, an identifier twice), NotFound (something was taken back, and a deposit of the series has no index),
        RemoteProblem.
        """
        series = SeriesFolder(self._home, series_id)
        if series.state is not SeriesState.OPEN:
            raise Conflict("The series is not open: it takes no deposit. See: narrowgate deposit list")
        rows = covered(self._home, series.manifest.payload.conditions, self._clock(), rows)
        given = checked(rows, series.keys())
        for known in all_deposits(self._home, series_id):
            stages = ("masked",) if anew else ("masked", "serving")
            if known.entry.input_digest == given.digest and known.entry.stage in stages:
                if series.manifest.payload.conditions.payload_category is PayloadCategory.NONE:
                    reference_changes.take_over(self._home.vault, [known.deposit_id], rows())
                if known.entry.stage == "serving" and known.entry.identifiers < given.identifiers:
                    return self._put_back(known, series, given, progress)
                return self._finish(known, series, progress)
        now, space = self._clock(), series.space
        if series.manifest.payload.salt_id != space.salt_id:
            raise Conflict(
                "The space's salt was changed since this series was opened, so nobody would find what is added to it. "
                "Deposit with --conditions, which opens a new series, and withdraw this one."
            )
        if series.quarter != quarter_of(now):
            raise Conflict(
                "The series is of an earlier quarter, and each quarter has keys of its own. Deposit with --conditions, "
                "which opens this quarter's series."
            )
        masked = mask_deposit(
            self._home,
            space,
            series,
            given,
            now,
            self._random_bytes,
            threads=self._threads,
            progress=progress,
        )
        return self._finish(masked, series, progress)

    def _put_back(
        self, known: DepositFolder, series: SeriesFolder, given: DepositInput, progress: Progress | None
    ) -> DepositResult:
        """Deposit what no serving deposit of the series holds any more of an input that was deposited before."""
        indexes = [
            (each.deposit_id, deposit_index.rows(self._home.vault, each.deposit_id))
            for each in all_deposits(self._home, series.series_id)
            if each.entry.stage == "serving"
        ]
        missing = {
            each.row.salted_hash
            for each in compare(given.rows(), indexes, with_payload=False)
            if each.row is not None and each.place is None
        }
        if missing:
            rows = given.rows
            result = self.deposit_rows(
                series.series_id,
                lambda: (row for row in rows() if row.salted_hash in missing),
                progress,
                anew=True,
            )
        else:
            result = self._finish(known, series, progress)
        return replace(result, elsewhere=given.identifiers - result.identifiers)

    def resume(self, deposit_id: bytes, progress: Progress | None = None) -> DepositResult:
        """Go on with a deposit that broke off, from what the home kept. Errors as `deposit`."""
        deposit = DepositFolder(self._home, deposit_id)
        return self._finish(
            deposit, SeriesFolder(self._home, deposit.declaration.payload.series_id), progress
        )

    def unfinished(self) -> tuple[bytes, ...]:
        """The deposits that broke off."""
        return tuple(item.deposit_id for item in all_deposits(self._home) if item.entry.stage == "masked")

    def _finish(
        self, deposit: DepositFolder, series: SeriesFolder, progress: Progress | None
    ) -> DepositResult:
        entry, space = deposit.entry, series.space
        masking_runs.erase_left(self._home, deposit.deposit_id)
        if entry.stage in ("withdrawn", "refused", "expired"):
            raise Conflict(
                "This deposit was refused or withdrawn, or its retention is over. Deposit the file anew."
            )
        if entry.stage == "masked":
            dealer = self._dealer(space)
            Upload(self._home, space, deposit, series, dealer, self._caller, self._clock).finish(progress)
        return DepositResult(
            entry.series_id,
            entry.deposit_id,
            entry.identifier_type,
            entry.identifiers,
            entry.stage == "serving",
            space.trial,
        )

    # --- what the steps share ---

    def _fitting(
        self, space: Space, identifier_type: str, conditions: Conditions, state: SeriesState
    ) -> Iterator[SeriesFolder]:
        quarter = quarter_of(self._clock())
        for series in all_series(self._home):
            manifest = series.manifest.payload
            fits = (manifest.space_id, manifest.salt_id) == (space.space_id, space.salt_id)
            same = (manifest.identifier_type, manifest.conditions) == (identifier_type, conditions)
            if fits and same and series.state is state and series.quarter == quarter:
                yield series

    def _dealer(self, space: Space) -> Dealer:
        return Dealer(space, self._caller, self._clock, self._random_bytes)


def _is_current(series: SeriesFolder, space: Space) -> bool:
    """The broker opens a series under the newest roster only; one drawn under an older is left behind."""
    return series.manifest.payload.roster_version == space.roster_version
