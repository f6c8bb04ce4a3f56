"""Law to rules to scenarios: no rule that comes along is without a story, and what is missing is named."""

import datetime
import json
import shutil
from pathlib import Path

import pytest

from broker.gate.bundle import load
from broker.gate.computed import ENGINE_ERROR
from broker.gate.coverage import Coverage, cover, laws_cited, read_stories
from broker.gate.coverage_page import page
from broker.gate.decide import Case
from broker.protocol.errors import BadInput
from tests.gate_world import BUNDLE, admit_facts

DAY = datetime.date(2026, 11, 26)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLE, tmp_path / "policies"))


@pytest.fixture(scope="module")
def shipped() -> Coverage:
    return cover(load(BUNDLE), read_stories(BUNDLE))


def covered(directory: Path) -> Coverage:
    return cover(load(directory), read_stories(directory))


def test_no_rule_that_comes_along_is_without_a_scenario(shipped: Coverage) -> None:
    # An error of the engine is no story about the law: tests/unit/broker/gate/test_bad_input.py plants some.
    assert set(shipped.rules_without_scenario) <= {ENGINE_ERROR}
    assert shipped.scenarios_without_expectation == ()
    assert shipped.scenarios_decided_otherwise == ()


def test_every_rule_and_instrument_stands_under_each_law_that_it_cites(shipped: Coverage) -> None:
    bundle = load(BUNDLE)
    listed = {rule.id for law in shipped.laws for rule in law.rules}
    assert listed >= set(bundle.rules)
    assert {each.name for law in shipped.laws for each in law.instruments} == set(bundle.instruments)
    (gdpr,) = (law for law in shipped.laws if law.name == "GDPR")
    assert {"L02", "L12", "D1"} <= {rule.id for rule in gdpr.rules}


def test_a_law_has_one_name_in_rules_and_packs(shipped: Coverage) -> None:
    names = {law.name for law in shipped.laws}
    assert "no authority on either side" not in names
    assert not {
        each for each in names if "2016/679" in each or "Cybercrime (ETS" in each or "Additional" in each
    }
    for rule, instrument in (
        ("D1", "consent_of_the_person"),
        ("L01a", "led_national_order"),
        ("L08", "budapest_preservation"),
        ("G2", "budapest_2ap_art7"),
        ("L11", "budapest_2ap_art10"),
        ("L03", "palermo_10"),
    ):
        together = [
            law.name
            for law in shipped.laws
            if rule in {each.id for each in law.rules}
            and instrument in {each.name for each in law.instruments}
        ]
        assert together, f"{rule} and {instrument} cite one law by two names"


@pytest.mark.parametrize(
    ("citation", "names"),
    [
        ("GDPR art 6, 10; Directive (EU) 2016/680 art 8", ("GDPR", "Directive (EU) 2016/680")),
        (
            "18 USC 2702(b)(8), (c)(4); Budapest Convention, Second Protocol, art 10",
            ("18 USC 2702", "Budapest Convention, Second Protocol"),
        ),
        ("Regulation (EU) 2024/982: hit first, then data", ("Regulation (EU) 2024/982",)),
        ("CJEU C-746/18 Prokuratuur", ("CJEU C-746/18 Prokuratuur",)),
        ("Convention on the Rights of the Child art 3, 16", ("Convention on the Rights of the Child",)),
        ("Directive (EU) 2023/977 on the exchange of information", ("Directive (EU) 2023/977",)),
        ("Crime (Overseas Production Orders) Act 2019 s 1", ("Crime (Overseas Production Orders) Act 2019",)),
        ("The contributor's own ground (GDPR art 6; DSA art 18)", ("The contributor's own ground",)),
        ("Computer Misuse and Cybercrimes Act 2018 s 50", ("Computer Misuse and Cybercrimes Act 2018",)),
    ],
)
def test_a_law_is_listed_by_its_name_whatever_article_is_cited(citation: str, names: tuple[str, ...]) -> None:
    assert laws_cited(citation) == names


def test_a_rule_whose_only_scenario_is_taken_away_is_named(copy: Path) -> None:
    (copy / "scenarios" / "DENY" / "fishing-with-six-hundred-identifiers.json").unlink()
    for path in (copy / "scenarios" / "DENY").glob("*.json"):
        if "L06" in json.loads(path.read_text())["expected"]["rules"]:
            path.unlink()
    assert "L06" in covered(copy).rules_without_scenario
    assert "Rules without a scenario: L06" in page(load(copy), covered(copy), DAY).replace("ENGINE, ", "")


def test_a_scenario_that_expects_nothing_covers_nothing(copy: Path) -> None:
    for path in (copy / "scenarios" / "DENY").glob("*.json"):
        scenario = json.loads(path.read_text())
        if "L14" in scenario["expected"]["rules"]:
            del scenario["expected"]
            path.write_text(json.dumps(scenario))
    coverage = covered(copy)
    assert "L14" in coverage.rules_without_scenario
    assert coverage.scenarios_without_expectation
    assert coverage.scenarios_without_expectation[0] in page(load(copy), coverage, DAY)


def test_a_changed_number_shows_which_scenario_comes_out_otherwise(copy: Path) -> None:
    limits = copy / "limits.toml"
    limits.write_text(limits.read_text().replace("hits_identifiers = 500", "hits_identifiers = 5000"))
    assert "DENY/fishing-with-six-hundred-identifiers" in covered(copy).scenarios_decided_otherwise


def test_a_scenario_without_facts_is_named() -> None:
    with pytest.raises(BadInput, match="Scenario ALLOW/nothing"):
        cover(load(BUNDLE), [("ALLOW/nothing", Case())])


def test_a_scenario_that_does_not_parse_is_named(copy: Path) -> None:
    (copy / "scenarios" / "ALLOW" / "broken.json").write_text("{")
    with pytest.raises(BadInput, match="Scenario ALLOW/broken"):
        read_stories(copy)


def test_the_page_ends_with_a_block_to_sign_with_digest_and_day(shipped: Coverage) -> None:
    bundle = load(BUNDLE)
    written = page(bundle, shipped, DAY)
    signature = written[written.index("## Signature") :]
    assert bundle.digest.hex() in signature
    assert "2026-11-26" in signature
    assert "\n## " not in signature
    for rule in bundle.rules.values():
        assert f"| {rule.id} |" in written
        assert rule.reason in written
    for story in shipped.stories:
        assert story.words in written
    waiting = [rule.id for rule in bundle.rules.values() if rule.review]
    assert f"Rules whose citation waits for a lawyer: {', '.join(waiting)}." in written


def test_a_case_covers_what_decides_it_and_not_what_its_file_says() -> None:
    bundle = load(BUNDLE)
    coverage = cover(bundle, [("ALLOW/one", Case(story="Forty numbers.", admit=admit_facts()))])
    assert [rule.id for rule in coverage.rules if rule.stories] == ["G2"]
