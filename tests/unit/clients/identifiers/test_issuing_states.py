"""Codes of issuing states: ISO 3166 whole, and what ICAO adds."""

import pycountry
import pytest

from clients.identifiers.issuing_states import _ADDITIONS, _COUNTRIES, issuing_state


def test_every_country_of_iso_3166_can_issue_documents() -> None:
    countries = {country.alpha_3 for country in pycountry.countries} - {"DEU"}
    assert countries == set(_COUNTRIES.split())


def test_what_icao_adds_is_no_country_of_iso_3166() -> None:
    assert not set(_ADDITIONS.split()) & {country.alpha_3 for country in pycountry.countries}


@pytest.mark.parametrize(
    ("code", "printed"), [("GBR", "GBR"), ("D", "D"), ("DEU", "D"), ("UTO", "UTO"), ("XXB", "XXB")]
)
def test_a_code_is_as_documents_print_it(code: str, printed: str) -> None:
    assert issuing_state(code) == printed


@pytest.mark.parametrize("code", ["", "GB", "UT0", "ZZZ", "gbr", "D<<"])
def test_what_no_document_prints_is_none(code: str) -> None:
    assert issuing_state(code) is None
