"""A deposit is decided about, uploaded in numbered batches, checked whole, tested through the holders, then serves."""

import hashlib
import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.protocol.documents import sign
from broker.protocol.messages.deposits import Record, encode_batch, record_bytes
from broker.protocol.messages.envelopes import DocumentMessage, Nothing, TokenQuery
from broker.protocol.receipts import verify_log_proof
from tests.broker_case import CONDITIONS, Case, Keys, Upload, key_of


@pytest.fixture
def keys(ready: Case) -> Keys:
    """An open series of company-1."""
    return ready.opened()


@pytest.fixture
def upload(ready: Case, keys: Keys) -> Upload:
    """A declared deposit of six records, nothing of it sent."""
    made = ready.mask(keys)
    assert ready.declare(made).status == 200
    return made


def _state(case: Case, upload: Upload) -> tuple[str, int, int]:
    found = case.get("company-1", f"/v1/deposits/{upload.deposit_id.hex()}").json
    return found["state"], found["next_batch"], found["records_stored"]


def test_a_deposit_goes_from_declaration_to_serving_with_an_entry_at_each_step(
    ready: Case, keys: Keys
) -> None:
    upload = ready.serving(keys)
    assert _state(ready, upload) == ("serving", 2, 6)
    assert ready.kinds()[-3:] == ["DEPOSIT_ADMITTED", "DEPOSIT_COMPLETED", "DEPOSIT_SERVING"]


def test_every_step_may_be_repeated_and_is_logged_once(ready: Case, keys: Keys) -> None:
    upload = ready.serving(keys)
    entries = len(ready.kinds())
    for answer in (
        ready.declare(upload),
        ready.put(upload, 0, upload.batches(4)[0]),
        ready.put(upload, 1, upload.batches(4)[1]),
        ready.step(upload, "complete", Nothing()),
        ready.step(upload, "serve", ready.self_test(upload)),
    ):
        assert answer.status == 200
    assert len(ready.kinds()) == entries


def test_what_the_rules_refuse_is_recorded_and_explained(ready: Case) -> None:
    unseen = CONDITIONS.model_copy(update={"reviewed_by_person": False})
    upload = ready.mask(ready.opened(conditions=unseen))
    answer = ready.declare(upload)
    assert (answer.status, answer.slug, answer.json["trial"]) == (403, "refused", True)
    assert answer.json["rules"]
    assert answer.json["reasons"]
    assert answer.json["law"]
    proof = answer.proof()
    entry = verify_log_proof(proof, ready.settings.log_origin, ready.keys.log_public)
    assert entry.content.kind == "DEPOSIT_REFUSED"
    assert ready.get("company-1", f"/v1/deposits/{upload.deposit_id.hex()}").slug == "not-found"
    again = ready.declare(upload)
    assert {name: again.json[name] for name in ("rules", "reasons", "law", "missed", "notes")} == {
        name: answer.json[name] for name in ("rules", "reasons", "law", "missed", "notes")
    }
    assert ready.kinds().count("DEPOSIT_REFUSED") == 1


@pytest.mark.parametrize(
    ("change", "slug"),
    [
        ({"series_id": bytes(32)}, "not-found"),
        ({"space_id": bytes(16)}, "bad-input"),
        ({"contributor": "company-2"}, "bad-input"),
        ({"salt_id": bytes(32)}, "conflict"),
        ({"size_class": 2048}, "bad-input"),
        ({"self_test_token": b"short"}, "bad-input"),
        ({"period_from": 2_000_000_000}, "bad-input"),
    ],
)
def test_a_declaration_that_does_not_fit_its_series_is_refused(
    ready: Case, keys: Keys, change: dict[str, Any], slug: str
) -> None:
    assert ready.declare(ready.mask(keys, **change)).slug == slug


def test_a_declaration_signed_by_another_or_reusing_an_id_is_refused(ready: Case, keys: Keys) -> None:
    upload = ready.mask(keys)
    forged = DocumentMessage(document=sign(upload.declaration.payload, key_of("company-2")).document)
    assert ready.post("company-1", "/v1/deposits", forged).slug == "verification-failed"
    assert ready.declare(upload, "company-2").slug == "verification-failed"
    assert ready.declare(upload).status == 200
    other = ready.mask(keys, deposit_id=upload.deposit_id)
    assert ready.declare(other).slug == "conflict"


def test_a_deposit_is_seen_and_moved_on_by_its_contributor_only(ready: Case, upload: Upload) -> None:
    assert ready.get("company-2", f"/v1/deposits/{upload.deposit_id.hex()}").slug == "not-found"
    assert ready.put(upload, 0, upload.batches(4)[0], "company-2").slug == "not-found"
    assert ready.step(upload, "complete", Nothing(), "company-2").slug == "not-found"


# --- batches ---


def test_an_upload_goes_on_where_it_stopped_when_the_broker_died(ready: Case, upload: Upload) -> None:
    first, second, third = upload.batches(2)
    assert ready.put(upload, 0, first).status == 200
    ready.restart()
    assert _state(ready, upload) == ("admitted", 1, 2)
    assert ready.put(upload, 0, first).json["records_stored"] == 2
    assert ready.put(upload, 1, second).status == 200
    ready.restart()
    assert ready.put(upload, 2, third).status == 200
    assert ready.step(upload, "complete", Nothing()).status == 200


def test_a_repeated_batch_is_stored_once_and_other_bytes_are_a_conflict(ready: Case, upload: Upload) -> None:
    first, second = upload.batches(3)
    assert [ready.put(upload, 0, first).json["records_stored"] for _ in range(2)] == [3, 3]
    assert ready.put(upload, 0, second).slug == "conflict"
    assert _state(ready, upload) == ("admitted", 1, 3)


def test_a_gap_between_batches_is_a_conflict(ready: Case, upload: Upload) -> None:
    assert ready.put(upload, 1, upload.batches(3)[1]).slug == "conflict"
    assert _state(ready, upload) == ("admitted", 0, 0)


def test_a_batch_cut_short_unsorted_repeating_or_too_long_is_refused_whole(
    ready: Case, upload: Upload
) -> None:
    records = upload.records
    first = encode_batch(records[:3])
    bad = [
        b"",
        first[:-1],
        encode_batch((records[1], records[0])),
        encode_batch((records[0], records[0])),
        encode_batch((*records, Record(b"\xff" * 16, 1, records[0].sealed))),
        encode_batch((Record(records[0].token, 2**32 - 1, records[0].sealed),)),
    ]
    for data in bad:
        assert ready.put(upload, 0, data).slug == "bad-input"
    assert _state(ready, upload) == ("admitted", 0, 0)
    assert ready.put(upload, 0, first).status == 200
    overlapping = encode_batch(records[2:])
    assert ready.put(upload, 1, overlapping).slug == "bad-input"
    assert _state(ready, upload) == ("admitted", 1, 3)


def test_a_batch_over_eight_mebibytes_is_too_large(ready: Case, upload: Upload) -> None:
    size = record_bytes(512)
    assert ready.put(upload, 0, bytes((8 * 1024 * 1024 // size + 1) * size)).slug == "too-large"


def test_a_deposit_with_records_missing_altered_or_another_root_is_not_completed(
    ready: Case, keys: Keys
) -> None:
    short = ready.mask(keys)
    ready.declare(short)
    ready.put(short, 0, short.batches(4)[0])
    assert ready.step(short, "complete", Nothing()).slug == "conflict"

    altered = ready.mask(keys)
    ready.declare(altered)
    token, version, sealed = altered.records[2]
    swapped = Record(token, version, bytes([sealed[0] ^ 1]) + sealed[1:])
    ready.put(altered, 0, encode_batch((*altered.records[:2], swapped, *altered.records[3:])))
    assert ready.step(altered, "complete", Nothing()).slug == "verification-failed"

    untested = ready.mask(keys, self_test_token=bytes(16))
    ready.declare(untested)
    ready.put(untested, 0, untested.batches(10)[0])
    assert ready.step(untested, "complete", Nothing()).slug == "verification-failed"
    assert "DEPOSIT_COMPLETED" not in ready.kinds()


_CUTS = st.lists(st.integers(min_value=1, max_value=11), max_size=6)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=_CUTS)
def test_however_the_records_are_cut_into_batches_the_root_is_the_declared_one(
    ready: Case, keys: Keys, cuts: list[int]
) -> None:
    upload = ready.mask(keys, count=11)
    assert ready.declare(upload).status == 200
    edges = [0, *sorted(set(cuts)), len(upload.records)]
    for number, (start, end) in enumerate(itertools.pairwise(edges)):
        assert ready.put(upload, number, encode_batch(upload.records[start:end])).status == 200
    assert ready.step(upload, "complete", Nothing()).status == 200


# --- self-test and serving ---


def _complete(case: Case, upload: Upload) -> None:
    case.put(upload, 0, upload.batches(10)[0])
    assert case.step(upload, "complete", Nothing()).status == 200


def test_only_the_declared_self_test_record_is_given_back(ready: Case, upload: Upload) -> None:
    token = upload.declaration.payload.self_test_token
    assert ready.step(upload, "self-test-record", TokenQuery(token=token)).slug == "conflict"
    _complete(ready, upload)
    found = ready.step(upload, "self-test-record", TokenQuery(token=token))
    record = next(each for each in upload.records if each.token == token)
    assert (found.status, found.json["record_version"]) == (200, record.record_version)
    other = next(each for each in upload.records if each.token != token)
    assert ready.step(upload, "self-test-record", TokenQuery(token=other.token)).slug == "not-found"
    assert ready.step(upload, "self-test-record", TokenQuery(token=token), "company-2").slug == "not-found"


def test_a_deposit_does_not_serve_before_it_is_complete(ready: Case, upload: Upload) -> None:
    assert ready.step(upload, "serve", ready.self_test(upload)).slug == "conflict"


@pytest.mark.parametrize(
    ("change", "slug"),
    [
        ({"quorum": (1,)}, "bad-input"),
        ({"quorum": (2, 1)}, "bad-input"),
        ({"quorum": (1, 1)}, "bad-input"),
        ({"quorum": (1, 4)}, "bad-input"),
        ({"deposit_id": bytes(32)}, "bad-input"),
        ({"series_id": bytes(32)}, "bad-input"),
        ({"sealed_digest": hashlib.sha256(b"another").digest()}, "verification-failed"),
    ],
)
def test_a_self_test_of_something_else_does_not_make_a_deposit_serve(
    ready: Case, upload: Upload, change: dict[str, Any], slug: str
) -> None:
    _complete(ready, upload)
    assert ready.step(upload, "serve", ready.self_test(upload, **change)).slug == slug
    assert _state(ready, upload)[0] == "complete"
