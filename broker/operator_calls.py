"""The operator's own calls to a running broker: list enrolments, accept one, purge.

Rule: they go over HTTP like anybody's, signed with the operator's key. `clients` may not be imported here, so the
standard library carries them. It prints nothing.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.enrolments import EnrolmentList
from broker.protocol.calls import sign_call
from broker.protocol.errors import NarrowgateError, Unavailable
from broker.protocol.messages.base import Message, MessageT, RandomBytes, blob_to_text, encode, read
from broker.protocol.messages.envelopes import Nothing
from broker.protocol.messages.log import ReceiptMessage
from broker.protocol.problems import PROBLEMS, URN_PREFIX
from broker.purged import Purged

TIMEOUT_SECONDS = 30


class AnsweredProblem(NarrowgateError):
    """The broker answered with a problem; `problem` is its slug."""

    def __init__(self, slug: str, detail: str) -> None:
        super().__init__(detail)
        self.problem = slug


@dataclass(frozen=True)
class Operator:
    """Signs and sends the operator's calls to the broker at `origin`."""

    origin: str
    key: Ed25519PrivateKey = field(repr=False)
    clock: Callable[[], int]
    random_bytes: RandomBytes

    def enrolments(self) -> EnrolmentList:
        """All enrolments. Raises Unavailable or AnsweredProblem."""
        return self._send("GET", "/v1/operator/enrolments", None, EnrolmentList)

    def accept(self, kid: str) -> ReceiptMessage:
        """Accept the enrolment of a key. Raises Unavailable or AnsweredProblem."""
        return self._send("POST", f"/v1/operator/enrolments/{kid}/accept", Nothing(), ReceiptMessage)

    def purge(self) -> Purged:
        """Delete now what has had its time. Raises Unavailable or AnsweredProblem."""
        return self._send("POST", "/v1/operator/purge", Nothing(), Purged)

    def _send(self, method: str, path: str, message: Message | None, expected: type[MessageT]) -> MessageT:
        body = b"" if message is None else encode(message)
        headers = {}
        if message is not None:
            headers = {
                "content-type": "application/json",
                "idempotency-key": blob_to_text(self.random_bytes(16)),
            }
        url = self.origin + path
        signed = sign_call(
            self.key,
            method=method,
            url=url,
            headers=headers,
            body=body,
            now=self.clock(),
            random_bytes=self.random_bytes,
        )
        # Origin's pattern allows http and https only.
        call = urllib.request.Request(url, data=body or None, headers=signed, method=method)  # noqa: S310
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(call, timeout=TIMEOUT_SECONDS) as answer:
                return read(expected, answer.read())
        except urllib.error.HTTPError as error:
            raise _problem(error.read()) from None
        except OSError as error:
            raise Unavailable(
                "The broker does not answer at its public origin. Start it, or check the address."
            ) from error


def _problem(body: bytes) -> AnsweredProblem:
    try:
        document = json.loads(body)
        slug = str(document["type"]).removeprefix(URN_PREFIX)
        detail = f"{document['detail']} {document['what_to_do']}"
    except (ValueError, KeyError, TypeError):
        slug, detail = "fault", "The broker answered with something that is no problem document."
    return AnsweredProblem(slug if slug in PROBLEMS else "fault", detail)
