"""The key holder's door: its routes, each a few lines from call to step to answer.

Rule: a signed call is authenticated before its body is read as anything; no answer, log line or error repeats a
submitted value, so FastAPI's own error pages are replaced; the log names route, status and the class of an error, no
more.

It decides nothing. Routes: see docs/routes.md.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from broker.protocol.carried_calls import evidence
from broker.protocol.errors import BadInput, NarrowgateError, NotFound, NotPermitted
from broker.protocol.merkle import EMPTY_ROOT
from broker.protocol.messages.base import Message, encode, read
from broker.protocol.messages.envelopes import DocumentMessage, SeenCheckpoint
from broker.protocol.messages.evaluation import EvaluationCall, OpeningCall, SelfTestCall
from broker.protocol.messages.series import ShareDelivery
from broker.protocol.tiles import CACHED_FOR_EVER, NEVER_CACHED, read_path
from clients.keyholder import (
    acceptance,
    destroy,
    evaluation,
    opening,
    prekeys,
    records,
    self_test,
    statements,
)
from clients.keyholder.api import carried
from clients.keyholder.api.authentication import ReceivedCall, authenticate
from clients.keyholder.api.problems import fault_response, problem_response
from clients.keyholder.context import Caller, KeyHolder, TooLarge
from clients.keyholder.pinning import log_keys_of, pinned_space, pinned_spaces
from clients.keyholder.store import permits

MAXIMUM_BODY_BYTES = 16 * 1024 * 1024
LOGGER = logging.getLogger("narrowgate.keyholder")

Step = Callable[[KeyHolder, Caller, bytes], Message]


def create_app(holder: KeyHolder) -> FastAPI:
    """The ASGI application of one open key holder; it takes clock and randomness from there."""
    app = FastAPI(
        title="Narrowgate key holder", docs_url=None, redoc_url=None, redirect_slashes=False, openapi_url=None
    )
    _replace_error_pages(app, holder)
    _add_calls(app, holder)
    _add_readings(app, holder)
    return app


def _add_calls(app: FastAPI, holder: KeyHolder) -> None:
    """The routes that take signed calls."""

    @app.post("/v1/series")
    async def deliver_share(request: Request) -> Response:
        def step(holder: KeyHolder, caller: Caller, body: bytes) -> Message:
            delivery = read(ShareDelivery, body)
            return DocumentMessage(document=acceptance.accept_shares(holder, caller, delivery))

        return await _answer(holder, request, step)

    @app.post("/v1/series/{series_id}/self-test")
    async def test_series(request: Request, series_id: str) -> Response:
        def step(holder: KeyHolder, caller: Caller, body: bytes) -> Message:
            call = read(SelfTestCall, body)
            return self_test.answer_self_test(holder, caller, _identifier(series_id, 32), call)

        return await _answer(holder, request, step)

    @app.post("/v1/series/{series_id}/destroy")
    async def destroy_series(request: Request, series_id: str) -> Response:
        def step(holder: KeyHolder, caller: Caller, body: bytes) -> Message:
            document = read(DocumentMessage, body).document
            receipt = destroy.destroy_shares(holder, caller, _identifier(series_id, 32), document)
            return DocumentMessage(document=receipt)

        return await _answer(holder, request, step)

    @app.post("/v1/evaluations")
    async def evaluate(request: Request) -> Response:
        def step(holder: KeyHolder, caller: Caller, body: bytes) -> Message:
            return evaluation.evaluate(holder, caller, read(EvaluationCall, body))

        return await _answer(holder, request, step)

    @app.post("/v1/openings")
    async def open_payload(request: Request) -> Response:
        def step(holder: KeyHolder, caller: Caller, body: bytes) -> Message:
            return opening.open_payload(holder, caller, read(OpeningCall, body))

        return await _answer(holder, request, step)

    @app.get("/v1/audit/records")
    async def log_records(request: Request, start: int, end: int) -> Response:
        def step(holder: KeyHolder, caller: Caller, body: bytes) -> Message:
            return records.read_records(holder, caller, start, end)

        return await _answer(holder, request, step)

    @app.post("/v1/approvals/refusals")
    async def refuse_approval(request: Request) -> Response:
        def step(holder: KeyHolder, caller: Caller, body: bytes) -> Message:
            return statements.refuse(holder, caller, read(DocumentMessage, body).document)

        return await _answer(holder, request, step)

    @app.post("/v1/approvals/withdrawals")
    async def withdraw_approval(request: Request) -> Response:
        def step(holder: KeyHolder, caller: Caller, body: bytes) -> Message:
            return statements.withdraw(holder, caller, read(DocumentMessage, body).document)

        return await _answer(holder, request, step)

    @app.post("/v1/carried")
    async def take_bundle(request: Request) -> Response:
        """Not a signed call: the bundle is."""
        data = await _body(request)
        opened = await run_in_threadpool(carried.open_calls, holder, data)
        answers = await carried.answer_calls(holder, app, opened)
        return Response(answers, media_type="application/octet-stream")


def _add_readings(app: FastAPI, holder: KeyHolder) -> None:
    """The routes that anybody may read: they tell nothing of any case."""

    @app.get("/healthz")
    def health() -> dict[str, str]:
        holder.log.check_not_refused()
        return {"status": "ok"}

    @app.get("/v1/prekeys")
    def prekey_pack() -> Response:
        return _message(DocumentMessage(document=prekeys.issue_pack(holder)))

    @app.get("/checkpoint")
    def log_checkpoint() -> Response:
        return PlainTextResponse(holder.witnesses.published(), headers=NEVER_CACHED)

    @app.get("/tile/{path:path}")
    def log_tile(path: str) -> Response:
        wanted = read_path(path)
        with holder.database.read() as connection:
            data = holder.log.tile(connection, wanted)
        return Response(data, media_type="application/octet-stream", headers=CACHED_FOR_EVER)

    @app.get("/v1/log/seen")
    def log_seen(space_id: str | None = None) -> Response:
        """`space_id` is needed only by a holder whose spaces have several logs."""
        with holder.database.read() as connection:
            if space_id is None:
                spaces = [space.payload for space in pinned_spaces(connection)]
            else:
                spaces = [pinned_space(connection, _identifier(space_id, 16)).payload]
            # A space that has not followed a change of the log's key yet has the same log.
            keys = [log_keys_of(connection, space.space_id) for space in spaces]
            if any(not set(keys[0]) & set(each) for each in keys):
                raise BadInput("This key holder watches several logs. Name the space with ?space_id=.")
            seen = permits.seen(connection, [key for each in keys for key in each])
        if seen is None:
            return _message(SeenCheckpoint(size=0, root=EMPTY_ROOT))
        return _message(SeenCheckpoint(size=seen.size, root=seen.root))


async def _answer(holder: KeyHolder, request: Request, step: Step) -> Response:
    body = await _body(request)
    query = request.scope["query_string"]
    # The target URI as the client wrote it: raw path and query, under the origin the operator set.
    path = request.scope["raw_path"].decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw)
    call = ReceivedCall(request.method, path, headers, body, evidence(request.scope))

    def take() -> Response:
        return _message(step(holder, authenticate(holder, call), call.body))

    return await run_in_threadpool(take)


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAXIMUM_BODY_BYTES:
                raise TooLarge("The body is larger than 16 MiB. No call to a key holder needs that much.")
            chunks.append(chunk)
    except ClientDisconnect as error:
        raise BadInput("The call broke off before its end. Make it again.") from error
    return b"".join(chunks)


def _message(message: Message) -> Response:
    return Response(encode(message), media_type="application/json")


def _identifier(text: str, size: int) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != size or value.hex() != text:
        raise BadInput(f"An id in the address is {2 * size} lower-case hexadecimal digits.")
    return value


def _replace_error_pages(app: FastAPI, holder: KeyHolder) -> None:
    async def expected(request: Request, error: Any) -> Response:
        _log(request.scope, error)
        return problem_response(error, holder.clock())

    async def malformed(request: Request, error: Any) -> Response:
        # The framework's own page would repeat what was sent.
        return await expected(request, BadInput("A parameter in the address is missing or is no number."))

    async def unknown(request: Request, error: Any) -> Response:
        if error.status_code == 405:
            return await expected(request, NotPermitted("This address is not called with that method."))
        return await expected(request, NotFound("There is nothing at this address."))

    handlers: dict[type[Exception], Callable[[Request, Any], Awaitable[Response]]] = {
        NarrowgateError: expected,
        RequestValidationError: malformed,
        HTTPException: unknown,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
    app.add_middleware(_FaultBarrier)


class _FaultBarrier:
    """Answers what nobody expected, inside the server, whose own report would print the error's text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            if scope["type"] != "http":
                raise
            _log(scope, error)
            await fault_response()(scope, receive, send)


def _log(scope: Scope, error: Exception) -> None:
    # The route's pattern and not the path, which a caller could write anything into.
    route = getattr(scope.get("route"), "path", "unknown route")
    if isinstance(error, NarrowgateError):
        LOGGER.info("%s refused: %s", route, error.problem)
        return
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "unknown place"
    LOGGER.error("%s failed: %s at %s", route, type(error).__name__, place)
