"""A refusal on the result is believed once the log records exactly it, of exactly this request."""

from typing import Any

import pytest

from broker.protocol.errors import VerificationFailed
from broker.protocol.messages import log
from broker.protocol.messages.base import encode, read
from broker.protocol.messages.closings import Failed, told_digest
from broker.protocol.messages.requests import TokenSubmission
from broker.protocol.messages.vocabulary import RecordKind, Tier
from clients.remote import Answer, RefusedByGate
from clients.requesting.request_folder import RequestFolder
from tests.messages_examples import CLAIMS
from tests.requester_world import RequesterWorld, problem

PHONE = "phone/1|+447700900001"
WORDS: dict[str, list[str]] = {
    "rules": ["L16"],
    "reasons": ["Too many."],
    "law": ["Law"],
    "missed": [],
    "notes": ["Ask less."],
}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[RequesterWorld, bytes]:
    """A request whose tokens are ready to be sent."""
    world = RequesterWorld(tmp_path_factory.mktemp("refused"))
    world.deal("phone", [PHONE])
    request_id = world.requester().prepare({"phone": [PHONE]}, CLAIMS, Tier.HITS).request_id
    world.requester().file(request_id)
    world.requester().evaluate(request_id)
    return world, request_id


def refused(
    world: RequesterWorld,
    body: bytes,
    path: str,
    /,
    kind: RecordKind = RecordKind.FAILED,
    told: dict[str, Any] | None = None,
    **changes: Any,
) -> Answer:
    """The broker's refusal; `changes` make its record another's, `told` the answer."""
    request_id = bytes.fromhex(path.split("/")[3])
    fields: dict[str, Any] = {
        "permit_id": read(TokenSubmission, body).permit_id,
        "request_id": request_id,
        "request_digest": world.asked[request_id],
        "requester": "unit-1",
        "release_index": world.log.append(RecordKind.RELEASE, b"{}").index,
        "problem": "refused",
        "told_digest": told_digest(**WORDS),
    }
    proof = world.log.append(kind, encode(Failed(**(fields | changes))))
    entry = world.log.entries[-1]
    opened = log.OpenedEntry(proof=proof, record=entry.record, salt=entry.salt)
    members = WORDS | {"recorded": opened.model_dump(mode="json")} | (told or {})
    return problem("refused", 403, **members)


def submit(world: RequesterWorld, request_id: bytes, /, **lie: Any) -> None:
    world.broker = lambda method, path, body: refused(world, body, path, **lie)
    try:
        world.requester().submit(request_id)
    finally:
        world.broker = world.answer_as_broker


def test_a_refusal_that_the_log_records_is_told_and_kept_with_its_entry(
    evaluated: tuple[RequesterWorld, bytes],
) -> None:
    world, request_id = evaluated
    with pytest.raises(RefusedByGate) as caught:
        submit(world, request_id)
    assert (caught.value.rules, caught.value.notes) == (("L16",), ("Ask less.",))
    kept = RequestFolder(world.home.vault, request_id).refusal()
    assert kept is not None
    assert kept.recorded is not None


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        ({"told": {"recorded": None}}, "without the log entry"),
        ({"told": {"recorded": {"proof": 1}}}, "without the log entry"),
        ({"kind": RecordKind.REFUSED}, "another kind"),
        ({"request_id": bytes(16)}, "another request"),
        ({"request_digest": bytes(32)}, "another request"),
        ({"permit_id": bytes(16)}, "another request"),
        ({"requester": "unit-2"}, "another request"),
        ({"told": {"reasons": ["Something else."]}}, "another refusal"),
        ({"told": {"notes": None}}, "another refusal"),
        ({"told_digest": bytes(32)}, "another refusal"),
        ({"release_index": 0}, "before the decision"),
        ({"release_index": 10_000}, "before the decision"),
    ],
    ids=str,
)
def test_a_refusal_that_the_log_does_not_record_so_is_kept_and_not_believed(
    evaluated: tuple[RequesterWorld, bytes], lie: dict[str, Any], words: str
) -> None:
    world, request_id = evaluated
    with pytest.raises(VerificationFailed, match=words):
        submit(world, request_id, **lie)
    assert RequestFolder(world.home.vault, request_id).refusal() is not None
