"""Anybody follows the log; auditors read the records beside it, and that is itself an entry."""

import hashlib

import pytest

from broker.protocol import checkpoint, leaves, merkle
from broker.protocol.messages.base import read
from broker.protocol.messages.envelopes import ServerTime
from broker.protocol.messages.log import ConsistencyPath, LogProof, RecordPage
from broker.protocol.receipts import verify_log_proof
from broker.protocol.tiles import leaves_in
from tests import tlog_reader
from tests.broker_case import NOW, Case


def _checkpoint(case: Case) -> checkpoint.Checkpoint:
    answer = case.raw("GET", "/checkpoint", {}, b"")
    key = checkpoint.VerifierKey(case.settings.log_origin, checkpoint.ED25519, case.keys.log_public)
    return checkpoint.parse_and_verify(answer.body, case.settings.log_origin, key)


def test_the_leaves_give_the_root_of_the_signed_checkpoint(ready: Case) -> None:
    signed = _checkpoint(ready)
    found = leaves_in(ready.raw("GET", "/tile/entries/000.p/6", {}, b"").body)
    assert signed.size == len(found) == 6
    assert merkle.root_of(merkle.leaf_hash(leaf) for leaf in found) == signed.root


def test_an_older_checkpoint_is_proved_to_be_the_beginning_of_a_newer_one(ready: Case) -> None:
    old = _checkpoint(ready)
    ready.opened()
    new = _checkpoint(ready)
    path = f"/v1/log/consistency?old={old.size}&new={new.size}"
    proof = read(ConsistencyPath, ready.raw("GET", path, {}, b"").body)
    merkle.verify_consistency(old.size, new.size, proof.path, old.root, new.root)
    assert ready.raw("GET", "/v1/log/consistency?old=1&new=999", {}, b"").slug == "bad-input"


def test_a_leaf_is_proved_at_any_size(ready: Case) -> None:
    proof = read(LogProof, ready.raw("GET", "/v1/log/proof?index=2&size=4", {}, b"").body)
    entry = verify_log_proof(proof, ready.settings.log_origin, ready.keys.log_public)
    assert (entry.index, entry.checkpoint.size) == (2, 4)
    assert ready.raw("GET", "/v1/log/proof?index=4&size=4", {}, b"").slug == "bad-input"


def test_an_auditor_reads_records_that_open_their_leaves_and_the_reading_is_logged(ready: Case) -> None:
    answer = ready.get("auditor-1", "/v1/audit/records?start=0&end=1000")
    page = read(RecordPage, answer.body)
    found = leaves_in(ready.raw("GET", "/tile/entries/000.p/6", {}, b"").body)
    for leaf, logged in zip(found, page.records, strict=True):
        assert logged.record is not None
        assert logged.salt is not None
        leaves.verify_record(leaf, logged.record, logged.salt)
        assert leaves.parse_leaf(leaf).digest == hashlib.sha256(logged.salt + logged.record).digest()
    assert ready.kinds()[-1] == "RECORDS_READ"


def test_nobody_else_reads_records(ready: Case) -> None:
    path = "/v1/audit/records?start=0&end=10"
    assert ready.get("company-1", path).slug == "not-permitted"
    assert ready.get(ready.operator, path).slug == "not-permitted"
    assert ready.raw("GET", path, {}, b"").slug == "unauthenticated"
    assert "RECORDS_READ" not in ready.kinds()


def test_pages_are_bounded(ready: Case) -> None:
    for query in ("start=0&end=1001", "start=3&end=3", "start=-1&end=2", f"start={10**20}&end={10**20 + 1}"):
        assert ready.get("auditor-1", f"/v1/audit/records?{query}").slug == "bad-input"


def test_health_time_and_metrics_tell_nothing_about_anybody(ready: Case) -> None:
    assert ready.raw("GET", "/healthz", {}, b"").json == {"status": "ok"}
    assert read(ServerTime, ready.raw("GET", "/v1/time", {}, b"").body).now == NOW
    metrics = ready.raw("GET", "/metrics", {}, b"").body.decode()
    assert 'narrowgate_calls_total{route="/v1/time",status="200"} 1.0' in metrics
    assert "narrowgate_log_entries 6.0" in metrics
    assert "company-1" not in metrics


def test_an_independent_reader_follows_the_log_by_its_tiles(ready: Case) -> None:
    key = checkpoint.verifier_key(ready.settings.log_origin, ready.keys.log_public)
    first = tlog_reader.read_log(lambda path: ready.raw("GET", f"/{path}", {}, b"").body, key)
    ready.opened()
    second = tlog_reader.read_log(lambda path: ready.raw("GET", f"/{path}", {}, b"").body, key)
    assert (first.origin, first.size) == (ready.settings.log_origin, 6)
    assert second.size > first.size
    assert second.leaves[:6] == first.leaves


def test_a_tile_may_be_cached_for_ever_and_a_checkpoint_not_at_all(ready: Case) -> None:
    tile = ready.raw("GET", "/tile/entries/000.p/3", {}, b"")
    assert dict(tile.headers)["cache-control"] == "public, max-age=31536000, immutable"
    note = ready.raw("GET", "/checkpoint", {}, b"")
    assert dict(note.headers)["cache-control"] == "no-cache"
    missing = ready.raw("GET", "/tile/0/001", {}, b"")
    assert (missing.slug, "cache-control" in dict(missing.headers)) == ("not-found", False)
    for path in ("0/1", "entries/000.p/256", "9/000", "0/%2e%2e/000"):
        assert ready.raw("GET", f"/tile/{path}", {}, b"").slug == "bad-input"


@pytest.mark.parametrize("number", ["-1", str(2**63), str(2**64 + 1), "9" * 4000, "1e3", "0x1", "", "%00"])
def test_no_number_in_a_call_that_anybody_may_make_is_a_fault(ready: Case, number: str) -> None:
    for path in (
        f"/v1/log/consistency?old={number}&new={number}",
        f"/v1/log/consistency?old=1&new={number}",
        f"/v1/log/proof?index={number}&size=4",
        f"/v1/log/proof?index=0&size={number}",
        f"/v1/log/leaves?start={number}&end={number}",
        f"/v1/log/leaves?start=0&end={number}",
        f"/tile/entries/{number}",
        f"/tile/0/{number}.p/{number}",
        "/tile/5/x999/x999/x999/x999/x999/999",
        "/tile/entries/x999/x999/x999/x999/x999/999.p/255",
    ):
        answer = ready.raw("GET", path, {}, b"")
        assert answer.status in (400, 404), (path, answer.status)
        assert dict(answer.headers).get("cache-control") != "public, max-age=31536000, immutable"
