"""A key holder's fsck: silent about a sound folder, and about each damage says what is wrong and where, all of it."""

import json
import re
import shutil
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.protocol.errors import Conflict, NotFound
from broker.protocol.messages.erasure import ErasureGround, order
from broker.protocol.messages.vocabulary import RecordKind
from clients.cli.main import app
from clients.keyholder import fsck, retention
from clients.keyholder.context import DATABASE_FILE
from clients.keyholder.destroy import destroy_shares
from clients.keyholder.erasing import erase
from clients.keyholder.high_water import HighWater, beside
from clients.keyholder.keys import open_keys
from tests.keyholder_calls import ask
from tests.keyholder_world import COMPANIES, HOLDER_IDS, World, conditions

pytestmark = pytest.mark.all_only


class Stored:
    """A stopped key holder's folder, with its mark beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / DATABASE_FILE
        self.mark = beside(folder)

    def copy(self, to: Path) -> "Stored":
        shutil.copytree(self.folder, to / self.folder.name)
        shutil.copy(self.mark, to / self.mark.name)
        return Stored(to / self.folder.name)

    def run(self, *statements: str) -> None:
        with sqlite3.connect(self.database) as connection:
            for each in statements:
                connection.execute(each)
        connection.close()

    def told(self) -> list[str]:
        keys = open_keys(self.folder, None)
        mark = HighWater(self.mark, keys.log_origin)
        return [str(each) for each in fsck.look(self.database, keys, mark)]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Nine entries: rules in force, four series, two evaluations, shares destroyed and expired. No test changes it."""
    world = World(tmp_path_factory.mktemp("stored"))
    deals = world.deal_all()
    short = world.deal(changes={"conditions": conditions(retain_until=conditions().retain_until - 1)})
    world.deliver(short)
    filed = world.admit(deals)
    for deal in deals[:2]:
        ask(world, filed, deal)
    contributor = world.caller(deals[2].manifest.contributor)
    destroy_shares(world.holder, contributor, deals[2].series_id, world.withdrawal(deals[2]))
    world.clock.now = short.manifest.conditions.retain_until
    assert retention.purge(world.holder).series == 1
    world.close()
    return Stored(world.directory / HOLDER_IDS[0])


@pytest.fixture
def copy(stored: Stored, tmp_path: Path) -> Stored:
    """To be damaged."""
    return stored.copy(tmp_path)


def test_of_a_sound_key_holder_it_finds_nothing(stored: Stored) -> None:
    assert stored.told() == []


DAMAGES = {
    "a changed leaf": (
        "UPDATE log_leaves SET leaf = zeroblob(32) WHERE leaf_index = 5",
        r"the log: node 5 at level 0 does not fit the leaves",
    ),
    "a missing leaf": ("DELETE FROM log_leaves WHERE leaf_index = 5", r"the log: leaf 5 is missing"),
    "a changed node": (
        "UPDATE log_leaves SET hashes = zeroblob(32) WHERE leaf_index = 2",
        r"the log: node 2 at level 0 does not fit",
    ),
    "a missing node": (
        "UPDATE log_leaves SET hashes = substr(hashes, 1, 64) WHERE leaf_index = 3",
        r"the log: node 0 at level 2 is missing",
    ),
    "a node too many": (
        "UPDATE log_leaves SET hashes = zeroblob(96) WHERE leaf_index = 0",
        r"the log: leaf 0 has hashes of more subtrees",
    ),
    "a leaf too many": (
        "INSERT INTO log_leaves VALUES (50, zeroblob(9), zeroblob(32))",
        r"table log_leaves: has 10 rows",
    ),
    "another head": ("UPDATE log_head SET root = zeroblob(32)", r"leaves do not give the stored root"),
    "a tail that is cut off": ("UPDATE log_head SET size = size - 1", r"leaf 8 is stored beyond the head"),
    "another record": (
        "UPDATE log_records SET record = zeroblob(32) WHERE leaf_index = 2",
        r"log entry 2: The record and its salt do not give the digest",
    ),
    "a salt alone erased": (
        "UPDATE log_records SET salt = NULL WHERE leaf_index = 2",
        r"log entry 2: Of record and salt one is erased",
    ),
    "a record's row that is gone": (
        "DELETE FROM log_records WHERE leaf_index = 2",
        r"log entry 2: has no row for its record",
    ),
    "rules that were never activated": (
        "INSERT INTO rule_activations VALUES (zeroblob(32), 1, 1, 3)",
        r"table rule_activations, bundle_digest 0{16}: names log entry 3 \(SERIES_ACCEPTED\), which is of another kind",
    ),
    "rules that are other ones": (
        "UPDATE rule_activations SET bundle_digest = zeroblob(32)",
        r"table rule_activations.*: bundle_digest differ from what log entry 0 \(BUNDLE_ACTIVATED\) says",
    ),
    "rules in force that are gone": (
        "DELETE FROM rule_activations",
        r"log entry 0 \(BUNDLE_ACTIVATED\): table rule_activations has no row that it explains",
    ),
    "an evaluation that is forgotten": (
        "DELETE FROM evaluations WHERE log_index = 5",
        r"log entry 5 \(EVALUATED\): table evaluations has no row that it explains",
    ),
    "an evaluation of another series": (
        "UPDATE evaluations SET series_id = (SELECT max(series_id) FROM series WHERE series_id NOT IN (SELECT"
        " series_id FROM evaluations)) WHERE log_index = 5",
        r"table evaluations, permit_id \w+: series_id differ from what log entry 5",
    ),
    "an evaluation that names no entry": (
        "UPDATE evaluations SET log_index = 77 WHERE log_index = 5",
        r"table evaluations.*: names log entry 77, which is not there",
    ),
    "a permit that may be used again": (
        "DELETE FROM permits_used",
        r"table permits_used, permit_id \w+: is missing, and log entry 5 was answered under it",
    ),
    "a permit of another requester": (
        "UPDATE permits_used SET requester = 'someone'",
        r"table permits_used.*: space_id or requester differ",
    ),
    "a charge without an evaluation": (
        "INSERT INTO permits_used SELECT zeroblob(16), terms_digest, space_id, requester, tier, 1, 1 FROM permits_used",
        r"table permits_used, permit_id 0{16}: it was charged, and nothing was evaluated",
    ),
    "an approver's refusal that nobody made": (
        "INSERT INTO approver_statements VALUES (zeroblob(32), 'k', zeroblob(32), 'p', 'd', 2)",
        r"table approver_statements.*: names log entry 2",
    ),
    "a restore that nobody accepted": (
        "INSERT INTO restores VALUES (99, 'd', 1)",
        r"table restores, log_index 99: names log entry 99, which is not there",
    ),
    "a series of another contributor": (
        "UPDATE series SET contributor = 'someone' WHERE x = 1",
        r"table series.*: contributor differ from what log entry \d",
    ),
    "another manifest": (
        "UPDATE series SET manifest = (SELECT max(manifest) FROM series)",
        r"table series.*: .*(signature|signed|manifest)",
    ),
    "first commitments that are gone": (
        "DELETE FROM first_commitments",
        r"table series.*: table first_commitments has 0 of its 2 rows",
    ),
    "a share that was changed": (
        "UPDATE shares SET sealed = zeroblob(92)",
        r"table series.*: its shares do not open",
    ),
    "shares that are gone": ("DELETE FROM shares", r"table series.*: its shares are gone, and no entry"),
    "shares that were to be erased": (
        "INSERT INTO shares SELECT series_id, zeroblob(92) FROM series WHERE destruction_receipt IS NOT NULL",
        r"table series.*: its shares are still there, and log entry 7 says that they were erased",
    ),
    "a column that is gone": (
        "ALTER TABLE forks DROP COLUMN found_at",
        r"the schema: has not forks.found_at",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_it_tells_each_damage(damage: str, copy: Stored) -> None:
    statement, expected = DAMAGES[damage]
    copy.run(statement)
    findings = copy.told()
    assert any(re.search(expected, each) for each in findings), findings


def test_it_tells_all_that_is_wrong_and_not_the_first_thing_only(copy: Stored) -> None:
    copy.run(
        "UPDATE log_leaves SET hashes = zeroblob(32) WHERE leaf_index = 4",
        "UPDATE log_records SET record = zeroblob(32) WHERE leaf_index = 1",
        "DELETE FROM evaluations WHERE log_index = 6",
        "DELETE FROM first_commitments WHERE commitment = (SELECT min(commitment) FROM first_commitments)",
    )
    found = copy.told()
    assert [each.partition(":")[0].partition(",")[0] for each in found] == [
        *("the log", "log entry 1", "log entry 6 (EVALUATED)", "table series", "table series"),
    ]


def test_an_erased_record_is_no_finding_and_hides_no_other(copy: Stored) -> None:
    copy.run("UPDATE log_records SET record = NULL, salt = NULL WHERE leaf_index IN (2, 5)")
    assert copy.told() == []
    copy.run("DELETE FROM evaluations WHERE log_index = 5")
    assert copy.told() == ["log entry 5 (EVALUATED): table evaluations has no row that it explains."]


def test_a_mark_that_is_ahead_gone_or_anothers_is_told_and_not_raised(copy: Stored, stored: Stored) -> None:
    """A folder and its log as they were before the last entries: whole by themselves, and told by the mark alone."""
    mark = json.loads(copy.mark.read_text())
    for changes, expected in (
        ({"size": 12}, r"says that the log had 12 entries, and it has 9: an old copy"),
        ({"size": 8}, r"says another root of the first 8 entries"),
        ({"log_origin": "x"}, r"another key holder's"),
    ):
        copy.mark.write_text(json.dumps(mark | changes, separators=(",", ":")))
        before = copy.mark.read_bytes()
        (finding,) = copy.told()
        assert re.match(f"the high-water file: .*{expected}", finding), finding
        assert copy.mark.read_bytes() == before
    copy.mark.unlink()
    (finding,) = copy.told()
    assert "is gone, and the log has 9 entries" in finding
    assert not copy.mark.exists()


def test_it_changes_neither_the_file_nor_its_write_ahead_log(tmp_path: Path) -> None:
    """As a crash leaves them: what is in the log alone is evidence, too."""
    world = World(tmp_path)
    deals = world.deal_all()
    ask(world, world.admit(deals), deals[0])
    left = tmp_path / "left"
    left.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{world.holder.database.path}{suffix}", left)
    before = {each.name: each.read_bytes() for each in left.iterdir()}
    assert len(before[f"{DATABASE_FILE}-wal"]) > 0
    mark = HighWater(world.holder.high_water.path, world.holder.keys.log_origin)
    assert list(fsck.look(left / DATABASE_FILE, world.holder.keys, mark)) == []
    assert {name: (left / name).read_bytes() for name in before} == before
    with pytest.raises(Conflict, match="runs already"):
        list(fsck.look(world.holder.database.path, world.holder.keys, mark))
    world.close()


def test_a_file_that_cannot_be_read_on_is_a_finding(copy: Stored) -> None:
    data = bytearray(copy.database.read_bytes())
    data[8192 : len(data) // 2] = b"\xff" * (len(data) // 2 - 8192)
    copy.database.write_bytes(data)
    assert "the database: The file cannot be read to its end" in copy.told()[-1]
    copy.database.unlink()
    with pytest.raises(NotFound):
        copy.told()
    assert not copy.database.exists()


def test_an_erasure_on_an_order_and_a_clock_that_went_back_are_no_findings(tmp_path: Path) -> None:
    world = World(tmp_path)
    deal = world.deal(COMPANIES[0])
    world.deliver(deal)
    said = (ErasureGround.COURT_ORDER, "Court of Example, letter 7", "It was unlawful.")
    erase(world.holder, order(1, RecordKind.SERIES_ACCEPTED, *said))
    world.clock.now -= 3600
    world.deliver(world.deal(COMPANIES[1]))
    world.close()
    assert Stored(tmp_path / HOLDER_IDS[0]).told() == []


def test_the_command_tells_a_person_and_a_script_and_exits_with_4(copy: Stored) -> None:
    def command(*options: str, code: int) -> str:
        done = CliRunner().invoke(app, ["keyholder", "fsck", str(copy.folder), *options])
        assert done.exit_code == code, done.output
        return done.stdout

    assert command(code=0).startswith("Nothing is wrong that can be told")
    assert json.loads(command("--json", code=0)) == {"clean": True, "findings": [], "number": 0}
    copy.run("DELETE FROM evaluations WHERE log_index = 5")
    what = "table evaluations has no row that it explains."
    words = command(code=4).splitlines()
    assert words[0] == f"log entry 5 (EVALUATED): {what}"
    assert words[-1].startswith("Findings: 1. Nothing was changed.")
    told = json.loads(command("--json", code=4))
    assert told["findings"] == [{"where": "log entry 5 (EVALUATED)", "what": what}]
