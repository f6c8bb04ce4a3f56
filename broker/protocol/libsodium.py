"""The one place with ctypes: libsodium's ristretto255 functions as bytes in, bytes out.

Rule: the group is RFC 9496's; whichever copy of libsodium is found must pass that RFC's vectors before this module
can be imported at all. The system's library (1.0.18 or newer) is used where there is one. A machine without it uses
the copy inside the `rbcl` wheel, which stores a shared object as hexadecimal text: it is read as text and loaded from
memory. `import rbcl` would leave a file in the temporary folder each time, so it is never imported.

Every argument's length is checked here, because C reads on past the end of what is too short. What an element or a
scalar may be is decided in `broker.protocol.group`, which is what everybody else imports.
"""

import ctypes
import importlib.metadata
import os
import re
from collections.abc import Callable

from broker.protocol.errors import Unavailable

MINIMUM_VERSION = (1, 0, 18)  # the first release with ristretto255

_SYSTEM_NAMES = ("libsodium.so.26", "libsodium.so.23", "libsodium.so", "libsodium.dylib")
_RBCL_MODULE = "rbcl/_sodium.py"
_Bytes32 = ctypes.c_char * 32
_INSTALL = "Install libsodium 1.0.18 or newer, or the Python package rbcl."

# RFC 9496 A.1: the generator and its double; A.3: what the first 64-byte string maps to.
_GENERATOR = bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76")
_DOUBLE = bytes.fromhex("6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919")
_WIDE = bytes.fromhex(
    "5d1be09e3d0c82fc538112490e35701979d99e06ca3e2b5b54bffe8b4dc772c1"
    "4d98b696a1bbfb5ca32c436cc61c16563790306c79eaca7705668b47dffe5bb6"
)
_FROM_WIDE = bytes.fromhex("3066f82a1a747d45120d1740f14358531a8f04bbffe6a819f86dfe50f44a0a46")
# RFC 9496 A.2: an encoding that is not canonical, and a negative one.
_INVALID = (b"\x00" + b"\xff" * 31, b"\x01" + bytes(31))


class Rejected(Exception):
    """libsodium refused: a point that is no point, or a result that is the identity. Carries nothing of it."""


class Sodium:
    """The functions of one loaded libsodium. Elements and scalars are 32 bytes, wide strings 64."""

    def __init__(self, library: ctypes.CDLL) -> None:
        """Binds the functions, starts the library and runs the RFC's vectors. Raises Unavailable if any of it
        fails.
        """
        self.handle = library._handle
        """The library as dlopen returned it, so that a benchmark in C can call the very same one."""
        try:
            self.version = _version(library)
            core, mult = "crypto_core_ristretto255_", "crypto_scalarmult_ristretto255"
            self._multiply = _bind(library, mult, 3)
            self._multiply_base = _bind(library, mult + "_base", 2)
            self._from_hash = _bind(library, core + "from_hash", 2)
            self._is_valid_point = _bind(library, core + "is_valid_point", 1)
            self._add = _bind(library, core + "add", 3)
            self._subtract = _bind(library, core + "sub", 3)
            self._scalar_reduce = _bind(library, core + "scalar_reduce", 2)
            self._scalar_add = _bind(library, core + "scalar_add", 3)
            self._scalar_subtract = _bind(library, core + "scalar_sub", 3)
            self._scalar_multiply = _bind(library, core + "scalar_mul", 3)
            self._scalar_invert = _bind(library, core + "scalar_invert", 2)
        except AttributeError as error:
            raise Unavailable(f"This libsodium was built without ristretto255. {_INSTALL}") from error
        if library.sodium_init() < 0:
            raise Unavailable(f"libsodium does not start on this machine. {_INSTALL}")
        self._self_test()

    def multiply(self, scalar: bytes, element: bytes) -> bytes:
        """scalar * element. Raises Rejected for an invalid element or when the result is the identity."""
        _exactly(32, scalar, element)
        out = _Bytes32()
        if self._multiply(out, scalar, element) != 0:
            raise Rejected
        return out.raw

    def multiply_base(self, scalar: bytes) -> bytes:
        """scalar * generator. Raises Rejected when the result is the identity."""
        _exactly(32, scalar)
        out = _Bytes32()
        if self._multiply_base(out, scalar) != 0:
            raise Rejected
        return out.raw

    def from_hash(self, wide: bytes) -> bytes:
        """The element that 64 uniform bytes map to (RFC 9496 4.3.4)."""
        _exactly(64, wide)
        out = _Bytes32()
        if self._from_hash(out, wide) != 0:
            raise Rejected
        return out.raw

    def is_valid(self, element: bytes) -> bool:
        """Whether 32 bytes are the canonical encoding of an element; the identity is one."""
        _exactly(32, element)
        return self._is_valid_point(element) == 1

    def add(self, a: bytes, b: bytes) -> bytes:
        """a + b of two elements. Raises Rejected if one is invalid."""
        _exactly(32, a, b)
        out = _Bytes32()
        if self._add(out, a, b) != 0:
            raise Rejected
        return out.raw

    def subtract(self, a: bytes, b: bytes) -> bytes:
        """a - b of two elements. Raises Rejected if one is invalid."""
        _exactly(32, a, b)
        out = _Bytes32()
        if self._subtract(out, a, b) != 0:
            raise Rejected
        return out.raw

    def scalar_reduce(self, wide: bytes) -> bytes:
        """64 bytes, little-endian, modulo the group's order."""
        _exactly(64, wide)
        out = _Bytes32()
        self._scalar_reduce(out, wide)
        return out.raw

    def scalar_add(self, a: bytes, b: bytes) -> bytes:
        """a + b modulo the order."""
        _exactly(32, a, b)
        out = _Bytes32()
        self._scalar_add(out, a, b)
        return out.raw

    def scalar_subtract(self, a: bytes, b: bytes) -> bytes:
        """a - b modulo the order."""
        _exactly(32, a, b)
        out = _Bytes32()
        self._scalar_subtract(out, a, b)
        return out.raw

    def scalar_multiply(self, a: bytes, b: bytes) -> bytes:
        """a * b modulo the order."""
        _exactly(32, a, b)
        out = _Bytes32()
        self._scalar_multiply(out, a, b)
        return out.raw

    def scalar_invert(self, a: bytes) -> bytes:
        """1 / a modulo the order. Raises Rejected for zero."""
        _exactly(32, a)
        out = _Bytes32()
        if self._scalar_invert(out, a) != 0:
            raise Rejected
        return out.raw

    def _self_test(self) -> None:
        """RFC 9496 appendix A, a vector of each kind."""
        two = b"\x02" + bytes(31)
        passed = (
            self.multiply_base(two) == _DOUBLE
            and self.multiply(two, _GENERATOR) == _DOUBLE
            and self.add(_GENERATOR, _GENERATOR) == _DOUBLE
            and self.subtract(_DOUBLE, _GENERATOR) == _GENERATOR
            and self.from_hash(_WIDE) == _FROM_WIDE
            and self.is_valid(_GENERATOR)
            and not any(self.is_valid(each) for each in _INVALID)
            and self.scalar_multiply(self.scalar_invert(two), two) == b"\x01" + bytes(31)
        )
        if not passed:
            raise Unavailable(f"This libsodium does not give RFC 9496's results and is not used. {_INSTALL}")


def load() -> Sodium:
    """The system's libsodium if it is new enough and sound, else the one in rbcl. Raises Unavailable."""
    try:
        return load_from_system()
    except Unavailable:
        return load_from_rbcl()


def load_from_system() -> Sodium:
    """The dynamic linker's libsodium. Raises Unavailable if there is none of version 1.0.18 or newer."""
    # Names are tried in turn: ctypes.util.find_library would start a compiler or ldconfig at each import.
    for name in _SYSTEM_NAMES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        return Sodium(library)
    raise Unavailable(f"This machine has no libsodium. {_INSTALL}")


def load_from_rbcl() -> Sodium:
    """The libsodium inside the installed rbcl wheel, from memory. Raises Unavailable if that cannot be done."""
    if not hasattr(os, "memfd_create"):
        raise Unavailable("Only Linux can load the libsodium that rbcl carries. Install libsodium itself.")
    image = _image_in_rbcl()
    memory = os.memfd_create("libsodium", os.MFD_CLOEXEC)
    try:
        with os.fdopen(memory, "wb", closefd=False) as file:
            file.write(image)
        # The mapping outlives the descriptor.
        return Sodium(ctypes.CDLL(f"/proc/self/fd/{memory}"))
    except OSError as error:
        raise Unavailable(f"The libsodium inside rbcl does not fit this machine. {_INSTALL}") from error
    finally:
        os.close(memory)


def _image_in_rbcl() -> bytes:
    """The shared object, which rbcl keeps as `bytes.fromhex('...')` in a module of its own."""
    try:
        module = importlib.metadata.distribution("rbcl").locate_file(_RBCL_MODULE)
        source = module.read_text()
    except (importlib.metadata.PackageNotFoundError, OSError) as error:
        raise Unavailable(f"This machine has neither libsodium nor rbcl. {_INSTALL}") from error
    literal = re.search(r"bytes\.fromhex\('([0-9a-f]+)'\)", source)
    if literal is None:
        raise Unavailable("This release of rbcl keeps libsodium in a form not known here. Install libsodium.")
    return bytes.fromhex(literal[1])


def _bind(library: ctypes.CDLL, name: str, pointers: int) -> Callable[..., int]:
    """A C function of so many byte pointers that returns int. CDLL releases the GIL while it runs."""
    function = library[name]
    function.argtypes = [ctypes.c_char_p] * pointers
    function.restype = ctypes.c_int
    return function


def _version(library: ctypes.CDLL) -> tuple[int, ...]:
    library.sodium_version_string.restype = ctypes.c_char_p
    text = library.sodium_version_string().decode("ascii")
    version = tuple(int(part) for part in re.findall(r"\d+", text)[:3])
    if version < MINIMUM_VERSION:
        raise Unavailable(f"The libsodium found is too old. {_INSTALL}")
    return version


def _exactly(size: int, *values: bytes) -> None:
    for value in values:
        if len(value) != size:
            raise Rejected


sodium = load()
"""The libsodium of this process."""
