"""What a requester keeps goes when the retention it claimed is over: not before, and whatever cuts it short."""

from pathlib import Path

import pytest

from broker.protocol.messages.vocabulary import Tier
from clients.requesting.forgetting import forget_due, kept_until
from clients.requesting.request_folder import RequestFolder
from clients.vault import Vault
from tests.messages_examples import CLAIMS, NOW
from tests.requester_world import RequesterWorld, phone

DAY = 86_400
CUT = bytes([7]) * 16


@pytest.fixture
def world(tmp_path: Path) -> RequesterWorld:
    world = RequesterWorld(tmp_path)
    world.deal("phone", [phone(1)])
    return world


def _prepare(world: RequesterWorld, days: int) -> bytes:
    claims = CLAIMS.model_copy(update={"retention_days": days})
    return world.requester().prepare({"phone": [phone(1), phone(2)]}, claims, Tier.HITS).request_id


def test_each_request_goes_at_its_own_time(world: RequesterWorld) -> None:
    short, long = _prepare(world, 1), _prepare(world, 30)
    world.requester().run(short)
    assert forget_due(world.home, NOW + DAY - 1) == ()
    assert forget_due(world.home, NOW + DAY) == (short,)
    folder = RequestFolder(world.home.vault, short)
    assert (folder.state, folder.answer(), folder.tokens(), folder.quorums()) == (
        "forgotten",
        None,
        None,
        ((1, 2),),
    )
    assert not world.home.vault.names(f"requests/{short.hex()}/answers/1-2")
    assert RequestFolder(world.home.vault, long).plan()
    assert forget_due(world.home, NOW + 30 * DAY) == (long,)


def test_the_time_runs_from_the_permit_and_without_one_from_the_request(world: RequesterWorld) -> None:
    request_id = _prepare(world, 10)
    folder, key = RequestFolder(world.home.vault, request_id), world.home.identity.signing_key
    created_at = folder.request(key).payload.created_at
    assert kept_until(folder, key) == created_at + 10 * DAY
    world.now += DAY
    admitted_later = world.terms
    world.terms = lambda submission, **changes: admitted_later(  # type: ignore[method-assign]
        submission, **(changes | {"not_before_at": NOW + DAY, "expires_at": NOW + 2 * DAY})
    )
    world.requester().file(request_id)
    assert kept_until(folder, key) == NOW + DAY + 10 * DAY


def test_a_program_killed_while_it_erases_goes_on_next_time(
    world: RequesterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    request_id = _prepare(world, 1)
    world.requester().run(request_id)
    folder = RequestFolder(world.home.vault, request_id)
    honest = Vault.erase

    def killed(vault: Vault, name: str) -> None:
        if name.endswith("/tokens"):
            raise KeyboardInterrupt
        honest(vault, name)

    with monkeypatch.context() as patched:
        patched.setattr(Vault, "erase", killed)
        with pytest.raises(KeyboardInterrupt):
            forget_due(world.home, NOW + DAY)
    assert folder.state == "forgotten"
    assert folder.tokens() is not None
    assert forget_due(world.home, NOW + DAY) == ()
    assert folder.tokens() is None


def test_a_request_cut_short_before_it_was_signed_is_erased_after_a_day(
    world: RequesterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan is kept before the request: a program killed between the two leaves identifiers and blinds behind."""
    whole = _prepare(world, 30)
    plan = RequestFolder(world.home.vault, whole).plan()

    def killed(self: Vault, name: str, text: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Vault, "write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        RequestFolder(world.home.vault, CUT).keep_prepared(plan, "never written", NOW)
    monkeypatch.undo()
    folder = f"requests/{CUT.hex()}"
    assert world.home.vault.names(folder) == ("begun.json", "plan")
    assert forget_due(world.home, NOW + DAY) == ()
    assert forget_due(world.home, NOW + DAY + 1) == (CUT,)
    assert world.home.vault.names(folder) == ()
    assert forget_due(world.home, NOW + DAY + 2) == ()
    assert RequestFolder(world.home.vault, whole).plan()
