"""MISP events as signals. `pymisp` builds the events, from the object definitions in tests/vectors/misp."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymisp import MISPEvent, MISPObject

from broker.protocol.errors import BadInput
from clients.readers import Reading, RefusedRow, Signal, read_file
from clients.readers.exchange.misp_tags import tagged
from clients.readers.exchange.misp_types import (
    HANDLES,
    NOBODYS,
    PLATFORM_BESIDE,
    RELATIONS,
    TARGETS,
    TYPES,
    named_by,
)
from clients.readers.exchange.stix_patterns import Named

VECTORS = Path(__file__).parents[3] / "vectors" / "misp"
DEFINITIONS = {
    json.loads(path.read_text(encoding="utf-8"))["name"]: path
    for path in sorted(VECTORS.glob("object-*.json"))
}
PHONE = "phone/1|+447700900123"


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """The definitions where `pymisp` looks for them."""
    for name, path in DEFINITIONS.items():
        folder = tmp_path / "objects" / name
        folder.mkdir(parents=True)
        (folder / "definition.json").write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path / "objects"


def event(*attributes: tuple[str, str], tags: tuple[str, ...] = ()) -> MISPEvent:
    made = MISPEvent()
    made.from_dict(info="Example", date="2026-01-02")
    for kind, value in attributes:
        made.add_attribute(kind, value)
    for tag in tags:
        made.add_tag(tag)
    return made


def read(tmp_path: Path, document: object, *, only_asking: bool = False) -> list[Signal | RefusedRow]:
    path = tmp_path / "event.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return list(read_file(path, default_region="GB", only_asking=only_asking))


def wrapped(made: MISPEvent) -> dict[str, Any]:
    return {"Event": json.loads(made.to_json())}


def texts(items: list[Signal | RefusedRow]) -> list[str]:
    return [item.canonical.text if isinstance(item, Signal) else item.reason for item in items]


# --- what is read ---


def test_every_type_of_the_tables_is_one_of_misps() -> None:
    described = MISPEvent().describe_types
    assert described is not None
    known = set(described["types"])
    assert known >= {*TYPES, *TARGETS, "twitter-id"}
    for thing, relation in {*HANDLES, *RELATIONS, *PLATFORM_BESIDE, *NOBODYS}:
        definition = MISPObject(thing, strict=True)._definition
        assert definition is not None
        assert relation in definition["attributes"], (thing, relation)


def test_an_event_goes_in_with_its_facts_and_without_its_words(tmp_path: Path) -> None:
    made = event(("phone-number", "07700 900123"), ("text", "call user@example.org"), ("comment", "no"))
    made.attributes[0].comment = "+44 7700 900555"
    made.attributes[0].to_ids = True
    made.add_attribute_tag("tlp:green", made.attributes[0].uuid)
    made.add_tag("PAP:RED")
    made.add_tag("retention:1y")
    (signal,) = read(tmp_path, wrapped(made))
    assert isinstance(signal, Signal)
    assert (signal.line, signal.unit, signal.canonical.text) == (1, "attribute", PHONE)
    assert dict(signal.attributes) == {
        "reference": made.attributes[0].uuid,
        "event": made.uuid,
        "event_date": "2026-01-02",
        "misp_type": "phone-number",
        "category": made.attributes[0].category,
        "to_ids": "yes",
        "tlp": "green",
        "pap": "red",
        "retention": "1y",
    }


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("phone-number", {"phone-number": "+44 7700 900123"}, "phone"),
        ("telegram-account", {"username": "alice_99", "phone": "+44 7700 900123"}, "phone"),
        ("telegram-account", {"username": "alice_99"}, "handle"),
        ("user-account", {"username": "alice_99", "account-type": "telegram"}, "handle"),
        ("user-account", {"user-id": "7", "email": "user@example.org"}, "email"),
        ("person", {"e-mail": "user@example.org", "full-name": "A. Example"}, "email"),
        ("person", {"phone-number": "+44 7700 900123", "alias": "a"}, "phone"),
        ("bank-account", {"iban": "GB29NWBK60161331926819", "account": "31926819"}, "iban"),
        ("coin-address", {"address": "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "symbol": "BTC"}, "btc_address"),
        (
            "coin-address",
            {"address-crypto": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "symbol": "ETH"},
            "eth_address",
        ),
    ],
)
def test_objects_from_misps_own_definitions_are_read(
    tmp_path: Path, templates: Path, name: str, values: dict[str, str], kind: str
) -> None:
    thing = MISPObject(name, strict=True, misp_objects_path_custom=str(templates))
    for relation, value in values.items():
        thing.add_attribute(relation, value)
    made = event()
    made.add_object(thing)
    for document in (wrapped(made), {"name": name, "Attribute": json.loads(thing.to_json())["Attribute"]}):
        items = read(tmp_path, document)
        assert any(isinstance(item, Signal) and item.canonical.type == kind for item in items)


def test_a_plate_of_a_vehicle_is_refused_since_misp_does_not_say_its_country(
    tmp_path: Path, templates: Path
) -> None:
    thing = MISPObject("vehicle", strict=True, misp_objects_path_custom=str(templates))
    thing.add_attribute("license-plate-number", "B-MW 1234")
    made = event()
    made.add_object(thing)
    (row,) = read(tmp_path, wrapped(made))
    assert isinstance(row, RefusedRow)
    assert "MW" not in row.reason


def test_what_is_filed_as_a_victims_never_slips_in(tmp_path: Path, templates: Path) -> None:
    thing = MISPObject("victim", strict=True, misp_objects_path_custom=str(templates))
    for relation, value in {
        "email": "user@example.org",
        "ip-address": "203.0.114.7",
        "name": "Example",
    }.items():
        thing.add_attribute(relation, value)
    made = event(("target-email", "user@example.org"), ("phone-number", "+44 7700 900123"))
    made.add_object(thing)
    assert [type(item).__name__ for item in read(tmp_path, wrapped(made))] == [
        "RefusedRow", "Signal", "RefusedRow", "RefusedRow",
    ]  # fmt: skip
    assert all("victim" in text for text in texts(read(tmp_path, wrapped(made))) if text != PHONE)


@pytest.mark.parametrize(
    ("kind", "value", "named"),
    [
        ("ip-dst|port", "203.0.114.7|80", Named("ip", "203.0.114.7")),
        ("domain|ip", "example.org|203.0.114.7", Named("ip", "203.0.114.7")),
        (
            "filename|md5",
            "a|b.jpg|9e107d9d372bb6826bd81d3542a419d6",
            Named("file_hash", "9e107d9d372bb6826bd81d3542a419d6"),
        ),
        ("twitter-id", "alice", Named("handle", "alice", "x")),
        ("prtn", "+44 909 8790000", Named("phone", "+44 909 8790000")),
        ("filename", "a.jpg", None),
    ],
)
def test_the_identifying_part_of_composite_attributes(kind: str, value: str, named: Named | None) -> None:
    assert named_by("", {}, "", kind, value) == named


def test_all_shapes_of_an_export_are_read(tmp_path: Path) -> None:
    one = wrapped(event(("phone-number", "+44 7700 900123")))
    attribute = one["Event"]["Attribute"][0]
    shapes: list[object] = [
        one,
        one["Event"],
        [one, {"Event": {"info": "empty"}}],
        [one["Event"]],
        {"response": [one]},
        {"response": {"Attribute": [attribute]}},
        {"Attribute": [attribute], "Tag": []},
    ]
    for shape in shapes:
        assert texts(read(tmp_path, shape)) == [PHONE], shape


# --- tags ---


@pytest.mark.parametrize("tag", ["tlp:red", "TLP:AMBER", "tlp:amber+strict", "tlp:unclear", "tlp:mauve"])
def test_what_a_tag_forbids_is_not_deposited_but_may_be_asked_about(tmp_path: Path, tag: str) -> None:
    made = wrapped(event(("phone-number", "+44 7700 900123"), tags=(tag, "tlp:green")))
    (row,) = read(tmp_path, made)
    assert isinstance(row, RefusedRow)
    assert row.reason.startswith("phone-number: ")
    assert texts(read(tmp_path, made, only_asking=True)) == [PHONE]


def test_a_tag_behind_the_attributes_counts_and_one_of_another_event_does_not(tmp_path: Path) -> None:
    first, second = (wrapped(event(("phone-number", f"+44 7700 90012{number}"))) for number in (1, 2))
    first["Event"] = {**first["Event"], "Tag": [{"name": "tlp:red"}]}
    assert list(first["Event"])[-1] == "Tag"
    items = read(tmp_path, [first, second])
    assert [type(item).__name__ for item in items] == ["RefusedRow", "Signal"]


@pytest.mark.parametrize("level", ["event", "attribute", "search"])
@pytest.mark.parametrize(
    ("distribution", "refused"), [("0", True), (4, True), ("1", False), (3, False), (5, False)]
)
def test_a_distribution_to_the_own_organisation_or_a_group_forbids(
    tmp_path: Path, level: str, distribution: object, refused: bool
) -> None:
    made = wrapped(event(("phone-number", "+44 7700 900123")))
    attribute = made["Event"]["Attribute"][0]
    if level == "search":
        made = {"response": {"Attribute": [{**attribute, "Event": {"distribution": distribution}}]}}
    else:
        (made["Event"] if level == "event" else attribute)["distribution"] = distribution
    (item,) = read(tmp_path, made)
    assert isinstance(item, RefusedRow) is refused


def test_what_is_expired_or_deleted_is_refused_for_every_purpose(tmp_path: Path) -> None:
    expired = wrapped(event(("phone-number", "+44 7700 900123"), tags=("retention:expired",)))
    deleted = wrapped(event(("phone-number", "+44 7700 900123")))
    deleted["Event"]["Attribute"][0]["deleted"] = True
    for document, said in ((expired, "retention is over"), (deleted, "deleted in MISP")):
        (item,) = read(tmp_path, document, only_asking=True)
        assert isinstance(item, RefusedRow)
        assert said in item.reason


@pytest.mark.parametrize("taxonomy", ["tlp", "PAP", "retention"])
def test_every_predicate_of_the_published_taxonomies_is_heeded(taxonomy: str) -> None:
    published = json.loads((VECTORS / f"taxonomy-{taxonomy}.json").read_text(encoding="utf-8"))
    forbidding = set()
    for predicate in published["predicates"]:
        got = tagged({"Tag": [{"name": f"{published['namespace']}:{predicate['value']}"}]})
        assert got != tagged({}) or predicate["value"] == "ex:chr"
        if got.forbidden or got.expired:
            forbidding.add(predicate["value"])
    expected = {"tlp": {"red", "amber", "amber+strict", "unclear"}, "PAP": set(), "retention": {"expired"}}
    assert forbidding == expected[taxonomy]


# --- bad input ---


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"Event": {"info": "x"}}', "no event or object"),
        ('{"Event": {"Attribute": []}}', "no identifier"),
        ('{"Event": {"Attribute": [{"type": "text", "value": "x"}]}}', "no identifier"),
        ('{"Event": {"Attribute": [', "breaks off"),
        ('{"Event": {"Event": {"Event": {"Event": {"Event": {"Attribute": []}}}}}}', "no event or object"),
        ('[{"Attribute": []}, 5', "breaks off"),
    ],
)
def test_a_file_that_is_no_export_is_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read(tmp_path, text)


def test_a_bad_attribute_costs_itself_alone(tmp_path: Path) -> None:
    deep = "[" * 10_000 + "]" * 10_000
    good = '{"type": "phone-number", "value": "+44 7700 900123"}'
    listed = f'[5, {{"type": "phone-number", "value": 5}}, {{"x": {deep}}}, {good}, {{"type": "email", "value": "x"}}]'
    items = read(tmp_path, f'{{"Event": {{"Attribute": {listed}}}}}')
    assert [(type(item).__name__, item.line) for item in items] == [
        ("RefusedRow", 1), ("RefusedRow", 3), ("Signal", 4), ("RefusedRow", 5),
    ]  # fmt: skip
    assert not any("+44" in item.reason for item in items if isinstance(item, RefusedRow))


@given(numbers=st.lists(st.integers(0, 999), unique=True, min_size=1, max_size=8))
def test_every_number_of_an_event_comes_out_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int]
) -> None:
    made = event(*(("phone-number", f"+44 7700 900{number:03}") for number in numbers))
    items = read(tmp_path_factory.mktemp("misp"), wrapped(made))
    assert texts(items) == [f"phone/1|+447700900{number:03}" for number in numbers]
    assert [item.line for item in items] == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(
    ("place", "siblings", "kind", "named"),
    [
        (("microblog", "username"), {"type": "Twitter"}, "text", Named("handle", "alice", "Twitter")),
        (("microblog", "username"), {}, "text", Named("handle", "alice")),
        (("facebook-account", "account-id"), {}, "text", Named("handle", "alice", "facebook")),
        (("github-user", "twitter_username"), {}, "text", Named("handle", "alice", "x")),
        (("keybase-account", "emails"), {}, "text", Named("email", "alice")),
        # An operator's, and of people who are only spoken of.
        (("short-message-service", "smsc"), {}, "phone-number", None),
        (("microblog", "username-quoted"), {}, "text", None),
        (("person", "handle"), {}, "text", None),
    ],
)
def test_attributes_of_objects_whose_meaning_is_sure(
    place: tuple[str, str], siblings: dict[str, str], kind: str, named: Named | None
) -> None:
    assert named_by(place[0], siblings, place[1], kind, "alice") == named


def test_what_is_not_compared_is_counted_by_kind_and_never_by_value(tmp_path: Path) -> None:
    made = wrapped(
        event(("phone-number", "+44 7700 900123"), ("text", "a"), ("text", "b"), ("domain", "example.org"))
    )
    attributes = made["Event"]["Attribute"]
    attributes += [
        {"type": "+447700900199", "value": "x"},
        {"type": "x447700900199", "value": "x"},
        {"type": 5},
    ]
    made["Event"]["Object"] = [
        {"name": "person", "Attribute": [{"type": "text", "object_relation": "handle", "value": "alice"}]}
    ]
    path, remarks = tmp_path / "event.json", list[str]()
    path.write_text(json.dumps(made))
    signals = list(read_file(path, Reading(say=remarks.append)))
    assert texts(signals) == [PHONE]
    (said,) = remarks
    for words in ("text (2)", "domain (1)", "person handle (1)", "of other kinds (2)", "type or value (1)"):
        assert words in said
    assert "900199" not in said
    assert "alice" not in said
    made["Event"]["Attribute"] = attributes[1:]
    path.write_text(json.dumps(made))
    with pytest.raises(BadInput, match=r"no identifier of a kind.*left out: .*domain \(1\)"):
        list(read_file(path))
