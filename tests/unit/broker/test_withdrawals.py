"""A contributor takes back a deposit, or some records of it: gone from every file, logged once, and nobody else may."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from broker.audit.log import AuditLog
from broker.protocol import merkle, sealing
from broker.protocol.documents import sign
from broker.protocol.errors import Unavailable
from broker.protocol.messages.deposits import DepositWithdrawal, Record
from broker.protocol.messages.envelopes import DocumentMessage, Nothing
from broker.protocol.messages.roots import RecordWithdrawal, RecordWithdrawalSubmission, withdrawn_digest
from broker.store import deposits as rows
from broker.store import matches
from broker.store import roots as changes
from broker.store.series import serving_series
from tests.broker_case import NOW, SPACE_ID, Answered, Case, Keys, Upload, keep_permit, key_of


@pytest.fixture
def keys(ready: Case) -> Keys:
    """An open series of company-1."""
    return ready.opened()


@pytest.fixture
def upload(ready: Case, keys: Keys) -> Upload:
    """A deposit of six records that serves."""
    return ready.serving(keys)


def _held(case: Case, upload: Upload) -> tuple[bytes, ...]:
    """The tokens of an upload that are still matched, as the query of a request sees it."""
    with case.broker.database.read() as connection:
        open_deposits = matches.open_deposits(connection, [upload.deposit_id], case.clock())
        asked = [record.token for record in upload.records]
        return tuple(
            each.token
            for each in matches.held(connection, {one.deposit_number: asked for one in open_deposits})
        )


def _state(case: Case, upload: Upload) -> tuple[str, int]:
    found = case.get("company-1", f"/v1/deposits/{upload.deposit_id.hex()}").json
    return found["state"], found["records_stored"]


# --- one deposit ---


def _withdraw(
    case: Case, upload: Upload, *, who: str = "company-1", signer: str | None = None, **changes: Any
) -> Answered:
    statement = DepositWithdrawal(deposit_id=upload.deposit_id, reason="Example", withdrawn_at=NOW)
    signed = sign(statement.model_copy(update=changes), key_of(signer or who))
    return case.step(upload, "withdraw", DocumentMessage(document=signed.document), who)


def test_a_withdrawn_deposit_is_gone_from_every_file_and_its_series_goes_on(
    ready: Case, keys: Keys, upload: Upload
) -> None:
    other = ready.serving(keys, 3)
    assert ready.on_disk(upload.records[0].sealed)
    assert _withdraw(ready, upload).status == 200
    for record in upload.records:
        assert not ready.on_disk(record.sealed)
    # The self-test token is public, and stands in the signed declaration.
    public = upload.declaration.payload.self_test_token
    assert not any(ready.on_disk(each.token) for each in upload.records if each.token != public)
    assert (_state(ready, upload), _held(ready, upload)) == (("withdrawn", 6), ())
    assert len(_held(ready, other)) == 4
    with ready.broker.database.read() as connection:
        (series,) = serving_series(connection, SPACE_ID, ["phone"], NOW)
    assert [each.deposit_id for each in series.deposits] == [other.deposit_id]
    assert ready.kinds()[-1] == "DEPOSIT_WITHDRAWN"
    assert ready.declare(ready.mask(keys, 2)).status == 200


def test_a_repeated_withdrawal_is_answered_alike_and_another_statement_is_a_conflict(
    ready: Case, upload: Upload
) -> None:
    first, again = _withdraw(ready, upload), _withdraw(ready, upload)
    assert again.json["proof"]["leaf"] == first.json["proof"]["leaf"]
    assert _withdraw(ready, upload, reason="Another").slug == "conflict"
    assert ready.kinds().count("DEPOSIT_WITHDRAWN") == 1


def test_a_deposit_can_be_taken_back_before_it_is_complete(ready: Case, keys: Keys) -> None:
    begun = ready.mask(keys)
    ready.declare(begun)
    ready.put(begun, 0, begun.batches(4)[0])
    assert _withdraw(ready, begun).status == 200
    assert not ready.on_disk(begun.records[0].sealed)
    assert ready.put(begun, 1, begun.batches(4)[1]).slug == "conflict"
    assert ready.step(begun, "complete", Nothing()).slug == "conflict"


def test_nobody_but_the_contributor_withdraws_a_deposit(ready: Case, upload: Upload) -> None:
    assert _withdraw(ready, upload, who="company-2").slug == "not-found"
    assert _withdraw(ready, upload, signer="company-2").slug == "verification-failed"
    assert _withdraw(ready, upload, deposit_id=bytes(32)).slug == "bad-input"
    assert (_state(ready, upload), len(_held(ready, upload))) == (("serving", 6), 6)


# --- some records ---


def _submission(
    upload: Upload,
    taken: list[Record],
    *,
    remaining: list[Record] | None = None,
    signer: str = "company-1",
    nonce: bytes = bytes(32),
    tokens: bytes | None = None,
    **changes: Any,
) -> RecordWithdrawalSubmission:
    left = remaining or [each for each in upload.records if each not in taken]
    data = b"".join(each.token for each in taken)
    root = merkle.root_of(
        merkle.leaf_hash(sealing.record_leaf(each.token, each.sealed, each.record_version)) for each in left
    )
    statement = RecordWithdrawal(
        deposit_id=upload.deposit_id,
        number=1,
        tokens_digest=withdrawn_digest(nonce, data),
        records_withdrawn=max(1, len(taken)),
        records=len(left),
        root=root,
        reason="Example",
        withdrawn_at=NOW,
    ).model_copy(update=changes)
    document = sign(statement, key_of(signer)).document
    return RecordWithdrawalSubmission(document=document, nonce=nonce, tokens=tokens or data)


def _others(upload: Upload) -> list[Record]:
    """The records that are somebody's: all but the self-test's."""
    public = upload.declaration.payload.self_test_token
    return [each for each in upload.records if each.token != public]


def _take(
    case: Case, upload: Upload, submission: RecordWithdrawalSubmission, who: str = "company-1"
) -> Answered:
    return case.step(upload, "withdraw-records", submission, who)


def test_records_taken_back_are_gone_from_every_file_and_the_rest_is_matched(
    ready: Case, upload: Upload
) -> None:
    # The last one too, whose token the deposit's row held.
    taken = [_others(upload)[0], _others(upload)[-1]]
    assert all(ready.on_disk(each.sealed) and ready.on_disk(each.token) for each in taken)
    assert _take(ready, upload, _submission(upload, taken)).status == 200
    assert not any(ready.on_disk(each.sealed) or ready.on_disk(each.token) for each in taken)
    for encoded in (each.token.hex().encode() for each in taken):
        assert not ready.on_disk(encoded)
    left = {each.token for each in upload.records if each not in taken}
    assert (_state(ready, upload), set(_held(ready, upload))) == (("serving", 4), left)
    assert ready.kinds()[-1] == "RECORDS_WITHDRAWN"


def test_the_log_tells_how_many_were_taken_back_and_never_which(ready: Case, upload: Upload) -> None:
    taken = _others(upload)[:2]
    assert _take(ready, upload, _submission(upload, taken)).status == 200
    end = len(ready.kinds())
    page = ready.get("auditor-1", f"/v1/audit/records?start={end - 1}&end={end}")
    assert page.status == 200
    with ready.broker.database.read() as connection:
        (logged,) = ready.broker.audit.record_page(connection, end - 1, end).records
    assert logged.record is not None
    assert b'"records_deleted":2' in logged.record
    assert not any(each.token.hex().encode() in logged.record for each in taken)


def test_a_second_statement_follows_the_first_and_a_repeat_changes_nothing(
    ready: Case, upload: Upload
) -> None:
    one, two = _others(upload)[:2]
    first = _submission(upload, [one])
    answers = [_take(ready, upload, first) for _ in range(2)]
    assert answers[0].json["proof"]["leaf"] == answers[1].json["proof"]["leaf"]
    assert _state(ready, upload) == ("serving", 5)
    left = [each for each in upload.records if each not in (one, two)]
    assert _take(ready, upload, _submission(upload, [two], remaining=left)).slug == "conflict"
    assert _take(ready, upload, _submission(upload, [two], remaining=left, number=3)).slug == "conflict"
    assert _take(ready, upload, _submission(upload, [two], remaining=left, number=2)).status == 200
    assert _take(ready, upload, first).status == 200
    assert _state(ready, upload) == ("serving", 4)
    assert ready.kinds().count("RECORDS_WITHDRAWN") == 2


def test_a_statement_that_does_not_fit_takes_nothing_back(ready: Case, upload: Upload) -> None:
    one, two = _others(upload)[:2]
    absent = Record(b"\xff" * 16, 1, one.sealed)
    test = next(each for each in upload.records if each not in _others(upload))
    for wrong, slug in (
        (_submission(upload, [one], root=bytes(32)), "verification-failed"),
        (_submission(upload, [one], records=4), "verification-failed"),
        (_submission(upload, [one], tokens=two.token), "bad-input"),
        (_submission(upload, [one], records_withdrawn=2), "bad-input"),
        (_submission(upload, [two, one]), "bad-input"),
        (_submission(upload, [one], deposit_id=bytes(32)), "bad-input"),
        (_submission(upload, [test]), "bad-input"),
        (_submission(upload, [absent]), "not-found"),
        (_submission(upload, [one], signer="company-2"), "verification-failed"),
    ):
        assert _take(ready, upload, wrong).slug == slug
    assert (
        _take(ready, upload, _submission(upload, [one], signer="company-2"), "company-2").slug == "not-found"
    )
    assert (_state(ready, upload), len(_held(ready, upload))) == (("serving", 6), 6)
    assert "RECORDS_WITHDRAWN" not in ready.kinds()


def test_records_of_an_unfinished_or_withdrawn_deposit_are_not_taken_back_one_by_one(
    ready: Case, keys: Keys, upload: Upload
) -> None:
    begun = ready.mask(keys)
    ready.declare(begun)
    assert _take(ready, begun, _submission(begun, [_others(begun)[0]])).slug == "conflict"
    _withdraw(ready, upload)
    assert _take(ready, upload, _submission(upload, [_others(upload)[0]])).slug == "conflict"


def test_what_matched_a_record_goes_with_it(ready: Case, upload: Upload) -> None:
    one, two = _others(upload)[:2]
    with ready.broker.database.write() as connection:
        deposit = rows.find(connection, upload.deposit_id)
        assert deposit is not None
        keep_permit(connection, bytes(16))
        matches.keep(
            connection, bytes(16), [matches.Match(deposit.deposit_number, each.token) for each in (one, two)]
        )
        assert rows.erase_records(connection, deposit.deposit_number, [one.token]) == 1
        assert [each.token for each in matches.kept(connection, bytes(16))] == [two.token]


# --- all or nothing ---


@pytest.mark.parametrize("broken", ["append", "erase"])
def test_a_withdrawal_cut_short_leaves_rows_and_log_as_they_were(
    ready: Case, upload: Upload, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """What stands for a crash: the step after the rows went, and the log's own, fail within the transaction."""

    def fails(*_: object) -> None:
        raise Unavailable("The step could not be recorded, so it was not taken.")

    submission = _submission(upload, _others(upload)[:2])
    with monkeypatch.context() as cut:
        if broken == "append":
            cut.setattr(AuditLog, "append", fails)
        else:
            cut.setattr(rows, "note_withdrawal", fails)
            cut.setattr(changes, "add_change", fails)
        assert _withdraw(ready, upload).slug == "unavailable"
        assert _take(ready, upload, submission).slug == "unavailable"
    ready.restart()
    assert (_state(ready, upload), len(_held(ready, upload))) == (("serving", 6), 6)
    assert not {"DEPOSIT_WITHDRAWN", "RECORDS_WITHDRAWN"} & set(ready.kinds())
    assert _take(ready, upload, submission).status == 200
    assert _withdraw(ready, upload).status == 200


def _image(case: Case, folder: Path) -> None:
    """What a crash would leave at this moment: the database's files as they are."""
    path = case.broker.database.path
    assert path is not None
    folder.mkdir()
    for name in (path.name, f"{path.name}-wal"):
        shutil.copy(path.with_name(name), folder / name)


@pytest.mark.sqlite_only
def test_a_crash_before_the_commit_leaves_all_and_one_after_it_nothing(
    ready: Case, upload: Upload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = rows.note_withdrawal

    def and_crash(*arguments: Any) -> None:
        note(*arguments)
        _image(ready, tmp_path / "before")

    monkeypatch.setattr(rows, "note_withdrawal", and_crash)
    monkeypatch.setattr(ready.broker.database, "empty_wal", lambda: _image(ready, tmp_path / "after"))
    assert _withdraw(ready, upload).status == 200
    found = {}
    for name in ("before", "after"):
        image = Case(tmp_path / name, name)
        found[name] = (
            _state(image, upload)[0],
            len(_held(image, upload)),
            "DEPOSIT_WITHDRAWN" in image.kinds(),
        )
        image.close()
    assert found == {"before": ("serving", 6, False), "after": ("withdrawn", 0, True)}


def test_an_answer_lost_after_the_commit_is_given_again_after_a_restart(ready: Case, upload: Upload) -> None:
    submission = _submission(upload, _others(upload)[:1])
    first = _take(ready, upload, submission)
    ready.restart()
    assert _take(ready, upload, submission).json["proof"]["leaf"] == first.json["proof"]["leaf"]
