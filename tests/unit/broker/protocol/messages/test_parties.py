"""What a space may name as its witnesses."""

from typing import Any

import pytest
from pydantic import ValidationError

from broker.protocol.checkpoint import ED25519, ED25519_COSIGNATURE, verifier_key
from broker.protocol.messages.parties import Space, in_clear
from tests.messages_examples import SPACE


def witness(name: str, key: bytes = bytes([90]) * 32, algorithm: int = ED25519_COSIGNATURE) -> str:
    return verifier_key(name, key, algorithm)


def space(**changes: Any) -> Space:
    one = {name: getattr(SPACE, name) for name in Space.model_fields} | {"witness_quorum": 1}
    return Space.model_validate(one | changes)


def test_a_space_names_its_witnesses_keys_and_how_many_are_needed() -> None:
    named = space(witnesses=(witness("w1"), witness("w2", bytes([91]) * 32)), witness_quorum=2)
    assert [key.name for key in named.witness_keys] == ["w1", "w2"]
    assert space(witnesses=(), witness_quorum=0, trial=True).witness_keys == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"witnesses": (), "witness_quorum": 0}, "is a trial"),
        ({"witness_quorum": 0}, "is a trial"),
        ({"witnesses": ()}, "is a trial"),
        ({"trial": True}, "is a trial"),
        ({"witness_quorum": 3}, "more witnesses"),
        # Two honest witnesses, each shown a log of its own, would each be enough.
        ({"witness_quorum": 1}, "more than half"),
        ({"witnesses": (witness("w1"), witness("w1", bytes([91]) * 32))}, "two share a name or key"),
        ({"witnesses": (witness("w1"), witness("w2"))}, "two share a name or key"),
        ({"witnesses": (witness("w1", SPACE.log_key),)}, "one is a party's"),
        ({"witnesses": (witness("w1", SPACE.broker_signing_key),)}, "one is a party's"),
        ({"witnesses": (witness("w1", SPACE.members[0].signing_key),)}, "one is a party's"),
        ({"witnesses": (witness(SPACE.log_origin),)}, "one is a party's"),
        ({"witnesses": (witness("w1", algorithm=ED25519),)}, "not a witness's key"),
        ({"witnesses": ("w1+00000000+AAAA",)}, "verifier key"),
    ],
)
def test_witnesses_that_could_not_vouch_make_no_space(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        space(**changes)


@pytest.mark.parametrize(
    ("url", "clear"),
    [
        ("https://w.example.org", False),
        ("http://127.0.0.1:8475", False),
        ("http://127.9.9.9", False),
        ("http://localhost:8475/w1", False),
        ("http://[::1]:8475", False),
        ("http://w.example.org", True),
        ("http://10.1.2.3:8475", True),
        ("http://localhost@w.example.org", True),
        ("http://127.0.0.1.example.org", True),
        ("http://[broken", True),
        ("http://:8475", True),
    ],
)
def test_calls_over_http_stay_unread_on_this_very_machine_alone(url: str, clear: bool) -> None:
    assert in_clear(url) is clear
