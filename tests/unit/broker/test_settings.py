"""Witnesses in settings.toml, as an operator writes them."""

from pathlib import Path

import pytest

from broker import folder
from broker.protocol.checkpoint import ED25519, ED25519_COSIGNATURE, verifier_key
from broker.protocol.errors import BadInput
from tests.broker_case import seeded

KEYS = [
    verifier_key(f"w{number}.example.org", bytes([number]) * 32, ED25519_COSIGNATURE) for number in (1, 2)
]
URL = "https://w.example.org/prefix"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder.create(tmp_path / "broker", "http://127.0.0.1:8470", seeded("settings"))
    return tmp_path / "broker"


def write(made: Path, *lines: str) -> None:
    with (made / "settings.toml").open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def named(*keys: str, url: str = URL) -> str:
    return f"witnesses = [{', '.join(f'{{ key = {key!r}, url = {url!r} }}' for key in keys)}]".replace(
        "'", '"'
    )


def test_a_broker_with_witnesses_says_so_in_its_description(made: Path) -> None:
    assert folder.describe(made).trial
    write(made, named(*KEYS), "witness_quorum = 2")
    described = folder.describe(made)
    assert (described.trial, described.witnesses, described.witness_quorum) == (False, tuple(KEYS), 2)
    assert described.log_verifier_key.startswith("127.0.0.1:8470/log+")
    write(made, "trial = true")
    assert folder.describe(made).witnesses == ()


@pytest.mark.parametrize(
    "lines",
    [
        (named(*KEYS), "witness_quorum = 3"),
        (named(*KEYS), "witness_quorum = 1"),
        ("witness_quorum = 1",),
        (named(KEYS[0], KEYS[0]),),
        (named(verifier_key("w1", bytes(32), ED25519)),),
        (named("canary"),),
        (named(KEYS[0], url="ftp://canary.example.org"),),
        (named(KEYS[0], url="https://canary.example.org/"),),
        (named(KEYS[0], url="http://canary.example.org"),),
        ("witness_timeout_seconds = 0",),
    ],
)
def test_settings_that_could_not_be_meant_are_refused_without_repeating_them(
    made: Path, lines: tuple[str, ...]
) -> None:
    write(made, *lines)
    with pytest.raises(BadInput) as caught:
        folder.read_settings(made)
    assert "canary" not in str(caught.value)


def test_a_witness_on_another_machine_is_called_over_http_only_where_the_settings_say_so(made: Path) -> None:
    before = (made / "settings.toml").read_bytes()
    for url in ("http://127.0.0.1:8475", "http://localhost:8475", "http://[::1]:8475"):
        write(made, named(KEYS[0], url=url))
        assert folder.read_settings(made).witnesses[0].url == url
        (made / "settings.toml").write_bytes(before)
    write(made, named(KEYS[0], url="http://w.example.org:8475"))
    with pytest.raises(BadInput, match=r"use https://, or set witness_plain_http = true"):
        folder.read_settings(made)
    write(made, "witness_plain_http = true")
    assert folder.read_settings(made).witness_plain_http
