"""Rules at a broker: put in force by a step of its own, through the log, or not at all."""

from pathlib import Path

import pytest
from sqlalchemy import text

from broker import activation, startup
from broker.audit.log import AuditLog
from broker.audit.records import BundleActivated
from broker.gate.bundle import load
from broker.gate.shelf import BundleShelf
from broker.protocol.errors import BadInput, Conflict, NotFound, Unavailable, VerificationFailed
from broker.protocol.messages.base import Message, decode, encode
from broker.protocol.messages.vocabulary import RecordKind
from tests import rules
from tests.broker_case import NOW, Case, seeded


def changed(folder: Path, previous: bytes, valid_from: int = NOW) -> Path:
    """Other rules, signed to follow `previous`."""
    source = rules.changed_rules(folder, lambda text: text + "# another digest\n")
    return rules.sign_rules(source, valid_from, previous)


def records(case: Case) -> list[BundleActivated]:
    """What the log says of activations."""
    with case.broker.database.read() as connection:
        found = [case.broker.audit.receipt(connection, index) for index in range(len(case.kinds()))]
    return [
        decode(BundleActivated, each.record) for each in found if each.kind is RecordKind.BUNDLE_ACTIVATED
    ]


def start(case: Case, shelf: BundleShelf | None = None) -> None:
    """Start a broker on the case's database, which no other holds, and stop it again."""
    shelf = shelf or rules.shared_shelf()
    startup.stop(startup.start(case.settings, case.keys, shelf, case.clock, seeded("again")))


def test_an_activation_is_an_entry_with_both_approvals_and_starting_is_none(
    case: Case, tmp_path: Path
) -> None:
    assert case.kinds() == ["BUNDLE_ACTIVATED"]
    case.restart()
    assert case.kinds() == ["BUNDLE_ACTIVATED"]
    source = changed(tmp_path / "new", case.bundle.digest)
    done = rules.activate_at_broker(case.broker, source)
    case.restart()
    assert case.broker.bundle.digest == done.bundle.digest == load(source).digest
    first, second = records(case)
    assert (first.bundle_digest, first.previous_digest) == (case.bundle.digest, None)
    assert (second.bundle_digest, second.previous_digest) == (done.bundle.digest, first.bundle_digest)
    assert (second.valid_from, done.valid_from) == (NOW, NOW)
    assert sorted(second.approvals) == sorted(
        rules.approval(source, name, NOW, case.bundle.digest) for name in rules.OFFICERS
    )


def test_rules_in_force_are_activated_again_without_an_entry(case: Case) -> None:
    done = rules.activate_at_broker(case.broker, rules.signed_policies())
    assert (done.log_index, case.kinds()) == (None, ["BUNDLE_ACTIVATED"])


def test_a_broker_without_rules_in_force_does_not_start(case: Case, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    settings = case.settings.model_copy(update={"database_url": f"sqlite:///{folder / 'broker.sqlite3'}"})
    with pytest.raises(Conflict, match="broker activate"):
        startup.start(settings, case.keys, rules.shared_shelf(), case.clock, seeded("new"))


def test_rules_that_an_earlier_release_took_unsigned_are_not_in_force(case: Case) -> None:
    """Its log says only which they were: no officer put them in force."""

    class Before(Message):
        v: int = 1
        bundle_digest: str
        previous_digest: None = None

    with case.broker.database.write() as connection:
        record = Before(bundle_digest=case.bundle.digest.hex())
        receipt = case.broker.audit.append(connection, RecordKind.BUNDLE_ACTIVATED, record, NOW)
        assert encode(record) == receipt.record
        connection.execute(
            text("UPDATE bundle_activations SET log_index = :index"), {"index": receipt.proof.index}
        )
    case.close()
    with pytest.raises(Conflict, match="No rules are in force"):
        start(case)
    case.broker = case.start()
    assert case.broker.bundle.digest == case.bundle.digest
    assert len(case.kinds()) == 3


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_broker_whose_copy_of_the_rules_is_not_the_logged_one_does_not_start(
    case: Case, tmp_path: Path, damage: str
) -> None:
    shelf = BundleShelf(tmp_path)
    if damage == "changed":
        shelf.keep(rules.POLICIES, case.bundle)
        limits = tmp_path / "bundles" / case.bundle.digest.hex() / "limits.toml"
        limits.write_text(limits.read_text() + "# one comment more\n")
    case.close()
    with pytest.raises(NotFound if damage == "gone" else VerificationFailed):
        start(case, BundleShelf(tmp_path))
    case.broker = case.start()


def test_a_bundle_that_does_not_load_is_never_put_in_force(case: Case, tmp_path: Path) -> None:
    source = changed(tmp_path / "new", case.bundle.digest)
    (source / "limits.toml").write_text("released_hits = 'many'\n")
    with pytest.raises(BadInput):
        rules.activate_at_broker(case.broker, source)
    assert case.kinds() == ["BUNDLE_ACTIVATED"]


def test_rules_that_are_not_approved_are_not_put_in_force(case: Case, tmp_path: Path) -> None:
    unsigned = rules.changed_rules(tmp_path / "unsigned", lambda text: text + "# nobody's\n")
    with pytest.raises(VerificationFailed, match="not signed"):
        rules.activate_at_broker(case.broker, unsigned)
    elsewhere = changed(tmp_path / "elsewhere", bytes(32))
    with pytest.raises(Conflict, match="follow others"):
        rules.activate_at_broker(case.broker, elsewhere)
    assert case.kinds() == ["BUNDLE_ACTIVATED"]


def test_an_activation_that_cannot_be_logged_is_none(case: Case, tmp_path: Path) -> None:
    source = changed(tmp_path / "new", case.bundle.digest)
    broken = AuditLog(case.broker.audit.origin, case.keys.log_key, lambda size: b"short", True)
    shelf, officers = rules.shared_shelf(), rules.pinned_officers()
    with pytest.raises(Unavailable):
        activation.activate(case.broker.database, broken, shelf, officers, source, NOW)
    case.restart()
    assert (case.broker.bundle.digest, case.kinds()) == (case.bundle.digest, ["BUNDLE_ACTIVATED"])
