"""The shared cases, for every type that is registered: the conformance test of canonical forms."""

import json
from pathlib import Path

import pytest

from clients.identifiers import Rejected, canonicalise, registered_types

CASES = json.loads(
    (Path(__file__).parents[3] / "vectors" / "canonical_forms.json").read_text(encoding="utf-8")
)
MINE = [case for case in CASES if case["type"] in registered_types()]


@pytest.mark.parametrize("case", MINE, ids=[f"{case['type']}: {case['why'][:60]}" for case in MINE])
def test_a_shared_case_comes_to_its_expected_form(case: dict[str, str]) -> None:
    if case["expected"] == "reject":
        with pytest.raises(Rejected) as refusal:
            canonicalise(case["type"], case["raw"], case["hint"])
        assert case["raw"] not in refusal.value.detail
    else:
        canonical = canonicalise(case["type"], case["raw"], case["hint"])
        assert canonical.text == f"{case['type']}/1|{case['expected']}"


@pytest.mark.parametrize("case", [case for case in MINE if case["expected"] != "reject"], ids=str)
def test_a_canonical_form_is_its_own_canonical_form(case: dict[str, str]) -> None:
    canonical = canonicalise(case["type"], case["raw"], case["hint"])
    # Flags may differ: a form read back has lost its check digit or its hint.
    assert canonicalise(case["type"], canonical.value).text == canonical.text


def test_the_shared_cases_cover_every_registered_type() -> None:
    # PhotoDNA hashes are opaque to us: the shared file has no case of one.
    assert {case["type"] for case in MINE} | {"person", "photodna"} == set(registered_types())
    assert len(MINE) >= 20
