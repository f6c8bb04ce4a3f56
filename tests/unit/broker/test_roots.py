"""What a broker gives out so that a record proves its origin: the contributor's documents, and a path to their root."""

from typing import Any

import pytest

from broker import roots
from broker.protocol import merkle, sealing
from broker.protocol.documents import public_bytes, verify
from broker.protocol.errors import Conflict, NotFound, Unavailable
from broker.protocol.messages.deposits import DepositDeclaration, Record
from broker.protocol.messages.roots import RecordReplacement
from broker.store import deposits as rows
from broker.store.tables import records as records_table
from tests.broker_case import Case, Upload, key_of
from tests.root_changes_case import replacement, sealed_again, someones

KEY = public_bytes(key_of("company-1"))


@pytest.fixture
def upload(ready: Case) -> Upload:
    """A deposit of eleven records that serves."""
    return ready.serving(ready.opened(), 10)


def _leaf(record: Record) -> bytes:
    return merkle.leaf_hash(sealing.record_leaf(record.token, record.sealed, record.record_version))


def _stored(connection: Any, upload: Upload) -> rows.StoredDeposit:
    found = rows.find(connection, upload.deposit_id)
    assert found is not None
    return found


def test_before_any_change_the_root_is_the_declared_one(ready: Case, upload: Upload) -> None:
    with ready.broker.database.read() as connection:
        root = roots.signed_root(connection, _stored(connection, upload))
    declared = verify(DepositDeclaration, root.declaration, KEY).payload
    assert (root.root, root.records) == (declared.root, declared.records) == (declared.root, 11)
    assert (root.change, root.number) == (None, 0)


def test_after_changes_the_newest_statement_has_the_root(ready: Case, upload: Upload) -> None:
    held = list(upload.records)
    for number in (1, 2, 3):
        one = someones(upload)[number]
        new = sealed_again(upload, one, record_version=2)
        held = [new if each.token == one.token else each for each in held]
        answer = ready.step(upload, "replace-records", replacement(upload, [new], held, number=number))
        assert answer.status == 200, answer.body
    with ready.broker.database.read() as connection:
        root = roots.signed_root(connection, _stored(connection, upload))
    assert root.change is not None
    newest = verify(RecordReplacement, root.change, KEY).payload
    assert (root.root, root.records, root.number) == (newest.root, newest.records, 3)
    assert root.root == merkle.root_of(map(_leaf, held))


def test_every_record_has_a_path_to_the_root(ready: Case, upload: Upload) -> None:
    with ready.broker.database.read() as connection:
        deposit = _stored(connection, upload)
        found = roots.inclusions(connection, deposit, [each.token for each in upload.records])
        one = roots.inclusion(connection, deposit, upload.records[4].token)
        root = roots.signed_root(connection, deposit)
    assert one == found[upload.records[4].token]
    for index, record in enumerate(upload.records):
        proof = found[record.token]
        assert proof.index == index
        merkle.verify_inclusion(_leaf(record), proof.index, root.records, proof.path, root.root)


def test_a_token_that_is_not_held_and_a_deposit_that_is_gone_have_no_path(
    ready: Case, upload: Upload
) -> None:
    with ready.broker.database.write() as connection:
        deposit = _stored(connection, upload)
        with pytest.raises(NotFound):
            roots.inclusion(connection, deposit, b"\xff" * 16)
        rows.erase(connection, deposit.deposit_number, "withdrawn")
        gone = _stored(connection, upload)
        with pytest.raises(Conflict):
            roots.signed_root(connection, gone)
        with pytest.raises(Conflict):
            roots.inclusion(connection, gone, upload.records[0].token)


def test_rows_that_do_not_give_the_signed_root_release_nothing(ready: Case, upload: Upload) -> None:
    one, other = upload.records[:2]
    with ready.broker.database.write() as connection:
        deposit = _stored(connection, upload)
        connection.execute(
            records_table.update().where(records_table.c.token == other.token).values(record_version=2)
        )
        with pytest.raises(Unavailable):
            roots.inclusion(connection, deposit, one.token)
