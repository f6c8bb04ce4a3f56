"""Types `btc_address`, `eth_address` and `tron_address`: where coins are sent to.

Rule: what carries a checksum must pass it; letter case is kept where it means something (Base58) and lowered where it
does not. Addresses of test networks are refused, since their coins are worth nothing and tutorials are full of them.
So are addresses that nobody owns or that everybody uses: zero, burn and precompiled ones, contracts of common tokens.

It asks no network whether an address was ever used, and knows no exchange's collecting addresses.
"""

import re
from functools import cache
from types import ModuleType

from clients.identifiers.check_encodings import decode_base58check, decode_segwit, encode_base58check
from clients.identifiers.plain_text import plain_characters
from clients.identifiers.types import Canonical, Rejected

BTC_ADDRESS = "btc_address"
ETH_ADDRESS = "eth_address"
TRON_ADDRESS = "tron_address"
VERSION = 1

FUTURE_VERSION = "future-version"
"""A segregated witness version that the Bitcoin network gives no meaning yet."""
TOKEN_CONTRACT = "token-contract"  # noqa: S105 - a flag
"""The contract of a token, which everybody who sends the token names."""

_MAXIMUM_CHARACTERS = 100
_HASH_BYTES = 20
_BITCOIN_BASE58_VERSIONS = frozenset({0x00, 0x05})
_BITCOIN_TEST_VERSIONS = frozenset({0x6F, 0xC4})
_BITCOIN_TEST_PREFIXES = ("tb1", "bcrt1")
_TRON_VERSION = 0x41
# "Bitcoin eater" and Counterparty's: texts chosen so that nobody can have the key.
_BITCOIN_BURNT = frozenset({"1BitcoinEaterAddressDontSendf59kuE", "1CounterpartyXXXXXXXXXXXXXXXUWLpVr"})
_PAY_TO_ANCHOR = bytes.fromhex("4e73")  # anyone can spend it, and every fee bump pays to it
_ETHEREUM_LAST_PRECOMPILED = "0" * 36 + "ffff"
_ETHEREUM_BURNT = frozenset(
    {f"{0xDEAD:040x}", "dead000000000000000042069420694206942069"}
    | {digit * 40 for digit in "0123456789abcdef"}
)
# As their publishers write them, so that EIP-55 guards this table too.
_ETHEREUM_TOKENS = {
    "0xdAC17F958D2ee523a2206206994597C13D831ec7": "USDT",
    "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48": "USDC",
    "0x6B175474E89094C44Da98b954EedeAC495271d0F": "DAI",
    "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2": "WETH",
    "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599": "WBTC",
    "0x55d398326f99059fF775485246999027B3197955": "USDT on BNB Smart Chain",
}
_TRON_USDC, _TRON_USDT = "TEkxiTehnzSmSe2XqrBj4w32RUN966rdz8", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"

_HEXADECIMAL_SIGNS = b"0123456789abcdefABCDEF"
# Each sign as a hexadecimal digit of its own: bit 2 says that it is a letter, bit 3 that it is a capital one.
_LETTER_CASES = bytes.maketrans(_HEXADECIMAL_SIGNS, b"0000000000444444cccccc")
_HIGHEST_BITS = int("8" * 40, 16)
_ETHEREUM_LINK = "(?i:ethereum:(?:pay-)?|eth:)"
# Of a link (ERC-681) also what follows the address: the chain after @, what to do after ?.
_ETHEREUM_WRITTEN = re.compile(rf"({_ETHEREUM_LINK})?(?:0[xX])?([0-9A-Fa-f]{{40}})(?(1)(?:[@?][^/]*)?)")
_ETHEREUM_CALL = re.compile(rf"{_ETHEREUM_LINK}[^/]*/")
_NOBODYS = "Nobody owns this address: it destroys coins or belongs to programs, and would match everyone. Leave it out."
_TOKENS = "This is the contract of a common token, not a person's address. Write who sent or got the token."
_ETHEREUM_EVERYBODYS = dict.fromkeys(_ETHEREUM_BURNT, _NOBODYS) | dict.fromkeys(
    (address[2:].lower() for address in _ETHEREUM_TOKENS), _TOKENS
)


def canonicalise_btc_address(raw: str, hint: str | None) -> Canonical:
    """A Bitcoin address: Base58 as it is, Bech32 in lower case. `hint` is not used. Raises Rejected.

    Sources: BIP-173, BIP-350; BIP-21 for links; version bytes 0 and 5 of Base58Check.
    """
    text = _compact(raw)
    if text[:8].lower() == "bitcoin:":
        text = text[8:].partition("?")[0]
    _refuse_too_long(text)
    lowered = text.lower()
    if lowered.startswith(_BITCOIN_TEST_PREFIXES):
        raise Rejected(_test_network("Bitcoin"))
    return _segwit(text) if lowered.startswith("bc1") else _base58_bitcoin(text)


def canonicalise_eth_address(raw: str, hint: str | None) -> Canonical:
    """An address of Ethereum and of the chains that share its keys: 0x and 40 lower-case hexadecimal digits.

    In mixed case it must pass EIP-55; in one case it carries no checksum. `hint` is not used. Raises Rejected.
    Sources: EIP-55, ERC-681.
    """
    # Most addresses are written plainly, and looking costs less than compacting what is compact.
    found = _ETHEREUM_WRITTEN.fullmatch(raw) or _ETHEREUM_WRITTEN.fullmatch(text := _compact(raw))
    if found is None and _ETHEREUM_CALL.match(text) is not None:
        raise Rejected(
            "The link calls a contract, so it names two addresses. Write the payee's address alone."
        )
    if found is None:
        raise Rejected("An Ethereum address is 0x and 40 signs from 0-9 and a-f. Copy it whole and alone.")
    digits = found[2]
    address = digits.lower()
    # All capitals carry no checksum either, but are rare: they are asked about last.
    if digits != address and not _passes_eip55(digits, address) and digits != digits.upper():
        raise Rejected(
            "The capital letters of the Ethereum address do not fit (EIP-55): a character is wrong. Copy it again; "
            "if its letter case was lost on the way, write it all in small letters."
        )
    if address in _ETHEREUM_EVERYBODYS or address <= _ETHEREUM_LAST_PRECOMPILED:
        raise Rejected(_ETHEREUM_EVERYBODYS.get(address, _NOBODYS))
    return Canonical(ETH_ADDRESS, VERSION, f"0x{address}")


def canonicalise_tron_address(raw: str, hint: str | None) -> Canonical:
    """A TRON address in Base58Check, from that or from its hexadecimal form. `hint` is not used. Raises Rejected.

    The hexadecimal form carries no checksum: 41 and 40 digits, perhaps after 0x. USDT's contract is accepted and
    flagged, because the shared case file has it as its example.
    """
    text = _compact(raw)
    text = text[5:] if text[:5].lower() == "tron:" else text
    _refuse_too_long(text)
    digits = text[2:] if text[:2].lower() == "0x" else text
    is_hexadecimal = re.fullmatch(r"41[0-9A-Fa-f]{40}", digits) is not None
    payload = bytes.fromhex(digits) if is_hexadecimal else _tron_payload(text)
    address, key_hash = encode_base58check(payload), payload[1:]
    if len(set(key_hash)) == 1 or key_hash.hex() in _ETHEREUM_BURNT:
        raise Rejected(_NOBODYS)
    if address == _TRON_USDC:
        raise Rejected(_TOKENS)
    return Canonical(TRON_ADDRESS, VERSION, address, (TOKEN_CONTRACT,) if address == _TRON_USDT else ())


def _segwit(text: str) -> Canonical:
    if text not in (text.lower(), text.upper()):
        raise Rejected(
            "The address mixes capital and small letters, which BIP-173 forbids: it was damaged. Copy it again."
        )
    try:
        prefix, version, program = decode_segwit(text)
    except ValueError:
        raise Rejected(_wrong("Bitcoin")) from None
    if prefix != "bc":
        raise Rejected(_wrong("Bitcoin"))
    if len(set(program)) == 1 or (version == 1 and program == _PAY_TO_ANCHOR):
        raise Rejected(_NOBODYS)
    is_future = version > 1 or (version == 1 and len(program) != 32)
    return Canonical(BTC_ADDRESS, VERSION, text.lower(), (FUTURE_VERSION,) if is_future else ())


def _base58_bitcoin(text: str) -> Canonical:
    try:
        payload = decode_base58check(text)
    except ValueError:
        raise Rejected(_wrong("Bitcoin")) from None
    if len(payload) != 1 + _HASH_BYTES:
        raise Rejected(
            "The value is a key or another code in Base58, not a Bitcoin address. Give the address, never a key."
        )
    if payload[0] in _BITCOIN_TEST_VERSIONS:
        raise Rejected(_test_network("Bitcoin"))
    if payload[0] not in _BITCOIN_BASE58_VERSIONS:
        raise Rejected("The address belongs to another coin than Bitcoin. Give it with the type of its coin.")
    if len(set(payload[1:])) == 1 or text in _BITCOIN_BURNT:
        raise Rejected(_NOBODYS)
    return Canonical(BTC_ADDRESS, VERSION, text)


def _tron_payload(text: str) -> bytes:
    try:
        payload = decode_base58check(text)
    except ValueError:
        raise Rejected(_wrong("TRON")) from None
    if payload[0] != _TRON_VERSION or len(payload) != 1 + _HASH_BYTES:
        raise Rejected("The address belongs to another coin than TRON. Give it with the type of its coin.")
    return payload


def _compact(raw: str) -> str:
    """In common width, without white space: no alphabet of addresses has it, and printed ones are grouped."""
    return "".join(plain_characters(raw).split())


def _refuse_too_long(text: str) -> None:
    if len(text) > _MAXIMUM_CHARACTERS:
        raise Rejected("The value is too long for one address. Give each address its own row.")


def _passes_eip55(digits: str, address: str) -> bool:
    """Whether a letter is a capital exactly where the hash of the small letters has a digit from 8 to f (EIP-55)."""
    digest = _keccak().new(digest_bits=256, data=address.encode()).digest()
    cases = int(digits.encode().translate(_LETTER_CASES), 16)
    differing = cases ^ int.from_bytes(digest[:_HASH_BYTES], "big")
    # 40 comparisons at once: the highest bit of each digit, where the sign is a letter.
    return not differing & cases << 1 & _HIGHEST_BITS


@cache
def _keccak() -> ModuleType:
    """Imported on use: the library parses C declarations as it loads, which no other type needs to wait for."""
    from Crypto.Hash import keccak

    return keccak


def _wrong(coin: str) -> str:
    return (
        f"The value is not a {coin} address: its checksum does not fit, so a character is wrong or missing. Copy it "
        "again; small and capital letters count."
    )


def _test_network(coin: str) -> str:
    return f"The address belongs to a test network of {coin}, whose coins are worth nothing. Leave it out."
