"""STIX bundles as signals: what is read, what goes on with it, what a marking forbids, and what bad bundles cost."""

import json
from pathlib import Path
from typing import Any

import pytest

from broker.protocol.errors import BadInput
from clients.readers import ColumnMapping, Reading, RefusedRow, Signal, read_file, read_stix

VECTORS = Path(__file__).parents[3] / "vectors" / "stix"
AUTHOR = "identity--611d9d41-dba5-4e13-9b29-e22488058ffc"
MAIL = "email/1|user@example.org"
MD5 = "file_hash/1|9e107d9d372bb6826bd81d3542a419d6"
RED = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"
AMBER_2 = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"
GREEN = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
OWN = "marking-definition--d771aceb-3148-4315-b4b4-130b888533d0"


def name(kind: str, number: int) -> str:
    return f"{kind}--00000000-0000-4000-8000-{number:012}"


def indicator(
    number: int = 1, pattern: str = "[email-addr:value = 'user@example.org']", **members: Any
) -> Any:
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": name("indicator", number),
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "pattern": pattern,
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
        **members,
    }


def mail(number: int = 2, value: str = "user@example.org", **members: Any) -> Any:
    return {
        "type": "email-addr",
        "spec_version": "2.1",
        "id": name("email-addr", number),
        "value": value,
        **members,
    }


def read(
    tmp_path: Path, *objects: Any, only_asking: bool = False, ending: str = ".json"
) -> list[Signal | RefusedRow]:
    path = tmp_path / f"bundle{ending}"
    bundle = {"type": "bundle", "id": name("bundle", 1), "objects": objects}
    path.write_text(json.dumps(bundle), encoding="utf-8")
    return list(read_file(path, only_asking=only_asking))


def read_one(tmp_path: Path, *objects: Any, only_asking: bool = False) -> Signal:
    (item,) = read(tmp_path, *objects, only_asking=only_asking)
    assert isinstance(item, Signal)
    return item


def refused(tmp_path: Path, *objects: Any) -> list[tuple[int, str]]:
    items = [item for item in read(tmp_path, *objects) if isinstance(item, RefusedRow)]
    assert {item.unit for item in items} <= {"object"}
    return [(item.line, item.reason) for item in items]


# --- other people's bundles ---


@pytest.mark.parametrize(
    ("file", "line", "said"),
    [
        ("malicious-email-indicator-with-attachment", 3, "many values"),
        ("malicious-email-indicator-with-attachment", 4, "many values"),
        ("indicator-for-c2-ip-address", 1, "private"),
        ("using-marking-definitions", 4, "private"),
    ],
)
def test_the_published_examples_are_told_by_object(file: str, line: int, said: str) -> None:
    items = {item.line: item for item in read_file(VECTORS / f"{file}.json")}
    item = items[line]
    assert isinstance(item, RefusedRow)
    assert item.reason.startswith("indicator: ")
    assert said in item.reason
    assert "10.0.0.0" not in item.reason


def test_the_published_sighting_is_of_a_link_that_was_seen_once() -> None:
    (item,) = read_file(VECTORS / "sighting-of-an-indicator.json")
    assert isinstance(item, Signal)
    assert item.canonical.text.startswith("url/")
    assert dict(item.attributes)["times_seen"] == "1"


# --- what is read ---


def test_an_indicator_goes_in_with_its_facts_and_without_its_words(tmp_path: Path) -> None:
    facts: dict[str, Any] = {
        "created_by_ref": AUTHOR,
        "confidence": 70,
        "valid_until": "2027-01-01T00:00:00Z",
        "name": "Call +44 7700 900123",
        "description": "mother of user@example.org",
        "indicator_types": ["malicious-activity", "unknown"],
    }
    signal = read_one(tmp_path, indicator(**facts))
    assert (signal.line, signal.canonical.text, signal.unit) == (1, MAIL, "object")
    attributes = dict(signal.attributes)
    assert attributes.pop("reference") == name("indicator", 1)
    assert attributes == {
        "created_by_ref": AUTHOR,
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": "2027-01-01T00:00:00Z",
        "confidence": "70",
        "indicator_types": "malicious-activity; unknown",
    }


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        ({"type": "email-addr", "value": "User@example.org"}, MAIL),
        ({"type": "phone-number", "value": "+44 7700 900123"}, "phone/1|+447700900123"),
        ({"type": "x-phone-number", "value": "+44 7700 900123"}, "phone/1|+447700900123"),
        (
            {"type": "x-narrowgate-email-mailbox", "value": "user@example.org"},
            "email_mailbox/1|user@example.org",
        ),
        ({"type": "url", "value": "https://example.org/a"}, "url/1|https://example.org/a"),
        ({"type": "ipv4-addr", "value": "203.0.114.7"}, "ip/1|203.0.114.7"),
        ({"type": "file", "hashes": {"MD5": "9E107D9D372BB6826BD81D3542A419D6"}}, MD5),
        (
            {"type": "user-account", "account_type": "telegram", "account_login": "Alice_99"},
            "handle/1|telegram:alice_99",
        ),
        ({"type": "imei", "value": "49-015420-323751-8"}, "imei/1|490154203237518"),
        (
            {"type": "media-content", "url": "https://example.org/a", "title": "t"},
            "url/1|https://example.org/a",
        ),
        ({"type": "x-opencti-phone-number", "value": "+44 7700 900123"}, "phone/1|+447700900123"),
        (
            {"type": "x-opencti-cryptocurrency-wallet", "value": "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"},
            "btc_address/1|1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        ),
        ({"type": "bank-account", "iban": "GB29 NWBK 6016 1331 9268 19"}, "iban/1|GB29NWBK60161331926819"),
    ],
)
def test_observables_are_read_by_what_identifies_them(tmp_path: Path, thing: Any, text: str) -> None:
    assert read_one(tmp_path, {"id": name(thing["type"], 1), **thing}).canonical.text == text


def test_a_phone_number_in_national_format_takes_the_default_region(tmp_path: Path) -> None:
    path = tmp_path / "bundle.stix"
    objects = [{"type": "phone-number", "id": name("phone-number", 1), "value": "07700 900123"}]
    path.write_text(json.dumps({"type": "bundle", "objects": objects}))
    (signal,) = read_file(path, default_region="GB")
    assert isinstance(signal, Signal)
    (row,) = read_file(path)
    assert isinstance(row, RefusedRow)


def test_what_names_no_identifier_is_passed_over_and_what_should_is_refused(tmp_path: Path) -> None:
    things = [
        {"type": "identity", "id": AUTHOR, "name": "Example"},
        {"type": "relationship", "id": name("relationship", 1), "source_ref": AUTHOR, "target_ref": AUTHOR},
        {"type": "domain-name", "id": name("domain-name", 1), "value": "example.org"},
        {"type": "file", "id": name("file", 1), "name": "a.jpg"},
        {"type": "email-addr", "id": name("email-addr", 1)},
        {"type": "user-account", "id": name("user-account", 1), "account_login": 5},
        {"type": "file", "id": name("file", 2), "hashes": ["a"]},
        indicator(8, "[email-addr:value = 'user@example.org']", pattern_type="sigma"),
        indicator(9, revoked=True),
        indicator(10, 5),  # type: ignore[arg-type]
        mail(11, "not an address"),
        "email-addr",
        mail(13),
    ]
    rows = refused(tmp_path, *things)
    assert [line for line, _ in rows] == [5, 6, 7, 8, 9, 10, 11, 12]
    assert [words.partition(":")[0] for _, words in rows[:7]] == [
        "email-addr", "user-account", "file", "indicator", "indicator", "indicator", "email-addr",
    ]  # fmt: skip
    assert not any("not an address" in words for _, words in rows)


def test_a_type_that_is_an_identifier_itself_is_not_repeated(tmp_path: Path) -> None:
    ((_, words),) = refused(tmp_path, {"type": "x-narrowgate-447700900123", "value": "447700900123"})
    assert "7700900123" not in words


# --- markings ---


@pytest.mark.parametrize(
    ("marks", "said"),
    [
        ({"object_marking_refs": [RED]}, "TLP:RED"),
        ({"object_marking_refs": [AMBER_2]}, "TLP:AMBER"),
        ({"object_marking_refs": [GREEN, RED]}, "TLP:RED"),
        ({"granular_markings": [{"marking_ref": RED, "selectors": ["pattern"]}]}, "TLP:RED"),
        ({"object_marking_refs": [OWN]}, "does not explain"),
        ({"object_marking_refs": "red"}, "does not explain"),
        ({"object_marking_refs": [7]}, "does not explain"),
        ({"granular_markings": [7]}, "does not explain"),
        ({"granular_markings": {}}, "does not explain"),
    ],
)
def test_what_a_marking_forbids_is_not_deposited_but_may_be_asked_about(
    tmp_path: Path, marks: Any, said: str
) -> None:
    ((line, words),) = refused(tmp_path, indicator(**marks))
    assert (line, words[:11]) == (1, "indicator: ")
    assert said in words
    assert read_one(tmp_path, indicator(**marks), only_asking=True).canonical.text == MAIL


def test_green_and_statements_go_in_and_are_carried(tmp_path: Path) -> None:
    definition = {
        "type": "marking-definition",
        "id": OWN,
        "definition_type": "statement",
        "definition": {"statement": "Example terms."},
    }
    # The definition may come behind what it marks.
    marked = indicator(
        object_marking_refs=[GREEN, OWN], granular_markings=[{"lang": "de", "selectors": ["name"]}]
    )
    attributes = dict(read_one(tmp_path, marked, definition).attributes)
    assert (attributes["tlp"], attributes["statement"]) == ("green", "Example terms.")


@pytest.mark.parametrize(
    "members",
    [
        {"definition_type": "tlp", "definition": {"tlp": "red"}},
        {"definition_type": "tlp", "definition": {"tlp": "mauve"}},
        {"definition_type": "tlp", "definition": "red"},
        {"definition_type": "iep", "definition": {}},
        {
            "extensions": {
                "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d": {"tlp_2_0": "amber+strict"}
            }
        },
        {},
    ],
)
def test_a_definition_that_forbids_or_is_not_known_forbids(tmp_path: Path, members: Any) -> None:
    definition = {"type": "marking-definition", "id": OWN, **members}
    assert len(refused(tmp_path, definition, indicator(object_marking_refs=[OWN]))) == 1


def test_a_bundle_cannot_make_red_into_white(tmp_path: Path) -> None:
    white = {
        "type": "marking-definition",
        "id": RED,
        "definition_type": "tlp",
        "definition": {"tlp": "white"},
    }
    assert len(refused(tmp_path, white, indicator(object_marking_refs=[RED]))) == 1
    own = {**white, "id": OWN}
    both = (own, {**own, "definition": {"tlp": "red"}}, own)
    assert len(refused(tmp_path, *both, indicator(object_marking_refs=[OWN]))) == 1


# --- sightings, observed data, versions ---


def sighting(number: int, of: str, **members: Any) -> Any:
    return {"type": "sighting", "id": name("sighting", number), "sighting_of_ref": of, **members}


def test_sightings_are_added_up_wherever_they_stand(tmp_path: Path) -> None:
    of = name("indicator", 1)
    first = sighting(1, of, count=3, first_seen="2026-02-01T00:00:00Z", last_seen="2026-02-02T00:00:00Z")
    second = sighting(2, of, first_seen="2026-01-09T00:00:00Z", last_seen="2026-01-10T00:00:00Z")
    attributes = dict(read_one(tmp_path, first, indicator(), second).attributes)
    assert (attributes["times_seen"], attributes["first_seen"], attributes["last_seen"]) == (
        "4",
        "2026-01-09T00:00:00Z",
        "2026-02-02T00:00:00Z",
    )


def test_a_sighting_of_what_is_not_there_is_refused_and_one_in_confidence_not_told(tmp_path: Path) -> None:
    away, secret = (
        sighting(1, name("indicator", 9)),
        sighting(2, name("indicator", 1), object_marking_refs=[RED]),
    )
    items = read(tmp_path, away, secret, indicator())
    assert [item.line for item in items if isinstance(item, RefusedRow)] == [1]
    (signal,) = (item for item in items if isinstance(item, Signal))
    assert "times_seen" not in dict(signal.attributes)


def test_observed_data_of_both_versions(tmp_path: Path) -> None:
    seen = {
        "first_observed": "2026-01-01T00:00:00Z",
        "last_observed": "2026-01-02T00:00:00Z",
        "number_observed": 2,
    }
    held = {
        "type": "observed-data",
        "id": name("observed-data", 1),
        "objects": {"0": {"type": "email-addr", "value": "user@example.org"}, "1": {"type": "mutex"}, "2": 5},
        **seen,
    }
    assert read_one(tmp_path, held).canonical.text == MAIL
    refers = {**held, "object_refs": [name("email-addr", 2)]}
    del refers["objects"]
    assert dict(read_one(tmp_path, refers, mail()).attributes)["times_seen"] == "2"
    for marked in ({**held, "object_marking_refs": [RED]}, {**refers, "object_marking_refs": [RED]}):
        things = (marked, mail()) if "object_refs" in marked else (marked,)
        assert "TLP:RED" in refused(tmp_path, *things)[0][1]
    assert "no observables" in refused(tmp_path, {**held, "objects": [1]})[0][1]


def test_of_several_versions_the_newest_goes_in_once(tmp_path: Path) -> None:
    old = indicator(modified="2026-01-01T00:00:00Z")
    new = indicator(modified="2026-01-01T00:00:00.5Z", confidence=9)
    items = read(tmp_path, old, new, new)
    assert [(type(item).__name__, item.line) for item in items] == [
        ("RefusedRow", 1), ("Signal", 2), ("RefusedRow", 3),
    ]  # fmt: skip
    assert "newer version" in str(items[0])
    assert "twice" in str(items[2])


# --- bad bundles ---


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "breaks off"),
        ("phone\n+447700900123\n", "neither a STIX bundle nor"),
        ("[]", "no event or object of MISP"),
        ("{}", "neither"),
        ('{"objects": []}', 'type "bundle"'),
        ('{"type": "bundle", "objects": []}', "no identifier"),
        ('{"type": "bundle", "objects": {}}', "no identifier"),
        ('{"type": "bundle", "objects": [{"type": "identity"}]}', "no identifier"),
        ('{"type": "bundle", "objects": [', "breaks off"),
        ('{"type": "bundle", "objects": []} x', "follows"),
        ('{"type": "bundle",\n"objects": [1 2]}', "line 2"),
    ],
)
def test_a_file_that_is_no_bundle_is_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bundle.json"
    path.write_text(text)
    with pytest.raises(BadInput, match=said) as refusal:
        list(read_file(path))
    assert "7700900123" not in refusal.value.detail


def test_a_circle_of_references_is_entered_nowhere(tmp_path: Path) -> None:
    circle = [
        {"type": "marking-definition", "id": OWN, "object_marking_refs": [OWN], "created_by_ref": AUTHOR,
         "definition_type": "statement", "definition": {"statement": "Example terms."}},
        {"type": "identity", "id": AUTHOR, "created_by_ref": AUTHOR, "object_marking_refs": [OWN]},
        indicator(object_marking_refs=[OWN], created_by_ref=AUTHOR),
        {"type": "observed-data", "id": name("observed-data", 1), "object_refs": [name("observed-data", 1)]},
        sighting(1, name("sighting", 1), where_sighted_refs=[AUTHOR]),
    ]  # fmt: skip
    assert read_one(tmp_path, *circle).canonical.text == MAIL


def test_nesting_columns_and_huge_texts_cost_their_object_alone(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    wide: dict[str, Any] = {f"x_{number}": number for number in range(10_000)}
    deep = '{"type": "email-addr", "id": "a", "x": ' + "[" * 10_000 + "]" * 10_000 + "}"
    huge = json.dumps(mail(3, "x" * 2_000_000))
    rest = [json.dumps(thing) for thing in (mail(4, **wide), mail(5, "y" * 900_000), mail(6))]
    path.write_text(f'{{"type": "bundle", "objects": [{", ".join([deep, huge, *rest])}]}}')
    items = list(read_file(path))
    assert [type(item).__name__ for item in items] == [
        "RefusedRow",
        "RefusedRow",
        "Signal",
        "RefusedRow",
        "Signal",
    ]
    assert [item.line for item in items] == [1, 2, 3, 4, 5]
    assert "deeper than 32" in str(items[0])
    assert "longer than" in str(items[1])
    assert "longer than" in str(items[3])


def test_a_bundle_takes_no_mapping(tmp_path: Path) -> None:
    path = tmp_path / "bundle.stix"
    path.write_text('{"type": "bundle"}')
    with pytest.raises(BadInput, match="no mapping"):
        next(read_stix(path, mapping=ColumnMapping(identifiers=(("a", "phone"),))))


def test_patterns_over_observables_of_opencti_are_read(tmp_path: Path) -> None:
    pattern = "[imei:value = '490154203237518' OR media-content:url = 'https://example.org/a']"
    found = [row.canonical.type for row in read(tmp_path, indicator(1, pattern)) if isinstance(row, Signal)]
    assert found == ["imei", "url"]


def test_what_is_not_compared_is_counted_by_kind_and_never_by_value(tmp_path: Path) -> None:
    embedded = {
        "0": {"type": "domain-name", "value": "example.org"},
        "1": {"type": "url", "value": "https://example.org/"},
    }
    things = [
        {"type": "persona", "id": name("persona", 1), "persona_name": "alice"},
        {"type": "payment-card", "id": name("payment-card", 1), "card_number": "4111111111111111"},
        {"type": "payment-card", "id": name("payment-card", 2)},
        {"type": "media-content", "id": name("media-content", 1), "title": "no address"},
        {"type": "file", "id": name("file", 1), "name": "a.jpg"},
        {"type": "x4477009001999", "id": name("x", 1)},
        {"type": "observed-data", "id": name("observed-data", 1), "objects": embedded},
        mail(2),
    ]
    path, remarks = tmp_path / "bundle.json", list[str]()
    path.write_text(json.dumps({"type": "bundle", "id": name("bundle", 1), "objects": things}))
    rows = list(read_file(path, Reading(say=remarks.append)))
    assert [type(row) for row in rows] == [Signal, Signal]
    (said,) = remarks
    for words in ("persona (1)", "payment-card (2)", "domain-name (1)", "of other kinds (1)"):
        assert words in said
    for kind in ("media-content", "file"):
        assert f"{kind} without an identifier that is compared (1)" in said
    assert "4111" not in said
    assert "alice" not in said


def test_however_many_kinds_there_are_the_words_are_bounded(tmp_path: Path) -> None:
    things = [{"type": f"x-kind-{number}", "id": name("x", number)} for number in range(1000)]
    path, remarks = tmp_path / "bundle.json", list[str]()
    path.write_text(json.dumps({"type": "bundle", "id": name("bundle", 1), "objects": [*things, mail(2)]}))
    list(read_file(path, Reading(say=remarks.append)))
    assert len(remarks[0]) < 1000
    assert "of other kinds (800)" in remarks[0]
    assert "and 181 more" in remarks[0]
