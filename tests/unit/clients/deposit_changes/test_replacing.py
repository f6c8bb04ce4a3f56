"""A contributor replaces the content of its records at a real broker: what opens then, and what a crash leaves."""

import json
import os
from collections.abc import Sequence

import pytest

from broker import roots
from broker.protocol import sealing, tokens
from broker.protocol.errors import Conflict, NotFound
from broker.protocol.messages.deposits import Record
from broker.protocol.messages.parties import Space
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import PayloadCategory
from broker.store import deposits as broker_rows
from clients.deposit_changes import replacing
from clients.deposit_changes.replacing import NewContent, Replaced, Replacement, Replacing, Result
from clients.deposit_changes.taking_back import TakingBack
from clients.depositing import local_references
from clients.depositing.deposit_folder import DepositFolder
from clients.depositing.series_folder import SeriesFolder
from clients.requester_checks.released_roots import verify_released, verify_root
from tests.contributor_case import CONDITIONS, ContributorCase, Killed

pytestmark = pytest.mark.all_only

WITH_PAYLOAD = CONDITIONS.model_copy(update={"payload_category": PayloadCategory.OWN_REPORT})
ROWS = [(f"phone/1|+4477009001{number:02d}", b'{"old":%d}' % number) for number in range(5)]
TEXTS = [text for text, _ in ROWS]
CALLED = {text: f"case {number}" for number, text in enumerate(TEXTS)}


@pytest.fixture
def series_id(case: ContributorCase, space: Space) -> bytes:
    return case.contributor().open_series(space, "phone", WITH_PAYLOAD)


@pytest.fixture
def deposit_id(case: ContributorCase, series_id: bytes) -> bytes:
    """Five identifiers with payload that serve."""
    return case.contributor().deposit(series_id, ROWS, references=CALLED).deposit_id


def _given(rows: Sequence[tuple[str, bytes]], called: dict[str, str] | None = None) -> Replacement:
    def records(_: Conditions) -> Sequence[NewContent]:
        return [NewContent(text, content, (called or {}).get(text)) for text, content in rows]

    return Replacement("phone", records)


def _replace(
    case: ContributorCase,
    space: Space,
    rows: Sequence[tuple[str, bytes]],
    called: dict[str, str] | None = None,
) -> Result:
    acts = Replacing(case.company, case.caller(case.company), case.clock, os.urandom)
    return acts.replace(space, _given(rows, called), "The report was corrected")


def _records(case: ContributorCase, deposit_id: bytes) -> dict[bytes, Record]:
    with case.broker.database.read() as connection:
        stored = broker_rows.find(connection, deposit_id)
        assert stored is not None
        return {each.token: each for each in broker_rows.all_records(connection, stored.deposit_number)}


def _opened(case: ContributorCase, deposit_id: bytes, text: str) -> tuple[Record, bytes]:
    """What lies at the broker of one identifier, and its content."""
    declared = DepositFolder(case.company, deposit_id).declaration.payload
    series = SeriesFolder(case.company, declared.series_id)
    space = case.company.space(declared.space_id).payload
    h = tokens.salted_hash(case.company.salt(space), text)
    outputs = tokens.mask(series.keys().k_match, series.keys().k_open, h)
    named = (declared.series_id, declared.space_id, declared.deposit_id)
    record = _records(case, deposit_id)[tokens.derive(outputs.y_match, *named)]
    plaintext = sealing.open_sealed(
        tokens.seal_key(outputs.y_match, outputs.y_open, *named),
        record.sealed,
        space_id=declared.space_id,
        deposit_id=declared.deposit_id,
        token=record.token,
        record_version=record.record_version,
        size_class=declared.size_class,
    )
    return record, plaintext


def _kinds(case: ContributorCase) -> list[str]:
    with case.broker.database.read() as connection:
        page = case.broker.audit.leaf_page(connection, 0, 1000)
    return [str(json.loads(leaf)["kind"]) for leaf in page.leaves]


def test_new_content_opens_under_the_same_token_and_the_old_bytes_are_gone(
    case: ContributorCase, space: Space, deposit_id: bytes
) -> None:
    old, _ = _opened(case, deposit_id, TEXTS[1])
    result = _replace(case, space, [(TEXTS[1], b'{"new":1}'), ("phone/1|+447700900999", b"{}")])
    series_id = DepositFolder(case.company, deposit_id).declaration.payload.series_id
    assert result == Result((Replaced(deposit_id, series_id, 1, False),), (), (), 1)
    new, plaintext = _opened(case, deposit_id, TEXTS[1])
    assert (new.token, new.record_version, plaintext) == (old.token, 2, b'{"new":1}')
    assert _opened(case, deposit_id, TEXTS[0])[1] == ROWS[0][1]
    on_disk = b"".join(path.read_bytes() for path in case.folder.rglob("*") if path.is_file())
    assert old.sealed not in on_disk


def test_what_is_released_after_several_changes_verifies_under_the_newest_root(
    case: ContributorCase, space: Space, deposit_id: bytes
) -> None:
    _replace(case, space, [(TEXTS[0], b'{"new":1}'), (TEXTS[1], b'{"new":1}')])
    TakingBack(case.company, case.caller(case.company), case.clock, os.urandom).withdraw_identifiers(
        space, {"phone": [TEXTS[2]]}, "By mistake"
    )
    _replace(case, space, [(TEXTS[0], b'{"new":2}')])
    assert _kinds(case)[-3:] == ["RECORDS_REPLACED", "RECORDS_WITHDRAWN", "RECORDS_REPLACED"]
    with case.broker.database.read() as connection:
        stored = broker_rows.find(connection, deposit_id)
        assert stored is not None
        signed = roots.signed_root(connection, stored)
        held = _records(case, deposit_id)
        proofs = roots.inclusions(connection, stored, tuple(held))
    root = verify_root(signed.declaration, signed.change, case.company.identity.signing_key)
    assert (root.number, root.records) == (3, 5)
    for token, record in held.items():
        verify_released(record, proofs[token], root)
    assert sorted(each.record_version for each in held.values()) == [1, 1, 1, 2, 3]


def test_the_same_input_again_changes_nothing(case: ContributorCase, space: Space, deposit_id: bytes) -> None:
    rows = [(TEXTS[1], b'{"new":1}')]
    _replace(case, space, rows)
    calls = len(case.wire.calls)
    (again,) = _replace(case, space, rows).replaced
    assert (again.records, again.repeated, len(case.wire.calls)) == (1, True, calls)
    (other,) = _replace(case, space, [(TEXTS[1], b'{"new":2}')]).replaced
    assert not other.repeated


def test_more_than_one_statement_holds_goes_in_several(
    case: ContributorCase, space: Space, deposit_id: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacing, "MAXIMUM_WITHDRAWN", 2)
    (done,) = _replace(case, space, [(text, b'{"new":1}') for text in TEXTS]).replaced
    assert done.records == 5
    assert _kinds(case).count("RECORDS_REPLACED") == 3
    assert all(_opened(case, deposit_id, text)[1] == b'{"new":1}' for text in TEXTS)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_killed_at_its_call_goes_on_with_the_same_statement(
    case: ContributorCase, space: Space, deposit_id: bytes, moment: str
) -> None:
    def kill(number: int, now: str) -> None:
        if now == moment and case.wire.calls[number].endswith("/replace-records"):
            raise Killed

    case.wire.cut = kill
    with pytest.raises(Killed):
        _replace(case, space, [(TEXTS[0], b'{"new":1}')], {TEXTS[0]: "case 0 corrected"})
    case.wire.cut = None
    # Any later change finishes it first, whatever kind it is.
    TakingBack(case.company, case.caller(case.company), case.clock, os.urandom).withdraw_identifiers(
        space, {"phone": [TEXTS[4]]}, "By mistake"
    )
    assert _kinds(case)[-2:] == ["RECORDS_REPLACED", "RECORDS_WITHDRAWN"]
    record, plaintext = _opened(case, deposit_id, TEXTS[0])
    assert (record.record_version, plaintext) == (2, b'{"new":1}')
    folder = DepositFolder(case.company, deposit_id)
    assert (folder.last_change()[0], folder.pending()) == (2, None)
    assert local_references.find(folder, record.token) == "case 0 corrected"


def test_local_references_follow(case: ContributorCase, space: Space, deposit_id: bytes) -> None:
    _replace(
        case, space, [(TEXTS[1], b'{"new":1}')], {TEXTS[1]: "another case, whose name is longer than others"}
    )
    folder = DepositFolder(case.company, deposit_id)
    called = {text: local_references.find(folder, _opened(case, deposit_id, text)[0].token) for text in TEXTS}
    assert called == CALLED | {TEXTS[1]: "another case, whose name is longer than others"}


def test_no_identifier_no_content_and_no_token_stays_in_the_open(
    case: ContributorCase, space: Space, deposit_id: bytes
) -> None:
    _replace(
        case, space, [(TEXTS[1], b'{"corrected":"a canary of content"}')], {TEXTS[1]: "a canary of a name"}
    )
    on_disk = b"".join(path.read_bytes() for path in case.folder.rglob("*") if path.is_file())
    for secret in (b"+44770090010", b"canary of content", b"canary of a name"):
        assert secret not in on_disk


def test_closed_series_and_deposits_without_payload_are_named(
    case: ContributorCase, space: Space, series_id: bytes, deposit_id: bytes
) -> None:
    contributor = case.contributor()
    bare = contributor.deposit(contributor.open_series(space, "phone", CONDITIONS), ROWS).deposit_id
    contributor.close(series_id)
    result = _replace(case, space, [(TEXTS[0], b'{"new":1}')])
    assert result == Result((), (deposit_id,), (bare,), 1)
    assert "RECORDS_REPLACED" not in _kinds(case)
    with pytest.raises(NotFound):
        SeriesFolder(case.company, series_id).keys()


def test_nothing_given_changes_nothing_and_an_unfinished_deposit_is_said_so(
    case: ContributorCase, space: Space, series_id: bytes, deposit_id: bytes
) -> None:
    assert _replace(case, space, []) == Result((), (), (), 0)

    def kill(number: int, now: str) -> None:
        if "/batches/" in case.wire.calls[number]:
            raise Killed

    case.wire.cut = kill
    with pytest.raises(Killed):
        case.contributor().deposit(series_id, ROWS[:2])
    case.wire.cut = None
    with pytest.raises(Conflict, match="resume"):
        _replace(case, space, [(TEXTS[0], b'{"new":1}')])
