"""Calls out and answers back, over real loopback HTTP where the socket matters."""

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol.calls import verify_call
from broker.protocol.documents import key_identifier, public_bytes
from broker.protocol.errors import BadInput, Conflict, Refused, VerificationFailed
from broker.protocol.messages.base import encode
from broker.protocol.messages.envelopes import Nothing, ServerTime, TokenQuery
from broker.protocol.problems import PROBLEMS, URN_PREFIX
from clients.transport import (
    Answer,
    Caller,
    ConsistencyNeeded,
    HttpTransport,
    RefusedByGate,
    RemoteProblem,
    RemoteUnauthenticated,
    Unreachable,
    problem_of,
)

NOW = 1_790_000_000
Respond = Callable[[str, str, Mapping[str, str], bytes], tuple[int, dict[str, str], bytes]]


class Script:
    """A transport that gives prepared answers in turn and keeps what was sent."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[str, str, dict[str, str], bytes]] = []

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.sent.append((method, url, dict(headers), body))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def _problem(slug: str, status: int, **extensions: Any) -> Answer:
    members = {
        "type": URN_PREFIX + slug,
        "title": PROBLEMS[slug].title,
        "status": status,
        "detail": "It is so.",
    }
    return Answer(status, (), json.dumps(members | extensions).encode())


def _caller(
    transport: Any, key: Ed25519PrivateKey | None = None, pauses: list[float] | None = None
) -> Caller:
    waited = [] if pauses is None else pauses
    key = key or Ed25519PrivateKey.generate()
    return Caller(transport, key, lambda: NOW, os.urandom, pause=waited.append)


@pytest.fixture
def serve() -> Iterator[Callable[[Respond], str]]:
    servers: list[ThreadingHTTPServer] = []

    def start(respond: Respond) -> str:
        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                url = f"http://127.0.0.1:{self.server.server_port}{self.path}"  # type: ignore[attr-defined]
                status, headers, answer = respond(self.command, url, dict(self.headers.items()), body)
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(answer))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = _answer

            def log_message(self, format: str, *args: Any) -> None:
                """Keep the test's output clean."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_service_can_verify_the_call_as_it_came_over_the_wire(serve: Callable[[Respond], str]) -> None:
    key = Ed25519PrivateKey.generate()
    keys = {key_identifier(public_bytes(key)): public_bytes(key)}
    seen = []

    def respond(
        method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        verified = verify_call(keys, method=method, url=url, headers=headers.items(), body=body, now=NOW)
        seen.append((verified.idempotency_key, body))
        return 200, {"content-type": "application/json"}, encode(ServerTime(now=NOW))

    with HttpTransport() as transport:
        origin = serve(respond)
        caller = _caller(transport, key)
        message = TokenQuery(token=bytes(16))
        assert caller.post(f"{origin}/v1/x", message, ServerTime, "key-of-this-step").now == NOW
        assert caller.post(f"{origin}/v1/x", b"\x00\xff records", ServerTime, "key-of-a-batch").now == NOW
        assert caller.get(f"{origin}/v1/time", ServerTime).now == NOW
    assert seen == [
        ("key-of-this-step", encode(message)),
        ("key-of-a-batch", b"\x00\xff records"),
        (None, b""),
    ]


def test_a_redirect_is_not_followed(serve: Callable[[Respond], str]) -> None:
    calls = []

    def respond(
        method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        calls.append(url)
        return 307, {"location": "/elsewhere"}, b""

    with HttpTransport() as transport, pytest.raises(RemoteProblem):
        _caller(transport).get(f"{serve(respond)}/v1/time", ServerTime)
    assert len(calls) == 1


def test_a_service_that_is_not_there_is_unreachable_after_three_attempts() -> None:
    pauses: list[float] = []
    with HttpTransport(timeout_seconds=2) as transport, pytest.raises(Unreachable):
        _caller(transport, pauses=pauses).get("http://127.0.0.1:9/v1/time", ServerTime)
    assert len(pauses) == 2


def test_a_retry_has_a_new_nonce_and_the_same_idempotency_key() -> None:
    script = Script(Unreachable("gone"), _problem("unavailable", 503), Answer(200, (), encode(Nothing())))
    _caller(script).post("http://b.example.org/v1/series", Nothing(), Nothing)
    keys = {headers["idempotency-key"] for _, _, headers, _ in script.sent}
    signatures = {headers["signature-input"] for _, _, headers, _ in script.sent}
    assert (len(script.sent), len(keys), len(signatures)) == (3, 1, 3)


def test_two_calls_never_share_an_idempotency_key_by_themselves() -> None:
    script = Script(Answer(200, (), encode(Nothing())), Answer(200, (), encode(Nothing())))
    caller = _caller(script)
    caller.post("http://b.example.org/v1/series", Nothing(), Nothing)
    caller.post("http://b.example.org/v1/series", Nothing(), Nothing)
    assert script.sent[0][2]["idempotency-key"] != script.sent[1][2]["idempotency-key"]


def test_a_service_that_asks_for_patience_gets_it() -> None:
    pauses: list[float] = []
    busy = Answer(429, (("Retry-After", "7"),), _problem("too-many-calls", 429).body)
    script = Script(busy, Answer(200, (), encode(Nothing())))
    _caller(script, pauses=pauses).post("http://b.example.org/v1/series", Nothing(), Nothing)
    assert pauses == [7.0]


def test_a_refusal_is_not_retried_and_says_rules_reasons_and_law() -> None:
    told = {
        "rules": ["L03"],
        "reasons": ["Never against the victim."],
        "law": ["CoE 26"],
        "missed": ["consent"],
    }
    script = Script(_problem("refused", 403, **told, notes=[]))
    with pytest.raises(RefusedByGate) as caught:
        _caller(script).post("http://b.example.org/v1/requests", Nothing(), Nothing)
    refusal = caught.value
    assert (refusal.rules, refusal.reasons, refusal.law) == (
        ("L03",),
        ("Never against the victim.",),
        ("CoE 26",),
    )
    assert (refusal.missed, refusal.notes) == (("consent",), ())
    assert isinstance(refusal, Refused)
    assert len(script.sent) == 1


def test_every_problem_of_the_list_keeps_its_name() -> None:
    for slug in PROBLEMS:
        assert problem_of(_problem(slug, 400), NOW).problem == slug


def test_a_remote_problem_is_caught_like_the_local_error_of_its_name() -> None:
    assert isinstance(problem_of(_problem("conflict", 409), NOW), Conflict)
    assert isinstance(problem_of(_problem("bad-input", 400), NOW), BadInput)
    assert isinstance(problem_of(_problem("verification-failed", 422), NOW), VerificationFailed)


@pytest.mark.parametrize(("server_time", "word"), [(NOW + 4000, "behind"), (NOW - 4000, "ahead of")])
def test_a_wrong_clock_is_called_a_wrong_clock(server_time: int, word: str) -> None:
    problem = problem_of(_problem("unauthenticated", 401, server_time=server_time), NOW)
    assert isinstance(problem, RemoteUnauthenticated)
    assert "Set your clock" in problem.what_to_do
    assert word in problem.what_to_do
    assert "4000 seconds" in problem.what_to_do


def test_a_right_clock_is_not_blamed() -> None:
    problem = problem_of(_problem("unauthenticated", 401, server_time=NOW + 2), NOW)
    assert "Set your clock" not in problem.what_to_do


def test_a_holder_that_needs_consistency_says_from_which_size() -> None:
    problem = problem_of(_problem("consistency-needed", 409, seen_size=17), NOW)
    assert isinstance(problem, ConsistencyNeeded)
    assert problem.seen_size == 17
    silent = problem_of(_problem("consistency-needed", 409), NOW)
    assert isinstance(silent, ConsistencyNeeded)
    with pytest.raises(VerificationFailed):
        _ = silent.seen_size


def test_a_page_of_some_proxy_is_not_repeated() -> None:
    problem = problem_of(Answer(404, (), b"<html>you asked for +44 7700 900123</html>"), NOW)
    assert problem.problem == "fault"
    assert "900123" not in problem.detail + problem.what_to_do


def test_a_service_cannot_write_to_the_terminal() -> None:
    members = json.loads(_problem("conflict", 409).body) | {"detail": "\x1b[2Jgone\u202eevil"}
    problem = problem_of(Answer(409, (), json.dumps(members).encode()), NOW)
    assert problem.detail == " [2Jgone evil"


def test_an_answer_of_another_kind_is_not_used() -> None:
    script = Script(Answer(200, (), b'{"now":"soon"}'))
    with pytest.raises(VerificationFailed):
        _caller(script).get("http://b.example.org/v1/time", ServerTime)


def test_an_answer_has_no_repr_of_its_body() -> None:
    assert "900123" not in repr(Answer(200, (), b"+44 7700 900123"))


def test_an_answer_that_comes_drop_by_drop_or_at_length_is_given_up(serve: Callable[[Respond], str]) -> None:
    def respond(
        method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        return 200, {}, bytes(300_000)

    origin = serve(respond)
    with HttpTransport(whole_seconds=-1) as transport, pytest.raises(Unreachable, match="in time"):
        transport.send("POST", f"{origin}/add-checkpoint", {}, b"")
    with HttpTransport(maximum_bytes=1000) as transport, pytest.raises(VerificationFailed, match="larger"):
        transport.send("POST", f"{origin}/add-checkpoint", {}, b"")
