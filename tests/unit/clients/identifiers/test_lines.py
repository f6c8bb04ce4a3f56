"""The lines of `narrowgate canonicalise`: an answer for every line, whatever it holds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.identifiers.lines import canonicalise_line


def test_a_line_comes_back_with_its_form_and_flags_only_if_there_are_any() -> None:
    drama = json.dumps({"type": "phone", "raw": "+44 7700 900123", "hint": None})
    assert canonicalise_line(drama) == {"canonical": "phone/1|+447700900123", "flags": ["not-valid"]}
    assert canonicalise_line('{"type":"email","raw":"A@example.org","why":"x"}') == {
        "canonical": "email/1|a@example.org"
    }


def test_the_hint_reaches_the_type() -> None:
    line = json.dumps({"type": "phone", "raw": "020 7946 0958", "hint": "GB"})
    assert canonicalise_line(line) == {"canonical": "phone/1|+442079460958"}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "7",
        "[" * 100_000,
        '{"type":"phone"}',
        '{"type":"phone","raw":447700900123}',
        '{"type":"phone","raw":"+447700900123","hint":44}',
        '{"type":"shoe_size","raw":"447700900123"}',
        '{"type":"phone","raw":"\\ud800447700900123"}',
    ],
)
def test_a_line_that_cannot_be_used_is_answered_with_a_reason_without_the_value(line: str) -> None:
    answer = canonicalise_line(line)
    assert list(answer) == ["rejected"]
    assert "7700900" not in str(answer)


@given(st.text(max_size=60))
def test_no_line_raises(line: str) -> None:
    assert set(canonicalise_line(line)) <= {"canonical", "flags", "rejected"}
