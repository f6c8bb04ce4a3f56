"""Masking in bulk: what a requester would find and open, in constant memory, the same however it is spread."""

import itertools
import random
from collections.abc import Iterator

import pytest

from broker.protocol import group, oprf, sealing, tokens
from broker.protocol.errors import BadInput
from broker.protocol.messages.deposits import decode_batch, encode_batch
from clients import masking
from clients.masking import MaskedRecord, MaskingKeys, mask_records, self_test_record

SALT, SERIES, SPACE, DEPOSIT = b"\x01" * 32, b"\x02" * 32, b"\x03" * 16, b"\x04" * 32
Signal = tuple[str, bytes]
KEYS = MaskingKeys(group.scalar_from_int(11**70), group.scalar_from_int(13**60))


def masked(
    some: Iterator[Signal] | list[Signal], *, with_payload: bool = True, threads: int = 1
) -> Iterator[MaskedRecord]:
    return mask_records(
        ((tokens.salted_hash(SALT, canonical), plaintext) for canonical, plaintext in some),
        KEYS,
        series_id=SERIES,
        space_id=SPACE,
        deposit_id=DEPOSIT,
        size_class=512,
        with_payload=with_payload,
        random_bytes=random.Random(1).randbytes,
        threads=threads,
    )


def numbers(count: int) -> list[Signal]:
    return [(f"phone/1|+447700{900_000 + i}", b"seen %d times" % i) for i in range(count)]


def opened(record: MaskedRecord, canonical: str, with_payload: bool) -> bytes:
    """What a requester that has both outputs of the holders gets."""
    h = tokens.salted_hash(SALT, canonical)
    y_match = oprf.evaluate(KEYS.k_match, h)
    y_open = oprf.evaluate(KEYS.k_open, h) if with_payload else b""
    assert record.token == tokens.derive(y_match, SERIES, SPACE, DEPOSIT)
    return sealing.open_sealed(
        tokens.seal_key(y_match, y_open, SERIES, SPACE, DEPOSIT),
        record.sealed,
        space_id=SPACE,
        deposit_id=DEPOSIT,
        token=record.token,
        record_version=record.record_version,
        size_class=512,
    )


@pytest.mark.parametrize("with_payload", [True, False])
def test_a_requester_finds_and_opens_what_was_masked(with_payload: bool) -> None:
    some = numbers(5)
    records = list(masked(some, with_payload=with_payload))
    assert [
        opened(record, canonical, with_payload) for record, (canonical, _) in zip(records, some, strict=True)
    ] == [plaintext for _, plaintext in some]


def test_records_come_in_order_and_the_same_whatever_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    some = numbers(10)
    tokens_of = [record.token for record in masked(some)]
    monkeypatch.setattr(masking, "_CHUNK_RECORDS", 3)
    assert [record.token for record in masked(iter(some))] == tokens_of


def test_two_processes_give_byte_for_byte_what_one_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_CHUNK_RECORDS", 4)
    monkeypatch.setattr(masking, "_CHUNKS_AT_ONCE", 1)
    some = numbers(22)
    alone = list(masked(some))
    assert list(masked(some, threads=2)) == alone
    assert len({record.sealed[:12] for record in alone}) == len(alone)  # no nonce twice


def test_signals_are_taken_as_they_are_needed_and_not_all_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_CHUNK_RECORDS", 4)
    monkeypatch.setattr(masking, "_CHUNKS_AT_ONCE", 1)
    for threads in (1, 2):
        taken = itertools.count()
        endless = ((f"phone/1|+447700{900_000 + next(taken)}", b"") for _ in itertools.repeat(None))
        records = masked(endless, threads=threads)
        assert len(list(itertools.islice(records, 4))) == 4
        records.close()  # type: ignore[attr-defined]  # an Iterator by its signature, a generator in fact
        assert next(taken) <= 4 * 2 * 2


@pytest.mark.parametrize("threads", [1, 2])
def test_a_record_too_long_is_named_by_its_number_and_not_by_its_content(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masking, "_CHUNK_RECORDS", 2)
    monkeypatch.setattr(masking, "_CHUNKS_AT_ONCE", 1)
    some = [*numbers(6), ("phone/1|+447700900999", b"secret" * 100)]
    with pytest.raises(BadInput, match=r"^Record 7: .*larger class") as caught:
        list(masked(some, threads=threads))
    assert "900999" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_small_set_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(masking, "ProcessPoolExecutor", never)
    assert len(list(masked(numbers(20), threads=8))) == 20


def test_no_signals_give_no_records() -> None:
    assert list(masked([], threads=2)) == []


@pytest.mark.parametrize("with_payload", [True, False])
def test_the_self_test_record_opens_with_what_anyone_may_have_evaluated(with_payload: bool) -> None:
    record = self_test_record(
        KEYS,
        series_id=SERIES,
        space_id=SPACE,
        deposit_id=DEPOSIT,
        size_class=512,
        with_payload=with_payload,
        random_bytes=random.Random(2).randbytes,
    )
    public = tokens.self_test_input(SERIES)
    y_match = oprf.evaluate(KEYS.k_match, public)
    y_open = oprf.evaluate(KEYS.k_open, public) if with_payload else b""
    assert record.token == tokens.derive(y_match, SERIES, SPACE, DEPOSIT)
    key = tokens.seal_key(y_match, y_open, SERIES, SPACE, DEPOSIT)
    plaintext = sealing.open_sealed(
        key,
        record.sealed,
        space_id=SPACE,
        deposit_id=DEPOSIT,
        token=record.token,
        record_version=record.record_version,
        size_class=512,
    )
    assert plaintext == tokens.self_test_plaintext(SERIES)


def test_masked_records_are_the_records_on_the_wire() -> None:
    records = list(masked(numbers(3)))
    assert list(decode_batch(encode_batch(records), 512)) == records


def test_keys_are_not_in_a_repr() -> None:
    assert "k_" not in repr(KEYS)
