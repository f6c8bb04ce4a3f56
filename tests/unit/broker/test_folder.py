"""A broker's folder: made once, keys for its owner alone, settings that are checked when they are read."""

import stat
from pathlib import Path

import pytest

from broker import folder
from broker.protocol.documents import key_identifier, public_bytes
from broker.protocol.errors import BadInput, Conflict, NotPermitted
from tests.broker_case import ORIGIN, seeded


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A fresh folder."""
    folder.create(tmp_path / "broker", ORIGIN, seeded("folder"))
    return tmp_path / "broker"


def test_keys_are_for_the_owner_alone_and_fit_the_settings(made: Path) -> None:
    for name in (folder.KEYS_FILE, folder.OPERATOR_FILE):
        assert stat.S_IMODE((made / name).stat().st_mode) == 0o600
    settings = folder.read_settings(made)
    operator_key = public_bytes(folder.read_operator_key(made))
    assert settings.operator_kid == key_identifier(operator_key)
    assert settings.operator_key == operator_key.hex()
    assert (settings.public_origin, settings.log_origin) == (ORIGIN, "broker.example.org:8470/log")
    assert settings.database_url == f"sqlite:///{made / folder.DATABASE_FILE}"
    assert not settings.trial
    assert folder.read_settings(made, trial=True).trial


def test_a_moved_folder_takes_its_database_along(made: Path) -> None:
    moved = made.rename(made.parent / "moved")
    assert folder.read_settings(moved).database_url == f"sqlite:///{moved / folder.DATABASE_FILE}"


def test_a_folder_that_holds_a_broker_is_not_written_over(made: Path) -> None:
    before = (made / folder.KEYS_FILE).read_bytes()
    with pytest.raises(Conflict):
        folder.create(made, ORIGIN, seeded("another"))
    assert (made / folder.KEYS_FILE).read_bytes() == before


def test_a_key_file_that_others_may_read_is_refused(made: Path) -> None:
    (made / folder.KEYS_FILE).chmod(0o640)
    with pytest.raises(NotPermitted):
        folder.read_keys(made)


def test_a_setting_that_is_wrong_is_named_and_not_repeated(made: Path) -> None:
    path = made / "settings.toml"
    path.write_text(path.read_text().replace(ORIGIN, "ftp://secret-place"))
    with pytest.raises(BadInput, match="public_origin") as caught:
        folder.read_settings(made)
    assert "secret-place" not in str(caught.value)
    path.write_text("this is no TOML")
    with pytest.raises(BadInput):
        folder.read_settings(made)


def test_an_empty_folder_holds_no_broker(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        folder.read_settings(tmp_path)
    with pytest.raises(BadInput):
        folder.read_keys(tmp_path)


def test_the_environment_goes_before_the_file(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARROWGATE_BROKER_PERMIT_HOURS", "3")
    assert folder.read_settings(made).permit_hours == 3


def test_no_secret_is_shown_by_a_repr(made: Path) -> None:
    keys = folder.read_keys(made)
    shown = repr(keys) + repr(folder.KeyFile(signing_seed=bytes(32), log_seed=bytes(32), count_key=bytes(32)))
    assert keys.count_key.hex() not in shown
    assert "00" * 32 not in shown
    assert "seed" not in shown


def test_a_folder_may_name_postgresql_and_never_a_password(tmp_path: Path) -> None:
    url = "postgresql+psycopg://broker@db.example.org:5432/narrowgate?sslmode=verify-full"
    folder.create(tmp_path / "broker", ORIGIN, seeded("folder"), url)
    assert folder.read_settings(tmp_path / "broker").database_url == url
    for wrong in (
        "postgresql+psycopg://broker:hunter2-secret@db.example.org/narrowgate",
        "postgresql+psycopg://broker@db.example.org/narrowgate?password=hunter2-secret",
        "postgresql://db.example.org/narrowgate",
    ):
        with pytest.raises(BadInput) as refused:
            folder.create(tmp_path / "other", ORIGIN, seeded("folder"), wrong)
        assert "hunter2" not in refused.value.detail
        assert not (tmp_path / "other").exists()


def test_a_database_url_in_the_environment_is_checked_and_not_repeated(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NARROWGATE_BROKER_DATABASE_URL", "postgresql://broker:hunter2-secret@db/narrowgate")
    with pytest.raises(BadInput, match="database_url") as refused:
        folder.read_settings(made)
    assert "hunter2" not in f"{refused.value!r} {refused.value.__cause__!r}"
    monkeypatch.setenv("NARROWGATE_BROKER_DATABASE_URL", "postgresql+psycopg://broker:hunter2-secret@db/n")
    assert "hunter2" not in repr(folder.read_settings(made))
