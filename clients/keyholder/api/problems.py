"""The one map from the key holder's errors to HTTP: problem documents of RFC 9457.

Rule: `type`, `title` and `what_to_do` come from `broker.protocol.problems`, `detail` from the error, which never holds
a submitted value; an error that is not ours tells the outside nothing but that the service failed.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType

from starlette.responses import Response

from broker.protocol.calls import Unauthenticated
from broker.protocol.errors import NarrowgateError
from broker.protocol.problems import PROBLEMS
from clients.keyholder.context import ConsistencyNeeded

STATUS: Mapping[str, int] = MappingProxyType(
    {
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
        "unavailable": 503,
        "fault": 500,
    }
)
"""HTTP status by problem slug."""

FAULT_DETAIL = "The key holder failed. Nothing was evaluated."


def problem_response(error: NarrowgateError, now: int) -> Response:
    """The answer to a call that ended in `error`. `now` is told to callers whose own clock may be wrong."""
    extensions: dict[str, int] = {}
    if isinstance(error, ConsistencyNeeded):
        extensions["seen_size"] = error.seen_size
    if isinstance(error, Unauthenticated):
        extensions["server_time"] = now
    return _response(error.problem, error.detail, extensions)


def fault_response() -> Response:
    """The answer when something failed that nobody expected."""
    return _response("fault", FAULT_DETAIL, {})


def _response(slug: str, detail: str, extensions: Mapping[str, int]) -> Response:
    problem = PROBLEMS[slug]
    body = {
        "type": problem.type,
        "title": problem.title,
        "status": STATUS[slug],
        "detail": detail,
        "what_to_do": problem.what_to_do,
        **extensions,
    }
    return Response(json.dumps(body), STATUS[slug], media_type="application/problem+json")
