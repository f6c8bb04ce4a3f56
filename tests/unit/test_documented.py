"""The pages in docs/ and the code say the same: what is stored, settings, routes, problems, commands, links.

Rule (STYLE 9): a page that a person relies on is compared with the code in both directions, so that neither a table,
kind of log entry, file, setting, route, problem or command without a page passes, nor a page about one that is gone.
It starts no service and reads no prose: only the first cells of tables, the names in them, and the examples.
"""

import ast
import dataclasses
import fnmatch
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple, cast

import pytest
import typer
from fastapi import FastAPI
from pydantic_core import PydanticUndefined
from sqlalchemy import MetaData

from broker.api import app as broker_app
from broker.api.problems import STATUS_BY_SLUG
from broker.audit import records as broker_records
from broker.protocol.messages import closings
from broker.protocol.messages.base import Message
from broker.protocol.messages.erasure import ERASABLE, Erasable, ErasureGround
from broker.protocol.messages.requests import AdmissionRecord, ReleaseDecided
from broker.protocol.messages.vocabulary import RecordKind
from broker.protocol.problems import PROBLEMS
from broker.settings import Settings
from broker.store import tables as broker_tables
from clients.cli import main as command_line
from clients.cli.run import ExitCode
from clients.keyholder import keys as holder_keys
from clients.keyholder import own_log as holder_records
from clients.keyholder.api import app as holder_app
from clients.keyholder.api.problems import STATUS as HOLDER_STATUS
from clients.keyholder.store import tables as holder_tables
from clients.witness import api as witness_app
from clients.witness.store import tables as witness_tables

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")), *sorted((ROOT / "deploy").rglob("*.md"))]
ENVIRONMENT_NAME = re.compile(r"NARROWGATE_[A-Z]+(?:_[A-Z]+)*")


# --- reading pages ---


class Row(NamedTuple):
    """One row of a table in a page: the name in its first cell, and its cells."""

    name: str
    cells: list[str]


def section(page: str, heading: str) -> str:
    """The text below a heading of the second level, up to the next."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/{page} has no heading: {heading}"
    return found[1]


def rows(text: str) -> dict[str, Row]:
    """The rows of all tables in a text whose first cell is one name in backticks."""
    found: dict[str, Row] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        name = re.fullmatch(r"`([^`]+)`", cells[0])
        if line.startswith("|") and name is not None:
            assert name[1] not in found, f"documented twice: {name[1]}"
            found[name[1]] = Row(name[1], cells)
    assert found, "the section has no table of names"
    return found


def names(cell: str) -> list[str]:
    """What stands in backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)


# --- where things are ---


def test_every_folder_of_the_code_is_on_its_page_with_what_it_says_of_itself() -> None:
    said = {}
    for path in (path for name in ("broker", "clients") for path in (ROOT / name).rglob("__init__.py")):
        what = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        said[f"{path.parent.relative_to(ROOT)}/"] = what.partition("\n\n")[0].replace("\n", " ")
    page = (DOCS / "where-things-are.md").read_text(encoding="utf-8")
    assert {name: row.cells[1] for name, row in rows(page).items()} == said


# --- what is stored ---


@pytest.mark.parametrize(
    ("heading", "metadata"),
    [
        ("Broker: tables", broker_tables.METADATA),
        ("Key holder: tables", holder_tables.METADATA),
        ("Witness: tables", witness_tables.METADATA),
    ],
)
def test_every_table_and_column_is_documented_and_none_that_is_gone(heading: str, metadata: MetaData) -> None:
    documented = {name: names(row.cells[2]) for name, row in rows(section("data-model.md", heading)).items()}
    stored = {name: [column.name for column in table.columns] for name, table in metadata.tables.items()}
    assert documented == stored


@pytest.mark.parametrize("heading", ["Broker: tables", "Key holder: tables", "Witness: tables"])
def test_every_table_says_whose_data_it_is_and_when_its_rows_go(heading: str) -> None:
    for row in rows(section("data-model.md", heading)).values():
        assert [bool(cell) for cell in row.cells] == [True] * 5, row.name


def records_of(module: ModuleType) -> dict[str, list[str]]:
    """Fields of the record beside each kind of entry, from the kinds that each record's docstring opens with."""
    found: dict[str, list[str]] = {}
    for kind in vars(module).values():
        if isinstance(kind, type) and issubclass(kind, Message) and kind.__module__ == module.__name__:
            opening = (kind.__doc__ or "").partition(":")[0]
            for name in set(re.findall(r"[A-Z_]+", opening)) & set(RecordKind.__members__):
                found[name] = [field for field in kind.model_fields if field != "v"]
    return found


def documented_records(heading: str) -> dict[str, list[str]]:
    return {name: names(row.cells[2]) for name, row in rows(section("data-model.md", heading)).items()}


def test_every_kind_of_entry_in_the_brokers_log_is_documented_with_its_fields() -> None:
    admission = [field for field in AdmissionRecord.model_fields if field != "v"]
    release = [field for field in ReleaseDecided.model_fields if field != "v"]
    recorded = {
        **records_of(broker_records),
        **records_of(closings),
        "ADMITTED": admission,
        "RELEASE": release,
    }
    assert documented_records("Log entries of the broker") == recorded


def test_every_kind_of_entry_in_a_key_holders_log_is_documented_with_its_fields() -> None:
    assert documented_records("Log entries of a key holder") == records_of(holder_records)


@pytest.mark.parametrize("heading", ["Log entries of the broker", "Log entries of a key holder"])
def test_every_kind_of_entry_says_whose_data_it_is_and_when_it_may_be_erased(heading: str) -> None:
    for row in rows(section("data-model.md", heading)).values():
        assert [bool(cell) for cell in row.cells] == [True] * 5, row.name
        assert row.cells[4] == ERASABLE[RecordKind(row.name)].value, row.name


def test_every_kind_of_entry_has_a_rule_of_erasure_that_is_explained() -> None:
    assert set(ERASABLE) == set(RecordKind)
    text = section("data-model.md", "Erasing a log record")
    for word in [*Erasable, *ErasureGround]:
        assert f"**{word}**" in text or f"`{word}`" in text, word


def test_no_kind_of_entry_is_in_neither_log() -> None:
    of_the_broker = {*records_of(broker_records), *records_of(closings)}
    described = {"ADMITTED", "RELEASE", *of_the_broker, *records_of(holder_records)}
    assert described == {kind.value for kind in RecordKind}


# --- the files of a home ---

WRITERS = {
    "write": False,
    "writing": False,
    "write_text": False,
    "write_message": False,
    "write_secret": True,
}
"""Methods of a vault that write a file, and whether they seal it."""


class Written(NamedTuple):
    """A file's name as code writes it, `*` for what is filled in; and whether it is sealed."""

    pattern: str
    sealed: bool


def pattern_of(node: ast.AST, function: ast.FunctionDef, module: ast.Module) -> str:
    """The name that an expression in a function makes; `*` where that depends on more than this module."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else "*"
    if isinstance(node, ast.FormattedValue):
        return pattern_of(node.value, function, module)
    if isinstance(node, ast.JoinedStr):
        return "".join(pattern_of(part, function, module) for part in node.values)
    if isinstance(node, ast.BinOp):
        return re.sub(
            r"\*+", "*", "".join(pattern_of(each, function, module) for each in (node.left, node.right))
        )
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for other in ast.walk(module):
            if (
                isinstance(other, ast.FunctionDef)
                and other.name == called
                and isinstance(other.body[-1], ast.Return)
            ):
                return pattern_of(other.body[-1], other, module)
    if isinstance(node, ast.Return) and node.value is not None:
        return pattern_of(node.value, function, module)
    if isinstance(node, ast.Name | ast.Attribute):
        # A local name is looked for in its function, a field of the object in the whole module.
        for item in ast.walk(function if isinstance(node, ast.Name) else module):
            if isinstance(item, ast.Assign) and ast.unparse(item.targets[0]) == ast.unparse(node):
                return pattern_of(item.value, function, module)
    return "*"


def written_files() -> set[Written]:
    """The files that modules of the clients write into a home, but for `carry/`, which the page has in words."""
    found = set()
    for path in (path for path in (ROOT / "clients").rglob("*.py") if path.parent.name != "carry"):
        module = ast.parse(path.read_text(encoding="utf-8"))
        for function in (each for each in ast.walk(module) if isinstance(each, ast.FunctionDef)):
            for node in ast.walk(function):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                if node.func.attr in WRITERS and ast.unparse(node.func.value).endswith("vault"):
                    pattern = pattern_of(node.args[0], function, module)
                    found.add(Written(pattern, WRITERS[node.func.attr]))
    # `masked_records` writes under a name it is given: `deposit_folder.records_name`.
    return (found - {Written("*", False)}) | {
        Written("deposits/*/records", False),
        Written("home.key", False),
    }


def documented_files() -> set[Written]:
    capitals = re.compile(r"\b[A-Z]{2,}\b|(?<=-)X\b")
    return {
        Written(capitals.sub("*", name), row.cells[2].partition(":")[0] == "yes")
        for name, row in rows(section("data-model.md", "Files of a home")).items()
    }


def fits(name: str, pattern: str) -> bool:
    """Whether a name has the pattern's parts, one by one."""
    parts, patterns = name.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatch.fnmatchcase, parts, patterns))


def test_every_file_that_a_home_writes_is_documented_as_sealed_or_not() -> None:
    documented, written = documented_files(), written_files()
    assert len(written) > 20
    for pattern, sealed in written:
        found = {item.sealed for item in documented if fits(item.pattern, pattern)}
        assert found == {sealed}, f"docs/data-model.md: {pattern}, sealed: {sealed}"


def test_no_file_is_documented_that_a_home_does_not_write() -> None:
    written = written_files()
    for name, sealed in documented_files():
        assert any(fits(name, item.pattern) and item.sealed == sealed for item in written), name


# --- settings ---


def test_every_setting_of_the_broker_is_documented_with_its_variable_and_default() -> None:
    documented = {
        name: (names(row.cells[1]), names(row.cells[2]))
        for name, row in rows(section("settings.md", "Broker")).items()
    }
    prefix = str(Settings.model_config["env_prefix"])
    expected = {}
    for name, field in Settings.model_fields.items():
        default = [] if field.default is PydanticUndefined else [str(field.default).lower()]
        expected[name] = ([prefix + name.upper()], default)
    assert documented == expected


def test_what_a_key_holder_says_of_itself_is_documented() -> None:
    documented = {
        name: names(row.cells[1]) for name, row in rows(section("settings.md", "Key holder")).items()
    }
    options = {
        field.name: [f"--{field.name.replace('_', '-')}"] for field in dataclasses.fields(holder_keys.Persona)
    }
    assert documented == options


def test_every_environment_variable_is_documented() -> None:
    read = set()
    for path in [
        *(ROOT / "broker").rglob("*.py"),
        *(ROOT / "clients").rglob("*.py"),
        ROOT / "tests" / "conftest.py",
    ]:
        text = path.read_text(encoding="utf-8")
        # Few modules read one, and to parse all of them takes seconds.
        for node in ast.walk(ast.parse(text)) if "NARROWGATE_" in text else ():
            if isinstance(node, ast.Constant) and ENVIRONMENT_NAME.fullmatch(str(node.value)):
                read.add(str(node.value))
    assert set(rows(section("settings.md", "Environment"))) == read


# --- routes and problems ---


def served(app: FastAPI) -> dict[str, list[str]]:
    """METHOD PATH of every route, with the names of its query's parameters; the schema is made, not served."""
    return {
        f"{method.upper()} {path}": [
            each["name"] for each in route.get("parameters", []) if each["in"] == "query"
        ]
        for path, methods in app.openapi()["paths"].items()
        for method, route in methods.items()
    }


def unstarted() -> Any:
    """What stands for a broker or holder while only its routes are asked for."""
    return SimpleNamespace(clock=lambda: 0)


@pytest.mark.parametrize("service", ["Broker", "Key holder", "Witness"])
def test_every_route_is_documented_with_its_query_and_none_that_is_gone(service: str) -> None:
    if service == "Broker":
        app = cast(FastAPI, broker_app.create_app(unstarted())._app)
    elif service == "Key holder":
        app = holder_app.create_app(unstarted())
    else:
        app = witness_app.create_app(unstarted())
    table = rows(section("routes.md", service))
    documented = {
        name: names(row.cells[2].partition("query")[2]) if "query" in row.cells[2] else []
        for name, row in table.items()
    }
    assert documented == served(app)
    assert all(row.cells[1] and row.cells[3] for row in table.values()), (
        "each says who may call, and the answer"
    )


def test_every_problem_is_documented_and_none_that_is_gone() -> None:
    text = (DOCS / "protocol.md").read_text(encoding="utf-8")
    listed = rows(text[text.index("**Problems.**") :])
    assert set(listed) == set(PROBLEMS)


def test_every_problem_has_the_documented_status_at_both_services() -> None:
    documented = {name: int(row.cells[1]) for name, row in rows(section("routes.md", "Problems")).items()}
    assert documented == dict(STATUS_BY_SLUG) == dict(HOLDER_STATUS)
    assert set(documented) == set(PROBLEMS)


# --- commands ---


def commands() -> dict[str, Any]:
    """Every command of the program by its full name, the broker's and the key holder's too."""
    root = typer.main.get_command(command_line.app)
    context = root.make_context("narrowgate", [], resilient_parsing=True)
    return dict(walk(root, context, "narrowgate"))


def walk(group: Any, context: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name in group.list_commands(context):
        command, full_name = group.get_command(context, name), f"{prefix} {name}"
        assert command is not None, full_name
        assert command.callback is not command_line._not_installed, f"not installed here: {full_name}"
        if hasattr(command, "list_commands"):
            yield from walk(command, command.make_context(name, [], resilient_parsing=True), full_name)
        else:
            yield full_name, command


def examples() -> list[list[str]]:
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    fences = re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [shlex.split(line) for fence in fences for line in fence.splitlines()]


def called_in(words: list[str], known: Iterable[str]) -> str:
    """The name of the command that an example calls: the longest that fits."""
    fitting = [name for name in known if words[: len(name.split())] == name.split()]
    assert fitting, f"an example calls no command that there is: {shlex.join(words[:4])}"
    return max(fitting, key=len)


def test_every_command_is_documented_and_none_that_is_gone() -> None:
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert sorted(rows(text)) == sorted(commands())


def test_every_command_has_an_example_that_the_program_understands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    known, shown = commands(), set[str]()
    for words in examples():
        name = called_in(words, known)
        shown.add(name)
        # Parses options, types and what is required, and calls nothing.
        known[name].make_context(name, words[len(name.split()) :])
    assert shown == set(known)


def test_the_commands_page_lists_the_exit_codes() -> None:
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert [int(code) for code in re.findall(r"^\| (\d) \|", text, re.MULTILINE)] == [
        int(code) for code in ExitCode
    ]


# --- pages among themselves ---


def anchors(page: Path) -> set[str]:
    """Names of a page's headings as links use them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), f"{page.name} links to {target}"
        assert there.is_relative_to(ROOT), f"{page.name} links out of the project: {target}"
        assert not anchor or anchor in anchors(there), f"{page.name} links to {target}"


def test_the_index_names_every_page() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        if page.name != "README.md":
            assert f"({page.relative_to(DOCS)})" in index, (
                f"docs/README.md does not link to {page.relative_to(DOCS)}"
            )


# --- tests ---


def test_every_test_that_the_threat_model_names_exists() -> None:
    """Files, and the tests in them: a table of attacks says nothing once a test is renamed or gone."""
    page = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page))
    assert len(named) > 80
    missing = []
    for file, name in sorted(named):
        path = ROOT / file
        source = path.read_text(encoding="utf-8") if path.is_file() else ""
        if not source or (name and f"\ndef {name}(" not in source):
            missing.append(f"{file}::{name}")
    assert missing == []


def test_every_test_of_the_ladders_threats_is_named_in_the_threat_model() -> None:
    """The honest twins aside: a file of attacks that nobody finds in the table is not read."""
    page = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    files = sorted((ROOT / "tests" / "threats").glob("test_*.py"))
    assert [each.name for each in files if f"tests/threats/{each.name}" not in page] == []
