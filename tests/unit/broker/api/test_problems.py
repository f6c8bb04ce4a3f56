"""Whatever goes wrong is answered by a problem document that repeats nothing of what was sent."""

import json
import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from broker.api import problems
from broker.api.border import Border
from broker.protocol.errors import NarrowgateError
from broker.protocol.messages.base import encode
from broker.protocol.messages.envelopes import DocumentMessage, TokenQuery
from broker.protocol.problems import PROBLEMS
from tests.asgi import InMemoryClient
from tests.broker_case import NOW, SPACE_ID, Case

CANARY = "+447700900123"
MEMBERS = {"type", "title", "status", "detail", "what_to_do"}


def test_every_problem_type_has_one_status() -> None:
    assert set(problems.STATUS_BY_SLUG) == set(PROBLEMS)


def test_an_error_that_is_not_mapped_is_a_fault_that_tells_nothing() -> None:
    class Unmapped(NarrowgateError):
        problem = "unheard-of"

    for error in (Unmapped(CANARY), ValueError(CANARY)):
        status, document = problems.render(error, NOW)
        assert status == 500
        assert CANARY.encode() not in document
        assert set(json.loads(document)) == MEMBERS


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"/{CANARY}", None),
        ("GET", f"/v1/spaces/{CANARY}", None),
        ("DELETE", f"/v1/spaces/{CANARY}", None),
        ("GET", f"/v1/spaces/{CANARY}/", None),
        ("GET", f"/v1/log/proof?index={CANARY}&size=1", None),
        ("GET", f"/v1/log/proof?{CANARY}=1", None),
        ("GET", f"/v1/log/consistency?old=-1&new={CANARY}", None),
        ("GET", f"/v1/audit/records?start={CANARY}&end=1", None),
        ("POST", f"/v1/deposits/{'00' * 32}/batches/{CANARY}", b"x"),
        ("POST", f"/v1/operator/enrolments/{CANARY}/accept", b"{}"),
        ("POST", "/v1/spaces", json.dumps({CANARY: CANARY}).encode()),
        ("POST", "/v1/spaces", json.dumps({"document": CANARY}).encode()),
        ("POST", "/v1/deposits", json.dumps({"document": "a.b.c", "more": CANARY}).encode()),
        ("POST", "/v1/deposits", CANARY.encode()),
        ("POST", "/v1/series", json.dumps({"manifest": CANARY, "acceptances": [CANARY]}).encode()),
        ("POST", f"/v1/deposits/{'00' * 32}/self-test-record", encode(TokenQuery(token=CANARY.encode()))),
    ],
)
def test_no_error_log_line_or_metric_repeats_what_was_sent(
    ready: Case, capsys: pytest.CaptureFixture[str], method: str, path: str, body: bytes | None
) -> None:
    answer = ready.send("company-1", method, path, body)
    assert 400 <= answer.status < 500, answer.body
    assert set(answer.json) >= MEMBERS
    shown = "".join(capsys.readouterr()) + ready.raw("GET", "/metrics", {}, b"").body.decode()
    shown += answer.body.decode() + repr(answer.headers)
    assert CANARY not in shown
    assert CANARY.encode().hex() not in shown


def test_a_canary_in_every_member_of_a_document_is_not_repeated(ready: Case) -> None:
    for document in (f"{CANARY[1:]}.{CANARY[1:]}.{CANARY[1:]}", "eyJhbGciOiJub25lIn0.e30.e30"):
        for path in ("/v1/spaces", "/v1/deposits"):
            answer = ready.post("company-1", path, DocumentMessage(document=document))
            assert answer.status in (400, 422)
            assert CANARY[1:].encode() not in answer.body


def test_a_path_that_is_not_there_and_a_method_that_is_not_are_told_apart_by_status(case: Case) -> None:
    missing = case.raw("GET", "/nothing", {}, b"")
    method = case.raw("PUT", "/v1/spaces", {}, b"")
    assert (missing.status, missing.slug) == (404, "not-found")
    assert (method.status, method.slug) == (405, "not-found")
    assert ("allow", "POST") in method.headers
    for path in ("/docs", "/openapi.json", "/redoc", "/v1/spaces/"):
        assert case.raw("GET", path, {}, b"").status == 404


def test_a_fault_in_the_code_is_answered_and_logged_without_its_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = FastAPI(openapi_url=None)
    problems.install(app, lambda: NOW)

    @app.get("/faulty/{value}")
    def faulty(value: str) -> None:
        raise RuntimeError(value)

    client = InMemoryClient(Border(app, CollectorRegistry()))
    status, _, body = client.send("GET", f"http://broker.example.org/faulty/{CANARY}", {})
    shown = "".join(capsys.readouterr())
    assert (status, json.loads(body)["type"]) == (500, "urn:narrowgate:problem:fault")
    assert CANARY not in shown + body.decode()
    assert "RuntimeError" in shown
    assert re.search(r"test_problems\.py:\d+", shown)


@pytest.mark.sqlite_only
def test_a_deleted_database_is_503_and_nothing_more_is_disclosed(ready: Case) -> None:
    path = ready.broker.database.path
    assert path is not None
    Path(path).unlink()
    for who, url in (
        ("company-1", f"/v1/spaces/{SPACE_ID.hex()}"),
        ("auditor-1", "/v1/audit/records?start=0&end=2"),
    ):
        assert ready.get(who, url).slug == "unavailable"
    for url in ("/checkpoint", "/healthz", "/metrics"):
        assert ready.raw("GET", url, {}, b"").status == 503


def test_a_damaged_log_is_503_for_every_step_that_must_be_recorded(ready: Case) -> None:
    with ready.broker.database.write() as connection:
        connection.execute(text("UPDATE log_leaves SET hashes = :zeros"), {"zeros": bytes(32)})
    assert ready.open_series(ready.deal()).slug == "unavailable"
    with ready.broker.database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM series")).scalar_one() == 0


def test_a_head_that_does_not_fit_is_told_by_the_health_check_for_good(ready: Case) -> None:
    """From the first step on that met it, and after it was put right behind the broker's back."""
    with ready.broker.database.read() as connection:
        root = connection.execute(text("SELECT root FROM log_head")).scalar_one()
    assert ready.raw("GET", "/healthz", {}, b"").status == 200
    for put in (bytes(32), root):
        with ready.broker.database.write() as connection:
            connection.execute(text("UPDATE log_head SET root = :root"), {"root": put})
        assert ready.open_series(ready.deal()).slug == "unavailable"
        assert ready.raw("GET", "/healthz", {}, b"").status == 503
