"""Every kind of log entry, made by the parties' own acts: what is in none of them, and that each can be erased.

A kind that the story does not make fails here: add it to tests/every_kind.py. What is looked for: identifiers, salted
hashes, salt, tokens, every secret key, what a record holds and what its depositor calls it, PIN-like strings, reasons.
"""

import json
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from broker.erasing import erase
from broker.protocol import tokens
from broker.protocol.errors import Conflict, NotPermitted
from broker.protocol.messages.erasure import ERASABLE, Erasable, ErasureGround, order
from broker.protocol.messages.vocabulary import RecordKind
from clients.keyholder import erasing as holder_erasing
from clients.keyholder.fsck import RECORD_TYPES, check
from clients.keyholder.log_keys.chain_file import read_kept
from tests import every_kind as story
from tests.every_kind import FREE_TEXT, LOCAL_REFERENCE, PIN, REASONS, Made, Told
from tests.threats.test_canary import Listening, spellings, what_shows
from tests.world import BROKER, HOLDERS, Call, World, email, phone

pytestmark = pytest.mark.all_only

OF_HOLDERS = {
    RecordKind.SERIES_ACCEPTED,
    RecordKind.EVALUATED,
    RecordKind.OPENED,
    RecordKind.APPROVAL_VOIDED,
    RecordKind.SHARE_DESTROYED,
    RecordKind.SHARE_EXPIRED,
    RecordKind.RESTORE_ACCEPTED,
}
KEPT = (Erasable.NEVER, Erasable.NOT_IN_FORCE)
OF_BOTH = {
    RecordKind.BUNDLE_ACTIVATED,
    RecordKind.LOG_KEY_ROTATED,
    RecordKind.RECORDS_READ,
    RecordKind.RECORD_ERASED,
    RecordKind.CLOCK_WENT_BACK,
}
DECISIONS = {("ADMITTED", "decision"), ("REFUSED", "decision"), ("RELEASE", "decision")}
DEPOSITS = {("DEPOSIT_ADMITTED", "decision"), ("DEPOSIT_REFUSED", "decision")}
WHERE = {
    "inclusion_criterion": DECISIONS | DEPOSITS,
    "ordered_by": {("RECORD_ERASED", "ordered_by")},
    "erased_reason": {("RECORD_ERASED", "reason")},
    "rotated_reason": {("LOG_KEY_ROTATED", "reason")},
}
"""The fields that a free text may stand in; what is not named here is of a request, so in `DECISIONS`."""


class _Everything:
    """The story, told once, and what was heard meanwhile."""

    def __init__(self, folder: Path, caplog: list[str]) -> None:
        self.world = World(folder)
        self.told: Told = story.tell(self.world)
        self.heard = caplog


class _Lines(logging.Handler):
    def __init__(self, heard: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.append(record.getMessage())


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Everything]:
    """One telling of the story, all log lines listened to."""
    listening, before, root = Listening(), structlog.get_config(), logging.getLogger()
    structlog.configure(processors=[listening.structured], cache_logger_on_first_use=False)
    lines, level = _Lines(listening.heard), root.level
    root.addHandler(lines)
    root.setLevel(logging.DEBUG)
    made = _Everything(tmp_path_factory.mktemp("everything"), listening.heard)
    root.removeHandler(lines)
    root.setLevel(level)
    structlog.configure(**before)
    yield made
    made.world.close()


@pytest.fixture
def world(everything: _Everything) -> World:
    return everything.world


def _holders(world: World) -> list[Made]:
    return [each for holder in world.holders.values() for each in story.holder_entries(holder)]


def _secrets(everything: _Everything) -> dict[str, list[bytes]]:
    """What no record may hold, by what it is; keys and tokens in every spelling."""
    world, told = everything.world, everything.told
    homes = world.homes.values()
    salt = world.homes["company-1"].salt(world.space)
    texts = [phone(number) for number in (*range(10), 40, 41, 500)] + [email(1)]
    keys = [each.signing_key.private_bytes_raw() for each in homes]
    keys += [each.vault.read_secret("secrets/wrapping") for each in homes]
    for holder in world.holders.values():
        keys += [holder.keys.signing_key.private_bytes_raw(), holder.keys.log_key.private_bytes_raw()]
        keys += [holder.keys.wrapping.private, holder.keys.storage_key.key]
        keys += [each.private_bytes_raw() for each in [holder.keys.next_log_key] if each is not None]
    broker = world.broker_keys
    keys += [broker.signing_key.private_bytes_raw(), broker.log_key.private_bytes_raw(), broker.count_key]
    raw = {
        "salt": [salt],
        "salted hash": [tokens.salted_hash(salt, text) for text in texts],
        "secret key": keys + told.masking_keys,
        "token": told.tokens,
    }
    found = {name: [each for one in values for each in spellings(one)] for name, values in raw.items()}
    written = [text.partition("|")[2].lstrip("+") for text in texts]
    return found | {
        "identifier": [each.encode() for each in written],
        "payload": [b"canary-payload", PIN.encode(), LOCAL_REFERENCE.encode()],
        "reason": [each.encode() for each in REASONS.values()],
        "address of a party": [b"@example.org"],
    }


def test_every_kind_of_entry_is_made_and_in_the_log_that_it_is_documented_for(world: World) -> None:
    of_broker = {each.kind for each in story.broker_entries(world)}
    of_holders = {each.kind for each in _holders(world)}
    assert of_broker == {kind.value for kind in RecordKind} - OF_HOLDERS
    assert of_holders == {*OF_HOLDERS, *OF_BOTH}


def test_each_key_holders_fsck_finds_all_of_it_sound(world: World) -> None:
    assert {kind.value for kind in RECORD_TYPES} == {*OF_HOLDERS, *OF_BOTH}
    for holder in world.holders.values():
        with holder.database.read() as connection:
            chain = read_kept(world.folder / holder.keys.holder_id)
            assert list(check(connection, holder.keys, chain=chain)) == [], holder.keys.holder_id


def test_no_leaf_and_no_record_holds_what_only_members_or_one_party_may_hold(
    everything: _Everything,
) -> None:
    secrets, world = _secrets(everything), everything.world
    for made in (*story.broker_entries(world), *_holders(world)):
        for data in (made.leaf, made.record or b""):
            assert what_shows(data, secrets) == [], f"{made.index} {made.kind}"
        if made.salt is not None:
            assert made.salt.hex().encode() not in made.leaf


def test_a_planted_secret_would_be_found_in_a_record(everything: _Everything) -> None:
    secrets, told = _secrets(everything), everything.told
    planted = {
        "token": told.tokens[0].hex().encode(),
        "secret key": told.masking_keys[1].hex().encode(),
        "identifier": b"447700900007",
        "payload": PIN.encode(),
        "reason": REASONS["withdrawn"].encode(),
    }
    for name, data in planted.items():
        assert what_shows(b'{"v":1,"x":"' + data + b'"}', secrets) == [name]


def test_what_people_write_stands_in_the_documented_fields_alone(world: World) -> None:
    found: dict[str, set[tuple[str, str]]] = {name: set() for name in FREE_TEXT}
    for made in (*story.broker_entries(world), *_holders(world)):
        for field, value in json.loads(made.record or b"{}").items():
            for name, word in FREE_TEXT.items():
                if word in json.dumps(value):
                    found[name].add((made.kind, field))
        assert not any(word.encode() in made.leaf for word in FREE_TEXT.values())
    # The one refusal's record was erased by the story, so nothing of it is left to find.
    for name, places in found.items():
        assert places, name
        assert places <= WHERE.get(name, DECISIONS), name


def test_no_log_line_and_no_metric_holds_any_of_it(everything: _Everything) -> None:
    secrets = _secrets(everything) | {"free text": [word.encode() for word in FREE_TEXT.values()]}
    assert len(everything.heard) > 100
    for line in everything.heard:
        assert what_shows(line.encode(), secrets) == [], line[:200]
    metrics = everything.world.wire.deliver(Call("GET", f"{BROKER}/metrics", {}, b""))
    assert b"narrowgate_calls_total" in metrics.body
    assert what_shows(metrics.body, secrets) == []


def test_no_error_that_was_answered_holds_any_of_it(everything: _Everything) -> None:
    secrets = _secrets(everything) | {"free text": [word.encode() for word in FREE_TEXT.values()]}
    errors = [
        passed.answer
        for origin in (BROKER, *HOLDERS.values())
        for passed in everything.world.wire.seen(origin)
        if passed.answer.status >= 400
    ]
    assert len(errors) >= 4
    for answer in errors:
        assert what_shows(answer.body, secrets) == []


# --- erasing ---


def _order(index: int, kind: str, reason: str = "It was unlawful.") -> Any:
    return order(index, RecordKind(kind), ErasureGround.AUTHORITY_ORDER, "Authority, letter 9", reason)


def _windows(made: Made) -> list[bytes]:
    """The salt, and pieces of the record short enough to lie on one page of the file, most of the time."""
    record = made.record or b""
    pieces = [record[at : at + 40] for at in range(0, max(1, len(record) - 39), 20)]
    return [made.salt or b"", *pieces]


def _stored(path: Path, without: str) -> bytes:
    """Every value of every other table, past SQLAlchemy."""
    found = []
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        named = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in named:
            if table != without:
                for row in connection.execute(f'SELECT * FROM "{table}"'):
                    found += [each if isinstance(each, bytes) else str(each).encode() for each in row]
    return b"\n".join(found)


def _on_disk(path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in sorted(path.parent.glob(f"{path.name}*")))


def test_each_record_of_the_broker_can_be_erased_and_its_bytes_are_gone_from_the_file(
    everything: _Everything,
) -> None:
    world, path = everything.world, everything.world.folder / "broker.sqlite3"
    broker, before = world.broker, story.broker_entries(world)
    broker.database.empty_wal()
    disk = _on_disk(path)
    for made in before:
        assert made.record is None or any(piece in disk for piece in _windows(made)), "looked for in vain"
    erased = []
    for made in before:
        rule = ERASABLE[RecordKind(made.kind)]
        if made.record is None:
            with pytest.raises(Conflict, match="erased before"):
                erase(broker.database, broker.audit, _order(made.index, made.kind), world.now)
        elif rule is Erasable.NEVER:
            with pytest.raises(NotPermitted, match="never erased"):
                erase(broker.database, broker.audit, _order(made.index, made.kind), world.now)
        elif rule is Erasable.NOT_IN_FORCE:
            with pytest.raises(Conflict, match="in force"):
                erase(broker.database, broker.audit, _order(made.index, made.kind), world.now)
        else:
            done = erase(broker.database, broker.audit, _order(made.index, made.kind), world.now)
            assert done.kind == made.kind
            erased.append(made)
    after = story.broker_entries(world)
    kept = {each.kind for each in after if each.record is not None}
    assert kept == {kind.value for kind in RecordKind if ERASABLE[kind] in KEPT} - OF_HOLDERS
    # 1. The leaves are as they were, and the auditor, who never read these records before, verifies the log.
    assert [each.leaf for each in after[: len(before)]] == [each.leaf for each in before]
    with broker.database.read() as connection:
        broker.audit.start(connection)
    # 2. Nothing of them is in the file that is not in another table, or in a record that stayed.
    left = _stored(path, "log_records") + b"\n".join(each.record or b"" for each in after)
    disk = _on_disk(path)
    for made in erased:
        own = [piece for piece in _windows(made) if piece not in left]
        assert own[0] == made.salt
        shown = [piece for piece in own if piece in disk]
        assert shown == [], f"{made.index} {made.kind}"
    for name, word in FREE_TEXT.items():
        if name not in ("ordered_by", "erased_reason", "rotated_reason", "inclusion_criterion"):
            assert word.encode() not in disk, name
    # 3. The broker starts again on it, and the auditor's mirror of before still verifies with it.
    report = world.auditor().verify()
    assert (report.size or 0) >= len(after)


def test_each_record_of_a_key_holder_can_be_erased_and_its_bytes_are_gone_from_the_file(world: World) -> None:
    kinds = {kind for x in world.holders for kind in _erase_all_of(world, x)}
    assert kinds - OF_BOTH == OF_HOLDERS - {RecordKind.RESTORE_ACCEPTED}


def _erase_all_of(world: World, x: int) -> set[str]:
    """Erase what may be of one holder, and look at its file. Returns the kinds that were erased."""
    holder, path = world.holders[x], world.folder / f"holder-{x}" / "keyholder.sqlite"
    before, erased = story.holder_entries(holder), list[Made]()
    for made in before:
        if made.record is not None and ERASABLE[RecordKind(made.kind)] is Erasable.AT_ANY_TIME:
            holder_erasing.erase(holder, _order(made.index, made.kind))
            erased.append(made)
        else:
            with pytest.raises((NotPermitted, Conflict)):
                holder_erasing.erase(holder, _order(made.index, made.kind))
    after, disk, left = story.holder_entries(holder), _on_disk(path), _stored(path, "log_records")
    left += b"\n".join(each.record or b"" for each in after)
    assert [each.leaf for each in after[: len(before)]] == [each.leaf for each in before]
    assert [each.kind for each in after[len(before) :]] == ["RECORD_ERASED"] * len(erased)
    for made in erased:
        own = [piece for piece in _windows(made) if piece not in left]
        assert made.salt in own
        assert [piece for piece in own if piece in disk] == [], f"{made.index} {made.kind}"
    with holder.database.read() as connection:
        holder.log.start(connection)
    return {each.kind for each in erased}
