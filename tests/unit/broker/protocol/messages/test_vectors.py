"""Every wire type is held to bytes written down once, and comes back from them unchanged."""

import inspect
import json
from pathlib import Path
from types import ModuleType

import pytest

from broker.protocol.errors import BadInput
from broker.protocol.messages import (
    approvals,
    bundles,
    closings,
    consent,
    deposits,
    draws,
    envelopes,
    evaluation,
    ladder,
    log,
    log_keys,
    outcomes,
    parties,
    requests,
    roots,
    series,
)
from broker.protocol.messages.base import Message, decode, encode, read
from tests.messages_examples import EXAMPLES

VECTORS = Path(__file__).parents[4] / "vectors" / "messages.json"
MODULES: tuple[ModuleType, ...] = (
    approvals, bundles, closings, consent, deposits, draws, envelopes, evaluation, ladder, log, log_keys, outcomes,
    parties,
    requests, roots, series,
)  # fmt: skip
PARTS_OF_OTHERS = {  # types that travel only inside others, and so are covered by them
    "Member", "Holder", "Reviewer", "Prekey", "Batch", "Claims", "LegalBasis", "PermitSeries", "SealedRecord",
    "TokenList", "Consistency", "Chunk", "LogProof", "LoggedRecord", "OpenedEntry",
    "DrawnIndices", "OpenedIndex", "BatchPoints", "HolderElements", "EvaluatedSeries", "DrawEvidence",
    "OutcomeEntry", "Cell", "SeriesMonth", "Approver", "Selection", "LadderStep", "Source", "RecordReference",
    "EarlierRelease", "ReleasedRecord", "ReleaseAsk", "Waiting", "Opening", "RootChange", "BundleActivation",
    "RecordsReading", "ClockStep", "ConsentTerms",
}  # fmt: skip


def name_of(message: Message) -> str:
    return type(message).__name__


@pytest.mark.parametrize("message", EXAMPLES, ids=name_of)
def test_a_wire_type_has_the_bytes_written_down_for_it(message: Message) -> None:
    written = json.loads(VECTORS.read_text())[name_of(message)]
    assert encode(message).decode() == written
    assert decode(type(message), written.encode()) == message


def test_no_wire_type_lacks_a_vector() -> None:
    types = {
        name
        for module in MODULES
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Message) and kind.__module__ == module.__name__
    }
    assert types - PARTS_OF_OTHERS == {name_of(message) for message in EXAMPLES}


@pytest.mark.parametrize("message", EXAMPLES, ids=name_of)
def test_another_spelling_of_the_same_message_is_refused(message: Message) -> None:
    loose = json.dumps(json.loads(encode(message)), indent=1).encode()
    if loose == encode(message):
        loose += b" "
    assert read(type(message), loose) == message
    with pytest.raises(BadInput, match="canonical"):
        decode(type(message), loose)


@pytest.mark.parametrize("message", EXAMPLES, ids=name_of)
def test_an_unknown_field_is_refused_and_its_name_is_not_repeated(message: Message) -> None:
    members = json.loads(encode(message)) | {"canary_447700900123": "+447700900123"}
    with pytest.raises(BadInput) as caught:
        read(type(message), json.dumps(members).encode())
    assert "447700900123" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ['{"space_id": "+447700900123"}', "+447700900123", '{"space_id": 447700900123}', '["+447700900123"]'],
)
def test_a_refusal_names_the_field_and_never_the_value(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(requests.Request, text.encode())
    assert "447700900123" not in str(caught.value)
