"""Two `narrowgate broker serve` on one PostgreSQL: one log, and one goes on when the other is killed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from broker.protocol.leaves import parse_leaf
from broker.store.database import Database
from broker.store.log import SqlLogStorage
from broker.translog.verify import rederive
from clients.cli import main
from clients.cli.run import ExitCode
from clients.demo.processes import free_ports
from tests import rules
from tests.databases import Server
from tests.integration.processes_world import one_transport

pytestmark = pytest.mark.all_only

PROGRAM = [sys.executable, "-m", "clients.cli.main", "broker", "serve"]


def _here(*arguments: object) -> Result:
    return CliRunner().invoke(main.app, [str(each) for each in arguments], prog_name="narrowgate")


def _command(folder: Path, port: int) -> list[str]:
    return [*PROGRAM, str(folder), "--port", str(port), "--trial", "--json"]


@contextmanager
def _serving(folder: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        _command(folder, port), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["ready"]
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def url(postgresql: Server, tmp_path: Path) -> Iterator[str]:
    made = postgresql.new(tmp_path)
    yield made
    postgresql.drop(made)


def test_two_brokers_keep_one_log_and_one_goes_on_when_the_other_is_killed(url: str, tmp_path: Path) -> None:
    # Both answer under one address, as behind a proxy; here it is first that of the one, then that of the other.
    ports, first_folder, second = free_ports(2), tmp_path / "first", tmp_path / "second"
    made = _here("broker", "init", first_folder, "--database-url", url, "--public-origin", _origin(ports[0]))
    assert made.exit_code == 0, made.output
    for name in ("one", "two"):
        agency = ("--id", name, "--name", name, "--role", "agency", "--kind", "company")
        assert _here("agency", "init", tmp_path / name, *agency, "--jurisdiction", "NL").exit_code == 0
    second.mkdir(mode=0o700)
    for each in first_folder.iterdir():
        text = each.read_text().replace(_origin(ports[0]), _origin(ports[1]))
        (second / each.name).write_text(text)
        (second / each.name).chmod(0o600)
    for folder in (first_folder, second):
        rules.activate_in_folder(folder)
    with one_transport(), _serving(first_folder, ports[0]) as first, _serving(second, ports[1]):
        _enrol(tmp_path / "one", first_folder, ports[0])
        first.kill()
        first.wait()
        _enrol(tmp_path / "two", second, ports[1])
        listed = json.loads(_here("broker", "enrolments", second, "--json").stdout)["enrolments"]
    assert [each["state"] for each in listed] == ["accepted", "accepted"]
    database = Database(url)
    with database.read() as connection:
        size = rederive(SqlLogStorage(connection)).size
        kinds = [parse_leaf(leaf).kind for leaf in SqlLogStorage(connection).leaves(0, size)]
    database.close()
    assert kinds == ["BUNDLE_ACTIVATED", "ENROLMENT_ACCEPTED", "ENROLMENT_ACCEPTED"]


def test_a_password_is_in_no_word_of_a_broker_that_cannot_reach_its_database(tmp_path: Path) -> None:
    [port] = free_ports(1)
    assert _here("broker", "init", tmp_path / "broker").exit_code == 0
    secret = "hunter2-secret"
    variables = {
        "NARROWGATE_BROKER_DATABASE_URL": f"postgresql+psycopg://broker:{secret}@127.0.0.1:{port}/narrowgate"
    }
    found = subprocess.run(
        _command(tmp_path / "broker", port),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | variables,
    )
    assert found.returncode == ExitCode.UNREACHABLE
    assert "unavailable" in found.stdout + found.stderr
    assert secret not in found.stdout + found.stderr


def _origin(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _enrol(home: Path, folder: Path, port: int) -> None:
    enrolled = _here("agency", "enrol", home, "--broker", _origin(port), "--json")
    assert enrolled.exit_code == 0, enrolled.output
    accepted = _here("broker", "accept", folder, json.loads(enrolled.stdout)["kid"])
    assert accepted.exit_code == 0, accepted.output
