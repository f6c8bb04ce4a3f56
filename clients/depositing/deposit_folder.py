"""A contributor's deposits at rest: what was masked, declared and is still to be sent.

Rule: a deposit is kept, records and signed declaration both, before the broker hears of it, so that a run that was
killed goes on under the same id with the same bytes. The masked records go once the deposit serves. No identifier is
kept: `input_digest`, keyed with k, only tells whether the same file is deposited again.

    deposits/DEPOSIT/{records,leaves,index,references,declaration.jws,deposit.json,self-test.jws,withdrawal.jws}
    deposits/DEPOSIT/{changing,change-NUMBER.jws,asked-PERMIT}
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import NotFound
from broker.protocol.messages.base import Blob, Bytes32, Document, Id16, Message, Seconds, Slug, encode, read
from broker.protocol.messages.deposits import DepositDeclaration, SelfTest
from broker.protocol.messages.roots import (
    RecordReplacementSubmission,
    RecordWithdrawalSubmission,
    RootChange,
)
from clients.depositing.deposit_index import index_name
from clients.depositing.local_references import references_name
from clients.depositing.masked_records import MaskedRecords
from clients.depositing.record_leaves import leaves_name
from clients.home import Home
from clients.requester_checks.released_roots import read_change

Stage = Literal["masked", "serving", "withdrawn", "refused", "expired"]


class DepositEntry(Message):
    """What the home knows of one deposit. `identifiers` leaves out the self-test record."""

    v: Literal[1] = 1
    deposit_id: Bytes32
    series_id: Bytes32
    identifier_type: Slug
    input_digest: Bytes32
    replaced_digest: Bytes32 | None = None
    """Of the input by which records were replaced last."""
    identifiers: Annotated[int, Field(ge=0)]
    stage: Stage
    changed_at: Seconds


class PendingChange(Message):
    """A signed change of the root with what it is about, until it took effect; by token in hexadecimal, the new
    `references`, and the digests of the new `contents` for the index."""

    v: Literal[1] = 1
    submission: RecordWithdrawalSubmission | RecordReplacementSubmission
    contest: Document | None = None
    """The signed `ContestStatement`, where records are taken back because they are contested."""
    references: dict[str, str] = Field(default_factory=dict)
    contents: dict[str, str] = Field(default_factory=dict)


class KeptAsk(Message):
    """That the release of some records was asked, as the contributor was shown it. It does not say by whom."""

    v: Literal[1] = 1
    permit_id: Id16
    series_id: Bytes32
    tokens: Annotated[Blob, Field(repr=False)]
    asked_at: Seconds
    until_at: Seconds
    request_digest: Bytes32 | None = None
    """What an answer names; None of what was kept before it was kept."""


class DepositFolder:
    """The files of one deposit. Raises NotFound on construction if there is none of that id."""

    def __init__(self, home: Home, deposit_id: bytes) -> None:
        self.vault = home.vault
        self._folder = f"deposits/{deposit_id.hex()}"
        if not self.vault.exists(f"{self._folder}/deposit.json"):
            raise NotFound("This home has no deposit of that name. See: narrowgate deposit list")
        text = self.vault.read_text(f"{self._folder}/declaration.jws")
        self.declaration: Signed[DepositDeclaration] = documents.verify(
            DepositDeclaration, text, home.identity.signing_key
        )
        self.deposit_id = deposit_id
        self._signing_key = home.identity.signing_key

    @classmethod
    def create(
        cls, home: Home, declaration: Signed[DepositDeclaration], entry: DepositEntry
    ) -> "DepositFolder":
        """Keep a deposit whose records are written already (under `records_name`)."""
        folder = f"deposits/{entry.deposit_id.hex()}"
        home.vault.write_text(f"{folder}/declaration.jws", declaration.document)
        # Last: a deposit is there once this file is.
        home.vault.write_message(f"{folder}/deposit.json", entry)
        return cls(home, entry.deposit_id)

    @property
    def entry(self) -> DepositEntry:
        """What the home knows of the deposit."""
        return self.vault.read_message(DepositEntry, f"{self._folder}/deposit.json")

    @property
    def masked(self) -> MaskedRecords:
        """The file of its masked records, as declared."""
        declared = self.declaration.payload
        return MaskedRecords(
            records_name(self.deposit_id), declared.size_class, declared.records, declared.root
        )

    def move_to(self, stage: Stage, now: int) -> None:
        """Note durably where the deposit stands. Beyond `masked` its records are erased here, and
        once it does not serve the lists of them and of their local references too."""
        self._update(stage=stage, changed_at=now)
        if stage != "masked":
            self.vault.erase(records_name(self.deposit_id))
        if stage not in ("masked", "serving"):
            self.forget_leaves()
            self.vault.erase(references_name(self.deposit_id))
            for name in self.vault.names(self._folder):
                if name.startswith("asked-"):
                    self.vault.erase(f"{self._folder}/{name}")

    def forget_leaves(self) -> None:
        """Erase the list of records, the index, and a change not yet made: no record can be named from now on."""
        self.vault.erase(leaves_name(self.deposit_id))
        self.vault.erase(index_name(self.deposit_id))
        self.vault.erase(f"{self._folder}/changing")

    def keep_ask(self, ask: KeptAsk) -> None:
        """Keep that a release was asked, for the day the person wants to know."""
        self.vault.write_secret(f"{self._folder}/asked-{ask.permit_id.hex()}", encode(ask))

    def asks(self) -> tuple[KeptAsk, ...]:
        """Every such ask that this home was shown."""
        names = (name for name in self.vault.names(self._folder) if name.startswith("asked-"))
        return tuple(read(KeptAsk, self.vault.read_secret(f"{self._folder}/{name}")) for name in names)

    def keep(self, name: str, document: str) -> str:
        """Keep a signed document of the deposit, unless one of that name is kept already. Returns the kept one."""
        path = f"{self._folder}/{name}.jws"
        if not self.vault.exists(path):
            self.vault.write_text(path, document)
        return self.vault.read_text(path)

    def last_change(self) -> tuple[int, bytes]:
        """The number of the last statement that changed the root, 0 before the first, and the root that holds."""
        number, root = 0, self.declaration.payload.root
        while self.vault.exists(f"{self._folder}/change-{number + 1}.jws"):
            number += 1
            text = self.vault.read_text(f"{self._folder}/change-{number}.jws")
            root = read_change(text, self._signing_key).root
        return number, root

    def keep_pending(self, pending: PendingChange) -> None:
        """Keep a statement with what it is about, sealed, until it took effect."""
        self.vault.write_secret(f"{self._folder}/changing", encode(pending))

    def pending(self) -> PendingChange | None:
        """The statement that `keep_pending` kept, if it is not finished."""
        if not self.vault.exists(f"{self._folder}/changing"):
            return None
        return read(PendingChange, self.vault.read_secret(f"{self._folder}/changing"))

    def pending_root(self) -> bytes | None:
        """The root that the statement of `pending` declares; None if there is none. Raises VerificationFailed."""
        pending = self.pending()
        if pending is None:
            return None
        return read_change(pending.submission.document, self._signing_key).root

    def finish_pending(self, statement: RootChange, document: str) -> None:
        """The statement took effect: keep it, and erase what it was about."""
        self.vault.write_text(f"{self._folder}/change-{statement.number}.jws", document)
        self._update(identifiers=statement.records - 1)
        self.vault.erase(f"{self._folder}/changing")

    def note_replacement(self, input_digest: bytes) -> None:
        """Remember which input replaced records last, so that the same again changes nothing."""
        self._update(replaced_digest=input_digest)

    def _update(self, **changes: object) -> None:
        self.vault.write_message(f"{self._folder}/deposit.json", self.entry.model_copy(update=changes))

    def keep_self_test(self, test: Signed[SelfTest]) -> None:
        """Keep the signed self-test, the evidence on which the deposit serves."""
        self.vault.write_text(f"{self._folder}/self-test.jws", test.document)

    def self_test(self) -> Signed[SelfTest] | None:
        """The self-test that was kept, or None."""
        name = f"{self._folder}/self-test.jws"
        if not self.vault.exists(name):
            return None
        return documents.verify(SelfTest, self.vault.read_text(name), self._signing_key)


def records_name(deposit_id: bytes) -> str:
    """The name of the file of masked records in the home."""
    return f"deposits/{deposit_id.hex()}/records"


def all_deposits(home: Home, series_id: bytes | None = None) -> Iterator[DepositFolder]:
    """Every deposit of a home, or of one series, by id."""
    for name in home.vault.names("deposits"):
        if home.vault.exists(f"deposits/{name}/deposit.json"):
            folder = DepositFolder(home, bytes.fromhex(name))
            if series_id is None or folder.declaration.payload.series_id == series_id:
                yield folder
