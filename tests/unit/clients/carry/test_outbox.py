"""What a home keeps while its calls travel: the running numbers of bundles to each receiver."""

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.carry.outbox import Outbox
from clients.vault import Vault, create_vault


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    return create_vault(tmp_path_factory.mktemp("home"), os.urandom)


def test_numbers_run_for_each_receiver_and_are_there_after_a_restart(tmp_path: Path) -> None:
    vault = create_vault(tmp_path / "home", os.urandom)
    first, second = "A" * 43, "a" * 42 + "_"
    assert [Outbox(vault).next_number(first) for _ in range(3)] == [1, 2, 3]
    assert Outbox(vault).next_number(second) == 1


@pytest.mark.parametrize("thumbprint", ["-" * 43, "-" + "A" * 42, "_" + "-" * 42])
def test_one_receiver_in_64_has_a_thumbprint_that_begins_with_a_dash(vault: Vault, thumbprint: str) -> None:
    assert Outbox(vault).next_number(thumbprint) == 1
    assert Outbox(vault).next_number(thumbprint) == 2


@given(key=st.binary(min_size=32, max_size=32))
def test_every_thumbprint_is_a_name_the_home_can_keep(vault: Vault, key: bytes) -> None:
    thumbprint = base64.urlsafe_b64encode(key).rstrip(b"=").decode()
    first = Outbox(vault).next_number(thumbprint)
    assert Outbox(vault).next_number(thumbprint) == first + 1
