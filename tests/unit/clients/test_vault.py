"""Files at rest: whole or absent, private, and sealed so that nothing of a secret can be read off the disk."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from broker.protocol.errors import BadInput, Conflict, NotFound, VerificationFailed
from broker.protocol.messages.vocabulary import AgencyKind, Role
from clients.cli import run
from clients.home import Home, Persona
from clients.vault import Vault, create_vault, open_vault

SECRET = b"a scalar nobody else may read, 0123456789"


def _everything_on_disk(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file())


def test_a_secret_comes_back_after_the_folder_was_closed_and_opened(tmp_path: Path) -> None:
    vault = create_vault(tmp_path / "home", os.urandom)
    vault.write_secret("secrets/signing", SECRET)
    assert open_vault(tmp_path / "home", os.urandom).read_secret("secrets/signing") == SECRET


def test_no_file_holds_a_secret_in_the_clear(tmp_path: Path) -> None:
    vault = create_vault(tmp_path / "home", os.urandom)
    vault.write_secret("secrets/signing", SECRET)
    on_disk = _everything_on_disk(tmp_path / "home")
    assert SECRET not in on_disk
    assert SECRET.hex().encode() not in on_disk


def test_the_folder_is_closed_to_others_and_so_is_every_file(tmp_path: Path) -> None:
    vault = create_vault(tmp_path / "home", os.urandom)
    vault.write("deep/er/file", b"data")
    modes = {
        path.relative_to(tmp_path).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in tmp_path.rglob("*")
    }
    assert modes == {
        "home": 0o700,
        "home/home.key": 0o600,
        "home/deep": 0o700,
        "home/deep/er": 0o700,
        "home/deep/er/file": 0o600,
    }


KILLED = """
import os, pathlib, signal, sys
from clients.vault import open_vault
pathlib.Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
open_vault(pathlib.Path(sys.argv[1]), os.urandom).write("deposits/one/records", b"tokens" * 1000)
"""


def test_what_a_killed_process_had_half_written_is_erased_and_what_is_being_written_is_not(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    vault = create_vault(home, os.urandom)
    vault.write("deposits/one/leaves", b"whole")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(home)], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (home / ".owners.own").write_bytes(b"no file of this program")
    (home / ".link.00112233").symlink_to(tmp_path / "elsewhere")
    assert b"tokens" in _everything_on_disk(home)
    with vault.writing("deposits/one/index") as file:
        file.write(b"now")
        assert vault.sweep_half_written() == 1
        assert open_vault(home, os.urandom).sweep_half_written() == 0
    assert b"tokens" not in _everything_on_disk(home)
    assert (vault.read("deposits/one/index"), vault.read("deposits/one/leaves")) == (b"now", b"whole")
    assert (home / ".owners.own").exists()
    assert not (tmp_path / "elsewhere").exists()


def test_every_command_that_opens_a_home_sweeps_it_first(tmp_path: Path) -> None:
    persona = Persona("helpline", "Helpline", Role.AGENCY, "IE", AgencyKind.HELPLINE)
    home = tmp_path / "agency"
    vault = Home.create(home, persona, now=1_790_000_000, random_bytes=os.urandom).vault
    left = vault.path("requests")
    left.mkdir()
    (left / ".tokens.00112233").write_bytes(b"tokens")
    run.open_home(home)
    assert not (left / ".tokens.00112233").exists()


def test_a_sealed_file_put_under_another_name_does_not_open(tmp_path: Path) -> None:
    vault = create_vault(tmp_path, os.urandom)
    vault.write_secret("series/one", SECRET)
    vault.write("series/two", vault.read("series/one"))
    with pytest.raises(VerificationFailed):
        vault.read_secret("series/two")


def test_a_sealed_file_with_one_bit_changed_does_not_open(tmp_path: Path) -> None:
    vault = create_vault(tmp_path, os.urandom)
    vault.write_secret("series/one", SECRET)
    data = bytearray(vault.read("series/one"))
    data[-1] ^= 1
    vault.write("series/one", bytes(data))
    with pytest.raises(VerificationFailed):
        vault.read_secret("series/one")


def _write_half(vault: Vault) -> None:
    with vault.writing("deposits/plan") as file:
        file.write(b"half of the n")
        raise RuntimeError("power cut")


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    vault = create_vault(tmp_path, os.urandom)
    vault.write("deposits/plan", b"old")
    with pytest.raises(RuntimeError, match="power cut"):
        _write_half(vault)
    assert vault.read("deposits/plan") == b"old"
    assert [path.name for path in (tmp_path / "deposits").iterdir()] == ["plan"]


def test_a_home_under_a_passphrase_opens_with_it_and_with_no_other(tmp_path: Path) -> None:
    vault = create_vault(tmp_path, os.urandom, "seven geese on the weir")
    vault.write_secret("secrets/signing", SECRET)
    assert (
        open_vault(tmp_path, os.urandom, "seven geese on the weir").read_secret("secrets/signing") == SECRET
    )
    with pytest.raises(VerificationFailed):
        open_vault(tmp_path, os.urandom, "eight geese on the weir")
    with pytest.raises(BadInput, match="NARROWGATE_PASSPHRASE"):
        open_vault(tmp_path, os.urandom)


def test_an_erased_secret_is_gone(tmp_path: Path) -> None:
    vault = create_vault(tmp_path, os.urandom)
    vault.write_secret("series/k", SECRET)
    vault.erase("series/k")
    vault.erase("series/k")
    with pytest.raises(NotFound):
        vault.read_secret("series/k")


def test_a_home_is_not_made_over_another(tmp_path: Path) -> None:
    create_vault(tmp_path, os.urandom)
    with pytest.raises(Conflict):
        create_vault(tmp_path, os.urandom)


def test_a_folder_that_is_no_home_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="agency init"):
        open_vault(tmp_path, os.urandom)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a//b", "a/../b", ".hidden", "", "a/b\n"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    vault = create_vault(tmp_path, os.urandom)
    with pytest.raises(BadInput):
        vault.write(name, b"data")
