"""A world whose broker has a folder as `narrowgate broker init` makes it, so that it can be looked at and backed up.

The broker's database is that of the world; everything that happened in it was done by the real parties. Stop the
broker before its file is looked at.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from broker import folder, startup
from broker.context import Broker
from broker.folder import KeyFile, OperatorFile
from broker.gate.bundle import load
from broker.gate.officers import PinnedOfficers
from broker.gate.shelf import BundleShelf
from broker.protocol.messages.base import encode
from broker.protocol.messages.vocabulary import Purpose, Tier
from broker.recovery import fsck
from broker.recovery.backup import BackedUp, back_up
from broker.recovery.findings import Finding
from broker.recovery.restore import Restored, restore
from broker.settings import SETTINGS_FILE, Settings
from broker.store import whole
from broker.store.database import Database
from clients.deposit_changes.taking_back import TakingBack
from clients.remote import RefusedByGate
from clients.requesting.answers import AnswerAwaited
from tests import rules
from tests.broker_case import key_of, seeded
from tests.databases import Databases
from tests.threats import climbing
from tests.world import World, phone

PASSPHRASE = "correct horse battery staple"


def make_folder(directory: Path, world: World, database_url: str | None) -> Path:
    """The folder of the world's broker; without a URL its database is looked for in it."""
    directory.mkdir(mode=0o700, exist_ok=True)
    directory.chmod(0o700)
    keys = world.broker_keys
    secrets = {
        folder.KEYS_FILE: KeyFile(
            signing_seed=keys.signing_key.private_bytes_raw(),
            log_seed=keys.log_key.private_bytes_raw(),
            count_key=keys.count_key,
        ),
        folder.OPERATOR_FILE: OperatorFile(operator_seed=key_of("operator").private_bytes_raw()),
    }
    for name, secret in secrets.items():
        (directory / name).write_bytes(encode(secret))
        (directory / name).chmod(0o600)
    settings = world.settings
    lines = [
        f'{name} = "{getattr(settings, name)}"'
        for name in ("public_origin", "log_origin", "operator_kid", "operator_key")
    ]
    lines += [] if database_url is None else [f'database_url = "{database_url}"']
    lines += [f"witness_quorum = {settings.witness_quorum}"]
    lines += [f"witnesses = [{', '.join(_witness(each) for each in settings.witnesses)}]"]
    (directory / SETTINGS_FILE).write_text("\n".join(lines) + "\n")
    for name in rules.OFFICERS:
        PinnedOfficers(directory).pin(rules.officer_document(name))
    signed = rules.signed_policies()
    BundleShelf(directory).keep(signed, load(signed))
    return directory


def _witness(each: Any) -> str:
    return f'{{ key = "{each.key}", url = "{each.url}" }}'


def whole_story(directory: Path, databases: Databases) -> World:
    """Deposits, one of them gone; hits, sources, a payload that a contributor refused its part of; a count; a refusal.

    All of it are most kinds of rows and entries."""
    world = World(directory, databases.new(directory))
    for name, numbers in (("company-1", range(10)), ("company-2", range(5, 15)), ("ngo-1", range(12, 20))):
        world.deposit(name, numbers, **climbing.PAYLOAD)
    climbing.climb(world)
    _refused_by_the_ngo(world)
    assert world.ask([phone(number) for number in range(20)], Tier.COUNT).noised_count is not None
    with pytest.raises(RefusedByGate):
        world.ask([phone(3)], answers={"purpose": Purpose.GENERAL_INTELLIGENCE})
    (gone,) = world.deposit("company-2", [40], **climbing.PAYLOAD)
    name = "company-2"
    acts = TakingBack(world.homes[name], world.caller(name), world.clock, world.random(name))
    acts.withdraw_deposit(gone.deposit_id, "It was mistaken")
    return world


def _refused_by_the_ngo(world: World) -> None:
    hits = world.ask([phone(12)])
    request = world.climb_prepared(world.climb(hits.request_id).request_id)
    finding = world.finding_on(request)
    approvals = world.approvals(request, finding, *climbing.PEOPLE)
    with pytest.raises(AnswerAwaited):
        world.requester().run(request.payload.request_id, [finding], approvals)
    (ask,) = world.releasing("ngo-1").asks()
    world.releasing("ngo-1").answer(ask.permit_id, False, "No consent")
    world.requester().submit(request.payload.request_id)


@dataclass(frozen=True)
class Stored:
    """What a broker that was stopped left: its database, and what it is looked at with."""

    url: str
    settings: Settings
    world: World
    databases: Databases

    def copy(self, directory: Path) -> "Stored":
        """A copy to be damaged."""
        url = self.databases.copy(self.url, directory)
        return Stored(url, self.settings.model_copy(update={"database_url": url}), self.world, self.databases)

    def run(self, *statements: str, **values: Any) -> None:
        """What a hand or a fault does to the database, past the broker."""
        database = Database(self.url)
        with database.write() as connection:
            for statement in statements:
                connection.execute(text(statement), values)
        database.close()

    def findings(self) -> list[Finding]:
        """What fsck tells."""
        with whole.snapshot(self.url, alone=True) as connection:
            return list(fsck.check(connection, self.world.broker_keys))


@dataclass
class Kept:
    """A broker with its folder, of which backups are made and put back."""

    world: World
    directory: Path

    def backup(self, name: str = "backup") -> Path:
        """A backup beside the folder."""
        file = self.directory.parent / name
        self.back_up(file)
        return file

    def back_up(self, file: Path) -> BackedUp:
        """A backup into this file."""
        return back_up(self.directory, file, PASSPHRASE, self.world.now, seeded(f"backup {file.name}"))

    def restore(self, file: Path, name: str = "restored", **options: Any) -> Restored:
        """Put back beside the folder; the world's witnesses are asked."""
        return restore(
            file,
            self.directory.parent / name,
            PASSPHRASE,
            self.world.clock,
            seeded(f"restore {name}"),
            ask=self.world.ask_witness,
            **options,
        )

    def start(self, name: str = "restored") -> Broker:
        """Start a broker on what was put back."""
        directory = self.directory.parent / name
        return startup.start(
            folder.read_settings(directory, trial=not self.world.settings.witness_quorum),
            folder.read_keys(directory),
            BundleShelf(directory),
            self.world.clock,
            self.world.random(f"broker {name}"),
            self.world.ask_witness,
        )


def kept(directory: Path, witnesses: int = 0, quorum: int = 0) -> Kept:
    """A world in `directory`/world with a broker whose folder that is."""
    home = directory / "world"
    home.mkdir()
    world = World(home, witnesses=witnesses, quorum=quorum)
    make_folder(home, world, None)
    return Kept(world, home)
