"""A canary: identifiers that go every way through the system, and are then looked for everywhere but where they belong.

What is looked for: the identifiers as typed, canonical and in part; their salted hashes, their unblinded points, and
the salt; each raw, in hexadecimal and in base64. Where: every call and answer, log line, metric and file.
"""

import base64
import csv
import itertools
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from typer.testing import CliRunner, Result

from broker.api.app import create_app as broker_app
from broker.protocol import calls, oprf, tokens
from broker.protocol.messages.vocabulary import Purpose, Tier
from clients.cli import run
from clients.cli.main import app
from clients.keyholder.api.app import create_app as holder_app
from clients.remote import RefusedByGate
from clients.transport import Answer
from tests.broker_case import key_of
from tests.databases import Databases
from tests.world import BROKER, HOLDERS, POLICE, Call, World, phone

PHONE, EMAIL = "+447700900987", "canarybird.north@example.org"
CANONICAL = (f"phone/1|{PHONE}", f"email/1|{EMAIL}")
TYPED = ("07700 900987", "+44 (0)7700 900-987", "CanaryBird.North@Example.org")
MALFORMED = ("canaryrow 7700900987", "+44 7700900987 7700900987", "canarybird.north@@example", "canaryrow")
WORDS = tuple(
    word.encode()
    for word in (PHONE[1:], "700 900987", "700900987", "900-987", "canarybird", "CanaryBird", "canaryrow")
)


def spellings(secret: bytes) -> list[bytes]:
    """Raw bytes, hexadecimal, and the part of base64 that is the same wherever in a longer text they begin."""
    found = [secret, secret.hex().encode()]
    for shift in range(3):
        whole = base64.urlsafe_b64encode(bytes(shift) + secret)
        inner = whole[4 if shift else 0 : 4 * ((shift + len(secret)) // 3)]
        found += [inner, base64.b64encode(base64.urlsafe_b64decode(inner))]
    return found


def secrets_of(world: World) -> dict[str, list[bytes]]:
    """What nobody but members may hold, by what it is."""
    salt = world.homes[POLICE].salt(world.space)
    hashes = [tokens.salted_hash(salt, text) for text in CANONICAL]
    kept = {"salt": [salt], "salted hash": hashes, "point": [oprf.hash_input(h) for h in hashes]}
    found = {name: [each for one in values for each in spellings(one)] for name, values in kept.items()}
    return found | {"identifier": [each for word in WORDS for each in (word, word.hex().encode())]}


def what_shows(data: bytes, secrets: dict[str, list[bytes]]) -> list[str]:
    """The kinds of secrets that are in these bytes."""
    return [name for name, needles in secrets.items() if any(needle in data for needle in needles)]


def test_a_planted_canary_is_found_in_every_spelling(world: World) -> None:
    secrets = secrets_of(world)
    salt = world.homes[POLICE].salt(world.space)
    point = oprf.hash_input(tokens.salted_hash(salt, CANONICAL[0]))
    for before in range(5):
        text = base64.urlsafe_b64encode(b"x" * before + point + b"rest of a longer text")
        assert what_shows(b'{"points":"' + text, secrets) == ["point"]
    assert what_shows(b"... " + salt.hex().encode(), secrets) == ["salt"]
    for typed in (*TYPED, *MALFORMED, PHONE, EMAIL):
        assert what_shows(f"refused: {typed}".encode(), secrets) == ["identifier"], typed
    assert what_shows(phone(7).encode(), secrets) == []


# --- the story ---


class Listening:
    """Everything that was logged or printed while the story went on."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def structured(self, _logger: object, _method: str, event: Any) -> Any:
        """A structlog processor that keeps events and prints none."""
        self.heard.append(repr(event))
        raise structlog.DropEvent


@pytest.fixture
def listening(caplog: pytest.LogCaptureFixture) -> Iterator[Listening]:
    """Structured and standard log lines, down to DEBUG."""
    made, before = Listening(), structlog.get_config()
    structlog.configure(processors=[made.structured], cache_logger_on_first_use=False)
    caplog.set_level(logging.DEBUG)
    yield made
    structlog.configure(**before)


@pytest.fixture
def quiet_world(listening: Listening, databases: Databases, tmp_path: Path) -> Iterator[World]:
    """A world whose log lines are listened to."""
    (tmp_path / "world").mkdir()
    made = World(tmp_path / "world", databases.new(tmp_path / "world"))
    made.deposit("company-1", range(5), [3], inclusion_criterion="An older file")
    made.deposit("company-2", range(5, 15), [1])
    made.deposit("ngo-1", range(12, 20), [2])
    yield made
    made.close()


def write_rows(path: Path, values: list[str]) -> Path:
    """A spreadsheet with phones and emails."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("phone", "email", "note"))
        for value in values:
            rows.writerow(("", value, "seen") if "@" in value else (value, "", "seen"))
    return path


def command(*words: str | Path) -> Result:
    """Run a command as a person would."""
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_canary_shows_nowhere_after_it_went_every_way(
    quiet_world: World,
    databases: Databases,
    listening: Listening,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    world, shown = quiet_world, []
    monkeypatch.setattr(run, "new_transport", lambda: world.wire)
    monkeypatch.setattr(run, "clock", world.clock)
    # 1. A spreadsheet with the canaries, and malformed rows with them too, is deposited from the command line.
    file = write_rows(tmp_path / "signals.csv", [*TYPED, *MALFORMED, "+44 7700 900003"])
    conditions = tmp_path / "conditions.json"
    conditions.write_text(world.conditions("company-1").model_dump_json())
    words = ("deposit", "add", world.folder / "company-1", file, "--default-region", "GB")
    for more in (("--conditions", conditions, "--dry-run"), ("--conditions", conditions, "--json")):
        done = command(*words, *more)
        assert done.exit_code == 0, done.output
        for line in (5, 6, 7, 8):
            assert f"line {line}: " in done.stderr
        shown.append(done.output)
    report = json.loads(done.stdout)
    assert report["identifiers"] == {"phone": 2, "email": 1}
    assert [row["line"] for row in report["refused"]] == [5, 6, 7, 8]
    # 2. A police unit is told of them as hits and as a count.
    asked = [*CANONICAL, *map(phone, range(20, 30))]
    answer = world.ask(asked)
    assert set(answer.hits) == set(CANONICAL)
    assert world.ask(asked, Tier.COUNT).noised_count is not None
    # It tells what became of them, from a file that can be read and one that cannot; contributors read numbers.
    shown.append(reported(world, answer.request_id.hex(), tmp_path))
    # 3. It asks against the rules, on the command line too, and sends what is no request.
    with pytest.raises(RefusedByGate) as refused:
        world.ask(asked, answers={"purpose": Purpose.GENERAL_INTELLIGENCE})
    shown.append(f"{refused.value!r} {refused.value.extensions}")
    shown += [asked_badly(world, tmp_path), *misuse(world)]
    # 4. The contributor takes its file back, and the auditor reads all there is.
    for deposit in report["deposits"]:
        name = ("deposit", "withdraw", world.folder / "company-1", deposit["series_id"])
        shown.append(command(*name, "--reason", "A mistake").output)
    assert world.ask(asked).hits == ()
    world.auditor().verify()
    shown += [text for _, text in world.auditor().decisions()]
    _look_everywhere(world, shown, [*listening.heard, caplog.text])
    secrets = secrets_of(world)
    for data in databases.everything(world.settings.database_url):
        assert what_shows(data, secrets) == []


def reported(world: World, request_id: str, folder: Path) -> str:
    """Outcomes of the canaries, reported on the command line, and what the contributor reads of it later."""
    words = ("request", "report", world.folder / POLICE, request_id, "--default-region", "GB", "--json")
    bad = command(*words, "--false-match", write_rows(folder / "bad.csv", [*TYPED, *MALFORMED]))
    assert bad.exit_code == 6, bad.output
    foreign = command(*words, "--useful", write_rows(folder / "foreign.csv", [TYPED[0], "+44 7700 900003"]))
    assert foreign.exit_code == 6, foreign.output
    done = command(*words, "--useful", write_rows(folder / "useful.csv", list(TYPED)))
    assert done.exit_code == 0, done.output
    world.now += 60 * 86_400
    told = command("deposit", "statistics", world.folder / "company-1", "--json")
    world.now -= 60 * 86_400
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["months"]
    return bad.output + foreign.output + done.output + told.output


def asked_badly(world: World, folder: Path) -> str:
    """A request whose file holds malformed rows, prepared on the command line."""
    claims = folder / "claims.json"
    claims.write_text(world.prepare([phone(1)]).request.payload.claims.model_dump_json())
    file = write_rows(folder / "asked.csv", [*TYPED, *MALFORMED])
    begin = ("request", "prepare", world.folder / POLICE)
    end = (
        "--tier",
        "hits",
        "--claims",
        claims,
        "--default-region",
        "GB",
        "--out",
        folder / "request.jws",
        "--json",
    )
    done = command(*begin, file, *end)
    assert done.exit_code == 0, done.output
    assert "line 5: " in done.stderr
    nothing = command(*begin, write_rows(folder / "none.csv", list(MALFORMED)), *end)
    assert nothing.exit_code == 6, nothing.output
    return done.output + nothing.output + (folder / "request.jws").read_text()


# --- misuse of every address ---


def addresses(app: FastAPI) -> list[tuple[str, str]]:
    """(method, path) of every route, with the canary in place of each name, and some that are none."""
    found = [
        (method.upper(), "/".join(quote(PHONE) if part.startswith("{") else part for part in path.split("/")))
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    ]
    paths = sorted({path for _, path in found})
    others = [("DELETE", path) for path in paths] + [("PUT", path) for path in paths]
    queries = [("GET", f"{path}?{quote(EMAIL)}={quote(PHONE)}&start={quote(PHONE)}&old=-1") for path in paths]
    return [*found, *others, *queries, ("GET", f"/{quote(PHONE)}"), ("POST", f"/v1/{quote(EMAIL)}/")]


BODIES = (
    b"",
    PHONE.encode(),
    json.dumps({PHONE: EMAIL}).encode(),
    json.dumps({"document": PHONE}).encode(),
    json.dumps(
        {"document": f"{PHONE[1:]}.{PHONE[1:]}.{PHONE[1:]}", "documents": [EMAIL], "token": EMAIL}
    ).encode(),
    b'{"request": "' + EMAIL.encode(),
)


def misuse(world: World) -> list[str]:
    """Send canaries to every address of every service, unsigned and signed. Returns the answers."""
    services = {
        BROKER: cast(FastAPI, broker_app(world.broker)._app),
        HOLDERS[1]: holder_app(world.holders[1]),
    }
    signers = [world.homes[POLICE].signing_key, world.homes["auditor-1"].signing_key, key_of("operator")]
    shown, statuses, turns = [], set(), itertools.cycle(signers)
    for origin, service in services.items():
        for method, path in addresses(service):
            for body in BODIES if method == "POST" else BODIES[:1]:
                for call in _calls(world, method, origin + path, body, next(turns)):
                    answer = world.wire.deliver(call)
                    assert answer.status < 500, f"{method} {path}"
                    statuses.add(answer.status)
                    shown.append(_text(answer))
    assert {400, 401, 403, 404, 405} <= statuses
    return shown


def _calls(world: World, method: str, url: str, body: bytes, key: Ed25519PrivateKey) -> Iterator[Call]:
    headers = {"user-agent": PHONE, "x-case": EMAIL, "content-type": f"text/{EMAIL}"}
    unsigned = {"idempotency-key": PHONE, "signature": f"narrowgate=:{PHONE}:", "signature-input": EMAIL}
    yield Call(method, url, headers | unsigned, body)
    random_bytes = world.random("misuse")
    signed = calls.sign_call(
        key,
        method=method,
        url=url,
        headers=headers | {"idempotency-key": random_bytes(12).hex()},
        body=body,
        now=world.now,
        random_bytes=random_bytes,
    )
    yield Call(method, url, signed, body)


def _text(answer: Answer) -> str:
    return f"{answer.status} {answer.headers} {answer.body.decode('latin-1')}"


# --- looking ---


def _look_everywhere(world: World, shown: list[str], logged: list[str]) -> None:
    secrets = secrets_of(world)
    assert len(logged) > 100
    for text in (*shown, *logged):
        assert what_shows(text.encode("latin-1", "replace"), secrets) == [], text[:300]
    for origin in (BROKER, *HOLDERS.values()):
        for passed in world.wire.seen(origin):
            sent = repr((passed.call.url, dict(passed.call.headers))).encode() + passed.call.body
            if "user-agent" not in passed.call.headers:  # those of `misuse` hold canaries on purpose
                assert what_shows(sent, secrets) == [], passed.call.path
            assert what_shows(_text(passed.answer).encode("latin-1"), secrets) == [], passed.call.path
    metrics = world.wire.deliver(Call("GET", f"{BROKER}/metrics", {}, b""))
    assert metrics.status == 200
    assert b"narrowgate_calls_total" in metrics.body
    assert what_shows(metrics.body, secrets) == []
    files = [path for path in world.folder.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"keyholder.sqlite", "keyholder.sqlite-wal"} <= names
    assert {"broker.sqlite3", "broker.sqlite3-wal"} <= names or not world.broker.database.is_sqlite
    for path in files:
        assert what_shows(path.read_bytes(), secrets) == [], path.name
