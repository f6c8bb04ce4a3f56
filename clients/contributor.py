"""The contributor: opens key series, deposits masked records, and takes them back.

Rule (DESIGN 2.2, 2.3): the contributor masks its own set locally; what leaves are tokens and sealed records of one
size, sorted. Each step is kept in the home before it is sent, so that any of them may be repeated after a crash. A
deposit serves only after a public test record was found and opened through a quorum of holders and the broker. A
withdrawal goes to the broker first, whose records go at once, then to the holders, whose shares go.

It reads no file of signals and canonicalises nothing: it is given canonical texts and plaintexts.
"""

import hashlib
import hmac
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, Conflict, NotFound, Unavailable, VerificationFailed
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.deposits import DepositDeclaration, Record
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
from clients import local_references, masked_records, record_leaves
from clients.dealing import Dealer, draw_series
from clients.deposit_folder import DepositEntry, DepositFolder, all_deposits, records_name
from clients.home import Home
from clients.masking import MaskingKeys, mask_records, self_test_record
from clients.recorded import post_recorded
from clients.series_folder import SeriesFolder, SeriesState, all_series
from clients.transport import Caller, Clock
from clients.upload import Progress, Upload


@dataclass(frozen=True)
class DepositResult:
    """A deposit that serves. `identifiers` leaves out the test record; `repeated` says it served before this call."""

    series_id: bytes
    deposit_id: bytes
    identifier_type: str
    identifiers: int
    repeated: bool
    trial: bool


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


class _OfDeposit(TypedDict):
    """What masking takes that is the same for all records of a deposit."""

    series_id: bytes
    space_id: bytes
    deposit_id: bytes
    size_class: int
    with_payload: bool
    random_bytes: RandomBytes


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
        """An open series of this space for that type under exactly these conditions, or None."""
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
        if series.state is SeriesState.WITHDRAWN:
            raise Conflict("The series is withdrawn already.")
        if any(item.entry.stage == "masked" for item in all_deposits(self._home, series_id)):
            raise Conflict(
                "A deposit of this series is not finished. Finish it first: narrowgate deposit resume"
            )
        space = self._space_of(series)
        statement = SeriesClosing(series_id=series_id, closed_at=self._clock())
        kept = series.keep("closing", documents.sign(statement, self._home.signing_key).document)
        # The statement says that k is gone, so it goes before anybody reads the statement.
        series.erase_keys()
        for item in all_deposits(self._home, series_id):
            item.forget_leaves()
        url = f"{space.broker_origin}/v1/series/{series_id.hex()}/close"
        self._caller.post(url, DocumentMessage(document=kept), Nothing)
        series.move_to(SeriesState.CLOSED, self._clock())

    def withdraw(self, series_id: bytes, reason: str) -> WithdrawalResult:
        """Take a whole series back. Run it again when it is not complete: it asks the holders that are missing.

        It stops new evaluations and unopened payloads, and no more is claimed: what was disclosed stays disclosed.
        """
        series = SeriesFolder(self._home, series_id)
        space = self._space_of(series)
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
            answer = self._caller.post(url, DocumentMessage(document=withdrawal.document), DocumentMessage)
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
        """Mask records locally and bring them to the broker, up to and including the test that they are found.

        Args:
            series_id: an open series of the records' type.
            records: (canonical text, plaintext) of each identifier, once each. A plaintext fits the size class.
            progress: told (done, total) as records are masked and sent.
            references: what the contributor calls a record, by canonical text; kept here, sealed, and sent nowhere.

        The same records again change nothing: a deposit that broke off goes on, one that serves is returned. Raises
        RefusedByGate, BadInput (nothing to deposit, an identifier twice or of another type), RemoteProblem.
        """
        series = SeriesFolder(self._home, series_id)
        if series.state is not SeriesState.OPEN:
            raise Conflict("The series is not open: it takes no deposit. See: narrowgate deposit list")
        rows = _checked_rows(records, series.manifest.payload.identifier_type)
        keys = series.keys()
        digest = _input_digest(keys, rows)
        for known in all_deposits(self._home, series_id):
            if known.entry.input_digest == digest and known.entry.stage in ("masked", "serving"):
                return self._finish(known, series, progress)
        masked = self._mask(series, keys, rows, digest, references or {}, progress)
        return self._finish(masked, series, progress)

    def resume(self, deposit_id: bytes, progress: Progress | None = None) -> DepositResult:
        """Go on with a deposit that broke off, from what the home kept. Errors as `deposit`."""
        deposit = DepositFolder(self._home, deposit_id)
        return self._finish(
            deposit, SeriesFolder(self._home, deposit.declaration.payload.series_id), progress
        )

    def unfinished(self) -> tuple[bytes, ...]:
        """The deposits that broke off."""
        return tuple(item.deposit_id for item in all_deposits(self._home) if item.entry.stage == "masked")

    def _mask(
        self,
        series: SeriesFolder,
        keys: MaskingKeys,
        rows: Sequence[tuple[str, bytes]],
        digest: bytes,
        references: Mapping[str, str],
        progress: Progress | None,
    ) -> DepositFolder:
        manifest, space = series.manifest.payload, self._space_of(series)
        deposit_id, now = self._random_bytes(32), self._clock()
        of_deposit: _OfDeposit = {
            "series_id": series.series_id,
            "space_id": space.space_id,
            "deposit_id": deposit_id,
            "size_class": space.size_class,
            "with_payload": manifest.conditions.payload_category is not PayloadCategory.NONE,
            "random_bytes": self._random_bytes,
        }
        test_record = self_test_record(keys, **of_deposit)
        salt = self._home.salt(space)
        masked = mask_records(rows, keys, salt=salt, threads=self._threads, **of_deposit)
        called: list[tuple[bytes, str]] = []
        masked = _noted(masked, rows, references, called)
        written = masked_records.write_sorted(
            self._home.vault,
            records_name(deposit_id),
            itertools.chain((test_record,), _counted(masked, len(rows), progress)),
            space.size_class,
        )
        record_leaves.keep(self._home.vault, deposit_id, written)
        if called:
            local_references.keep(self._home.vault, deposit_id, called)
        declaration = DepositDeclaration(
            deposit_id=deposit_id,
            series_id=series.series_id,
            space_id=space.space_id,
            contributor=manifest.contributor,
            salt_id=manifest.salt_id,
            size_class=space.size_class,
            records=written.records,
            root=written.root,
            self_test_token=test_record.token,
            period_from=now,
            period_until=now,
            declared_at=now,
        )
        entry = DepositEntry(
            deposit_id=deposit_id,
            series_id=series.series_id,
            identifier_type=manifest.identifier_type,
            input_digest=digest,
            identifiers=len(rows),
            stage="masked",
            changed_at=now,
        )
        return DepositFolder.create(self._home, documents.sign(declaration, self._home.signing_key), entry)

    def _finish(
        self, deposit: DepositFolder, series: SeriesFolder, progress: Progress | None
    ) -> DepositResult:
        entry, space = deposit.entry, self._space_of(series)
        if entry.stage in ("withdrawn", "refused"):
            raise Conflict("This deposit was refused or withdrawn. Deposit the file anew.")
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
        for series in all_series(self._home):
            manifest = series.manifest.payload
            fits = (manifest.space_id, manifest.salt_id) == (space.space_id, space.salt_id)
            same = (manifest.identifier_type, manifest.conditions) == (identifier_type, conditions)
            if fits and same and series.state is state:
                yield series

    def _space_of(self, series: SeriesFolder) -> Space:
        return self._home.space(series.manifest.payload.space_id).payload

    def _dealer(self, space: Space) -> Dealer:
        return Dealer(space, self._caller, self._clock, self._random_bytes)


def _is_current(series: SeriesFolder, space: Space) -> bool:
    """The broker opens a series under the newest roster only; one drawn under an older is left behind."""
    return series.manifest.payload.roster_version == space.roster_version


def _checked_rows(records: Iterable[tuple[str, bytes]], identifier_type: str) -> list[tuple[str, bytes]]:
    rows = sorted(records)
    if not rows:
        raise BadInput("There is nothing to deposit.")
    if not all(canonical.startswith(f"{identifier_type}/") for canonical, _ in rows):
        raise BadInput(
            "The series is for another type of identifier. Deposit each type under its own series."
        )
    if any(first[0] == second[0] for first, second in itertools.pairwise(rows)):
        raise BadInput("An identifier is given twice. Group its signals into one record first.")
    return rows


def _input_digest(keys: MaskingKeys, rows: Sequence[tuple[str, bytes]]) -> bytes:
    """Tells the same input again. Keyed, since a digest of identifiers alone could be guessed through."""
    digest = hmac.new(keys.k_match, b"narrowgate/v1/input\x00", hashlib.sha256)
    for canonical, plaintext in rows:
        name = canonical.encode("utf-8")
        digest.update(len(name).to_bytes(4, "big") + name + len(plaintext).to_bytes(4, "big") + plaintext)
    return digest.digest()


def _counted(masked: Iterable[Record], total: int, progress: Progress | None) -> Iterator[Record]:
    for done, record in enumerate(masked, start=1):
        yield record
        if progress is not None and (done % 1000 == 0 or done == total):
            progress(done, total)


def _noted(
    masked: Iterable[Record],
    rows: Sequence[tuple[str, bytes]],
    references: Mapping[str, str],
    called: list[tuple[bytes, str]],
) -> Iterator[Record]:
    """The records, each with its token noted beside what its contributor calls it."""
    for record, (canonical, _) in zip(masked, rows, strict=True):
        if canonical in references:
            called.append((record.token, references[canonical]))
        yield record
