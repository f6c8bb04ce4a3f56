"""A JSON document is walked without being held, and one bad value costs itself alone."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol.errors import BadInput
from clients.readers.exchange import json_stream
from clients.readers.exchange.json_stream import MAXIMUM_DEPTH, JsonStream, Unreadable

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def stream(document: object) -> JsonStream:
    text = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
    return JsonStream(io.BytesIO(text.encode("utf-8", "surrogatepass")))


def walked(at: JsonStream) -> Any:
    if at.kind() == "{":
        return {name: walked(at) for name in at.members()}
    if at.kind() == "[":
        return [walked(at) for _ in at.elements()]
    return at.load()


@given(value=VALUES, chunk=st.integers(1, 9), indent=st.sampled_from([None, 1]))
def test_whatever_the_pieces_a_document_is_walked_loaded_and_passed_over_alike(
    value: Any, chunk: int, indent: int | None
) -> None:
    text = json.dumps(value, indent=indent)
    before, json_stream._CHUNK = json_stream._CHUNK, chunk
    try:
        takes: list[Callable[[JsonStream], Any]] = [walked, JsonStream.load]
        for take in takes:
            at = stream(text)
            assert take(at) == value
            at.end()
        at = stream(text)
        at.skip()
        at.end()
    finally:
        json_stream._CHUNK = before


def whole(at: JsonStream) -> Any:
    value = walked(at)
    at.end()
    return value


def test_an_element_that_is_not_taken_is_passed_over() -> None:
    at = stream({"a": [1, {"b": "]"}, 3], "c": 4})
    assert list(at.members()) == ["a", "c"]
    at.end()


def test_a_value_that_is_too_deep_too_long_or_broken_costs_itself_alone() -> None:
    deep = "[" * (MAXIMUM_DEPTH + 1) + "]" * (MAXIMUM_DEPTH + 1)
    long = '"' + "x" * (json_stream.MAXIMUM_ELEMENT_CHARACTERS + 1) + '"'
    at = stream(f'[1, {deep}, {long}, {{"a": 1, "a": 2}}, {{"a" 1}}, NaN, {"9" * 5000}, 2]')
    got: list[object] = []
    for _ in at.elements():
        try:
            got.append(at.load())
        except Unreadable as error:
            got.append(error.detail.split()[2])
    assert got == [1, "nested", "longer", "not", "not", "not", "a", 2]
    at.end()


def test_a_hundred_thousand_brackets_are_no_recursion() -> None:
    at = stream("[" * 100_000 + "]" * 100_000)
    with pytest.raises(Unreadable, match="deeper"):
        at.load()
    at.end()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1', "breaks off"),
        ('{"a": "', "breaks off"),
        ('{\n"a": 1,\n}', "line 3"),
        ("{'a': 1}", "line 1"),
        ('{"a" 1}', "line 1"),
        ('{"' + "a" * 300 + '": 1}', "line 1"),
        ("[1 2]", "line 1"),
        ("", "breaks off"),
        ("{} {}", "follows"),
    ],
)
def test_a_document_that_is_no_json_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        whole(stream(text))


def test_json_that_is_not_utf_8_is_refused_in_words() -> None:
    with pytest.raises(BadInput, match="UTF-8"):
        walked(JsonStream(io.BytesIO('{"a": "é"}'.encode("latin-1"))))
    assert walked(JsonStream(io.BytesIO(b'\xef\xbb\xbf{"a": 1}'))) == {"a": 1}
