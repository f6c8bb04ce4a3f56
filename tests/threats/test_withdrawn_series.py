"""A series taken back: its bytes are in no file of broker or holders, and what is left of its keys is useless."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.protocol import oprf, quorum, tokens
from broker.protocol.errors import BadInput, NarrowgateError
from broker.store import deposits as rows
from broker.store.tables import matches
from clients.depositing.series_folder import SeriesFolder
from clients.keyholder.store import series as held
from tests.threats.conftest import Build
from tests.world import HOLDERS, World, phone

pytestmark = pytest.mark.all_only


@pytest.fixture
def world(build: Build, tmp_path: Path) -> Iterator[World]:
    made = build(tmp_path)
    yield made
    made.close()


def files(folder: Path, pattern: str) -> bytes:
    """The bytes of all files of that pattern, with their write-ahead logs."""
    return b"".join(path.read_bytes() for path in folder.glob(pattern) if path.is_file())


def matched_rows(world: World, deposit_number: int) -> list[re.Pattern[bytes]]:
    """How each kept match of a deposit stands in a file of SQLite: permit, number in at most two bytes, token."""
    with world.broker.database.read() as connection:
        rows = connection.execute(matches.select().where(matches.c.deposit_number == deposit_number)).all()
    return [
        re.compile(re.escape(row.permit_id) + b".{0,2}" + re.escape(row.token), re.DOTALL) for row in rows
    ]


@pytest.mark.sqlite_only
def test_records_and_what_matched_them_are_gone_from_the_brokers_bytes(world: World) -> None:
    (deposit,) = world.deposit("company-1", [700, 701], inclusion_criterion="A file with a mistake")
    assert set(world.ask([phone(700), phone(701)]).hits) == {phone(700), phone(701)}
    with world.broker.database.read() as connection:
        stored = rows.find(connection, deposit.deposit_id)
        assert stored is not None
        records = list(rows.all_records(connection, stored.deposit_number))
    matched = matched_rows(world, stored.deposit_number)
    before = files(world.folder, "broker.sqlite3*")
    assert (len(records), len(matched)) == (3, 2)
    assert all(each.sealed in before for each in records)
    assert all(each.search(before) for each in matched)
    assert world.contributor("company-1").withdraw(deposit.series_id, "A mistake").complete
    after = files(world.folder, "broker.sqlite3*")
    assert not any(each.sealed in after for each in records)
    assert not any(each.search(after) for each in matched)
    assert matched_rows(world, stored.deposit_number) == []


def test_shares_are_gone_from_every_holders_bytes_and_k_from_the_home(world: World) -> None:
    (deposit,) = world.deposit("company-1", [700], inclusion_criterion="A file with a mistake")
    sealed: dict[int, bytes] = {}
    for x, holder in world.holders.items():
        with holder.database.read() as connection:
            found = held.sealed_shares(connection, deposit.series_id)
        assert found is not None
        sealed[x] = found
    keys = (world.folder / "company-1" / "series" / deposit.series_id.hex() / "keys").read_bytes()
    assert all(sealed[x] in files(world.folder / f"holder-{x}", "keyholder.sqlite*") for x in HOLDERS)
    assert world.contributor("company-1").withdraw(deposit.series_id, "A mistake").complete
    for x in HOLDERS:
        assert sealed[x] not in files(world.folder / f"holder-{x}", "**/*")
    assert keys not in files(world.folder / "company-1", "**/*")


def test_a_withdrawal_is_complete_when_all_but_t_minus_one_holders_signed_and_then_nobody_evaluates(
    world: World,
) -> None:
    (deposit,) = world.deposit("company-1", [700], inclusion_criterion="A file with a mistake")
    prepared = world.prepare([phone(700)])
    requester = world.requester()
    requester.file(prepared.request_id, [world.finding(prepared)])
    world.take_down(HOLDERS[3])
    result = world.contributor("company-1").withdraw(deposit.series_id, "A mistake")
    assert (result.destruction_receipts, result.needed, result.complete) == (2, 2, True)
    assert world.log_kinds()[-1] == "SERIES_DESTROYED"
    world.bring_up()
    # The permit from before names the series, and holder 3 still has its share: two of three refuse all the same.
    with pytest.raises(NarrowgateError):
        requester.evaluate(prepared.request_id)
    for pair in ((1, 2), (1, 3), (2, 3)):
        with pytest.raises(NarrowgateError):
            requester.evaluate(prepared.request_id, pair)


def test_the_share_that_is_left_gives_none_of_the_series_tokens(world: World) -> None:
    (deposit,) = world.deposit("company-1", [700], inclusion_criterion="A file with a mistake")
    series = SeriesFolder(world.homes["company-1"], deposit.series_id)
    manifest, k_match = series.manifest.payload, series.keys().k_match
    h = tokens.salted_hash(world.homes["unit-1"].salt(world.space), phone(700))
    expected = tokens.mask(k_match, None, h).y_match
    with world.holders[3].database.read() as connection:
        sealed = held.sealed_shares(connection, deposit.series_id)
    assert sealed is not None
    pair = world.holders[3].keys.storage_key.open_shares(sealed, deposit.series_id, "holder-3", 3)
    element = oprf.hash_input(h)
    (answer,) = quorum.evaluate_share(
        pair.match, manifest.commitments_match, (2, 3), (element,), world.random("holder-3")
    )
    with pytest.raises(BadInput):
        quorum.combine({3: answer.elements}, (2, 3))
    # Whatever it stands in with for the share that is gone, it gets another output.
    for stand_in in (answer.elements, (element,)):
        combined = quorum.combine({2: stand_in, 3: answer.elements}, (2, 3))[0]
        assert oprf.output(h, combined) != expected
