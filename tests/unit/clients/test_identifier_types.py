"""A space is founded on types that there are."""

import subprocess
import sys

import pytest

from broker.protocol.errors import BadInput
from clients.identifier_types import IDENTIFIER_TYPES, check_types
from clients.identifiers import registered_types


def test_the_list_is_that_of_the_canonical_forms() -> None:
    assert registered_types() == IDENTIFIER_TYPES


def test_it_is_there_without_loading_a_canonical_form() -> None:
    code = (
        "import sys, clients.space_plan; "
        "sys.exit('phonenumbers' in sys.modules or 'clients.identifiers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["phone", "fone"], "number 2"),
        (["Phone"], "number 1"),
        (["phone", "phone"], "twice"),
    ],
)
def test_what_is_no_type_or_one_twice_is_refused_with_the_list(names: list[str], words: str) -> None:
    with pytest.raises(BadInput, match=words) as refusal:
        check_types(names)
    assert "fone," not in refusal.value.detail
    if "number" in words:
        assert all(kind in refusal.value.detail for kind in IDENTIFIER_TYPES)


def test_every_type_may_be_named() -> None:
    check_types(IDENTIFIER_TYPES)
