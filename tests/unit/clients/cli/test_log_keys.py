"""The change of the log's key by command: founder, members, key holder, witness, and a stranger with a receipt."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker import startup
from broker.protocol import checkpoint
from broker.protocol.documents import public_bytes
from broker.protocol.messages.base import encode
from broker.protocol.messages.log_keys import LogKeyChain
from clients.cli import run
from clients.cli.main import app
from clients.keyholder import cli as keyholder_cli
from clients.keyholder.context import open_key_holder
from clients.witness import cli as witness_cli
from tests import rules
from tests.broker_case import key_of
from tests.world import LOG_ORIGIN, POLICE, World, phone

OLD = checkpoint.verifier_key(LOG_ORIGIN, public_bytes(key_of("log")))
NEW = checkpoint.verifier_key(LOG_ORIGIN, public_bytes(key_of("log 2")))


pytestmark = pytest.mark.all_only


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Two witnesses; the log's key was changed, and the file of log keys lies there."""
    world = World(tmp_path, witnesses=2, quorum=2)
    monkeypatch.setattr(run, "new_transport", lambda: world.wire)
    for module in (run, keyholder_cli, witness_cli):
        monkeypatch.setattr(module, "clock", world.clock)
    for agency in ("company-1", "company-2", "ngo-1"):
        world.deposit(agency, range(3))
    (tmp_path / "before").mkdir()
    _receipts(world, world.ask([phone(1)]).request_id, "before")
    _run(world, "audit", "verify", "@auditor-1")
    startup.stop(world.broker)
    world.broker_keys = replace(world.broker_keys, next_log_key=key_of("log 2"))
    arguments = (world.settings, world.broker_keys, "Planned.", world.clock, world.random("broker"))
    link = startup.rotate_log_key(*arguments, world.ask_witness)
    (tmp_path / "log-keys.json").write_bytes(encode(LogKeyChain(log_origin=LOG_ORIGIN, links=(link,))))
    _serve(world)
    (tmp_path / "founder.jws").write_text(world.homes["company-1"].enrolment)
    yield world
    world.close()


def _serve(world: World) -> None:
    world.broker = rules.start_broker(
        world.settings, world.broker_keys, world.clock, world.random("broker"), ask=world.ask_witness
    )
    world.run_broker(world.broker)


def _run(world: World, *arguments: str, expect: int = 0) -> Result:
    result = CliRunner().invoke(app, [item.replace("@", f"{world.folder}/") for item in arguments])
    assert result.exit_code == expect, result.output + result.stderr
    return result


def _json(world: World, *arguments: str) -> Any:
    # The broker runs in this process, and its log may stand before the answer.
    return json.loads("{\n" + _run(world, *arguments, "--json").stdout.partition("{\n")[2])


def _receipts(world: World, request_id: bytes, folder: str) -> None:
    _run(world, "request", "receipts", f"@{POLICE}", request_id.hex(), "--out", f"@{folder}")


def _witness_keys(world: World) -> list[str]:
    return [word for each in world.space.witnesses for word in ("--witness-key", each)]


def test_everybody_follows_by_command(world: World) -> None:
    for number in (1, 2):
        world.witnesses[number].stop()
        told = _json(world, "witness", "follow-log", f"@witness-{number}", "@log-keys.json")
        assert told == {"origin": LOG_ORIGIN, "verifier_key": NEW}
        world.witnesses[number].start()
        world.wire.apps[f"https://witness-{number}.example.org:8475"] = world.witnesses[number].client
    made = ("space", "change-log-key", "@company-1", "--log-keys", "@log-keys.json", "--out", "@space-2.jws")
    assert "--log-keys" in _run(world, *made).stderr, "what to hand over with it"
    said = _run(world, *made, expect=6).stderr
    assert "names this key of the log already" in said
    pinning = ("--space", "@space-2.jws", "--founder", "@founder.jws")
    for name in (POLICE, "desk-1", "auditor-1"):
        told = _run(world, "space", "join", f"@{name}", *pinning, expect=6).stderr
        assert "--log-keys FILE" in told
        joined = _json(world, "space", "join", f"@{name}", *pinning, "--log-keys", "@log-keys.json")
        assert joined["roster_version"] == 2
    assert _run(world, "audit", "anomalies", "@auditor-1").stdout, (
        "what was mirrored under the old key is read on"
    )
    for x in world.holders:
        world.holders[x].close()
        told = _run(world, "keyholder", "pin", f"@holder-{x}", *pinning, expect=6).stderr
        assert "--log-keys FILE" in told
        command = ("keyholder", "pin", f"@holder-{x}", *pinning, "--log-keys", "@log-keys.json")
        assert _json(world, *command)["roster_version"] == 2
        name = f"holder-{x}"
        world.holders[x] = open_key_holder(world.folder / name, world.clock, world.random(name))
    startup.stop(world.broker)
    world.broker_keys = replace(world.broker_keys, log_key=key_of("log 2"), next_log_key=None)
    _serve(world)
    assert _json(world, "audit", "verify", "@auditor-1")["verified"]


def test_a_receipt_is_verified_offline_from_either_key_by_the_file(world: World) -> None:
    file = "@before/admitted.tlog-proof"
    for key in (OLD, NEW):
        told = _json(
            world,
            "audit",
            "receipt",
            file,
            "--log-key",
            key,
            "--log-keys",
            "@log-keys.json",
            *_witness_keys(world),
        )
        assert (told["verified"], told["log_key"], len(told["cosigned"])) == (True, OLD, 2)
    assert _json(world, "audit", "receipt", file, "--log-key", OLD)["verified"]
    said = _run(world, "audit", "receipt", file, "--log-key", NEW, expect=4).stderr
    assert "If the log's key was changed" in said


def test_a_file_that_is_none_or_another_logs_is_refused_with_what_to_do(world: World) -> None:
    file = "@before/admitted.tlog-proof"
    (world.folder / "none.json").write_text("{}")
    command = ("audit", "receipt", file, "--log-key", OLD, "--log-keys")
    assert "no file of log keys" in _run(world, *command, "@none.json", expect=6).stderr
    stranger = checkpoint.verifier_key(LOG_ORIGIN, bytes(range(32)))
    command = ("audit", "receipt", file, "--log-key", stranger, "--log-keys")
    assert "keep both files" in _run(world, *command, "@log-keys.json", expect=4).stderr
    world.witnesses[1].stop()
    assert (
        "no file of log keys"
        in _run(world, "witness", "follow-log", "@witness-1", "@none.json", expect=6).stderr
    )
    world.witnesses[1].start()


def test_a_witness_pins_a_key_in_place_of_a_lost_one_on_its_operators_word(world: World) -> None:
    world.witnesses[1].stop()
    _run(world, "witness", "add-log", "@witness-1", NEW, "--replace")
    (log,) = _json(world, "witness", "show", "@witness-1")["logs"]
    assert log["keys"] == [NEW]
    assert log["size"] > 0, "what was cosigned stays: the log has to go on from there"
    other = checkpoint.verifier_key("other.example.org/log", bytes(range(32)))
    said = _run(world, "witness", "add-log", "@witness-1", other, "--replace", expect=6).stderr
    assert "does not watch that log" in said
    world.witnesses[1].start()
