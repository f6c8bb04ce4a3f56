"""A contributor's statements that change a deposit's root, by hand, so that a test can make each of them wrongly."""

from collections.abc import Sequence
from typing import Any

from broker.protocol import merkle, sealing
from broker.protocol.documents import sign
from broker.protocol.messages.deposits import Record, encode_batch
from broker.protocol.messages.roots import RecordReplacement, RecordReplacementSubmission, replaced_digest
from tests.broker_case import NOW, Upload, key_of, seeded

_random = seeded("root changes")


def someones(upload: Upload) -> list[Record]:
    """The records that are somebody's: all but the self-test's."""
    public = upload.declaration.payload.self_test_token
    return [each for each in upload.records if each.token != public]


def sealed_again(upload: Upload, old: Record, record_version: int, size_class: int = 512) -> Record:
    """Another record under the same token. Its key is any: the broker cannot tell."""
    sealed = sealing.seal(
        _random(32),
        b'{"signals":[1]}',
        space_id=upload.declaration.payload.space_id,
        deposit_id=upload.deposit_id,
        token=old.token,
        record_version=record_version,
        size_class=size_class,
        random_bytes=_random,
    )
    return Record(old.token, record_version, sealed)


def root_over(records: Sequence[Record]) -> bytes:
    """The root over records in the order they are given."""
    return merkle.root_of(
        merkle.leaf_hash(sealing.record_leaf(each.token, each.sealed, each.record_version))
        for each in records
    )


def replacement(
    upload: Upload,
    new: Sequence[Record],
    held: Sequence[Record] | None = None,
    *,
    signer: str = "company-1",
    records: bytes | None = None,
    **changes: Any,
) -> RecordReplacementSubmission:
    """A statement that puts `new` in place; `held` are all records as they will be, or those uploaded but for `new`."""
    by_token = {record.token: record for record in new}
    will_be = held or [by_token.get(each.token, each) for each in upload.records]
    nonce, data = bytes(32), encode_batch(new)
    statement = RecordReplacement(
        deposit_id=upload.deposit_id,
        number=1,
        records_digest=replaced_digest(nonce, data),
        records_replaced=max(1, len(new)),
        records=len(will_be),
        root=root_over(will_be),
        reason="Example",
        replaced_at=NOW,
    ).model_copy(update=changes)
    document = sign(statement, key_of(signer)).document
    return RecordReplacementSubmission(document=document, nonce=nonce, records=records or data)
