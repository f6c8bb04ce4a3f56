"""A requester checks a released record by what its contributor signed, and takes no broker's word for it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol import merkle, sealing
from broker.protocol.documents import public_bytes, sign
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.deposits import DepositDeclaration, DepositWithdrawal, Record
from broker.protocol.messages.roots import RecordInclusion, RecordReplacement, RecordWithdrawal
from clients.requester_checks.released_roots import VerifiedRoot, verify_released, verify_root
from tests.broker_case import key_of
from tests.messages_examples import DIGEST, EXAMPLES, NOW
from tests.root_changes_case import root_over

KEY = public_bytes(key_of("company-1"))
SEALED = 512 + 28


def _records(count: int, version: int = 1) -> list[Record]:
    return [
        Record(number.to_bytes(16, "big"), version, bytes([number % 256]) * SEALED) for number in range(count)
    ]


def _declaration(records: list[Record]) -> DepositDeclaration:
    (example,) = (each for each in EXAMPLES if isinstance(each, DepositDeclaration))
    return example.model_copy(update={"records": len(records), "root": root_over(records)})


def _signed(
    message: DepositDeclaration | RecordReplacement | RecordWithdrawal, who: str = "company-1"
) -> str:
    return sign(message, key_of(who)).document


def _replaced(records: list[Record], number: int = 1) -> RecordReplacement:
    (example,) = (each for each in EXAMPLES if isinstance(each, RecordReplacement))
    changes = {"records": len(records), "root": root_over(records), "number": number}
    return example.model_copy(update=changes)


def _withdrawn(records: list[Record]) -> RecordWithdrawal:
    (example,) = (each for each in EXAMPLES if isinstance(each, RecordWithdrawal))
    return example.model_copy(update={"records": len(records), "root": root_over(records)})


def _proof(records: list[Record], index: int) -> RecordInclusion:
    leaves = [
        merkle.leaf_hash(sealing.record_leaf(each.token, each.sealed, each.record_version))
        for each in records
    ]
    return RecordInclusion(index=index, path=merkle.inclusion_path(leaves, index))


def test_the_root_is_the_declared_one_until_a_statement_changes_it() -> None:
    before, after = _records(5), _records(5, version=2)
    declared = _declaration(before)
    assert verify_root(_signed(declared), None, KEY) == VerifiedRoot(
        deposit_id=declared.deposit_id,
        series_id=declared.series_id,
        space_id=declared.space_id,
        contributor="company-1",
        root=root_over(before),
        records=5,
        size_class=512,
        number=0,
    )
    replaced = verify_root(_signed(declared), _signed(_replaced(after, number=4)), KEY)
    assert (replaced.root, replaced.records, replaced.number) == (root_over(after), 5, 4)
    shorter = verify_root(_signed(declared), _signed(_withdrawn(before[:3])), KEY)
    assert (shorter.root, shorter.records, shorter.number) == (root_over(before[:3]), 3, 1)


def test_documents_of_another_signer_deposit_or_kind_are_refused() -> None:
    records = _records(3)
    declared, changed = _declaration(records), _replaced(records)
    with pytest.raises(VerificationFailed):
        verify_root(_signed(declared, "company-2"), None, KEY)
    with pytest.raises(VerificationFailed):
        verify_root(_signed(declared), _signed(changed, "company-2"), KEY)
    with pytest.raises(VerificationFailed, match="another deposit"):
        verify_root(_signed(declared), _signed(changed.model_copy(update={"deposit_id": bytes(32)})), KEY)
    other = sign(DepositWithdrawal(deposit_id=DIGEST, reason="x", withdrawn_at=NOW), key_of("company-1"))
    with pytest.raises(BadInput):
        verify_root(_signed(declared), other.document, KEY)
    with pytest.raises(BadInput):
        verify_root(_signed(changed), None, KEY)


def test_an_older_version_of_a_record_fails_under_the_newest_root() -> None:
    old = _records(6)
    new = [*old[:2], Record(old[2].token, 2, b"\x77" * SEALED), *old[3:]]
    root = verify_root(_signed(_declaration(old)), _signed(_replaced(new)), KEY)
    verify_released(new[2], _proof(new, 2), root)
    for proof in (_proof(old, 2), _proof(new, 2)):
        with pytest.raises(VerificationFailed):
            verify_released(old[2], proof, root)


@given(st.integers(1, 40), st.data())
def test_any_record_of_any_deposit_verifies_and_any_other_byte_does_not(
    count: int, data: st.DataObject
) -> None:
    records = _records(count)
    root = verify_root(_signed(_declaration(records)), None, KEY)
    index = data.draw(st.integers(0, count - 1))
    record, proof = records[index], _proof(records, index)
    verify_released(record, proof, root)
    at = data.draw(st.integers(0, SEALED - 1))
    sealed = bytearray(record.sealed)
    sealed[at] ^= 1 + data.draw(st.integers(0, 254))
    for wrong in (
        record._replace(sealed=bytes(sealed)),
        record._replace(record_version=2),
        record._replace(token=b"\xff" * 16),
    ):
        with pytest.raises(VerificationFailed):
            verify_released(wrong, proof, root)


def test_a_record_of_another_size_or_a_proof_of_another_place_is_refused() -> None:
    records = _records(5)
    root = verify_root(_signed(_declaration(records)), None, KEY)
    with pytest.raises(VerificationFailed, match="size"):
        verify_released(records[1]._replace(sealed=b"short"), _proof(records, 1), root)
    with pytest.raises(VerificationFailed):
        verify_released(records[1]._replace(token=b"short"), _proof(records, 1), root)
    with pytest.raises(VerificationFailed):
        verify_released(records[1], _proof(records, 2), root)
    with pytest.raises(VerificationFailed):
        verify_released(records[1], _proof(records, 1), replace(root, records=3))
