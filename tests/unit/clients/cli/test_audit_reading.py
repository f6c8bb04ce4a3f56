"""Search, anomalies and report by command: offline, on the mirror alone."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from clients.cli import run
from clients.cli.main import app
from tests.auditing_case import DAY_SECONDS, Story
from tests.world import CONTRIBUTORS, POLICE, POLICIES, World, phone

BUNDLE = ("--bundle", str(POLICIES))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A mirrored log of one answered request and forty days after it; from here on no service can be reached."""
    world = World(tmp_path_factory.mktemp("reading"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run, "new_transport", lambda: world.wire)
        patched.setattr(run, "clock", world.clock)
        for name in CONTRIBUTORS:
            world.deposit(name, range(3))
        world.ask([phone(1), phone(500)])
        world.now += 40 * DAY_SECONDS
        Story(world, "unit-9").refused(rules=["L06"], reasons=["Too many."], law=["an article"])
        _run(world, "verify")
        world.take_down(world.space.broker_origin)
        yield world
    world.close()


def _run(world: World, *arguments: str, expect: int = 0) -> Result:
    name, *rest = arguments
    result = CliRunner().invoke(app, ["audit", name, str(world.folder / "auditor-1"), *rest])
    assert result.exit_code == expect, result.output + result.stderr
    return result


def _json(world: World, *arguments: str, expect: int = 0) -> Any:
    return json.loads(_run(world, *arguments, "--json", expect=expect).stdout)


def test_a_search_lists_what_fits_newest_last(world: World) -> None:
    found = _json(world, "search", "--case", "CASE-1", "--agency", POLICE)
    assert [each["kind"] for each in found["entries"]] == ["ADMITTED", "TOKENS", "RELEASE", "RELEASED"]
    admitted = found["entries"][0]
    assert (admitted["tier"], admitted["outcome"], admitted["rules"]) == ("hits", "ALLOW", ["G2"])
    (line,) = _run(world, "search", "--outcome", "DENY").stdout.splitlines()
    assert line.split()[3:] == ["REFUSED", "unit-9", "hits", "DENY", "L06"]
    assert line.split()[1:3] == ["2026-12-28", "11:06:40Z"]
    assert _run(world, "search", "--rule", "L99").stdout == "No entry fits.\n"
    everything = _json(world, "search")
    assert len(everything["entries"]) == everything["size"]


@pytest.mark.parametrize(
    ("arguments", "kinds"),
    [
        (("--since", "2026-12-28"), {"REFUSED"}),
        (("--since", "2026-11-18", "--until", "2026-11-19", "--kind", "RELEASED"), {"RELEASED"}),
        (("--until", "2026-11-18"), set()),
        (("--law", "2023/1543", "--kind", "RELEASE"), {"RELEASE"}),
        (("--tier", "payload"), set()),
        (("--rule", "L06"), {"REFUSED"}),
    ],
    ids=" ".join,
)
def test_each_option_narrows(world: World, arguments: tuple[str, ...], kinds: set[str]) -> None:
    assert {each["kind"] for each in _json(world, "search", *arguments)["entries"]} == kinds


def test_anomalies_are_findings_and_no_failure_unless_strict(world: World) -> None:
    assert _json(world, "anomalies", *BUNDLE) == {"findings": [], "left_out": [], "size": 28}
    _run(world, "anomalies", *BUNDLE, "--strict")
    said = _run(world, "anomalies").stdout
    assert "Anomalies found in 28 entries: 0." in said
    assert "Not looked for: near-budget" in said
    assert "--bundle" in said
    _run(world, "anomalies", "--strict", expect=4)
    world.bring_up()
    release = Story(world, "unit-open").release()
    _run(world, "verify")
    world.take_down(world.space.broker_origin)
    found = _json(world, "anomalies", *BUNDLE, "--strict", expect=4)["findings"]
    assert [each["anomaly"] for each in found] == [
        "release-without-admission",
        "release-without-tokens",
        "open-release",
    ]
    assert all(each["entries"] == [release] and each["party"] == "unit-open" for each in found)
    assert "the broker was interrupted" in _run(world, "anomalies", *BUNDLE).stdout


PERIOD = ("--since", "2026-11-01", "--until", "2027-01-01", "--not-for-publication")


def test_a_report_in_each_format(world: World, tmp_path: Path) -> None:
    made = json.loads(_run(world, "report", *PERIOD, "--format", "json").stdout)
    assert made == _json(world, "report", *PERIOD)
    assert (made["since"], made["until"], made["asked_until"]) == ("2026-11-01", "2026-11-28", "2027-01-01")
    assert made["for_publication"] is False
    assert "NOT FOR PUBLICATION" in _run(world, "report", *PERIOD).stdout
    assert made["lists"]["outcomes"] == {
        "title": "Requests decided",
        "note": "",
        "rows": [],
        "total": None,
        "withheld": True,
    }
    assert _run(world, "report", *PERIOD).stdout.startswith("# Transparency report: Example space\n")
    assert "outcomes,others,withheld," in _run(world, "report", *PERIOD, "--format", "csv").stdout
    out = tmp_path / "report.html"
    told = _json(world, "report", *PERIOD, "--format", "html", "--out", str(out))
    assert told == {"out": str(out), "since": "2026-11-01", "until": "2026-11-28"}
    assert out.read_text().startswith("<!DOCTYPE html>")
    assert "Written" in _run(world, "report", *PERIOD, "--out", str(tmp_path / "report.md")).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("report", "--since", "yesterday", "--until", "2027-01-01"), "--since is a day"),
        (("report", "--since", "2026-11-01", "--until", "01.01.2027"), "--until is a day"),
        (("report", "--since", "2026-12-20", "--until", "2027-01-01", "--not-for-publication"), "30 days"),
        (("report", "--since", "2026-11-20", "--until", "2026-11-20", "--not-for-publication"), "empty"),
        (("report", "--since", "2026-11-20", "--until", "2026-12-20"), "calendar month, quarter or year"),
        (("report", "--since", "2026-11-01", "--until", "2026-12-01"), "not over by 30 days"),
        (("report", *PERIOD, "--epsilon", "1"), "--epsilon is for a report to publish"),
        (("search", "--since", "2026-13-01"), "--since is a day"),
        (("anomalies", "--bundle", "nowhere"), "no bundle of rules"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else None,
)
def test_what_cannot_be_is_refused_in_words(world: World, arguments: tuple[str, ...], words: str) -> None:
    assert words in _run(world, *arguments, expect=6).stderr


def test_without_a_mirror_one_is_told_how_to_make_it(world: World) -> None:
    result = CliRunner().invoke(app, ["audit", "search", str(world.folder / "desk-1")])
    assert result.exit_code == 6
    assert "audit verify" in result.stderr
