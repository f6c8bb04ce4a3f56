"""Check that a released record is its contributor's, by the root that the contributor signed last.

Rule (DESIGN 2.3, 2.7): nothing here is the broker's word. The declaration, and the newest statement that changed the
root, verify under the contributor's key from the pinned roster; the record proves inclusion under that root with token,
version and sealed bytes. So a record that was replaced or taken back fails under every newer root. That a statement is
the newest one no document can say: `number` is kept with the answer, for an auditor to compare with the log
(decision 0008).

It opens no record: see `broker.protocol.sealing`.
"""

from dataclasses import dataclass

from broker.protocol import documents, merkle, sealing
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.deposits import DepositDeclaration, Record
from broker.protocol.messages.roots import (
    RecordInclusion,
    RecordReplacement,
    RecordWithdrawal,
    RootChange,
)


@dataclass(frozen=True)
class VerifiedRoot:
    """Evidence of what a contributor signed: made by `verify_root` only. `number` is 0 before the first change."""

    deposit_id: bytes
    series_id: bytes
    space_id: bytes
    contributor: str
    root: bytes
    records: int
    size_class: int
    number: int


def verify_root(
    declaration_document: str, change_document: str | None, contributor_signing_key: bytes
) -> VerifiedRoot:
    """The root that holds, from the contributor's own documents.

    Args:
        declaration_document: the deposit's signed DepositDeclaration.
        change_document: its newest RecordWithdrawal or RecordReplacement; None if there was none.
        contributor_signing_key: raw Ed25519 key, from the roster pinned here.

    Raises BadInput (another kind of document) or VerificationFailed (another's signature, or of another deposit)."""
    declared = documents.verify(DepositDeclaration, declaration_document, contributor_signing_key).payload
    root, records, number = declared.root, declared.records, 0
    if change_document is not None:
        change = read_change(change_document, contributor_signing_key)
        if change.deposit_id != declared.deposit_id:
            raise VerificationFailed("The statement that changed the root is about another deposit.")
        root, records, number = change.root, change.records, change.number
    return VerifiedRoot(
        deposit_id=declared.deposit_id,
        series_id=declared.series_id,
        space_id=declared.space_id,
        contributor=declared.contributor,
        root=root,
        records=records,
        size_class=declared.size_class,
        number=number,
    )


def verify_released(record: Record, proof: RecordInclusion, root: VerifiedRoot) -> None:
    """Check that exactly this record, in exactly this version, stands under the root.

    Raises VerificationFailed."""
    if len(record.sealed) != sealing.sealed_bytes(root.size_class):
        raise VerificationFailed("A released record has another size than its deposit's records.")
    try:
        leaf = sealing.record_leaf(record.token, record.sealed, record.record_version)
    except BadInput as error:
        raise VerificationFailed("A released record has a token or version of no possible size.") from error
    merkle.verify_inclusion(merkle.leaf_hash(leaf), proof.index, root.records, proof.path, root.root)


def read_change(document: str, signing_key: bytes) -> RootChange:
    """A statement of either kind. Raises BadInput for any other document, VerificationFailed."""
    try:
        return documents.verify(RecordWithdrawal, document, signing_key).payload
    except BadInput:
        return documents.verify(RecordReplacement, document, signing_key).payload
