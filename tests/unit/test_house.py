"""The house rules that no tool checks by itself: sizes, docstrings, names, imports, clocks, hosts and words.

Rule (STYLE 1, 2 and 6; CONTRIBUTING): a module has one subject and says what it is; who imports whom is fixed; time and
randomness are arguments in the pure parts; nothing names a package registry; nothing pseudonymous is called otherwise.
It finds modules by walking the folders, so that a new one is held to the rules from its first day.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAXIMUM_LINES = 400
NAMES_THAT_SAY_NOTHING = {"util", "utils", "helper", "helpers", "common", "manager", "managers", "misc"}
PURE = ("broker/gate", "broker/protocol", "broker/translog", "broker/matching")
"""Folders in which time and randomness are arguments."""
CLOCKS_AND_DICE = re.compile(
    r"time\.\w+|datetime\.(datetime|date)\.(now|utcnow|today)|os\.(urandom|getrandom|times)|random\.\w+"
    r"|secrets\.\w+|uuid\.uuid[14]"
)
GENERATED = {"__pycache__", "build", "dist", "var", "node_modules"}
REGISTRY_HOSTS = [
    ".".join(words) for words in (("pypi", "org"), ("files", "pythonhosted"), ("pythonhosted", "org"))
]
"""Put together here, so that this file names none either."""
WORD = "anon" + "ymous"
NEGATED = re.compile(
    rf"\b(not|never|no longer|neither|nothing is|is no) (\w+ ){{0,2}}\W*{WORD}", re.IGNORECASE
)


def modules() -> list[Path]:
    """Every module of the broker and the clients; what makes a folder a package says what the folder is."""
    return [path for folder in ("broker", "clients") for path in sorted((ROOT / folder).rglob("*.py"))]


def project_files() -> Iterator[Path]:
    """Every file of the project: neither hidden folders but .ci, nor what is generated."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name not in GENERATED and not name.endswith(".egg-info") and (name[0] != "." or name == ".ci")
        ]
        yield from (Path(folder) / name for name in files)


def texts() -> Iterator[tuple[Path, str]]:
    """Every text file of the project."""
    for path in project_files():
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_files_of_the_project_are_found() -> None:
    found = {named(path) for path, _ in texts()}
    assert {
        "README.md",
        "requirements.lock",
        ".ci/run",
        "broker/settings.py",
        "tests/unit/test_house.py",
    } <= found


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert not {name: length for name, length in lengths.items() if length > MAXIMUM_LINES}


def test_every_module_says_what_it_is() -> None:
    silent = [
        named(path)
        for path in modules()
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not silent


def test_no_module_or_folder_has_a_name_that_says_nothing() -> None:
    parts = {part for path in modules() for part in path.relative_to(ROOT).with_suffix("").parts}
    words = {word for part in parts for word in part.split("_")}
    assert not words & NAMES_THAT_SAY_NOTHING


def test_who_imports_whom_is_as_agreed() -> None:
    program = Path(sys.executable).parent / "lint-imports"
    checked = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


# --- clocks and dice ---


def impure_calls(source: str) -> list[str]:
    """What a module uses of clocks and randomness, by full name and line, whatever it calls them."""
    tree, full_names, found = ast.parse(source), dict[str, str](), []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for item in node.names:
                full_names[item.asname or item.name.split(".")[0]] = (
                    item.name if item.asname else item.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            for item in node.names:
                full_names[item.asname or item.name] = f"{node.module}.{item.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            first, _, rest = ast.unparse(node).partition(".")
            full_name = full_names.get(first, "") + (f".{rest}" if rest else "")
            if CLOCKS_AND_DICE.fullmatch(full_name):
                found.append(f"{full_name} in line {node.lineno}")
    return found


@pytest.mark.parametrize("folder", PURE)
def test_time_and_randomness_are_arguments_in_the_pure_parts(folder: str) -> None:
    sources = sorted((ROOT / folder).rglob("*.py"))
    assert sources
    used = {named(path): impure_calls(path.read_text(encoding="utf-8")) for path in sources}
    assert not {name: calls for name, calls in used.items() if calls}


@pytest.mark.parametrize(
    "source",
    [
        "import time\nnow = time.time()",
        "from time import time\nnow = time()",
        "import time as clock\nnow = clock.monotonic",
        "import datetime\nnow = datetime.datetime.now(datetime.UTC)",
        "from datetime import datetime\nnow = datetime.utcnow()",
        "from datetime import date as day\ntoday = day.today()",
        "import os\nnonce = os.urandom(12)",
        "import secrets\nnonce = secrets.token_bytes(12)",
    ],
)
def test_a_planted_clock_or_die_is_found(source: str) -> None:
    assert impure_calls(source)


@pytest.mark.parametrize(
    "source",
    [
        "def check(now: int, time: int) -> int:\n    return now + time",
        "from datetime import datetime\nparsed = datetime.fromisoformat",
        "def draw(random_bytes):\n    return random_bytes(12)",
    ],
)
def test_a_time_that_was_handed_in_is_none_of_those(source: str) -> None:
    assert not impure_calls(source)


# --- words ---


@pytest.mark.parametrize("host", REGISTRY_HOSTS)
def test_no_file_names_a_package_registry(host: str) -> None:
    assert not [named(path) for path, text in texts() if host in text.lower()]


def test_nothing_pseudonymous_is_called_more_than_that() -> None:
    for path, text in texts():
        claimed = len(re.findall(WORD, text, re.IGNORECASE)) - len(NEGATED.findall(text))
        assert claimed == 0, (
            f"{named(path)} calls something {WORD}; say pseudonymous, or that it is not {WORD}"
        )
