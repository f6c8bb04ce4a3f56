"""fsck: silent about a sound broker, and about each damage says what is wrong and where, all of it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from broker import startup
from broker.audit.records import DepositCompleted
from broker.protocol.errors import Conflict, NotFound, VerificationFailed
from broker.protocol.messages.vocabulary import RecordKind
from broker.recovery import fsck
from broker.store import whole
from broker.store.database import Database
from tests.databases import Databases
from tests.recovery_case import Stored, make_folder, whole_story

pytestmark = pytest.mark.all_only


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Stored]:
    """No test changes it."""
    directory = tmp_path_factory.mktemp("stored")
    world = whole_story(directory, databases)
    settings = world.settings
    world.close()
    yield Stored(settings.database_url, settings, world, databases)
    databases.drop(settings.database_url)


@pytest.fixture
def copy(stored: Stored, tmp_path: Path) -> Iterator[Stored]:
    """To be damaged."""
    copied = stored.copy(tmp_path)
    yield copied
    copied.databases.drop(copied.url)


def told(stored: Stored) -> list[str]:
    return [str(each) for each in stored.findings()]


def test_of_a_sound_broker_it_finds_nothing(stored: Stored) -> None:
    assert told(stored) == []


def test_it_tells_all_that_is_wrong_and_not_the_first_thing_only(copy: Stored) -> None:
    copy.run(
        "UPDATE log_leaves SET hashes = :zeros WHERE leaf_index = 6",
        "UPDATE log_records SET salt = :zeros WHERE leaf_index = 3",
        "UPDATE deposits SET records_stored = 7 WHERE deposit_number = 1",
        "UPDATE ledger SET identifiers = 0 WHERE entry = 1",
        "UPDATE bundle_activations SET log_index = 4",
        zeros=bytes(32),
    )
    findings = told(copy)
    for expected in (
        r"the log: node 6 at level 0 does not fit the leaves",
        r"log entry 3: The record and its salt do not give the digest",
        r"table deposits, deposit_id \w+.*: has 11 records, and says that it has 7",
        r"table ledger, request_id \w+.*: identifiers differ from what log entry \d+ \(ADMITTED\) charges",
        r"log entry 0 \(BUNDLE_ACTIVATED\): table bundle_activations has no row that it explains",
        r"table bundle_activations.*: log_index names log entry 4 \(ENROLMENT_ACCEPTED\), of another kind",
    ):
        assert any(re.match(expected, each) for each in findings), (expected, findings)
    assert len(findings) == 6


DAMAGES = {
    "a changed leaf": (
        "UPDATE log_leaves SET leaf = :zeros WHERE leaf_index = 5",
        r"node 5 at level 0 does not fit the leaves",
    ),
    "a missing leaf": ("DELETE FROM log_leaves WHERE leaf_index = 5", r"leaf 5 is missing"),
    "a missing node": (
        "UPDATE log_leaves SET hashes = substr(hashes, 1, 32) WHERE leaf_index = 3",
        r"node 1 at level 1 is missing",
    ),
    "a node too many": (
        "UPDATE log_leaves SET hashes = (SELECT hashes FROM log_leaves WHERE leaf_index = 7) WHERE leaf_index = 5",
        r"leaf 5 has hashes of more subtrees",
    ),
    "a leaf too many": (
        "INSERT INTO log_leaves VALUES (5000, :zeros, :zeros)",
        r"table log_leaves: has .* rows",
    ),
    "another head": ("UPDATE log_head SET root = :zeros", r"leaves do not give the stored root"),
    "a tail that is cut off": (
        "UPDATE log_head SET size = size - 1",
        r"is stored beyond the head",
    ),
    "a record of which the salt alone is erased": (
        "UPDATE log_records SET salt = NULL WHERE leaf_index = 2",
        r"log entry 2: Of record and salt one is erased",
    ),
    "a record's row that is gone": (
        "DELETE FROM log_records WHERE leaf_index = 2",
        r"log entry 2: has no row for its record",
    ),
    "another record": (
        "UPDATE log_records SET record = :zeros WHERE leaf_index = 2",
        r"log entry 2: The record and its salt do not give",
    ),
    "an enrolment nobody accepted": (
        "UPDATE enrolments SET log_index = NULL WHERE party_id = 'company-1'",
        r"table enrolments, kid .*: its state is explained by no entry",
    ),
    "an enrolment with another role": (
        "UPDATE enrolments SET role = 'auditor' WHERE party_id = 'company-1'",
        r"table enrolments, kid .*: role differ from what log entry",
    ),
    "an accepted key in another's place": (
        "UPDATE enrolments SET signing_key = :zeros WHERE party_id = 'company-1'",
        r"table enrolments, kid .*: signing_key differ from what the signed document says",
    ),
    "a space that is gone": ("DELETE FROM spaces", r"SPACE_FOUNDED\): table spaces has no row"),
    "a salt's wrap of another member": (
        "UPDATE salt_wraps SET recipient_kid = 'x' WHERE recipient_kid = (SELECT min(recipient_kid) FROM salt_wraps)",
        r"table salt_wraps.*: recipient_kid differ from what the signed document",
    ),
    "a series that keeps longer": (
        "UPDATE series SET retain_until = retain_until + 1",
        r"table series.*: retain_until is not the manifest's",
    ),
    "a series brought back": (
        "UPDATE series SET state = 'destroyed'",
        r"table series.*: its state is explained by no entry",
    ),
    "a holder's word that is gone": ("DELETE FROM acceptances", r"table acceptances has too few"),
    "first commitments that are gone": ("DELETE FROM first_commitments", r"table first_commitments has not"),
    "a deposit that never served": (
        "UPDATE deposits SET serving_index = NULL WHERE deposit_number = 1",
        r"table deposits.*: its state is explained by no entry",
    ),
    "a deposit that names another's entry": (
        "UPDATE deposits SET completed_index = (SELECT completed_index FROM deposits WHERE deposit_number = 2)"
        " WHERE deposit_number = 1",
        r"table deposits.*: completed_index names .*, which is about another row",
    ),
    "a record that was changed": (
        "UPDATE records SET record_version = 2 WHERE deposit_number = 1",
        r"table deposits.*: its records do not give the root that its contributor signed last",
    ),
    "a record that is gone": (
        "DELETE FROM records WHERE deposit_number = 1 AND token = (SELECT min(token) FROM records WHERE"
        " deposit_number = 1)",
        r"table deposits.*: has 10 records, and says that it has 11",
    ),
    "a batch that is gone": ("DELETE FROM batches WHERE deposit_number = 1", r"its batches are not those"),
    "records of a deposit that is gone": (
        "UPDATE deposits SET state = 'expired' WHERE deposit_number = 1",
        r"is expired, and table records still has 11 rows of it",
    ),
    "a request put back a step": (
        "UPDATE requests SET state = 'admitted'",
        r"table requests.*: its state is not that of the entry it names",
    ),
    "a permit that may be used again": (
        "UPDATE permits SET token_root = NULL",
        r"table permits.*: token_root differs from what log entry",
    ),
    "a permit that lasts longer": (
        "UPDATE permits SET expires_at = expires_at + 1",
        r"table permits.*: expires_at differ",
    ),
    "another answer": (
        "UPDATE permits SET disclosure = :zeros",
        r"table permits.*: disclosure is not the ans",
    ),
    "a charge that is gone": (
        "DELETE FROM ledger WHERE entry = 1",
        r"table requests.*: is released and was charged 0 times",
    ),
    "a charge that is less": ("UPDATE ledger SET hits = 0", r"table ledger.*: hits differ .*RELEASE"),
    "a charge of longer ago": (
        "UPDATE ledger SET charged_at = charged_at - 1",
        r"table ledger.*: charged_at differ",
    ),
    "privacy loss that is forgotten": (
        "UPDATE ledger SET epsilon_millis = 0",
        r"table ledger.*: epsilon_millis differ",
    ),
    "a charge of no request": (
        "UPDATE ledger SET request_id = :name WHERE entry = 1",
        r"table ledger, request_id 0{16}: there is no such request",
    ),
    "a contributor's answer that is another's": (
        "UPDATE release_asks SET contributor = 'company-1'",
        r"table release_asks.*: contributor differ|signed by a key that may not",
    ),
    "an ask that is gone": ("DELETE FROM release_asks", r"table release_asks has no row"),
    "what an answer told of, forgotten": (
        "DELETE FROM told_records WHERE token_digest = (SELECT min(token_digest) FROM told_records)",
        r"table permits.*: table told_records lacks 1 records that the answer tells of",
    ),
    "what no answer told of": (
        "INSERT INTO told_records SELECT permit_id, 1, :name FROM permits",
        r"table told_records, request_id .*: 1 rows are of records that the answer does not tell of",
    ),
    "what points to records that are gone": (
        "UPDATE told_records SET deposit_number = 2 WHERE deposit_number = 1",
        r"table told_records, permit_id .*: deposit_number 2 has no such record any more",
    ),
    "what points to a deposit that is gone": (
        "INSERT INTO told_records SELECT permit_id, (SELECT max(deposit_number) FROM deposits), :name FROM permits",
        r"table deposits.*: is withdrawn, and table told_records still has \d+ rows of it",
    ),
    "a witness that saw more": (
        "INSERT INTO witness_sizes VALUES ('w', 5000, 0)",
        r"witness .*: saw 5,000 entries, and the log has",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_it_tells_each_damage(damage: str, copy: Stored) -> None:
    statement, expected = DAMAGES[damage]
    names = {name for name in ("zeros", "name") if f":{name}" in statement}
    copy.run(statement, **{name: bytes(32 if name == "zeros" else 16) for name in names})
    findings = told(copy)
    assert any(re.search(expected, each) for each in findings), findings


def test_an_erased_record_is_no_finding(copy: Stored) -> None:
    copy.run("UPDATE log_records SET record = NULL, salt = NULL WHERE leaf_index IN (3, 12, 20)")
    assert told(copy) == []


def test_an_entry_that_a_hand_appended_has_no_row(copy: Stored) -> None:
    """With the log's own key: only the rows give it away, and the witnesses."""
    opened = startup.open_checked(copy.settings, copy.world.broker_keys, copy.world.random("a hand"))
    record = DepositCompleted(deposit_id=bytes(32), records=1, root=bytes(32))
    with opened.database.write() as connection:
        receipt = opened.audit.append(connection, RecordKind.DEPOSIT_COMPLETED, record, copy.world.now)
    opened.database.close()
    index = receipt.proof.index
    assert told(copy) == [
        f"log entry {index} (DEPOSIT_COMPLETED): table deposits has no row that it explains."
    ]


def test_no_finding_repeats_a_token(copy: Stored) -> None:
    copy.run("UPDATE records SET sealed = :one", "DELETE FROM batches", one=b"1")
    with whole.snapshot(copy.url, alone=True) as connection:
        tokens = {row["token"].hex() for row in whole.every(connection, "records")}
    text_of_all = "\n".join(told(copy))
    assert tokens
    assert not any(token[:16] in text_of_all for token in tokens)


def test_a_database_of_another_schema_is_told_and_not_looked_at(copy: Stored) -> None:
    copy.run("UPDATE alembic_version SET version_num = '0001'")
    (finding,) = told(copy)
    assert "is not this release's" in finding


def test_a_table_that_differs_from_the_schema_is_told(copy: Stored) -> None:
    copy.run("ALTER TABLE nonces ADD COLUMN more INTEGER")
    assert told(copy) == ["the schema: a table, column or index differs from this release's."]


@pytest.mark.sqlite_only
def test_it_says_so_when_a_broker_runs_or_there_is_no_database(copy: Stored, tmp_path: Path) -> None:
    running = Database(copy.url)
    with pytest.raises(Conflict, match="Another process owns"):
        copy.findings()
    running.close()
    with pytest.raises(NotFound), whole.snapshot(f"sqlite:///{tmp_path / 'no.sqlite3'}", alone=True):
        pass
    assert not (tmp_path / "no.sqlite3").exists()


@pytest.mark.sqlite_only
def test_it_changes_neither_the_file_nor_its_write_ahead_log(copy: Stored, tmp_path: Path) -> None:
    """As a crash leaves them: what is in the log alone is evidence, too."""
    broker = Database(copy.url)
    with broker.write() as connection:
        connection.execute(text("UPDATE deposits SET records_stored = 7 WHERE deposit_number = 1"))
    left = tmp_path / "left"
    left.mkdir()
    path = Path(copy.url.removeprefix("sqlite:///"))
    for each in (path, path.with_name(f"{path.name}-wal")):
        (left / each.name).write_bytes(each.read_bytes())
    broker.close()
    before = {each.name: each.read_bytes() for each in left.iterdir()}
    with whole.snapshot(f"sqlite:///{left / path.name}", alone=True) as connection:
        findings = list(fsck.check(connection, copy.world.broker_keys))
    assert "says that it has 7" in str(findings[0])
    assert {name: (left / name).read_bytes() for name in before} == before
    assert len(before[f"{path.name}-wal"]) > 0


@pytest.mark.sqlite_only
def test_a_file_that_cannot_be_read_on_is_told(copy: Stored) -> None:
    path = Path(copy.url.removeprefix("sqlite:///"))
    data = bytearray(path.read_bytes())
    data[8192 : len(data) // 2] = b"\xff" * (len(data) // 2 - 8192)
    path.write_bytes(data)
    with pytest.raises(VerificationFailed, match="cannot be read to its end"):
        copy.findings()


@pytest.mark.sqlite_only
def test_a_key_that_others_may_read_is_told(copy: Stored, tmp_path: Path) -> None:
    directory = make_folder(tmp_path / "folder", copy.world, copy.url)
    assert list(fsck.look(directory, copy.settings)) == []
    (directory / "operator.key").chmod(0o640)
    directory.chmod(0o755)
    (next((directory / "bundles").iterdir()) / "more.cedar").write_text(
        "forbid (principal, action, resource);"
    )
    found = [str(each) for each in fsck.look(directory, copy.settings)]
    assert [each.partition(":")[0] for each in found] == [
        "the broker's folder",
        "file operator.key",
        "folder bundles",
    ]


def test_without_keys_that_are_secret_the_database_is_not_looked_at(copy: Stored, tmp_path: Path) -> None:
    directory = make_folder(tmp_path / "folder", copy.world, copy.url)
    (directory / "keys.json").chmod(0o644)
    (finding,) = fsck.look(directory, copy.settings)
    assert "may be read by others" in finding.what
    (directory / "keys.json").unlink()
    (finding,) = fsck.look(directory, copy.settings)
    assert (finding.where, "is missing" in finding.what) == ("file keys.json", True)


def test_it_says_how_far_it_is(stored: Stored) -> None:
    heard: list[tuple[str, int, int]] = []
    with whole.snapshot(stored.url, alone=True) as connection:
        list(fsck.check(connection, stored.world.broker_keys, lambda *said: heard.append(said)))
    assert {what for what, _, _ in heard} == {
        "entries",
        "tables of what is logged",
        "tables with documents",
        "deposits",
        "answers and what they told of",
    }
    assert max(done for what, done, _ in heard if what == "entries") + 1 == heard[0][2]
