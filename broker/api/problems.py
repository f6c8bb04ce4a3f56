"""The one map from errors to HTTP: problem documents of RFC 9457, and nothing else where something goes wrong.

Rule: no answer repeats a submitted value, so FastAPI's own answers for bad parameters, unknown paths and faults are
replaced here; an error that is not mapped is a `fault` and tells nothing. It logs nothing.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from broker.protocol.calls import Unauthenticated
from broker.protocol.errors import BadInput, NarrowgateError, NotFound
from broker.protocol.messages.vocabulary import RecordKind
from broker.protocol.problems import PROBLEMS
from broker.refusals import GateRefusal

MEDIA_TYPE = "application/problem+json"

STATUS_BY_SLUG: Mapping[str, int] = {
    "bad-input": 400,
    "unauthenticated": 401,
    "not-permitted": 403,
    "refused": 403,
    "not-found": 404,
    "conflict": 409,
    "consistency-needed": 409,
    "expired": 410,
    "too-large": 413,
    "verification-failed": 422,
    "too-many-calls": 429,
    "fault": 500,
    "unavailable": 503,
}


def render(error: Exception, now: int) -> tuple[int, bytes]:
    """Status and problem document of an error.

    `now` is told to callers whose signature was not accepted, since their clock may be wrong."""
    known = error if isinstance(error, NarrowgateError) else NarrowgateError("The service failed.")
    slug = known.problem if known.problem in STATUS_BY_SLUG else "fault"
    problem, status = PROBLEMS[slug], STATUS_BY_SLUG[slug]
    document: dict[str, Any] = {
        "type": problem.type,
        "title": problem.title,
        "status": status,
        "detail": known.detail if slug != "fault" else "The service failed.",
        "what_to_do": problem.what_to_do,
    }
    if isinstance(error, GateRefusal):
        document |= vars(error.told)
        document |= {"proof": error.receipt.proof.model_dump(mode="json"), "trial": error.receipt.trial}
        if error.receipt.kind is RecordKind.FAILED:
            document |= {"recorded": error.receipt.opened().model_dump(mode="json")}
    if isinstance(error, Unauthenticated):
        document["server_time"] = now
    return status, json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def install(app: FastAPI, clock: Callable[[], int]) -> None:
    """Let every error of the application leave through `render`."""

    def answer(error: Exception, headers: Mapping[str, str] | None = None) -> Response:
        status, document = render(error, clock())
        return Response(document, status, dict(headers or {}), MEDIA_TYPE)

    async def on_error(_request: Request, error: Exception) -> Response:
        return answer(error)

    async def on_parameter(_request: Request, _error: Exception) -> Response:
        return answer(BadInput("A part of the address is missing or not of the right form."))

    async def on_http(_request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException) or error.status_code >= 500:
            return answer(error)
        # RFC 9110 15.5.6 wants 405 with Allow where the path is known; all else is a path that is not.
        response = answer(NotFound("Nothing is at this address for this method."), error.headers)
        response.status_code = 405 if error.status_code == 405 else response.status_code
        return response

    handlers: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
        NarrowgateError: on_error,
        RequestValidationError: on_parameter,
        HTTPException: on_http,
        Exception: on_error,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
