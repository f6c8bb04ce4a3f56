"""`narrowgate request next-step`, end to end from a disclosure that a broker signed."""

import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from broker.protocol.messages.vocabulary import Tier
from clients.cli import run
from clients.cli.main import app
from tests.gate_world import BUNDLE
from tests.unit.clients.next_step.conftest import Told
from tests.unit.clients.next_step.conftest import told as told  # the fixture
from tests.world import POLICE


@pytest.fixture(autouse=True)
def clock(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "clock", told.world.clock)


def call(told: Told, form: str, *more: str, tier: Tier = Tier.SOURCES, bundle: Path = BUNDLE) -> Result:
    home, asked = str(told.world.folder / POLICE), told.requests[tier].hex()
    return CliRunner().invoke(
        app, ["request", "next-step", home, asked, "--form", form, "--bundle", str(bundle), *more]
    )


def made(told: Told, form: str, *more: str) -> Any:
    result = call(told, form, "--json", *more)
    assert result.exit_code == 0, result.output + result.stderr
    return json.loads(result.stdout)


def field(document: Any, label: str) -> list[str]:
    fields = [field for section in document["sections"] for field in section["fields"]]
    return [value for field in fields if field["label"] == label for value in field["values"]]


def test_a_certificate_for_each_contributor_from_the_papers_of_the_request(told: Told) -> None:
    first, second = made(told, "epoc")["documents"]
    assert (first["contributor"], first["established_in"], first["form"]) == ("company-1", "IE", "epoc")
    assert second["contributor"] == "company-2"
    assert field(first, "Issuing State") == ["NL"]
    assert field(first, "Issuing authority") == ["Public prosecutor, example"]
    assert field(first, "File number of the issuing authority") == ["CASE-1"]
    assert field(first, "Offence") == ["trafficking_adult"]
    assert field(first, "Contact it gave for following up a match") == ["company-1@example.org"]
    identifiers = field(first, "Identifiers that the provider's record holds")
    assert identifiers == ["phone +447700900003", "phone +447700900007"]
    assert first["instruments"][0]["answer_days"] == 10
    assert first["instruments"][0]["emergency_hours"] == 8
    assert first["offered"] is None


def test_preservation_orders_say_sixty_days_and_stay_within_no_country(told: Told) -> None:
    answer = made(told, "epoc-pr")
    assert [each["contributor"] for each in answer["documents"]] == ["company-1"]
    assert answer["documents"][0]["instruments"][0]["preserve_days"] == 60
    assert [each["contributor"] for each in answer["unserved"]] == ["company-2"]
    assert "that country's own law" in answer["unserved"][0]["reason"]


def test_where_no_pack_names_the_pair_it_says_so_and_offers_legal_assistance(told: Told) -> None:
    document = made(told, "preservation")["documents"][0]
    assert document["form"] == "mla"
    assert "carries the form preservation from NL to IE" in document["offered"]
    assert field(document, "Treaty")[0].startswith("United Nations Convention against Transnational")


def test_the_pack_decides_and_another_pack_offers_another_form(told: Told, tmp_path: Path) -> None:
    changed = Path(shutil.copytree(BUNDLE, tmp_path / "policies"))
    regions = changed / "regions.toml"
    text = regions.read_text()
    regions.write_text(text.replace('"HU", "IT", "JP"', '"HU", "IE", "IT", "JP"'))
    assert regions.read_text() != text
    result = call(told, "preservation", "--json", bundle=changed)
    document = json.loads(result.stdout)["documents"][0]
    assert (document["form"], document["offered"]) == ("preservation", None)


def test_files_are_written_one_for_each_contributor_and_read_by_their_owner_alone(
    told: Told, tmp_path: Path
) -> None:
    result = call(told, "epoc", "--out", str(tmp_path / "epoc.md"))
    assert result.exit_code == 0
    written = sorted(tmp_path.iterdir())
    assert [path.name for path in written] == ["epoc-company-1-IE.md", "epoc-company-2-NL.md"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in written)
    assert "Nothing was signed or sent" in result.stdout
    assert "+4477" not in result.stdout
    assert "phone +447700900003" in written[0].read_text()


def test_without_a_file_it_is_printed_in_words(told: Told) -> None:
    result = call(told, "mla")
    assert result.stdout.startswith("# Request for mutual legal assistance - for company-1 (IE)")
    assert "Nothing for company-2 (NL)" in result.stdout


def test_nothing_is_sent(told: Told) -> None:
    before = len(told.world.wire.passed)
    made(told, "epoc")
    assert len(told.world.wire.passed) == before


@pytest.mark.parametrize("tier", [Tier.COUNT, Tier.HITS, Tier.PAYLOAD])
def test_only_a_disclosure_of_sources_has_a_next_step(told: Told, tier: Tier) -> None:
    result = call(told, "epoc", tier=tier)
    assert result.exit_code == 6
    assert "Traceback" not in result.output + result.stderr


def test_an_unknown_form_is_a_mistake_of_usage_and_a_folder_without_rules_is_said(
    told: Told, tmp_path: Path
) -> None:
    assert call(told, "letter").exit_code == 2
    result = call(told, "epoc", bundle=tmp_path)
    assert result.exit_code == 6
    assert "Name the folder of the rules" in result.stderr
