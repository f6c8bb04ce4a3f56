"""Which form goes from where to where: what the packs name, and nothing else."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.gate.bundle import load
from broker.gate.instrument_terms import Form
from broker.gate.routes import carriers, read_catalogue, why_none
from broker.protocol.errors import BadInput
from tests.gate_world import BUNDLE, NOW

CATALOGUE = read_catalogue(BUNDLE)
BEFORE_EEVIDENCE = 1_787_000_000
"""2026-08-17."""


@pytest.mark.parametrize(
    ("form", "issuing", "established_in", "names"),
    [
        (Form.EPOC, "NL", "IE", {"eevidence_epoc"}),
        (Form.EPOC_PR, "NL", "IE", {"eevidence_epoc_pr"}),
        (Form.EPOC_PR, "NL", "NL", set()),
        (Form.EPOC, "NL", "US", set()),
        (Form.EPOC, "DK", "IE", set()),
        (Form.PRESERVATION, "US", "US", {"us_sca_2703_preservation"}),
        (Form.PRESERVATION, "NL", "US", {"budapest_preservation"}),
        (Form.PRESERVATION, "KE", "KE", {"ke_preservation"}),
        (Form.PRESERVATION, "KE", "US", set()),
        (Form.MLA, "NL", "US", {"budapest_mutual_assistance", "untoc_18"}),
        (Form.MLA, "KE", "NL", {"untoc_18"}),
        (Form.MLA, "NL", "NL", set()),
        (Form.MLA, "NL", "ZZ", set()),
    ],
)
def test_a_form_goes_where_a_pack_says(
    form: Form, issuing: str, established_in: str, names: set[str]
) -> None:
    assert set(carriers(CATALOGUE.instruments, form, issuing, established_in, NOW)) == names


def test_before_its_first_day_nothing_carries_it_and_that_is_said() -> None:
    instruments = CATALOGUE.instruments
    assert not carriers(instruments, Form.EPOC, "NL", "IE", BEFORE_EEVIDENCE)
    said = why_none(instruments, Form.EPOC, "NL", "IE", BEFORE_EEVIDENCE)
    assert said.startswith("European Production Order is not in force")


def test_an_unknown_pair_is_said() -> None:
    assert "from NL to ZZ" in why_none(CATALOGUE.instruments, Form.EPOC, "NL", "ZZ", NOW)
    assert "inside NL" in why_none(CATALOGUE.instruments, Form.MLA, "NL", "NL", NOW)


PLACES = st.sampled_from(["NL", "IE", "DK", "US", "GB", "KE", "ZZ"])


@given(form=st.sampled_from(Form), issuing=PLACES, established_in=PLACES, now=st.integers(0, 4_000_000_000))
def test_whatever_carries_a_form_is_in_force_and_names_the_pair(
    form: Form, issuing: str, established_in: str, now: int
) -> None:
    for one in carriers(CATALOGUE.instruments, form, issuing, established_in, now).values():
        assert (one.form, one.in_force(now), one.joins(issuing, established_in)) == (form, True, True)


def test_the_packs_read_alone_are_those_of_the_bundle() -> None:
    assert CATALOGUE.instruments == load(BUNDLE).instruments


def test_a_folder_without_packs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"regions\.toml cannot be read"):
        read_catalogue(tmp_path)
