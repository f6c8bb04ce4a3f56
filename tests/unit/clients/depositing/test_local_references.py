"""A contributor's own names of its records: found by token, sealed at rest, and gone with what they name."""

import itertools
import os
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.parties import Space
from broker.store import deposits as broker_rows
from clients.deposit_changes.taking_back import TakingBack
from clients.depositing import local_references
from clients.depositing.deposit_folder import DepositFolder
from clients.depositing.local_references import references_name
from clients.vault import Vault, create_vault
from tests.contributor_case import CONDITIONS, ContributorCase

ROWS = [(f"phone/1|+4477009001{number:02d}", b'{"signals":[]}') for number in range(5)]
CALLED = {text: f"case {number}" for number, (text, _) in enumerate(ROWS)}
DEPOSIT = bytes(32)


@pytest.fixture
def deposit(case: ContributorCase, space: Space) -> DepositFolder:
    """Five identifiers that serve."""
    contributor = case.contributor()
    series_id = contributor.open_series(space, "phone", CONDITIONS)
    result = contributor.deposit(series_id, ROWS, references=CALLED)
    return DepositFolder(case.company, result.deposit_id)


def _tokens(case: ContributorCase, deposit: DepositFolder) -> list[bytes]:
    """The tokens at the broker, but for the self-test's."""
    with case.broker.database.read() as connection:
        stored = broker_rows.find(connection, deposit.deposit_id)
        assert stored is not None
        held = [each.token for each in broker_rows.all_records(connection, stored.deposit_number)]
    return [token for token in held if token != deposit.declaration.payload.self_test_token]


def test_each_record_at_the_broker_is_named_in_the_home(
    case: ContributorCase, deposit: DepositFolder
) -> None:
    found = {local_references.find(deposit, token) for token in _tokens(case, deposit)}
    assert found == set(CALLED.values())
    assert local_references.find(deposit, deposit.declaration.payload.self_test_token) is None
    assert local_references.find(deposit, b"\xff" * 16) is None


def test_no_reference_can_be_read_from_the_disk(case: ContributorCase, deposit: DepositFolder) -> None:
    on_disk = b"".join(path.read_bytes() for path in case.folder.rglob("*") if path.is_file())
    assert not any(text.encode() in on_disk for text in CALLED.values())


def test_they_outlive_the_keys_and_go_with_the_deposit(case: ContributorCase, deposit: DepositFolder) -> None:
    token = _tokens(case, deposit)[0]
    case.contributor().close(deposit.declaration.payload.series_id)
    assert local_references.find(deposit, token) in CALLED.values()
    acts = TakingBack(case.company, case.caller(case.company), case.clock, os.urandom)
    acts.withdraw_deposit(deposit.deposit_id, "By mistake")
    assert local_references.find(deposit, token) is None
    assert not case.company.vault.exists(references_name(deposit.deposit_id))


def test_a_record_taken_back_is_named_no_more(
    case: ContributorCase, space: Space, deposit: DepositFolder
) -> None:
    before = set(_tokens(case, deposit))
    acts = TakingBack(case.company, case.caller(case.company), case.clock, os.urandom)
    acts.withdraw_identifiers(space, {"phone": [ROWS[2][0]]}, "By mistake")
    (gone,) = before - set(_tokens(case, deposit))
    assert local_references.find(deposit, gone) is None
    left = {local_references.find(deposit, token) for token in before - {gone}}
    assert left == set(CALLED.values()) - {"case 2"}
    assert gone not in case.company.vault.read(references_name(deposit.deposit_id))


def test_a_deposit_without_references_has_none(case: ContributorCase, space: Space) -> None:
    contributor = case.contributor()
    series_id = contributor.open_series(space, "phone", CONDITIONS)
    made = DepositFolder(case.company, contributor.deposit(series_id, ROWS).deposit_id)
    assert local_references.find(made, _tokens(case, made)[0]) is None


# --- the file ---


class _Folder:
    """What `find` asks of a deposit's folder."""

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self.deposit_id = DEPOSIT


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return create_vault(tmp_path / "home", os.urandom)


def _keep(vault: Vault, references: Iterable[tuple[bytes, str]]) -> None:
    ordered = sorted(references)
    width = local_references.width_for(
        max((local_references.needed_bytes(text) for _, text in ordered), default=0)
    )
    rows = (local_references.sealed_rows(vault, DEPOSIT, token, text, width) for token, text in ordered)
    local_references.write(vault, DEPOSIT, width, itertools.chain.from_iterable(rows))


def _sealed_rows(vault: Vault) -> list[tuple[bytes, bytes]]:
    """(token, the rest) of each row of the file, as it lies on the disk."""
    data = vault.read(references_name(DEPOSIT))
    size = local_references.row_bytes(int.from_bytes(data[:2], "big"))
    return [(data[at : at + 16], data[at + 16 : at + size]) for at in range(2, len(data), size)]


def _find(vault: Vault, token: bytes) -> str | None:
    return local_references.find(_Folder(vault), token)  # type: ignore[arg-type]  # the two things it asks for


@given(st.dictionaries(st.binary(min_size=16, max_size=16), st.text(max_size=120), max_size=30), st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_kept_is_found_and_changed_row_by_row(
    vault: Vault, kept: dict[bytes, str], data: st.DataObject
) -> None:
    kept = {token: text.encode("utf-8", "replace").decode() for token, text in kept.items()}
    _keep(vault, kept.items())
    assert {token: _find(vault, token) for token in kept} == kept
    gone = set(data.draw(st.lists(st.sampled_from(sorted(kept)), max_size=5))) if kept else set()
    new = {token: data.draw(st.text("abc", max_size=300)) for token in sorted(set(kept) - gone)[:3]}
    for _ in range(2):
        local_references.change(vault, DEPOSIT, gone=gone, new=new)
        expected = {token: text for token, text in (kept | new).items() if token not in gone}
        assert {token: _find(vault, token) for token in kept} == dict.fromkeys(kept) | expected


def test_a_reference_of_each_of_many_callers_is_kept_and_none_is_cut(vault: Vault) -> None:
    callers = [f"H-2026-{number:03d}" for number in range(500)]
    kept = {bytes([number]) * 16: f"case {number}" for number in (1, 2, 4, 5)}
    many = bytes([3]) * 16
    _keep(vault, [*kept.items(), (many, "; ".join(callers))])
    assert local_references.parts(_find(vault, many) or "") == set(callers)
    folder = _Folder(vault)
    everything = dict(local_references.all_references(folder))  # type: ignore[arg-type]  # as in _find
    assert everything == kept | {many: everything[many]}
    assert local_references.parts(everything[many]) == set(callers)
    assert {token: _find(vault, token) for token in kept} == kept
    # They change and go as one.
    local_references.change(vault, DEPOSIT, new={many: "; ".join(callers[:400])})
    assert local_references.parts(_find(vault, many) or "") == set(callers[:400])
    local_references.change(vault, DEPOSIT, new={many: "H-1"}, gone=[bytes([1]) * 16])
    assert [token for token, _ in _sealed_rows(vault)] == [bytes([n]) * 16 for n in (2, 3, 4, 5)]
    local_references.change(vault, DEPOSIT, gone=[many])
    assert _find(vault, many) is None


def test_the_longest_reference_a_case_may_have_is_kept_in_any_script(vault: Vault) -> None:
    long = ["\N{AEGEAN WORD SEPARATOR LINE}" * 199 + end for end in "ab"]
    _keep(vault, [(bytes(16), "; ".join(long)), (bytes([1]) * 16, "H-1")])
    assert local_references.parts(_find(vault, bytes(16)) or "") == set(long)
    local_references.change(vault, DEPOSIT, new={bytes([1]) * 16: "; ".join([*long, "H-2"])})
    assert local_references.parts(_find(vault, bytes([1]) * 16) or "") == {*long, "H-2"}
    assert local_references.parts(_find(vault, bytes(16)) or "") == set(long)


def test_a_reference_too_long_is_cut_between_characters(vault: Vault) -> None:
    _keep(vault, [(bytes(16), "\N{EURO SIGN}" * 1000)])
    found = _find(vault, bytes(16))
    assert found is not None
    assert found.endswith("\N{EURO SIGN}...")
    assert len(found.encode()) <= local_references.MAXIMUM_BYTES


def test_a_row_put_in_the_place_of_another_or_a_file_cut_short_is_found_out(vault: Vault) -> None:
    tokens = [bytes([number]) * 16 for number in (1, 2)]
    _keep(vault, zip(tokens, ("one", "two"), strict=True))
    path = vault.path(references_name(DEPOSIT))
    data = path.read_bytes()
    size = (len(data) - 2) // 2
    swapped = (
        data[:2] + data[2:18] + data[2 + size + 16 :] + data[2 + size : 2 + size + 16] + data[18 : 2 + size]
    )
    path.write_bytes(swapped)
    with pytest.raises(VerificationFailed):
        _find(vault, tokens[0])
    path.write_bytes(data[:-1])
    with pytest.raises(VerificationFailed):
        _find(vault, tokens[0])


def test_one_of_many_is_found_in_little_memory(vault: Vault) -> None:
    number = 20_000
    _keep(
        vault,
        ((at.to_bytes(16, "big"), f"case {at}") for at in itertools.islice(itertools.count(), number)),
    )
    assert vault.path(references_name(DEPOSIT)).stat().st_size == 2 + number * (16 + 28 + 32)
    tracemalloc.start()
    assert _find(vault, (number - 1).to_bytes(16, "big")) == f"case {number - 1}"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000
