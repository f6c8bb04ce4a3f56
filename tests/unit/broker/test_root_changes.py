"""A contributor replaces records: the old bytes are gone from every file, the new root holds, and nobody else may."""

from pathlib import Path
from typing import Any

import pytest

from broker import roots
from broker.audit.log import AuditLog
from broker.protocol.documents import public_bytes, sign
from broker.protocol.errors import Unavailable, VerificationFailed
from broker.protocol.messages.deposits import Record, encode_batch
from broker.protocol.messages.roots import (
    RecordReplacementSubmission,
    RecordWithdrawal,
    RecordWithdrawalSubmission,
    withdrawn_digest,
)
from broker.store import deposits as rows
from broker.store import matches
from broker.store import roots as changes
from clients.requester_checks.released_roots import verify_released, verify_root
from tests.broker_case import NOW, Answered, Case, Keys, Upload, key_of
from tests.root_changes_case import replacement, root_over, sealed_again, someones

KEY = public_bytes(key_of("company-1"))


@pytest.fixture
def keys(ready: Case) -> Keys:
    """An open series of company-1."""
    return ready.opened()


@pytest.fixture
def upload(ready: Case, keys: Keys) -> Upload:
    """A deposit of six records that serves."""
    return ready.serving(keys)


def _on_disk(case: Case, data: bytes) -> bool:
    path = case.broker.database.path
    assert path is not None
    return any(data in each.read_bytes() for each in Path(path).parent.iterdir() if each.is_file())


def _replace(
    case: Case, upload: Upload, submission: RecordReplacementSubmission, who: str = "company-1"
) -> Answered:
    return case.step(upload, "replace-records", submission, who)


def _records(case: Case, upload: Upload) -> list[Record]:
    with case.broker.database.read() as connection:
        deposit = rows.find(connection, upload.deposit_id)
        assert deposit is not None
        return list(rows.all_records(connection, deposit.deposit_number))


def _state(case: Case, upload: Upload) -> tuple[str, int]:
    found = case.get("company-1", f"/v1/deposits/{upload.deposit_id.hex()}").json
    return found["state"], found["records_stored"]


@pytest.mark.sqlite_only
def test_a_replaced_record_is_gone_from_every_file_and_the_new_one_is_there(
    ready: Case, upload: Upload
) -> None:
    old = someones(upload)[:2]
    new = [sealed_again(upload, each, record_version=2) for each in old]
    assert all(_on_disk(ready, each.sealed) for each in old)
    answer = _replace(ready, upload, replacement(upload, new))
    assert answer.status == 200, answer.body
    assert not any(_on_disk(ready, each.sealed) for each in old)
    assert all(_on_disk(ready, each.sealed) for each in new)
    expected = [each for each in upload.records if each not in old] + new
    assert (_state(ready, upload), _records(ready, upload)) == (("serving", 6), sorted(expected))
    assert ready.kinds()[-1] == "RECORDS_REPLACED"


@pytest.mark.sqlite_only
def test_records_of_a_larger_class_leave_no_page_behind(ready: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond one page a row's bytes spill into pages of their own, which a replacement sets free."""
    case, size = ready, 32_768
    number = case.found(case.space(space_id=bytes(16), size_class=size))
    assert number.status == 200, number.body
    keys = case.opened(space_id=bytes(16))
    plain = case.mask(keys, 3)
    declared = plain.declaration.payload.model_copy(update={"space_id": bytes(16), "size_class": size})
    wide = Upload(plain.declaration, tuple(sealed_again(plain, each, 1, size) for each in plain.records))
    signed = sign(declared.model_copy(update={"root": root_over(wide.records)}), key_of("company-1"))
    upload = Upload(signed, wide.records)
    assert case.declare(upload).status == 200
    assert case.put(upload, 0, encode_batch(upload.records)).status == 200
    assert case.post("company-1", f"/v1/deposits/{upload.deposit_id.hex()}/complete", b"{}").status == 200
    old = someones(upload)[0]
    new = sealed_again(upload, old, 2, size)
    assert _on_disk(case, old.sealed[:200])
    assert _replace(case, upload, replacement(upload, [new])).status == 200
    for at in range(0, len(old.sealed) - 200, 1000):
        assert not _on_disk(case, old.sealed[at : at + 64])


def test_a_released_record_verifies_and_its_older_version_is_found_out(ready: Case, upload: Upload) -> None:
    old = someones(upload)[1]
    new = sealed_again(upload, old, record_version=2)
    with ready.broker.database.read() as connection:
        deposit = rows.find(connection, upload.deposit_id)
        assert deposit is not None
        stale = roots.inclusion(connection, deposit, old.token)
    assert _replace(ready, upload, replacement(upload, [new])).status == 200
    with ready.broker.database.read() as connection:
        deposit = rows.find(connection, upload.deposit_id)
        assert deposit is not None
        root = roots.signed_root(connection, deposit)
        proof = roots.inclusion(connection, deposit, new.token)
    verified = verify_root(root.declaration, root.change, KEY)
    assert (verified.root, verified.records, verified.number) == (root.root, root.records, root.number)
    verify_released(new, proof, verified)
    for each in (proof, stale):
        with pytest.raises(VerificationFailed):
            verify_released(old, each, verified)


def test_the_log_tells_how_many_were_replaced_and_never_which(ready: Case, upload: Upload) -> None:
    new = [sealed_again(upload, each, record_version=2) for each in someones(upload)[:2]]
    assert _replace(ready, upload, replacement(upload, new)).status == 200
    end = len(ready.kinds())
    with ready.broker.database.read() as connection:
        (logged,) = ready.broker.audit.record_page(connection, end - 1, end).records
    assert logged.record is not None
    assert b'"records_replaced":2' in logged.record
    assert not any(each.token.hex().encode() in logged.record for each in new)


def _withdrawal(upload: Upload, taken: Record, left: list[Record], number: int) -> RecordWithdrawalSubmission:
    statement = RecordWithdrawal(
        deposit_id=upload.deposit_id,
        number=number,
        tokens_digest=withdrawn_digest(bytes(32), taken.token),
        records_withdrawn=1,
        records=len(left),
        root=root_over(left),
        reason="Example",
        withdrawn_at=NOW,
    )
    document = sign(statement, key_of("company-1")).document
    return RecordWithdrawalSubmission(document=document, nonce=bytes(32), tokens=taken.token)


def test_withdrawals_and_replacements_share_one_sequence(ready: Case, upload: Upload) -> None:
    one, two = someones(upload)[:2]
    second = sealed_again(upload, one, record_version=2)
    held = sorted([each for each in upload.records if each != one] + [second])
    first = replacement(upload, [second], held)
    answers = [_replace(ready, upload, first) for _ in range(2)]
    assert answers[0].json["proof"]["leaf"] == answers[1].json["proof"]["leaf"]
    left = [each for each in held if each != two]
    for number, slug in ((1, "conflict"), (3, "conflict")):
        answer = ready.step(upload, "withdraw-records", _withdrawal(upload, two, left, number))
        assert answer.slug == slug
    assert ready.step(upload, "withdraw-records", _withdrawal(upload, two, left, 2)).status == 200
    third = sealed_again(upload, one, record_version=3)
    held = sorted([each for each in left if each != second] + [third])
    assert _replace(ready, upload, replacement(upload, [third], held, number=2)).slug == "conflict"
    assert _replace(ready, upload, replacement(upload, [third], held, number=3)).status == 200
    assert _replace(ready, upload, first).status == 200
    assert (_state(ready, upload), _records(ready, upload)) == (("serving", 5), held)
    assert ready.kinds().count("RECORDS_REPLACED") == 2


def test_a_statement_that_does_not_fit_replaces_nothing(ready: Case, upload: Upload) -> None:
    one, two = someones(upload)[:2]
    new = sealed_again(upload, one, record_version=2)
    same, skipping = (sealed_again(upload, one, record_version=version) for version in (1, 3))
    absent = sealed_again(upload, Record(b"\xff" * 16, 1, one.sealed), record_version=2)
    test = next(each for each in upload.records if each not in someones(upload))
    wide = sealed_again(upload, one, record_version=2, size_class=2048)
    for wrong, slug in (
        (replacement(upload, [new], root=bytes(32)), "verification-failed"),
        (replacement(upload, [new], records_replaced=2), "bad-input"),
        (replacement(upload, [new], records=encode_batch([sealed_again(upload, two, 2)])), "bad-input"),
        (replacement(upload, [same]), "conflict"),
        (replacement(upload, [skipping]), "conflict"),
        (replacement(upload, [absent]), "conflict"),
        (replacement(upload, [wide]), "bad-input"),
        (replacement(upload, [sealed_again(upload, two, 2), new]), "bad-input"),
        (replacement(upload, [new], deposit_id=bytes(32)), "bad-input"),
        (replacement(upload, [sealed_again(upload, test, 2)]), "bad-input"),
        (replacement(upload, [new], signer="company-2"), "verification-failed"),
    ):
        assert _replace(ready, upload, wrong).slug == slug
    other = replacement(upload, [new], signer="company-2")
    assert _replace(ready, upload, other, "company-2").slug == "not-found"
    assert (_state(ready, upload), _records(ready, upload)) == (("serving", 6), list(upload.records))
    assert "RECORDS_REPLACED" not in ready.kinds()


def test_records_of_an_unfinished_deposit_are_not_replaced(ready: Case, keys: Keys) -> None:
    begun = ready.mask(keys)
    ready.declare(begun)
    new = sealed_again(begun, someones(begun)[0], record_version=2)
    assert _replace(ready, begun, replacement(begun, [new])).slug == "conflict"


def test_a_replaced_record_goes_on_being_matched(ready: Case, upload: Upload) -> None:
    new = sealed_again(upload, someones(upload)[0], record_version=2)
    assert _replace(ready, upload, replacement(upload, [new])).status == 200
    with ready.broker.database.read() as connection:
        (deposit,) = matches.open_deposits(connection, [upload.deposit_id], ready.clock())
        asked = sorted(each.token for each in upload.records)
        held = matches.held(connection, {deposit.deposit_number: asked})
        assert [match.token for match in held] == asked


@pytest.mark.parametrize("broken", ["append", "add_change", "note_root"])
def test_a_replacement_cut_short_leaves_rows_and_log_as_they_were(
    ready: Case, upload: Upload, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """What stands for a crash: a step after the rows were replaced fails within the transaction."""

    def fails(*_: Any) -> None:
        raise Unavailable("The step could not be recorded, so it was not taken.")

    submission = replacement(upload, [sealed_again(upload, someones(upload)[0], record_version=2)])
    with monkeypatch.context() as cut:
        if broken == "append":
            cut.setattr(AuditLog, "append", fails)
        else:
            cut.setattr(changes, broken, fails)
        assert _replace(ready, upload, submission).slug == "unavailable"
    ready.restart()
    assert _records(ready, upload) == list(upload.records)
    assert "RECORDS_REPLACED" not in ready.kinds()
    first = _replace(ready, upload, submission)
    assert first.status == 200
    ready.restart()
    assert _replace(ready, upload, submission).json["proof"]["leaf"] == first.json["proof"]["leaf"]
