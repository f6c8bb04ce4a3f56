"""Bring a masked deposit to the broker: declare, send, complete, test, serve; each step goes on where it broke off.

Rule (DESIGN 2.3): the broker's gate decides on the signed declaration before a record is sent; the broker says how many
records it has, and the next batch begins there, so that none is stored twice and none is left out. The deposit serves
only after its public test record was found under the token that a quorum of holders evaluated, and opened with the key
derived from their answers: so holders, broker and contributor agree before anybody's identifier depends on it.

Where it stands the broker says; what to send lies in the home. It masks nothing.
"""

import hashlib
from collections.abc import Callable

from broker.protocol import documents, sealing, tokens
from broker.protocol.documents import Signed
from broker.protocol.errors import Conflict, NotFound, Refused, VerificationFailed
from broker.protocol.messages.deposits import DepositState, SelfTest
from broker.protocol.messages.envelopes import DocumentMessage, Nothing, SealedAnswer, TokenQuery
from broker.protocol.messages.parties import Space
from broker.protocol.messages.vocabulary import PayloadCategory, RecordKind
from clients.depositing import masked_records
from clients.depositing.dealing import Dealer
from clients.depositing.deposit_folder import DepositFolder
from clients.depositing.series_folder import SeriesFolder
from clients.home import Home
from clients.recorded import post_recorded
from clients.transport import Awaiting, Caller, Clock, Unreachable

Progress = Callable[[int, int], None]
"""Told how many records are done, and of how many."""

_SMALLEST_BATCH_BYTES = 64 * 1024
_FRUITLESS_ATTEMPTS = 4
"""Each of which is as many calls as a Caller makes of one, with its pauses between."""


class Upload:
    """The way of one deposit to the broker.

    Args:
        deposit: masked and kept in the home.
        series: the one it is masked under.
        dealer: asks the holders of that series to try it out.
    """

    def __init__(
        self,
        home: Home,
        space: Space,
        deposit: DepositFolder,
        series: SeriesFolder,
        dealer: Dealer,
        caller: Caller,
        clock: Clock,
    ) -> None:
        self._home = home
        self._space = space
        self._deposit = deposit
        self._series = series
        self._dealer = dealer
        self._caller = caller.within(space.space_id)
        self._clock = clock
        self._path = f"/v1/deposits/{deposit.deposit_id.hex()}"

    def finish(self, progress: Progress | None = None) -> None:
        """Take every step that is left.

        Raises RefusedByGate (the deposit is then given up), RemoteProblem, Unreachable, or VerificationFailed when the
        test record is not found or does not open.
        """
        if self._caller.answers_later:
            self._finish_carried(progress)
            return
        state = self._state()
        if state is None:
            self._declare()
            state = self._state()
        if state is None or state.state in ("withdrawn", "expired"):
            raise Conflict(
                "The broker does not take this deposit any more: it is withdrawn, or its retention is over."
            )
        if state.state == "admitted":
            self._send(state, progress)
            self._complete()
        if state.state != "serving":
            self._say_serving(self._test())
        self._deposit.move_to("serving", self._clock())

    def _finish_carried(self, progress: Progress | None) -> None:
        """As `finish`, where answers come later: all that needs none first goes at once, in its order.

        Raises Awaited while answers are on their way."""
        awaiting = Awaiting()
        with awaiting:
            self._declare()
        self._send_all(progress, awaiting)
        with awaiting:
            self._complete()
        with awaiting:
            # The record is asked for under the declared token, while the holders are asked whether it is theirs.
            self._find_test_record()
        with awaiting:
            self._dealer.self_test(self._series)
        awaiting.check()
        self._say_serving(self._test())
        self._deposit.move_to("serving", self._clock())

    def _state(self) -> DepositState | None:
        try:
            return self._caller.get(self._space.broker_origin + self._path, DepositState)
        except NotFound:
            return None

    def _declare(self) -> None:
        body = DocumentMessage(document=self._deposit.declaration.document)
        try:
            post_recorded(self._caller, "/v1/deposits", body, self._space, RecordKind.DEPOSIT_ADMITTED)
        except Refused:
            # The same records may be deposited again once what the rules missed is mended: as another deposit.
            self._deposit.move_to("refused", self._clock())
            raise

    def _send(self, state: DepositState, progress: Progress | None) -> None:
        """Send what the broker has not got, from the record where it stands.

        On a line that is cut again and again a batch of 4 MiB may never get through: each time it does not, it is asked
        what did arrive, and half as many records are tried; after a success twice as many. Raises Unreachable when
        several attempts in a row brought nothing."""
        masked, failures, batch_bytes = self._deposit.masked, 0, masked_records.BATCH_BYTES
        while state.records_stored < masked.records:
            count = masked_records.per_batch(masked.size_class, batch_bytes)
            data = masked_records.batch(self._home.vault, masked, state.records_stored, count)
            url = f"{self._space.broker_origin}{self._path}/batches/{state.next_batch}"
            before = state.records_stored
            try:
                state = self._caller.post(url, data, DepositState)
                batch_bytes = min(masked_records.BATCH_BYTES, 2 * batch_bytes)
            except (Unreachable, Conflict):
                # Conflict: an attempt whose answer was lost arrives late, as the batch of this number.
                failures += 1
                if failures == _FRUITLESS_ATTEMPTS:
                    raise
                batch_bytes = max(_SMALLEST_BATCH_BYTES, batch_bytes // 2)
                state = self._arrived(state)
            if state.records_stored > before:
                failures = 0
                if progress is not None:
                    progress(state.records_stored, masked.records)

    def _arrived(self, before: DepositState) -> DepositState:
        try:
            return self._state() or before
        except Unreachable:
            return before

    def _send_all(self, progress: Progress | None, awaiting: Awaiting) -> None:
        """Send every batch, each of 4 MiB, where answers come later."""
        masked = self._deposit.masked
        for number, data in enumerate(masked_records.remaining(self._home.vault, masked)):
            url = f"{self._space.broker_origin}{self._path}/batches/{number}"
            with awaiting:
                state = self._caller.post(url, data, DepositState)
                if progress is not None:
                    progress(state.records_stored, masked.records)

    def _complete(self) -> None:
        path = f"{self._path}/complete"
        post_recorded(self._caller, path, Nothing(), self._space, RecordKind.DEPOSIT_COMPLETED)

    def _find_test_record(self) -> SealedAnswer:
        url = f"{self._space.broker_origin}{self._path}/self-test-record"
        token = self._deposit.declaration.payload.self_test_token
        return self._caller.post(url, TokenQuery(token=token), SealedAnswer)

    def _test(self) -> Signed[SelfTest]:
        """The signed statement that the test record was found and opens; one that is on its way is not made again."""
        kept = self._deposit.self_test() if self._caller.answers_later else None
        if kept is not None:
            return kept
        declared, series_id = self._deposit.declaration.payload, self._series.series_id
        # 1. A quorum evaluates the series' public element; the token must be the declared one.
        chosen, outputs = self._dealer.self_test(self._series)
        token = tokens.derive(outputs.y_match, series_id, declared.space_id, declared.deposit_id)
        if token != declared.self_test_token:
            raise VerificationFailed(
                "The holders' keys are not those this deposit was masked under. Withdraw it."
            )
        # 2. The broker finds the record under it, and it opens.
        found = self._find_test_record()
        category = self._series.manifest.payload.conditions.payload_category
        y_open = b"" if category is PayloadCategory.NONE else outputs.y_open
        plaintext = sealing.open_sealed(
            tokens.seal_key(outputs.y_match, y_open, series_id, declared.space_id, declared.deposit_id),
            found.sealed,
            space_id=declared.space_id,
            deposit_id=declared.deposit_id,
            token=token,
            record_version=found.record_version,
            size_class=declared.size_class,
        )
        if plaintext != tokens.self_test_plaintext(series_id):
            raise VerificationFailed("The test record does not hold what was put in. Withdraw the series.")
        # 3. Say so, signed.
        test = SelfTest(
            series_id=series_id,
            deposit_id=declared.deposit_id,
            quorum=chosen,
            sealed_digest=hashlib.sha256(found.sealed).digest(),
            tested_at=self._clock(),
        )
        signed = documents.sign(test, self._home.signing_key)
        self._deposit.keep_self_test(signed)
        return signed

    def _say_serving(self, signed: Signed[SelfTest]) -> None:
        """From here on the deposit serves."""
        body = DocumentMessage(document=signed.document)
        post_recorded(self._caller, f"{self._path}/serve", body, self._space, RecordKind.DEPOSIT_SERVING)
