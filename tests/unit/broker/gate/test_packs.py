"""Packs of instruments: what contradicts itself or another pack is refused, with file and field."""

import datetime
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.gate.bundle import Bundle, load
from broker.gate.decide import decide_admission
from broker.gate.instrument_terms import Form
from broker.gate.instruments import Instrument
from broker.protocol.errors import BadInput
from broker.protocol.messages.vocabulary import Authority, Outcome, PayloadCategory, Purpose, Tier
from tests.gate_world import BUNDLE, NOW, admit_facts, basis, claims, party, three_series, verified

TEMPLATE = BUNDLE / "templates" / "country-pack.toml"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLE, tmp_path / "policies"))


Change = Callable[[Path], None]


def replace(name: str, old: str, new: str) -> Change:
    def change(directory: Path) -> None:
        file = directory / "packs" / name
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new, 1))

    return change


def write_too(name: str, source: str, old: str = "", new: str = "") -> Change:
    def change(directory: Path) -> None:
        target = directory / "packs" / name
        target.parent.mkdir(exist_ok=True)
        target.write_text((directory / "packs" / source).read_text().replace(old, new, 1))

    return change


TITLE = 'title = "United States"'
LOOK_ALIKE = 'title = "United St\N{CYRILLIC SMALL LETTER A}tes"'
FAULTS: list[tuple[str, Change, str]] = [
    ("eu2", write_too("eu2.toml", "eu.toml"), r"pack\.name is another name"),
    ("more/eu", write_too("more/eu.toml", "eu.toml"), "pack.name .* folder of its own"),
    (
        "eu2",
        write_too("eu2.toml", "eu.toml", 'name = "eu"', 'name = "eu2"'),
        r"instrument\.led_national_order is in packs/eu\.toml already",
    ),
    ("uk", replace("uk.toml", "instrument.uk_pace_production_order", "instrument.uk_ipa_2016"), "TOML"),
    (
        "ke",
        replace("ke.toml", "2018-05-30", "2018-05-30\nin_force_until = 2018-05-29"),
        r"instrument\.ke_production_order: .*in_force_until: is before",
    ),
    ("us", replace("us.toml", '["G1b"]', '["G1x"]'), r"instrument\.us_sca_2703_subpoena\.gateways"),
    ("us", replace("us.toml", '["G1b"]', '["L01"]'), r"instrument\.us_sca_2703_subpoena\.gateways"),
    (
        "us",
        replace("us.toml", 'validators = ["none"]', "validators = []"),
        r"us_sca_2702_emergency\.validators",
    ),
    ("us", replace("us.toml", '["subscriber"]', "[]"), r"us_sca_2703_subpoena: .*payload_categories"),
    ("us", replace("us.toml", 'issuing = ["US"]', 'issuing = ["EU"]'), "pairs says EU"),
    ("us", replace("us.toml", 'issuing = ["US"]', 'issuing = ["all_states"]'), "pairs names a region"),
    ("us", replace("us.toml", "review = true", "revue = true"), "instrument"),
    ("us", replace("us.toml", TITLE, LOOK_ALIKE), "has letters outside ASCII"),
    ("us", replace("us.toml", TITLE, r'title = "United St\u0430tes"'), "writes a letter outside ASCII as an"),
    ("us", replace("us.toml", "[pack]", "[pack"), "is not valid TOML"),
    ("us", replace("us.toml", 'name = "us"', ""), r"pack\.name"),
]


@pytest.mark.parametrize(("pack", "change", "says"), FAULTS)
def test_a_pack_that_contradicts_itself_or_another_is_refused_with_file_and_field(
    copy: Path, pack: str, change: Change, says: str
) -> None:
    change(copy)
    with pytest.raises(BadInput, match=rf"^packs/{pack}\.toml.*{says}"):
        load(copy)


def test_a_bundle_without_packs_is_refused(copy: Path) -> None:
    shutil.rmtree(copy / "packs")
    with pytest.raises(BadInput, match="no pack of instruments"):
        load(copy)


def test_an_instrument_changes_the_digest_and_the_template_does_not(copy: Path) -> None:
    template = copy / "templates" / "country-pack.toml"
    template.write_text(template.read_text() + "# another word\n")
    assert load(copy).digest == load(BUNDLE).digest
    replace("ke.toml", "in_force_from = 2018-05-30", "in_force_from = 2018-05-31")(copy)
    assert load(copy).digest != load(BUNDLE).digest


def filled(text: str) -> str:
    """The template as a lawyer of a made-up country would fill it in."""
    text = text.replace('"<<name of the file without .toml, small letters>>"', '"zz"')
    text = text.replace("[instrument.xx_production_order]", "[instrument.zz_production_order]")
    return re.sub(r"<<([^>]*)>>", r"\1", text)


def test_the_template_filled_in_is_a_pack_that_opens_what_it_says(copy: Path) -> None:
    (copy / "packs" / "zz.toml").write_text(filled(TEMPLATE.read_text()))
    bundle = load(copy)
    added = bundle.instruments["zz_production_order"]
    assert added.deadlines.answer_days == 7
    paper = basis(
        instrument="zz_production_order",
        issued_by=Authority.COURT,
        validated_by=Authority.NONE,
        jurisdiction="ZZ",
    )
    facts = admit_facts(
        requester=party(jurisdiction="ZZ"),
        claims=claims(basis=paper),
        verified=verified(basis=paper),
        series=three_series(established_in="ZZ", permitted_jurisdictions=("ZZ",)),
    )
    assert decide_admission(bundle, facts).rules == ("G1b",)


def test_the_template_as_it_stands_is_no_pack(copy: Path) -> None:
    shutil.copy(TEMPLATE, copy / "packs" / "zz.toml")
    with pytest.raises(BadInput, match=r"packs/zz\.toml"):
        load(copy)


def test_the_template_explains_every_field() -> None:
    text = TEMPLATE.read_text()
    assert [name for name in Instrument.model_fields if not re.search(rf"^(# )?{name} = ", text, re.M)] == []


def test_what_is_not_in_force_says_why_and_everything_waits_for_a_lawyer(bundle: Bundle) -> None:
    waiting = {name for name, one in bundle.instruments.items() if not one.in_force(NOW)}
    assert waiting == {
        "prum_ii_2024_982",
        "budapest_2ap_art7",
        "budapest_2ap_art10",
        "un_cybercrime_convention",
    }
    assert all(bundle.instruments[name].status for name in waiting)
    assert all(one.review for one in bundle.instruments.values())


def test_the_un_convention_has_no_date(bundle: Bundle) -> None:
    convention = bundle.instruments["un_cybercrime_convention"]
    assert convention.in_force_from is None
    assert "not in force" in (convention.status or "")


def test_an_instrument_for_subscriber_data_opens_no_content(bundle: Bundle) -> None:
    reached = bundle.instruments["us_sca_2703_subpoena"].payload_categories
    assert reached == (PayloadCategory.SUBSCRIBER,)


def test_no_instrument_of_the_bundle_leads_from_police_process_to_another_countrys_national_law(
    bundle: Bundle,
) -> None:
    national = [one for one in bundle.instruments.values() if "G1b" in one.gateways]
    assert len(national) >= 6
    for one in national:
        joined = [
            (a, b)
            for pair in one.pairs
            for a in pair.issuing
            for b in ("NL", "US", "GB", "KE")
            if pair.joins(a, b)
        ]
        assert all(a == b for a, b in joined)


def test_every_emergency_owes_a_review(bundle: Bundle) -> None:
    emergencies = [one for one in bundle.instruments.values() if "G3" in one.gateways]
    assert emergencies
    for one in emergencies:
        assert one.duties.reviewed_within_days or one.duties.validated_within_hours
        assert Tier.PAYLOAD not in one.tiers


def test_each_form_is_offered_by_some_instrument_in_force(bundle: Bundle) -> None:
    assert {one.form for one in bundle.instruments.values() if one.in_force(NOW)} >= set(Form)


def test_every_purpose_has_a_term(bundle: Bundle) -> None:
    assert set(bundle.vocabulary.purposes) == set(Purpose)


@pytest.mark.parametrize("identifier_type", ["phone", "licence_plate"])
def test_pruem_goes_no_further_than_its_categories(copy: Path, identifier_type: str) -> None:
    replace(
        "eu.toml",
        'status = "In force since 25 April 2024',
        'in_force_from = 2024-04-25\nstatus = "In force since 25 April 2024',
    )(copy)
    bundle = load(copy)
    instrument = bundle.instruments["prum_ii_2024_982"]
    assert instrument.in_force_from == datetime.date(2024, 4, 25)
    assert instrument.reaches_type(identifier_type) is (identifier_type == "licence_plate")
    paper = basis(instrument="prum_ii_2024_982", issued_by=Authority.POLICE, validated_by=Authority.NONE)
    facts = admit_facts(claims=claims(basis=paper), verified=verified(basis=paper))
    decision = decide_admission(bundle, facts)
    assert (decision.outcome, "L01b" in decision.rules) == (Outcome.DENY, True)
