"""When a retention is over the rows go by themselves: whole deposits, from every file, logged once."""

import time

import pytest
from sqlalchemy import func, select

from broker import retention
from broker.audit.log import AuditLog
from broker.protocol.documents import sign
from broker.protocol.errors import Unavailable
from broker.protocol.messages.envelopes import DocumentMessage, Nothing
from broker.protocol.messages.series import Withdrawal
from broker.serving import HourlyPurge
from broker.store import matches
from broker.store import requests as request_rows
from broker.store import retention as rows
from broker.store.tables import idempotency_keys, nonces
from tests.broker_case import CONDITIONS, NOW, Case, Keys, Upload, keep_permit, key_of

END = CONDITIONS.retain_until
DAY_SECONDS = 86_400


@pytest.fixture
def keys(ready: Case) -> Keys:
    """An open series of company-1."""
    return ready.opened()


@pytest.fixture
def upload(ready: Case, keys: Keys) -> Upload:
    """A deposit of six records that serves."""
    return ready.serving(keys)


def _on_disk(case: Case, upload: Upload) -> bool:
    files = case.databases.files(case.settings.database_url)
    public = upload.declaration.payload.self_test_token
    return any(
        record.sealed in data or (record.token != public and record.token in data)
        for record in upload.records
        for data in files
    )


def _state(case: Case, upload: Upload) -> str:
    return str(case.get("company-1", f"/v1/deposits/{upload.deposit_id.hex()}").json["state"])


def test_past_their_retention_records_are_gone_from_every_file(
    ready: Case, keys: Keys, upload: Upload
) -> None:
    second = ready.serving(keys, 3)
    assert _on_disk(ready, upload)
    ready.clock.now = END
    purged = retention.purge(ready.broker)
    assert (purged.deposits, purged.series, purged.records) == (2, 1, 10)
    assert not _on_disk(ready, upload)
    assert not _on_disk(ready, second)
    assert [_state(ready, each) for each in (upload, second)] == ["expired", "expired"]
    assert ready.kinds()[-3:] == ["DEPOSIT_EXPIRED", "DEPOSIT_EXPIRED", "SERIES_EXPIRED"]


def test_what_is_past_its_retention_is_matched_no_more_before_and_after_the_purge(
    ready: Case, upload: Upload
) -> None:
    def open_now() -> int:
        with ready.broker.database.read() as connection:
            return len(matches.open_deposits(connection, [upload.deposit_id], ready.clock()))

    assert open_now() == 1
    ready.clock.now = END
    assert open_now() == 0
    retention.purge(ready.broker)
    ready.clock.now = NOW
    assert open_now() == 0


def test_a_second_before_the_end_nothing_goes(ready: Case, upload: Upload) -> None:
    ready.clock.now = END - 1
    purged = retention.purge(ready.broker)
    assert (purged.deposits, purged.series, purged.records) == (0, 0, 0)
    assert _state(ready, upload) == "serving"


def test_a_repeat_deletes_and_logs_nothing_more(ready: Case, upload: Upload) -> None:
    ready.clock.now = END
    retention.purge(ready.broker)
    entries = ready.kinds()
    again = retention.purge(ready.broker)
    assert (again.deposits, again.series, again.records, ready.kinds()) == (0, 0, 0, entries)
    ready.restart()
    assert _state(ready, upload) == "expired"


def test_an_expired_series_takes_nothing_more_and_can_still_be_withdrawn(
    ready: Case, keys: Keys, upload: Upload
) -> None:
    ready.clock.now = END
    assert ready.declare(ready.mask(keys)).slug == "conflict"
    retention.purge(ready.broker)
    assert ready.put(upload, 2, upload.batches(4)[0]).slug == "conflict"
    statement = Withdrawal(series_id=keys.series_id, reason="Example", withdrawn_at=END)
    body = DocumentMessage(document=sign(statement, key_of("company-1")).document)
    assert ready.post("company-1", f"/v1/series/{keys.series_id.hex()}/withdraw", body).status == 200
    assert _state(ready, upload) == "expired"


def test_a_purge_cut_short_leaves_whole_deposits_and_goes_on(
    ready: Case, keys: Keys, upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = ready.serving(keys, 3)
    ready.clock.now = END
    append, left = AuditLog.append, [1]

    def fails_at_the_second(*arguments: object) -> object:
        if not left:
            raise Unavailable("The step could not be recorded, so it was not taken.")
        left.pop()
        return append(*arguments)  # type: ignore[arg-type]  # as it was called

    with monkeypatch.context() as cut:
        cut.setattr(AuditLog, "append", fails_at_the_second)
        with pytest.raises(Unavailable):
            retention.purge(ready.broker)
    ready.restart()
    assert [_state(ready, each) for each in (upload, second)] == ["expired", "serving"]
    with ready.broker.database.read() as connection:
        assert [each.deposit_id for each, _ in rows.expired_deposits(connection, END)] == [second.deposit_id]
        assert rows.expired_series(connection, END) == ()
    assert retention.purge(ready.broker).records == len(second.records)
    assert ready.kinds().count("SERIES_EXPIRED") == 1


def test_a_purge_that_is_asked_to_stop_stops_between_deposits(ready: Case, upload: Upload) -> None:
    ready.clock.now = END
    assert retention.purge(ready.broker, lambda: True).deposits == 0
    assert _state(ready, upload) == "serving"


def _keep_match(case: Case, request_id: bytes, state: str) -> None:
    """A permit that ends at NOW, with one matched token."""
    with case.broker.database.write() as connection:
        keep_permit(connection, request_id, state)
        matches.keep(connection, request_id, [matches.Match(1, bytes(16))])


def test_matched_tokens_go_a_month_after_their_permit_but_for_a_release_that_goes_on(ready: Case) -> None:
    _keep_match(ready, b"\x01" * 16, request_rows.RELEASED)
    _keep_match(ready, b"\x02" * 16, request_rows.RELEASING)
    ready.clock.now = NOW + ready.settings.match_days * DAY_SECONDS - 1
    assert retention.purge(ready.broker).matches == 0
    ready.clock.now += 1
    assert retention.purge(ready.broker).matches == 1
    with ready.broker.database.read() as connection:
        assert matches.kept(connection, b"\x01" * 16) == ()
        assert len(matches.kept(connection, b"\x02" * 16)) == 1


def test_what_is_kept_of_calls_goes_when_its_time_is_over(ready: Case) -> None:
    def kept() -> int:
        with ready.broker.database.read() as connection:
            return sum(
                connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (nonces, idempotency_keys)
            )

    before = kept()
    assert before > 0
    ready.clock.now += 8 * DAY_SECONDS
    assert retention.purge(ready.broker).calls == before
    assert kept() == 0


def test_the_operator_purges_and_nobody_else(ready: Case, upload: Upload) -> None:
    ready.clock.now = END
    assert ready.post("company-1", "/v1/operator/purge", Nothing()).slug == "not-permitted"
    assert _state(ready, upload) == "serving"
    answer = ready.post(ready.operator, "/v1/operator/purge", Nothing())
    assert (answer.json["deposits"], answer.json["records"]) == (1, 6)


def test_a_running_broker_purges_by_itself_and_stops(ready: Case, upload: Upload) -> None:
    ready.clock.now = END
    hourly = HourlyPurge(ready.broker)
    hourly.start()
    deadline = time.monotonic() + 20
    while _state(ready, upload) != "expired":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    hourly.stop()
    assert not _on_disk(ready, upload)
