"""Hits as STIX: `stix2` takes the bundle strictly, the same hits give the same bytes, and our own reader reads them."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
import stix2
from hypothesis import given
from hypothesis import strategies as st
from stix2patterns.validator import run_validator

from broker.protocol.messages.vocabulary import Purpose, Tier
from clients.identifiers import registered_types
from clients.readers import Signal, read_file
from clients.readers.exchange.stix_patterns import named_by_pattern
from clients.writers.hits import Hit, Hits, Holder
from clients.writers.stix_sightings import TrafficLight, pattern_of, stix_bundle

FORMS = json.loads(
    (Path(__file__).parents[3] / "vectors" / "canonical_forms.json").read_text(encoding="utf-8")
)
KNOWN = sorted(
    {f"{case['type']}/1|{case['expected']}" for case in FORMS if case["expected"] != "reject"}
    | {"person/1|AMINA KARIMOVA;2050-12-31"}
)
HOLDER = Holder("company-1", "Example Ltd", "desk@example.org")
HITS = Hits(
    request_id=bytes(range(16)),
    tier=Tier.HITS,
    purpose=Purpose.IDENTIFY_VICTIM,
    requester="Unit 1",
    released_at=1_800_000_000,
    namespace=UUID(int=7),
    hits=tuple(Hit(text, (HOLDER,)) for text in KNOWN),
)


def test_the_bundle_of_every_type_is_taken_strictly() -> None:
    # PhotoDNA has no published example.
    assert {text.partition("/")[0] for text in KNOWN} == set(registered_types()) - {"photodna"}
    for tlp in TrafficLight:
        bundle = stix2.parse(stix_bundle(HITS, tlp), allow_custom=False)
        assert isinstance(bundle, stix2.v21.Bundle)
        for thing in bundle.objects:
            # Parsed to the standard's own class, and not handed through as a custom object.
            assert type(thing).__module__.startswith("stix2.v21"), thing
            assert stix2.parse(thing.serialize(), allow_custom=False) == thing
        counted = [thing.type for thing in bundle.objects]
        assert (counted.count("indicator"), counted.count("sighting")) == (len(KNOWN), len(KNOWN))
        patterns = [thing.pattern for thing in bundle.objects if thing.type == "indicator"]
        assert [run_validator(pattern, stix_version="2.1") for pattern in patterns] == [[]] * len(KNOWN)


def test_ids_are_unique_of_version_5_and_every_reference_leads_somewhere() -> None:
    objects = json.loads(stix_bundle(replace(HITS, tier=Tier.SOURCES), TrafficLight.RED))["objects"]
    ids = [thing["id"] for thing in objects]
    assert len(set(ids)) == len(ids)
    for thing in objects:
        assert UUID(thing["id"].partition("--")[2]).version == 5 or thing.get("definition_type") == "tlp"
        references = [value for name, value in thing.items() if name.endswith("_ref")]
        references += [each for name, value in thing.items() if name.endswith("_refs") for each in value]
        assert set(references) <= set(ids)
        if thing["type"] in ("indicator", "sighting"):
            assert len(thing["object_marking_refs"]) == 2


def test_the_same_hits_give_the_same_bytes_and_another_request_other_ids() -> None:
    assert stix_bundle(HITS, TrafficLight.RED) == stix_bundle(HITS, TrafficLight.RED)
    mine = json.loads(stix_bundle(HITS, TrafficLight.RED))["objects"]
    other = json.loads(stix_bundle(replace(HITS, namespace=UUID(int=8)), TrafficLight.RED))["objects"]
    assert {thing["id"] for thing in mine} & {thing["id"] for thing in other} == {mine[0]["id"]}


def test_below_sources_nothing_of_contributors_is_in_it_even_if_it_were_known() -> None:
    text = stix_bundle(HITS, TrafficLight.RED)
    assert "Example Ltd" not in text
    assert "company-1" not in text
    assert "where_sighted_refs" not in text
    named = stix_bundle(replace(HITS, tier=Tier.SOURCES), TrafficLight.RED)
    assert "Example Ltd" in named
    stix2.parse(named, allow_custom=False)


def test_an_empty_answer_is_a_bundle_too() -> None:
    stix2.parse(stix_bundle(replace(HITS, hits=()), TrafficLight.AMBER), allow_custom=False)


@pytest.mark.parametrize("text", KNOWN)
def test_what_is_written_is_read_again(tmp_path: Path, text: str) -> None:
    path = tmp_path / "hits.json"
    path.write_text(stix_bundle(replace(HITS, hits=(Hit(text),)), TrafficLight.RED), encoding="utf-8")
    (signal,) = read_file(path, only_asking=True)
    assert isinstance(signal, Signal)
    assert signal.canonical.text == text
    # Marked red, it may be asked about and not handed on.
    assert signal.forbidden is not None


@given(
    kind=st.sampled_from(["email", "url", "phone", "handle", "imei"]), value=st.text(min_size=1, max_size=40)
)
def test_no_value_gets_out_of_its_pattern(kind: str, value: str) -> None:
    value = f"telegram:{value}" if kind == "handle" else value
    (named,) = named_by_pattern(pattern_of(Hit(f"{kind}/1|{value}")))
    assert named.kind == kind
    assert (f"{named.hint}:{named.raw}" if kind == "handle" else named.raw) == value
