"""The benchmark of identifier types measures every one of them, on values that have a form."""

import pytest

from benchmarks.identifiers import SUBJECTS, calls_written_down, measured
from clients.identifiers import canonicalise, registered_types


def test_every_registered_type_is_measured() -> None:
    assert set(SUBJECTS) == set(registered_types())


@pytest.mark.parametrize("type_name", sorted(SUBJECTS))
def test_the_samples_have_forms_and_the_share_is_one_of_the_whole(type_name: str) -> None:
    subject = SUBJECTS[type_name]
    assert all(canonicalise(type_name, raw, hint).type == type_name for raw, hint in subject.samples)
    result = measured(type_name, subject, rounds=1)
    assert result.forms_a_second > 0
    assert (result.ours is None) == (not subject.entrances)


def test_a_call_into_the_library_is_made_written_down_once_and_the_library_is_left_as_it_was() -> None:
    subject = SUBJECTS["phone"]
    owner, name = subject.entrances[0]
    before = getattr(owner, name)
    with calls_written_down(subject.entrances) as calls:
        assert canonicalise("phone", "+44 7700 900123").value == "+447700900123"
    assert calls[0][1][0] == "+447700900123"
    assert getattr(owner, name) is before
