"""The doctor's look at a computer."""

import importlib.util
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from clients.doctor.finding import State
from clients.doctor.machine import look_at_machine


def _state(directory: Path, about: str) -> State:
    return next(each.state for each in look_at_machine(directory) if each.about == about)


def test_this_computer_is_well_but_perhaps_for_its_disk(tmp_path: Path) -> None:
    states = {each.about: each.state for each in look_at_machine(tmp_path)}
    del states["disk"]
    assert set(states.values()) == {State.OK}


@pytest.mark.parametrize(("free", "state"), [(10**7, State.BROKEN), (10**9, State.LOOK), (10**11, State.OK)])
def test_a_full_disk_is_told_before_something_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: State
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert _state(tmp_path, "disk") is state


def test_a_missing_part_is_looked_at_and_an_old_python_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    assert _state(tmp_path, "part data") is State.LOOK
    assert _state(tmp_path, "Python") is State.BROKEN
