"""Two lists in one order, side by side: against the plain comparison of sets."""

from hypothesis import given
from hypothesis import strategies as st

from clients.deposit_changes.index_comparison import compare
from clients.depositing.deposit_index import IndexRow, content_digest, reference_digest
from clients.depositing.masked_deposit import Row

KEYS = st.integers(0, 40).map(lambda number: number.to_bytes(16, "big"))
CONTENTS = st.sampled_from([b"one", b"two"])


@given(
    tonight=st.dictionaries(KEYS, CONTENTS), deposits=st.lists(st.dictionaries(KEYS, CONTENTS), max_size=4)
)
def test_the_differences_are_those_of_the_sets(
    tonight: dict[bytes, bytes], deposits: list[dict[bytes, bytes]]
) -> None:
    rows = [Row(key * 4, content) for key, content in sorted(tonight.items())]
    indexes = [
        (bytes([number]), [IndexRow(key, key, content_digest(each[key])) for key in sorted(each)])
        for number, each in enumerate(deposits)
    ]
    found = list(compare(rows, indexes, with_payload=True))
    new = {each.row.salted_hash[:16] for each in found if each.place is None and each.row is not None}
    gone = {(each.place.deposit_id, each.place.token) for each in found if each.row is None and each.place}
    changed = {(each.place.deposit_id, each.place.token) for each in found if each.row and each.place}
    deposited = {
        (bytes([n]), key): content for n, each in enumerate(deposits) for key, content in each.items()
    }
    assert new == set(tonight) - {key for _, key in deposited}
    assert gone == {place for place in deposited if place[1] not in tonight}
    assert changed == {
        place for place, content in deposited.items() if tonight.get(place[1], content) != content
    }
    assert len(found) == len(new) + len(gone) + len(changed)


def test_without_payload_a_record_differs_by_what_it_is_called_and_not_by_content() -> None:
    keys = [bytes([number]) * 16 for number in range(3)]
    rows = [Row(key * 4, b"other", called) for key, called in zip(keys, ("H-1", "H-7", None), strict=True)]
    index = [
        IndexRow(key, key, reference_digest(called))
        for key, called in zip(keys, ("H-1", "H-2", None), strict=True)
    ]
    (found,) = compare(rows, [(bytes(32), index)], with_payload=False)
    assert found.row == rows[1]
    assert found.place is not None
    assert found.place.token == keys[1]
