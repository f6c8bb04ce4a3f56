"""The shelf: true copies of rules by digest, and nothing else."""

import shutil
from pathlib import Path

import pytest

from broker.gate.bundle import load
from broker.gate.shelf import BundleShelf
from broker.protocol.errors import NotFound, VerificationFailed
from tests.rules import POLICIES, changed_rules


def test_a_kept_bundle_is_there_when_its_source_is_gone(tmp_path: Path) -> None:
    source = changed_rules(tmp_path / "source", lambda text: text + "# another digest\n")
    digest = BundleShelf(tmp_path).keep(source, load(source)).digest
    shutil.rmtree(source)
    assert BundleShelf(tmp_path).get(digest).digest == digest
    assert not (tmp_path / "bundles" / digest.hex() / "scenarios").exists()
    with pytest.raises(NotFound):
        BundleShelf(tmp_path).get(bytes(32))


def test_a_changed_copy_is_found(tmp_path: Path) -> None:
    digest = BundleShelf(tmp_path).keep(POLICIES, load(POLICIES)).digest
    limits = tmp_path / "bundles" / digest.hex() / "limits.toml"
    limits.write_text(limits.read_text() + "# one comment more\n")
    with pytest.raises(VerificationFailed, match="changed"):
        BundleShelf(tmp_path).get(digest)


def test_rules_that_change_while_they_are_copied_are_not_kept(tmp_path: Path) -> None:
    source = changed_rules(tmp_path / "source", lambda text: text + "# shown to the officers\n")
    bundle = load(source)
    limits = source / "limits.toml"
    limits.write_text(limits.read_text() + "# slipped in\n")
    with pytest.raises(VerificationFailed, match="changed while"):
        BundleShelf(tmp_path).keep(source, bundle)
    assert list((tmp_path / "bundles").iterdir()) == []
