"""Mutants of tables: numbers one off, entries gone, and nothing that could not be loaded."""

import pytest

from broker.gate.bundle import Bundle, load
from broker.gate.testing.mutants.tables import TableMutant, table_mutants
from tests.gate_world import BUNDLE


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


@pytest.fixture(scope="module")
def mutants(bundle: Bundle) -> dict[str, TableMutant]:
    found = table_mutants(bundle)
    named = {mutant.name: mutant for mutant in found}
    assert len(named) == len(found)
    return named


def test_every_number_is_one_off_within_its_bounds(bundle: Bundle, mutants: dict[str, TableMutant]) -> None:
    assert (
        mutants["limits.toml, hits_identifiers: 501 for 500"].applied(bundle).limits.hits_identifiers == 501
    )
    assert (
        mutants["limits.toml, hits_identifiers: 499 for 500"].applied(bundle).limits.hits_identifiers == 499
    )
    assert bundle.limits.hits_identifiers == 500
    assert "limits.toml, count_contributors: 4 for 3" in mutants
    assert "limits.toml, count_contributors: 2 for 3" not in mutants, "three is the least that can be loaded"
    for name in type(bundle.limits).model_fields:
        assert any(mutant.startswith(f"limits.toml, {name}: ") for mutant in mutants)


def test_every_gateway_of_every_lane_is_dropped(bundle: Bundle, mutants: dict[str, TableMutant]) -> None:
    entries = [
        f"lanes.toml, {depositor} to {reader}: {gateway} dropped"
        for depositor, readers in bundle.lanes.items()
        for reader, gateways in readers.items()
        for gateway in gateways
    ]
    assert set(entries) <= set(mutants)
    lanes = mutants["lanes.toml, company to police: G2 dropped"].applied(bundle).lanes
    [company] = [readers for kind, readers in lanes.items() if kind == "company"]
    [police] = [gateways for kind, gateways in company.items() if kind == "police"]
    assert "G2" not in police
    assert "G1b" in police


def test_every_entry_of_every_instrument_is_dropped_and_so_is_the_instrument(
    bundle: Bundle, mutants: dict[str, TableMutant]
) -> None:
    opening = [name for name, each in bundle.instruments.items() if each.gateways and each.in_force_from]
    assert len(opening) > 5
    for name in opening:
        assert name not in mutants[f"{name}: dropped"].applied(bundle).instruments
        for issuer in bundle.instruments[name].issuers:
            if len(bundle.instruments[name].issuers) > 1:
                mutated = mutants[f"{name}, issuers: {issuer} dropped"].applied(bundle)
                assert issuer not in mutated.instruments[name].issuers


def test_every_jurisdiction_of_every_pair_is_dropped(bundle: Bundle, mutants: dict[str, TableMutant]) -> None:
    [pair] = bundle.instruments["eevidence_epoc"].pairs
    assert isinstance(pair.contributors, tuple)
    for country in pair.contributors:
        mutant = mutants[f"eevidence_epoc, pair 1, contributors: {country} dropped"]
        [changed] = mutant.applied(bundle).instruments["eevidence_epoc"].pairs
        assert set(pair.contributors) - set(changed.contributors) == {country}
        assert changed.issuing == pair.issuing


def test_what_opens_nothing_whatever_it_says_is_not_counted(
    bundle: Bundle, mutants: dict[str, TableMutant]
) -> None:
    asleep = [name for name, each in bundle.instruments.items() if each.in_force_from is None]
    assert asleep
    assert not [name for name in mutants if name.partition(",")[0].partition(":")[0] in asleep]


def test_a_date_is_a_day_off_or_gone(bundle: Bundle, mutants: dict[str, TableMutant]) -> None:
    [name, *_] = [key for key, each in bundle.instruments.items() if each.gateways and each.in_force_from]
    written = bundle.instruments[name].in_force_from
    assert written is not None
    for slip, days in (("a day early", -1), ("a day late", 1)):
        mutated = mutants[f"{name}, in_force_from: {slip}"].applied(bundle).instruments[name]
        assert mutated.in_force_from is not None
        assert (mutated.in_force_from - written).days == days


def test_every_member_of_the_union_is_dropped(bundle: Bundle, mutants: dict[str, TableMutant]) -> None:
    for country in bundle.regions.union:
        mutated = mutants[f"regions.toml, union: {country} dropped"].applied(bundle)
        assert set(bundle.regions.union) - set(mutated.regions.union) == {country}


def test_a_mutated_bundle_has_a_digest_that_no_bundle_has(
    bundle: Bundle, mutants: dict[str, TableMutant]
) -> None:
    assert {mutant.applied(bundle).digest for mutant in mutants.values()} == {bytes(32)}
