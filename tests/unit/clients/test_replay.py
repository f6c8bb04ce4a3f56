"""Decisions taken again: each under the rules it names, out of the folders an auditor has."""

from pathlib import Path

import pytest

from broker.gate.bundle import load
from broker.gate.decide import decide_admission, decide_release
from broker.gate.shelf import BundleShelf
from broker.protocol.errors import BadInput
from broker.protocol.messages.vocabulary import Tier
from clients.replay import load_all, replay_all
from tests.gate_world import admit_facts, release_facts
from tests.rules import POLICIES, changed_rules


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's rules under another digest."""
    return changed_rules(tmp_path_factory.mktemp("rules") / "newer", lambda text: text + "# newer\n")


def test_bundles_are_found_in_an_operators_folder_and_named_ones_beside_it(
    tmp_path: Path, newer: Path
) -> None:
    shelf = BundleShelf(tmp_path)
    shelf.keep(POLICIES, load(POLICIES))
    (tmp_path / "bundles" / ".unfinished").mkdir()
    found = load_all([tmp_path / "bundles", newer])
    assert set(found) == {load(POLICIES).digest, load(newer).digest}
    with pytest.raises(BadInput):
        load_all([tmp_path / "nothing"])


def test_what_was_decided_under_rules_that_are_not_at_hand_is_said(newer: Path) -> None:
    old, new = load(POLICIES), load(newer)
    decisions = [
        (3, decide_admission(old, admit_facts()).text),
        (5, decide_admission(new, admit_facts()).text),
    ]
    report = replay_all({old.digest: old}, decisions)
    assert (report.decisions, report.same, report.missing) == (2, 1, (new.digest.hex(),))
    assert [(each.index, each.replayed) for each in report.different] == [(5, "")]
    both = replay_all({old.digest: old, new.digest: new}, decisions)
    assert (both.same, both.different, both.missing) == (2, (), ())


def test_a_release_under_other_rules_than_its_admission_was_decided_under_both_or_is_named(
    newer: Path,
) -> None:
    old, new = load(POLICIES), load(newer)
    bundles = {old.digest: old, new.digest: new}
    admitted = decide_admission(old, admit_facts())
    facts = release_facts().model_copy(update={"admission_digest": admitted.digest})
    release, earlier = (decide_release(each, facts, Tier.HITS).text for each in (new, old))
    honest = [(1, admitted.text), (4, release), (4, earlier)]
    assert replay_all(bundles, honest).different == ()
    report = replay_all(bundles, honest[:2])
    assert (report.decisions, report.same) == (2, 1)
    assert "not decided under the earlier ones" in report.different[0].reason
