"""Base58Check, Bech32 and Bech32m: texts of coin addresses to bytes, with their checksums checked.

Rule: Base58Check as Bitcoin has it (double SHA-256, four bytes); segregated witness addresses by BIP-173 and BIP-350,
where version 0 takes Bech32 and all others take Bech32m. A fault raises ValueError without the text.

It knows no coin and no network: see `clients.identifiers.crypto_address`.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_VALUES = {sign: value for value, sign in enumerate(_BASE58)}
_CHECK_BYTES = 4

_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_VALUES = {sign: value for value, sign in enumerate(_BECH32)}
_BECH32_CHECK_SIGNS = 6
_BECH32_MAXIMUM = 90
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_CONSTANT = 1
_BECH32M_CONSTANT = 0x2BC830A3


def decode_base58check(text: str) -> bytes:
    """The payload, version byte first. Raises ValueError for a foreign sign or a wrong checksum."""
    number = 0
    for sign in text:
        value = _BASE58_VALUES.get(sign)
        if value is None:
            raise ValueError("a sign that Base58 does not have")
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip(_BASE58[0]))
    decoded = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    payload, check = decoded[:-_CHECK_BYTES], decoded[-_CHECK_BYTES:]
    if len(check) < _CHECK_BYTES or _base58_check(payload) != check:
        raise ValueError("the checksum is wrong")
    return payload


def encode_base58check(payload: bytes) -> str:
    """The text of a payload, version byte first."""
    whole = payload + _base58_check(payload)
    number, signs = int.from_bytes(whole, "big"), ""
    while number:
        number, value = divmod(number, 58)
        signs = _BASE58[value] + signs
    return _BASE58[0] * (len(whole) - len(whole.lstrip(b"\0"))) + signs


def decode_segwit(text: str) -> tuple[str, int, bytes]:
    """A segregated witness address in lower or upper case: human-readable part, version, program.

    Raises: ValueError. Source: BIP-173 and BIP-350, "Addresses for segregated witness outputs".
    """
    prefix, values, is_bech32m = decode_bech32(text)
    if not values or values[0] > 16 or is_bech32m != (values[0] > 0):
        raise ValueError("no witness version from 0 to 16 that fits the kind of checksum")
    program = _eight_bits(values[1:])
    if not 2 <= len(program) <= 40 or (values[0] == 0 and len(program) not in (20, 32)):
        raise ValueError("the witness program has no length that exists")
    return prefix, values[0], program


def decode_bech32(text: str) -> tuple[str, list[int], bool]:
    """Human-readable part, 5-bit values without the checksum, and whether it is Bech32m. Raises ValueError."""
    if text != text.lower() and text != text.upper():
        raise ValueError("mixed case")
    prefix, separator, data = text.lower().rpartition("1")
    if not separator or not prefix or len(text) > _BECH32_MAXIMUM or len(data) < _BECH32_CHECK_SIGNS:
        raise ValueError("not of the form prefix, 1, data")
    if any(not 33 <= ord(sign) <= 126 for sign in prefix) or any(sign not in _BECH32_VALUES for sign in data):
        raise ValueError("a sign that Bech32 does not have")
    values = [_BECH32_VALUES[sign] for sign in data]
    expanded = [*(ord(sign) >> 5 for sign in prefix), 0, *(ord(sign) & 31 for sign in prefix)]
    remainder = _polynomial_remainder([*expanded, *values])
    if remainder not in (_BECH32_CONSTANT, _BECH32M_CONSTANT):
        raise ValueError("the checksum is wrong")
    return prefix, values[:-_BECH32_CHECK_SIGNS], remainder == _BECH32M_CONSTANT


def _base58_check(payload: bytes) -> bytes:
    return sha256(sha256(payload).digest()).digest()[:_CHECK_BYTES]


def _polynomial_remainder(values: Sequence[int]) -> int:
    remainder = 1
    for value in values:
        top = remainder >> 25
        remainder = (remainder & 0x1FFFFFF) << 5 ^ value
        for position, coefficient in enumerate(_GENERATOR):
            if top >> position & 1:
                remainder ^= coefficient
    return remainder


def _eight_bits(values: Sequence[int]) -> bytes:
    """5-bit values as bytes; what is left over must be fewer than five bits, all zero (BIP-173)."""

    def whole() -> Iterator[int]:
        held = bits = 0
        for value in values:
            held, bits = held << 5 | value, bits + 5
            if bits >= 8:
                bits -= 8
                yield held >> bits
                held &= (1 << bits) - 1
        if bits >= 5 or held:
            raise ValueError("padding that is too long or not zero")

    return bytes(whole())
