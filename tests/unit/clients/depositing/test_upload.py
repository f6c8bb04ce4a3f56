"""An upload over a line that is cut again and again: it goes on at the record where the broker stands."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.protocol.messages.deposits import record_bytes
from clients.depositing import masked_records, upload
from clients.transport import Unreachable
from tests.contributor_case import CONDITIONS, ContributorCase

ROWS = [(f"phone/1|+4477009{number:05d}", b'{"signals":[]}') for number in range(60)]


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ContributorCase]:
    monkeypatch.setattr(masked_records, "BATCH_BYTES", 16 * record_bytes(512))
    monkeypatch.setattr(upload, "_SMALLEST_BATCH_BYTES", record_bytes(512))
    made = ContributorCase(tmp_path)
    made.found()
    yield made
    made.close()


@pytest.mark.parametrize("seed", range(4))
def test_a_line_cut_at_random_on_the_way_there_or_back_brings_every_record_once(
    case: ContributorCase, seed: int
) -> None:
    series_id = case.contributor().open_series(case.company.space().payload, "phone", CONDITIONS)
    chance = random.Random(seed)

    def cut(number: int, moment: str) -> None:
        if "/batches/" in case.wire.calls[number] and chance.random() < 0.4:
            raise Unreachable("The service did not answer.")

    case.wire.cut = cut
    seen: list[tuple[int, int]] = []
    result = case.contributor().deposit(series_id, ROWS, lambda done, total: seen.append((done, total)))
    assert result.identifiers == 60
    sent = [done for done, total in seen if total == 61]
    assert sent == sorted(set(sent))
    assert sent[-1] == 61


def test_a_line_that_brings_nothing_at_all_is_given_up_and_the_deposit_kept(case: ContributorCase) -> None:
    series_id = case.contributor().open_series(case.company.space().payload, "phone", CONDITIONS)

    def cut(number: int, moment: str) -> None:
        if "/batches/" in case.wire.calls[number] and moment == "before":
            raise Unreachable("The service did not answer.")

    case.wire.cut = cut
    with pytest.raises(Unreachable):
        case.contributor().deposit(series_id, ROWS)
    case.wire.cut = None
    (broken_off,) = case.contributor().unfinished()
    assert case.contributor().deposit(series_id, ROWS).deposit_id == broken_off
