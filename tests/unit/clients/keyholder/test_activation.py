"""Rules at a key holder: its own operator's, logged; and old permits under new ones."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from broker.gate.bundle import load
from broker.gate.shelf import BundleShelf
from broker.protocol.errors import (
    BadInput,
    Conflict,
    Expired,
    NotPermitted,
    Refused,
    Unavailable,
    VerificationFailed,
)
from broker.protocol.leaves import parse_leaf
from broker.protocol.messages.base import decode
from clients.keyholder import activation
from clients.keyholder.activation import RulesHere, rules_for
from clients.keyholder.checks import CHANGED_RULES
from clients.keyholder.evaluation import holder_budget
from clients.keyholder.held import held_series
from clients.keyholder.own_log import BundleActivated
from clients.keyholder.store import pinned
from clients.keyholder.store.log import records_between
from tests import rules
from tests.keyholder_calls import ask, refused
from tests.keyholder_world import NOW, Deal, World

LATER = NOW - 600
"""When changed rules are valid from."""


def looser(folder: Path, previous: bytes, valid_from: int = LATER) -> Path:
    """What the project's rules allow, under another digest."""
    source = rules.changed_rules(folder, lambda text: text + "# another digest\n")
    return rules.sign_rules(source, valid_from, previous)


def stricter(folder: Path, previous: bytes) -> Path:
    """Rules that admit no hits."""
    source = rules.forbidding(folder, "admit", 'context.tier == "hits"')
    return rules.sign_rules(source, LATER, previous)


def in_force(world: World) -> bytes | None:
    with world.holder.database.read() as connection:
        current = pinned.activation(connection)
    return None if current is None else current.bundle_digest


def activations(world: World) -> list[BundleActivated]:
    """The records of all BUNDLE_ACTIVATED of the first holder."""
    found = []
    with world.holder.database.read() as connection:
        page = world.holder.log.leaf_page(connection, 0, 1000)
        for index, leaf in enumerate(page.leaves):
            (stored,) = records_between(connection, index, index + 1)
            if parse_leaf(leaf).kind == "BUNDLE_ACTIVATED":
                found.append(decode(BundleActivated, stored.record or b""))
    return found


def test_an_activation_is_an_entry_of_the_holders_own_log(world: World, tmp_path: Path) -> None:
    before = world.bundle.digest
    source = looser(tmp_path / "new", before)
    done = activation.activate(world.holder, source)
    first, second = activations(world)
    assert (first.bundle_digest, first.previous_digest, len(first.approvals)) == (before, None, 2)
    assert (second.bundle_digest, second.previous_digest) == (done.bundle.digest, before)
    assert second.valid_from == LATER
    assert in_force(world) == done.bundle.digest
    assert activation.activate(world.holder, source).log_index is None
    assert len(activations(world)) == 2


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (lambda source, previous: source, VerificationFailed, "not signed"),
        (
            lambda source, previous: rules.sign_rules(source, LATER, previous, ["officer-1"]),
            VerificationFailed,
            "stands alone",
        ),
        (
            lambda source, previous: rules.sign_rules(source, LATER, previous, ["officer-1", "officer-3"]),
            VerificationFailed,
            "not pinned here",
        ),
        (lambda source, previous: rules.sign_rules(source, LATER, bytes(32)), Conflict, "follow others"),
        (lambda source, previous: rules.sign_rules(source, NOW + 1, previous), Expired, "2026-09-21"),
    ],
    ids=["unsigned", "one officer", "an officer not pinned", "after other rules", "before its time"],
)
def test_rules_that_are_not_approved_are_not_put_in_force(
    world: World,
    tmp_path: Path,
    spoil: Callable[[Path, bytes], Path],
    error: type[Exception],
    words: str,
) -> None:
    source = rules.changed_rules(tmp_path / "new", lambda text: text + "# another digest\n")
    with pytest.raises(error, match=words):
        activation.activate(world.holder, spoil(source, world.bundle.digest))
    assert (in_force(world), len(activations(world))) == (world.bundle.digest, 1)


def test_a_bundle_that_does_not_load_is_not_put_in_force(world: World, tmp_path: Path) -> None:
    source = looser(tmp_path / "new", world.bundle.digest)
    (source / "deposits.cedar").write_text("forbid (principal, action, resource")
    with pytest.raises(BadInput):
        activation.activate(world.holder, source)
    assert (in_force(world), len(activations(world))) == (world.bundle.digest, 1)


def test_an_activation_that_cannot_be_logged_is_none(world: World, tmp_path: Path) -> None:
    source = looser(tmp_path / "new", world.bundle.digest)

    def fail(size: int) -> bytes:
        raise Unavailable("no randomness")

    world.random_bytes = fail
    with pytest.raises(Unavailable):
        activation.activate(world.holder, source)
    assert (in_force(world), len(activations(world))) == (world.bundle.digest, 1)


def test_officers_that_the_operator_unpinned_count_no_more(world: World, tmp_path: Path) -> None:
    source = looser(tmp_path / "new", world.bundle.digest)
    world.holder.officers.unpin("officer-2")
    with pytest.raises(NotPermitted, match="pinned here: 1"):
        activation.activate(world.holder, source)


def test_a_permit_from_before_a_change_of_rules_is_answered_if_the_new_ones_allow_it(
    world: World, deals: tuple[Deal, ...], tmp_path: Path
) -> None:
    filed = world.admit(deals)
    activation.activate(world.holder, looser(tmp_path / "new", world.bundle.digest))
    ask(world, filed, deals[0])


def test_a_permit_from_before_a_change_of_rules_is_refused_if_the_new_ones_refuse_it(
    world: World, deals: tuple[Deal, ...], tmp_path: Path
) -> None:
    filed = world.admit(deals)
    activation.activate(world.holder, stricter(tmp_path / "new", world.bundle.digest))
    with refused(world, Refused, CHANGED_RULES[:40]):
        ask(world, filed, deals[0])


def test_a_permit_under_loosened_rules_is_refused_once_they_are_tightened_again(
    world: World, deals: tuple[Deal, ...], tmp_path: Path
) -> None:
    loose = world.bundle
    tight = stricter(tmp_path / "tight", loose.digest)
    activation.activate(world.holder, tight)
    again = rules.sign_rules(
        rules.changed_rules(tmp_path / "loose", lambda text: text + "# loosened\n"),
        NOW - 500,
        load(tight).digest,
    )
    activation.activate(world.holder, again)
    world.bundle = load(again)
    filed = world.admit(deals)
    ask(world, filed, deals[0])
    activation.activate(world.holder, rules.sign_rules(tight, NOW - 400, world.bundle.digest))
    with refused(world, Refused, CHANGED_RULES[:40]):
        ask(world, filed, deals[1])


def test_a_permit_under_rules_that_were_never_put_in_force_here_is_refused(
    world: World, deals: tuple[Deal, ...], tmp_path: Path
) -> None:
    """Though they would allow it, and lie on the holder's shelf: its operator did not say so."""
    source = looser(tmp_path / "new", world.bundle.digest)
    world.holder.shelf.keep(source, load(source))
    world.bundle = load(source)
    filed = world.admit(deals)
    with refused(world, Conflict, "never put in force"):
        ask(world, filed, deals[0])
    activation.activate(world.holder, source)
    ask(world, filed, deals[0])


def test_what_ran_out_is_told_as_such_also_after_a_change_of_rules(
    world: World, deals: tuple[Deal, ...], tmp_path: Path
) -> None:
    filed = world.admit(deals, finding={"expires_at": NOW + 60})
    activation.activate(world.holder, looser(tmp_path / "new", world.bundle.digest))
    world.clock.now = NOW + 60
    with refused(world, Expired, "run out"):
        ask(world, filed, deals[0])


def test_of_two_limits_the_stricter_binds(world: World, deals: tuple[Deal, ...]) -> None:
    limits = world.bundle.limits.model_copy(update={"identifiers_30d": 9, "count_contributors": 5})
    other = replace(world.bundle, digest=bytes(32), limits=limits)
    with world.holder.database.read() as connection:
        held = held_series(world.holder, connection, deals[0].series_id)
    for here in (RulesHere(world.bundle, other), RulesHere(other, world.bundle)):
        assert (here.identifiers_30d, here.count_contributors) == (9, 5)
        assert holder_budget(here, held) == 6


def test_a_changed_copy_of_the_rules_answers_nothing(world: World) -> None:
    kept = world.holder.database.path.parent / "bundles" / world.bundle.digest.hex()
    changed = next(path for path in sorted(kept.rglob("*.cedar")))
    changed.write_text(changed.read_text() + "\n// one comment more\n")
    fresh = BundleShelf(kept.parent.parent)
    with world.holder.database.read() as connection, pytest.raises(VerificationFailed, match="changed"):
        rules_for(connection, fresh, world.bundle.digest)
