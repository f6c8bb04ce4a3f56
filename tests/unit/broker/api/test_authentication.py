"""Only a call that an accepted key signed, now and for the first time, gets through."""

import pytest

from broker.protocol.calls import WINDOW_SECONDS
from broker.protocol.messages.base import encode
from broker.protocol.messages.envelopes import DocumentMessage
from tests.broker_case import NOW, SPACE_ID, Case

SPACE = f"/v1/spaces/{SPACE_ID.hex()}"


def test_a_call_that_comes_a_second_time_is_refused_even_after_a_restart(ready: Case) -> None:
    headers, body = ready.signed("company-1", "GET", SPACE)
    assert ready.raw("GET", SPACE, headers, body).status == 200
    assert ready.raw("GET", SPACE, headers, body).slug == "unauthenticated"
    ready.restart()
    ready.clock.now += WINDOW_SECONDS
    assert ready.raw("GET", SPACE, headers, body).slug == "unauthenticated"


def test_a_tampered_call_is_refused(ready: Case) -> None:
    path = "/v1/deposits"
    headers, body = ready.signed("company-1", "POST", path, DocumentMessage(document="a.b.c"))
    other = encode(DocumentMessage(document="a.b.d"))
    assert ready.raw("POST", path, headers, other).slug == "unauthenticated"
    assert ready.raw("POST", "/v1/spaces", headers, body).slug == "unauthenticated"
    assert (
        ready.raw("POST", path, headers | {"idempotency-key": "another-key"}, body).slug == "unauthenticated"
    )
    assert ready.raw("POST", path, headers | {"content-type": "text/plain"}, body).slug == "unauthenticated"
    stripped = {name: value for name, value in headers.items() if name != "content-digest"}
    assert ready.raw("POST", path, stripped, body).slug == "unauthenticated"
    assert ready.raw("POST", path, headers, body).slug == "bad-input"


def test_a_query_is_signed_too(ready: Case) -> None:
    path = "/v1/audit/records?start=0&end=2"
    headers, body = ready.signed("auditor-1", "GET", path)
    assert ready.raw("GET", "/v1/audit/records?start=0&end=3", headers, body).slug == "unauthenticated"
    assert ready.raw("GET", path, headers, body).status == 200


def test_a_signed_header_sent_twice_is_refused(ready: Case) -> None:
    headers, body = ready.signed("company-1", "POST", "/v1/spaces", DocumentMessage(document="a.b.c"))
    lines = [*headers.items(), ("idempotency-key", "another-key")]
    assert ready.raw("POST", "/v1/spaces", lines, body).slug == "unauthenticated"


@pytest.mark.parametrize(
    "headers", [{}, {"signature": "x", "signature-input": "y"}, {"signature-input": "call=()"}]
)
def test_a_call_without_a_signature_is_refused_and_told_the_time(
    ready: Case, headers: dict[str, str]
) -> None:
    answer = ready.raw("GET", SPACE, headers, b"")
    assert (answer.status, answer.json["server_time"]) == (401, NOW)


def test_a_key_that_nobody_accepted_is_refused(ready: Case) -> None:
    assert ready.get("stranger", SPACE).slug == "unauthenticated"


@pytest.mark.parametrize("seconds", [-WINDOW_SECONDS - 1, WINDOW_SECONDS + 1])
def test_a_call_signed_by_a_wrong_clock_is_refused(ready: Case, seconds: int) -> None:
    ready.clock.now += seconds
    headers, body = ready.signed("company-1", "GET", SPACE)
    ready.clock.now -= seconds
    assert ready.raw("GET", SPACE, headers, body).slug == "unauthenticated"


def test_an_idempotency_key_is_for_one_call(ready: Case) -> None:
    keys = ready.opened()
    upload = ready.mask(keys)
    body = DocumentMessage(document=upload.declaration.document)
    for _ in range(2):
        assert ready.send("company-1", "POST", "/v1/deposits", body, "key-number-1").status == 200
    other = DocumentMessage(document=ready.mask(keys).declaration.document)
    assert ready.send("company-1", "POST", "/v1/deposits", other, "key-number-1").slug == "conflict"
    assert ready.send("company-1", "POST", "/v1/spaces", body, "key-number-1").slug == "conflict"
    assert ready.send("company-2", "POST", "/v1/deposits", body, "key-number-1").slug == "verification-failed"


def test_a_body_over_the_limit_is_refused_before_it_is_read(ready: Case) -> None:
    limit = ready.settings.maximum_body_bytes
    headers, _ = ready.signed("company-1", "POST", "/v1/spaces", b"{}")
    announced = headers | {"content-length": str(limit + 1)}
    assert ready.raw("POST", "/v1/spaces", announced, b"").slug == "too-large"
    silent = headers | {"content-length": "2"}
    assert ready.raw("POST", "/v1/spaces", silent, bytes(limit + 1)).slug == "too-large"
    odd = headers | {"content-length": "-1"}
    assert ready.raw("POST", "/v1/spaces", odd, b"{}").slug == "bad-input"


def test_an_enrolment_over_64_kibibytes_is_refused(case: Case) -> None:
    answer = case.raw("POST", "/v1/enrolments", {"content-type": "application/json"}, bytes(64 * 1024 + 1))
    assert answer.slug == "too-large"
