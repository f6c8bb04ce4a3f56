"""Files at rest: whole or absent, private, and sealed so that nothing of a secret can be read off the disk."""

import os
import stat
from pathlib import Path

import pytest

from broker.protocol.errors import BadInput, Conflict, NotFound, VerificationFailed
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
