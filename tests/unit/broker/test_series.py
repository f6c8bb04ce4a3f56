"""A series opens on the word of enough holders over its very keys, and can be taken back whole."""

from typing import Any

import pytest

from broker.protocol.documents import sign
from broker.protocol.messages.deposits import Record
from broker.protocol.messages.envelopes import DocumentMessage
from broker.protocol.messages.series import DestructionReceipt, SeriesClosing, Withdrawal
from broker.store import series as rows
from tests.broker_case import NOW, SPACE_ID, Case, Keys, documents, key_of


def test_a_series_opens_on_three_acceptances_and_is_logged_once(ready: Case) -> None:
    keys = ready.deal()
    first, second = ready.open_series(keys), ready.open_series(keys)
    assert (first.status, second.status) == (200, 200)
    assert first.json["proof"]["leaf"] == second.json["proof"]["leaf"]
    assert ready.kinds().count("SERIES_OPENED") == 1


def test_two_acceptances_of_three_holders_are_too_few(ready: Case) -> None:
    keys = ready.deal()
    accepted = [ready.acceptance(keys, x) for x in (1, 2)]
    assert ready.open_series(keys, accepted).slug == "conflict"
    repeated = [*accepted, ready.acceptance(keys, 2, accepted_at=NOW + 1)]
    assert ready.open_series(keys, repeated).slug == "conflict"


@pytest.mark.parametrize(
    "change",
    [{"series_id": bytes(32)}, {"key_digest": bytes(32)}, {"holder_id": "holder-1", "x": 1}, {"x": 2}],
)
def test_an_acceptance_of_something_else_is_refused(ready: Case, change: dict[str, Any]) -> None:
    keys = ready.deal()
    accepted = [ready.acceptance(keys, 1), ready.acceptance(keys, 2), ready.acceptance(keys, 3, **change)]
    assert ready.open_series(keys, accepted).slug == "verification-failed"


def test_an_acceptance_signed_by_the_contributor_itself_is_refused(ready: Case) -> None:
    keys = ready.deal()
    forged = ready.acceptance(keys, 3, signer="company-1")
    accepted = [ready.acceptance(keys, 1), ready.acceptance(keys, 2), forged]
    assert ready.open_series(keys, accepted).slug == "verification-failed"


@pytest.mark.parametrize(
    ("change", "slug"),
    [
        ({"roster_version": 2}, "conflict"),
        ({"identifier_type": "iban"}, "bad-input"),
        ({"salt_id": bytes(32)}, "conflict"),
        ({"holders": ("holder-2", "holder-1", "holder-3")}, "bad-input"),
        ({"holders": ("holder-1", "holder-2")}, "bad-input"),
        ({"threshold": 3}, "bad-input"),
        ({"commitments_match": (bytes([255]) * 32, bytes([255]) * 32)}, "verification-failed"),
        ({"space_id": bytes(16)}, "not-found"),
        ({"contributor": "company-2"}, "not-permitted"),
    ],
)
def test_a_manifest_that_does_not_fit_the_space_is_refused(
    ready: Case, change: dict[str, Any], slug: str
) -> None:
    assert ready.open_series(ready.deal(**change)).slug == slug
    assert "SERIES_OPENED" not in ready.kinds()


def test_a_manifest_signed_by_another_member_is_refused(ready: Case) -> None:
    keys = ready.deal("company-2")
    assert ready.open_series(keys, who="company-1").slug == "verification-failed"


def test_commitments_taken_over_from_another_series_are_refused(ready: Case) -> None:
    taken = ready.opened().manifest.payload
    for change in (
        {"commitments_match": taken.commitments_match},
        {"commitments_open": taken.commitments_open},
        {"commitments_open": taken.commitments_match},
    ):
        assert ready.open_series(ready.deal("company-2", **change), who="company-2").slug == "conflict"
    own = ready.deal("company-2")
    same = {"commitments_open": own.manifest.payload.commitments_match}
    twice = ready.deal("company-2", commitments_match=own.manifest.payload.commitments_match, **same)
    assert ready.open_series(twice, who="company-2").slug == "conflict"


def test_a_suspended_member_opens_no_series(ready: Case) -> None:
    members = ready.space().members
    suspended = (members[0], members[1].model_copy(update={"suspended": True}), members[2])
    assert ready.found(ready.space(roster_version=2, members=suspended)).status == 200
    assert (
        ready.open_series(ready.deal("company-2", roster_version=2), who="company-2").slug == "not-permitted"
    )


def _close(case: Case, keys: Keys, who: str = "company-1") -> str:
    closing = SeriesClosing(series_id=keys.series_id, closed_at=NOW)
    body = DocumentMessage(document=sign(closing, key_of(who)).document)
    answer = case.post(who, f"/v1/series/{keys.series_id.hex()}/close", body)
    return "done" if answer.status == 200 else answer.slug


def test_a_closed_series_takes_no_new_deposit_and_goes_on_serving(ready: Case) -> None:
    keys = ready.opened()
    ready.serving(keys)
    assert _close(ready, keys, "company-2") == "not-found"
    assert [_close(ready, keys), _close(ready, keys)] == ["done", "done"]
    assert ready.declare(ready.mask(keys)).slug == "conflict"
    assert len(_serving(ready)) == 1


def _withdraw(case: Case, keys: Keys, reason: str = "Example", who: str = "company-1") -> Any:
    withdrawal = Withdrawal(series_id=keys.series_id, reason=reason, withdrawn_at=NOW)
    signed = sign(withdrawal, key_of(who))
    body = DocumentMessage(document=signed.document)
    return signed, case.post(who, f"/v1/series/{keys.series_id.hex()}/withdraw", body)


def _serving(case: Case) -> tuple[rows.ServingSeries, ...]:
    with case.broker.database.read() as connection:
        return rows.serving_series(connection, SPACE_ID, ["phone"], case.clock())


def test_a_serving_series_comes_with_its_acceptances_and_deposits(ready: Case) -> None:
    keys = ready.opened()
    upload = ready.serving(keys)
    ready.declare(ready.mask(keys))
    (found,) = _serving(ready)
    assert found.series.series_id == keys.series_id
    assert (len(found.acceptances), found.deposits[0].deposit_id) == (3, upload.deposit_id)
    assert [each.records for each in found.deposits] == [6]
    ready.clock.now = keys.manifest.payload.conditions.retain_until
    assert _serving(ready) == ()


def test_a_withdrawal_deletes_the_records_from_every_file_of_the_database(ready: Case) -> None:
    keys = ready.opened()
    upload = ready.serving(keys)
    _, first = _withdraw(ready, keys)
    assert first.status == 200
    assert _serving(ready) == ()
    assert not _found_on_disk(ready, upload.records)
    _, again = _withdraw(ready, keys)
    assert again.json["proof"]["leaf"] == first.json["proof"]["leaf"]
    assert _withdraw(ready, keys, "Another reason")[1].slug == "conflict"
    assert ready.kinds().count("SERIES_WITHDRAWN") == 1
    state = ready.get("company-1", f"/v1/deposits/{upload.deposit_id.hex()}").json
    assert state["state"] == "withdrawn"
    assert ready.put(upload, 2, upload.batches(4)[0]).slug == "conflict"


def _found_on_disk(case: Case, records: tuple[Record, ...]) -> bool:
    files = case.databases.files(case.settings.database_url)
    return any(record.sealed in data for record in records for data in files)


def test_records_are_on_disk_before_a_withdrawal(ready: Case) -> None:
    """Else the test above could not fail."""
    keys = ready.opened()
    assert _found_on_disk(ready, ready.serving(keys).records)


def test_only_the_contributor_withdraws(ready: Case) -> None:
    keys = ready.opened()
    assert _withdraw(ready, keys, who="company-2")[1].slug == "not-found"
    assert "SERIES_WITHDRAWN" not in ready.kinds()


def _destruction(keys: Keys, x: int, digest: bytes, /, signer: str | None = None, **changes: Any) -> str:
    receipt = DestructionReceipt(
        series_id=keys.series_id, holder_id=f"holder-{x}", x=x, withdrawal_digest=digest, destroyed_at=NOW
    )
    return sign(receipt.model_copy(update=changes), key_of(signer or f"holder-{x}")).document


def test_a_withdrawal_is_complete_once_two_of_three_holders_destroyed_their_shares(ready: Case) -> None:
    keys = ready.opened()
    path = f"/v1/series/{keys.series_id.hex()}/destruction-receipts"
    early = documents(_destruction(keys, 1, bytes(32)))
    assert ready.post("company-1", path, early).slug == "conflict"
    withdrawal, _ = _withdraw(ready, keys)
    one = documents(_destruction(keys, 1, withdrawal.digest))
    assert "1 more holders" in ready.post("company-1", path, one).json["detail"]
    assert "1 more holders" in ready.post("company-1", path, one).json["detail"]
    two = documents(_destruction(keys, 3, withdrawal.digest))
    assert ready.post("company-1", path, two).status == 200
    assert ready.post("company-1", path, two).status == 200
    assert ready.kinds()[-1] == "SERIES_DESTROYED"
    assert ready.kinds().count("SERIES_DESTROYED") == 1


def test_a_destruction_receipt_of_another_holder_series_or_withdrawal_is_refused(ready: Case) -> None:
    keys = ready.opened()
    withdrawal, _ = _withdraw(ready, keys)
    path = f"/v1/series/{keys.series_id.hex()}/destruction-receipts"
    for wrong in (
        _destruction(keys, 1, bytes(32)),
        _destruction(keys, 1, withdrawal.digest, series_id=bytes(32)),
        _destruction(keys, 1, withdrawal.digest, holder_id="holder-2", x=2),
        _destruction(keys, 1, withdrawal.digest, signer="company-1"),
    ):
        assert ready.post("company-1", path, documents(wrong)).slug == "verification-failed"
