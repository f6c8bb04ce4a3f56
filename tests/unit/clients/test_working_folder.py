"""The folder for what is spilled: empty at the beginning and the end, swept after a crash, one command at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from broker.protocol.errors import Conflict
from broker.protocol.messages.vocabulary import AgencyKind, Role
from clients.home import Home, Persona
from clients.working_folder import sweep, working_folder

HOLDING = """
import os, signal, sys
from pathlib import Path
from clients.home import Home
from clients.working_folder import working_folder
with working_folder(Home.open(Path(sys.argv[1]), os.urandom)) as folder:
    (folder / "spilled.tmp").write_bytes(b"sealed")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    persona = Persona("helpline", "Helpline", Role.AGENCY, "IE", AgencyKind.HELPLINE)
    return Home.create(tmp_path / "home", persona, now=1_790_000_000, random_bytes=os.urandom)


def test_it_is_for_its_owner_alone_and_is_gone_in_the_end(home: Home) -> None:
    with working_folder(home) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "spilled.tmp").write_bytes(b"sealed")
    assert not folder.exists()


def test_two_commands_do_not_share_it_and_the_second_sweeps_nothing(home: Home) -> None:
    with working_folder(home) as folder:
        (folder / "spilled.tmp").write_bytes(b"sealed")
        with pytest.raises(Conflict, match="Wait"), working_folder(home):
            pass
        sweep(home)
        assert (folder / "spilled.tmp").exists()


def test_what_a_killed_process_left_is_swept_at_the_next_start(home: Home) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", HOLDING, str(home.vault.directory)], check=False, capture_output=True
    )
    assert killed.returncode == -9
    left = home.vault.path("working/spilled")
    assert list(left.iterdir())
    sweep(home)
    assert not left.exists()
