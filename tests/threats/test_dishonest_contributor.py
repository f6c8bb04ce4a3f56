"""A contributor that deals false shares, takes another's keys, or sends other batches than it declared.

It runs the real client with one function of it telling an untruth; what it sends is stopped by holders and broker.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broker.protocol import documents, group, shares
from broker.protocol.documents import public_bytes
from broker.protocol.errors import BadInput, Conflict, NarrowgateError, Unavailable, VerificationFailed
from broker.protocol.messages.base import Message, read
from broker.protocol.messages.deposits import DepositState, record_bytes
from broker.protocol.messages.envelopes import DocumentMessage, Nothing
from broker.protocol.messages.log import ReceiptMessage
from broker.protocol.messages.series import SeriesManifest, ShareDelivery, Withdrawal
from broker.protocol.messages.vocabulary import Collection, Consent, Subject
from broker.protocol.shares import Dealing, Share
from clients.depositing import masked_records
from clients.depositing.deposit_folder import DepositFolder, all_deposits
from clients.remote import RefusedByGate
from clients.transport import RemoteConflict, Unreachable
from tests.world import BROKER, HOLDERS, Call, World, phone

Deal = Callable[[Dealing], Dealing]


@pytest.fixture(scope="module")
def world(build: Callable[[Path], World], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world of this module's own: its tests deposit."""
    made = build(tmp_path_factory.mktemp("world"))
    yield made
    made.close()


def deal_falsely(monkeypatch: pytest.MonkeyPatch, change: Deal) -> None:
    """The contributor's program deals this instead of what it should."""
    honest = shares.split
    monkeypatch.setattr(shares, "split", lambda *arguments: change(honest(*arguments)))


def _constant(dealt: Dealing) -> Dealing:
    """A polynomial of degree 0: every holder's share is the key itself."""
    secret = shares.combine(dealt.shares[:2], 2)
    flat = tuple(Share(each.x, secret) for each in dealt.shares)
    return Dealing((dealt.commitments[0], group.IDENTITY), flat)


def _too_long(dealt: Dealing) -> Dealing:
    return Dealing((*dealt.commitments, dealt.commitments[0]), dealt.shares)


def _one_share_off(dealt: Dealing) -> Dealing:
    off = Share(3, group.scalar_add(dealt.shares[2].value, group.scalar_from_int(1)))
    return replace(dealt, shares=(*dealt.shares[:2], off))


def _crossed(dealt: Dealing) -> Dealing:
    one, two, three = dealt.shares
    return replace(dealt, shares=(Share(1, two.value), Share(2, one.value), three))


def _other_commitments(dealt: Dealing) -> Dealing:
    return replace(dealt, commitments=(dealt.commitments[1], dealt.commitments[0]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_constant, "identity"),
        (_too_long, "exactly as many commitments"),
        (_one_share_off, "does not fit"),
        (_crossed, "does not fit"),
        (_other_commitments, "does not fit"),
    ],
    ids=[
        "polynomial too short",
        "polynomial too long",
        "one share off",
        "shares crossed",
        "commitments crossed",
    ],
)
def test_shares_that_do_not_fit_open_no_series(
    world: World, monkeypatch: pytest.MonkeyPatch, change: Deal, words: str
) -> None:
    agreed, kinds = world.conditions("company-1", inclusion_criterion=words), world.log_kinds()
    with monkeypatch.context() as lying:
        deal_falsely(lying, change)
        with pytest.raises(VerificationFailed, match=words):
            world.contributor("company-1").open_series(world.space, "phone", agreed)
    assert world.log_kinds() == kinds
    honest = world.conditions("company-1", inclusion_criterion=f"{words}, honestly")
    assert world.contributor("company-1").open_series(world.space, "phone", honest)
    assert world.log_kinds() == [*kinds, "SERIES_OPENED"]


def test_keys_that_serve_one_series_are_not_accepted_under_another_manifest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A contributor deals one key twice, the second time under other conditions."""
    kept: list[Dealing] = []

    def remember(dealt: Dealing) -> Dealing:
        kept.append(dealt)
        return dealt

    first = world.conditions("company-2", inclusion_criterion="The first file")
    with monkeypatch.context() as recording:
        deal_falsely(recording, remember)
        world.contributor("company-2").open_series(world.space, "phone", first)
    kinds, again = world.log_kinds(), iter(kept)
    softer = world.conditions("company-2", inclusion_criterion="The first file", confidence_percent=100)
    with monkeypatch.context() as lying:
        deal_falsely(lying, lambda _: next(again))
        with pytest.raises(RemoteConflict, match="used before"):
            world.contributor("company-2").open_series(world.space, "phone", softer)
    assert world.log_kinds() == kinds


def test_shares_overheard_on_their_way_are_of_no_use_under_another_manifest(world: World) -> None:
    """company-2 takes company-1's public commitments and wrapped shares before the holders have them."""
    overheard: dict[int, ShareDelivery] = {}

    def keep_from(x: int) -> Callable[[Call], Call]:
        def keep(call: Call) -> Call:
            overheard[x] = read(ShareDelivery, call.body)
            raise Unreachable("The call was held up on its way.")

        return keep

    agreed = world.conditions("company-1", inclusion_criterion="A file that is overheard")
    with contextlib.ExitStack() as stack:
        for x in HOLDERS:
            stack.enter_context(world.tamper(HOLDERS[x], "/v1/series", call=keep_from(x)))
        with pytest.raises(Unavailable):
            world.contributor("company-1").open_series(world.space, "phone", agreed)
    assert set(overheard) == set(HOLDERS)
    thief = world.homes["company-2"]
    owner = public_bytes(world.homes["company-1"].signing_key)
    for x, delivery in overheard.items():
        manifest = documents.verify(SeriesManifest, delivery.manifest, owner).payload
        copied = manifest.model_copy(
            update={"contributor": "company-2", "conditions": world.conditions("company-2")}
        )
        forged = delivery.model_copy(update={"manifest": documents.sign(copied, thief.signing_key).document})
        with pytest.raises(VerificationFailed):
            world.caller("company-2").post(f"{HOLDERS[x]}/v1/series", forged, DocumentMessage)
        with pytest.raises(VerificationFailed, match="may not sign"):
            world.caller("company-2").post(f"{HOLDERS[x]}/v1/series", delivery, DocumentMessage)
    assert world.contributor("company-1").open_series(world.space, "phone", agreed)


def test_nobody_withdraws_anothers_series(world: World) -> None:
    (deposit,) = world.deposit("company-1", [800], inclusion_criterion="A file that others would like gone")
    statement = Withdrawal(series_id=deposit.series_id, reason="Not mine", withdrawn_at=world.now)
    path = f"/v1/series/{deposit.series_id.hex()}"
    for name in ("company-2", "unit-1"):
        for signer in (name, "company-1"):
            document = documents.sign(statement, world.homes[name].signing_key).document
            body, kinds = DocumentMessage(document=document), world.log_kinds()
            for url in (f"{BROKER}{path}/withdraw", *(f"{HOLDERS[x]}{path}/destroy" for x in HOLDERS)):
                with pytest.raises(NarrowgateError):
                    world.caller(signer).post(url, body, Message)
            assert world.log_kinds() == kinds
    assert world.ask([phone(800)]).hits == (phone(800),)
    assert world.contributor("company-1").withdraw(deposit.series_id, "Ours").complete
    assert world.ask([phone(800)]).hits == ()


# --- batches ---


def stopped_before_batches(world: World, phones: range, criterion: str) -> tuple[DepositFolder, list[bytes]]:
    """A deposit that is masked and declared, and the batches that its contributor has yet to send."""

    def stop(call: Call) -> Call:
        if "/batches/" in call.path:
            raise Unreachable("The line was cut.")
        return call

    with world.tamper(BROKER, "/v1/deposits", call=stop), pytest.raises(Unreachable):
        world.deposit("company-1", phones, inclusion_criterion=criterion)
    home = world.homes["company-1"]
    (deposit,) = [each for each in all_deposits(home) if each.entry.stage == "masked"]
    return deposit, list(masked_records.remaining(home.vault, deposit.masked))


def send(world: World, deposit: DepositFolder, number: int, data: bytes) -> DepositState:
    """Send bytes as a batch of that number."""
    url = f"{BROKER}/v1/deposits/{deposit.deposit_id.hex()}/batches/{number}"
    return world.caller("company-1").post(url, data, DepositState)


def complete(world: World, deposit: DepositFolder) -> None:
    """Say that all batches are sent."""
    url = f"{BROKER}/v1/deposits/{deposit.deposit_id.hex()}/complete"
    world.caller("company-1").post(url, Nothing(), ReceiptMessage)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four records a batch."""
    monkeypatch.setattr(masked_records, "BATCH_BYTES", 4 * record_bytes(512))


@pytest.mark.usefixtures("small_batches")
def test_batches_out_of_order_repeated_or_cut_short_change_nothing(world: World) -> None:
    deposit, batches = stopped_before_batches(world, range(810, 821), "Batches in disorder")
    first, second, third = batches
    assert len(first) == 4 * record_bytes(512)
    false: list[tuple[int, bytes, type[NarrowgateError]]] = [
        (1, second, Conflict),
        (0, first[:-1], BadInput),
        (0, b"", BadInput),
        (0, first[record_bytes(512) :] + first[: record_bytes(512)], BadInput),
        (0, first + first, BadInput),
    ]
    for number, data, problem in false:
        with pytest.raises(problem):
            send(world, deposit, number, data)
    assert send(world, deposit, 0, first).records_stored == 4
    later: list[tuple[int, bytes, type[NarrowgateError]]] = [
        (0, second, Conflict),
        (1, first, BadInput),
        (2, third, Conflict),
        (1, second + third + third, BadInput),
    ]
    for number, data, problem in later:
        with pytest.raises(problem):
            send(world, deposit, number, data)
    with pytest.raises(Conflict, match="missing"):
        complete(world, deposit)
    assert send(world, deposit, 0, first).records_stored == 4
    assert world.ask([phone(815)]).hits == ()
    assert world.contributor("company-1").resume(deposit.deposit_id).identifiers == 11
    assert world.ask([phone(815)]).hits == (phone(815),)


@pytest.mark.usefixtures("small_batches")
def test_records_other_than_those_declared_never_serve(world: World) -> None:
    deposit, batches = stopped_before_batches(world, range(830, 841), "Records put in place of others")
    flipped = batches[1][:-1] + bytes([batches[1][-1] ^ 1])
    for number, data in enumerate((batches[0], flipped, batches[2])):
        send(world, deposit, number, data)
    for _ in range(2):
        with pytest.raises(VerificationFailed, match="declared root"):
            complete(world, deposit)
    with pytest.raises(NarrowgateError):
        world.contributor("company-1").resume(deposit.deposit_id)
    assert world.ask([phone(number) for number in range(830, 841)]).hits == ()


@pytest.mark.parametrize(
    ("name", "changes", "rule"),
    [
        ("company-1", {"reviewed_by_person": False}, "D2"),
        ("company-2", {"lawful_ground": "legitimate_interests"}, "D1"),
        ("ngo-1", {"subject": Subject.VICTIM, "consent": Consent.WITHDRAWN}, "D5"),
        ("ngo-1", {"collection": Collection.INVESTIGATION}, "L18"),
    ],
)
def test_a_deposit_against_the_rules_is_refused_before_a_record_is_sent(
    world: World, name: str, changes: dict[str, Any], rule: str
) -> None:
    batches = len([each for each in world.wire.seen(BROKER) if "/batches/" in each.call.path])
    with pytest.raises(RefusedByGate) as refused:
        world.deposit(name, [850], **changes)
    assert rule in refused.value.rules
    assert len([each for each in world.wire.seen(BROKER) if "/batches/" in each.call.path]) == batches
    assert world.log_kinds()[-1] == "DEPOSIT_REFUSED"
