"""Both ways to libsodium give the same group, and a wrong library is never used."""

import ctypes
import subprocess
import sys
from typing import Any

import pytest

from broker.protocol import libsodium
from broker.protocol.errors import Unavailable
from broker.protocol.libsodium import Rejected, Sodium, load_from_rbcl

TWO = b"\x02" + bytes(31)
# RFC 9496 A.2: encodings that must be refused, one of each kind.
BAD_ENCODINGS = [
    "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",  # non-canonical field element
    "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0100000000000000000000000000000000000000000000000000000000000000",  # negative
    "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",  # non-square x^2
    "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",  # negative x * y
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",  # s = -1
]


def test_the_copy_inside_rbcl_loads_from_memory_and_agrees_with_the_one_in_use() -> None:
    carried = load_from_rbcl()
    wide = bytes(range(64))
    scalar = carried.scalar_reduce(wide)
    element = carried.from_hash(wide)
    assert carried.version >= libsodium.MINIMUM_VERSION
    assert element == libsodium.sodium.from_hash(wide)
    assert carried.multiply(scalar, element) == libsodium.sodium.multiply(scalar, element)


def test_a_machine_without_libsodium_falls_back_without_importing_rbcl_or_leaving_a_file() -> None:
    # A process of its own: the linker finds no name, which is what a bare machine looks like.
    program = """
import ctypes, pathlib, sys, tempfile
with tempfile.TemporaryDirectory() as folder:
    tempfile.tempdir = folder
    real = ctypes.CDLL
    def bare(name, *rest, **named):
        if name is not None and str(name).startswith("libsodium"):
            raise OSError("no such library")
        return real(name, *rest, **named)
    ctypes.CDLL = bare
    from broker.protocol import group
    assert group.multiply_base(b"\\x02" + bytes(31)).hex().startswith("6a493210")
    assert "rbcl" not in sys.modules
    assert list(pathlib.Path(folder).iterdir()) == []
print("done")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr


@pytest.mark.parametrize("encoding", BAD_ENCODINGS)
def test_every_kind_of_bad_encoding_in_the_rfc_is_refused(encoding: str) -> None:
    bad = bytes.fromhex(encoding)
    assert not libsodium.sodium.is_valid(bad)
    with pytest.raises(Rejected):
        libsodium.sodium.multiply(TWO, bad)
    with pytest.raises(Rejected):
        libsodium.sodium.add(bad, bad)
    with pytest.raises(Rejected):
        libsodium.sodium.subtract(bad, bad)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_wrong_length_never_reaches_the_library(size: int) -> None:
    short, sodium = bytes(size), libsodium.sodium
    calls: list[tuple[Any, tuple[bytes, ...]]] = [
        (sodium.multiply, (short, TWO)),
        (sodium.multiply, (TWO, short)),
        (sodium.multiply_base, (short,)),
        (sodium.from_hash, (short,)),
        (sodium.is_valid, (short,)),
        (sodium.add, (TWO, short)),
        (sodium.subtract, (short, TWO)),
        (sodium.scalar_reduce, (short,)),
        (sodium.scalar_add, (short, TWO)),
        (sodium.scalar_subtract, (TWO, short)),
        (sodium.scalar_multiply, (TWO, short)),
        (sodium.scalar_invert, (short,)),
    ]
    for function, arguments in calls:
        with pytest.raises(Rejected):
            function(*arguments)


def test_zero_has_no_inverse_and_no_multiple() -> None:
    for refused in (libsodium.sodium.scalar_invert, libsodium.sodium.multiply_base):
        with pytest.raises(Rejected):
            refused(bytes(32))


def test_a_library_without_ristretto255_is_not_used() -> None:
    with pytest.raises(Unavailable):
        Sodium(ctypes.CDLL(None))


def test_a_library_that_computes_wrongly_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sodium, "add", lambda self, a, b: a)
    with pytest.raises(Unavailable, match="RFC 9496"):
        load_from_rbcl()


def test_a_library_older_than_ristretto255_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libsodium, "MINIMUM_VERSION", (999, 0, 0))
    with pytest.raises(Unavailable, match="too old"):
        load_from_rbcl()
