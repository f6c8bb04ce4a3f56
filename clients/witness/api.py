"""The witness's door: `POST /add-checkpoint` of C2SP tlog-witness, and what it cosigned last.

Rule: answers are the standard's, in plain text; a 409 for the size carries it as text/x.tlog.size. Bodies are cut off
at their bound while they arrive. No answer and no log line repeats a submitted value: the log names status and the
class of an error. Calls are authenticated by the log's signature on the checkpoint and by nothing else.
"""

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from broker.protocol import witnessing
from broker.protocol.errors import NarrowgateError, NotFound
from broker.protocol.tiles import NEVER_CACHED
from clients.witness.context import Witness
from clients.witness.cosigning import OtherSize, add_checkpoint
from clients.witness.store import logs

LOGGER = logging.getLogger("narrowgate.witness")

STATUS: Mapping[str, int] = MappingProxyType(
    {
        "bad-input": 400,
        "not-permitted": 403,
        "not-found": 404,
        "conflict": 409,
        "too-large": 413,
        "verification-failed": 422,
        "unavailable": 503,
    }
)
"""HTTP status by problem slug."""


class TooLarge(NarrowgateError):
    """The body is larger than a call can be."""

    problem = "too-large"


def create_app(witness: Witness) -> FastAPI:
    """The ASGI application of one open witness; it takes the clock from there."""
    app = FastAPI(
        title="Narrowgate witness", docs_url=None, redoc_url=None, redirect_slashes=False, openapi_url=None
    )

    @app.post(witnessing.ADD_CHECKPOINT)
    async def cosign(request: Request) -> Response:
        body = await _body(request)
        return PlainTextResponse(await run_in_threadpool(add_checkpoint, witness, body))

    @app.get("/checkpoint")
    def newest(origin: str) -> Response:
        with witness.database.read() as connection:
            found = logs.newest(connection, origin)
        if found is None:
            raise NotFound("This witness cosigned nothing of that log.")
        return PlainTextResponse(found.note, headers=NEVER_CACHED)

    @app.get("/healthz")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    _replace_error_pages(app)
    return app


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > witnessing.MAXIMUM_BYTES:
            raise TooLarge("The body is larger than a call to a witness can be.")
        chunks.append(chunk)
    return b"".join(chunks)


def _replace_error_pages(app: FastAPI) -> None:
    async def other_size(_request: Request, error: Any) -> Response:
        LOGGER.info("refused: OtherSize")
        # As a header and not as media_type, which would add a charset that the standard's type has not.
        return Response(
            witnessing.write_size(error.size), 409, headers={"Content-Type": witnessing.SIZE_TYPE}
        )

    async def expected(_request: Request, error: Any) -> Response:
        LOGGER.info("refused: %s", type(error).__name__)
        return PlainTextResponse(f"{error.detail}\n", STATUS[error.problem])

    async def unknown(_request: Request, error: Any) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 400
        return PlainTextResponse("There is no such call.\n", status)

    app.add_exception_handler(OtherSize, other_size)
    app.add_exception_handler(NarrowgateError, expected)
    app.add_exception_handler(RequestValidationError, unknown)
    app.add_exception_handler(HTTPException, unknown)
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
            # The text of an unexpected error may hold a value; its class cannot.
            LOGGER.error("failed: %s", type(error).__name__)
            await PlainTextResponse("The witness failed. Nothing was cosigned.\n", 500)(scope, receive, send)
