"""Coin addresses: published cases, one form in every spelling, and nothing with a wrong character."""

import string

import pytest
from Crypto.Hash import keccak
from hypothesis import given
from hypothesis import strategies as st

from clients.identifiers import Rejected, canonicalise
from clients.identifiers.check_encodings import encode_base58check
from clients.identifiers.crypto_address import _ETHEREUM_TOKENS

SEGWIT = [
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
    "bc1sw50qgdz25j",
    "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
]
"""The main network's addresses of BIP-350."""
EIP_55 = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
"""All capitals, all small, and mixed, as EIP-55 lists them."""
KEY_HASHES = st.binary(min_size=20, max_size=20).filter(lambda value: len(set(value)) > 1)
SPACES = st.sampled_from(["", " ", "\n", "\u00a0", "\u200b", "\t"])
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def wide(text: str) -> str:
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


def spaced(text: str, spaces: list[str]) -> str:
    return "".join(
        sign + (spaces[place // 4 % len(spaces)] if place % 4 == 3 else "") for place, sign in enumerate(text)
    )


# --- Bitcoin ---


@pytest.mark.parametrize("address", SEGWIT)
def test_bip_350s_addresses_have_one_form_in_either_case(address: str) -> None:
    for written in (
        address,
        address.upper(),
        f"bitcoin:{address}",
        f"BITCOIN:{address.upper()}?AMOUNT=1",
        wide(address),
    ):
        assert canonicalise("btc_address", written).text == f"btc_address/1|{address}"


def test_versions_that_the_network_gives_no_meaning_are_flagged() -> None:
    flags = [canonicalise("btc_address", address).flags for address in SEGWIT]
    assert flags == [(), ("future-version",), ("future-version",), ("future-version",), ()]


@given(KEY_HASHES, st.sampled_from([0, 5]), st.lists(SPACES, min_size=1, max_size=4))
def test_a_base58_address_is_kept_to_the_letter_however_it_is_grouped(
    key_hash: bytes, version: int, spaces: list[str]
) -> None:
    address = encode_base58check(bytes([version]) + key_hash)
    for written in (address, spaced(address, spaces), wide(address), f"bitcoin:{address}?label=x"):
        assert canonicalise("btc_address", written).value == address


@given(KEY_HASHES, st.data())
def test_one_changed_character_of_a_base58_address_is_refused(key_hash: bytes, data: st.DataObject) -> None:
    kind, version = data.draw(
        st.sampled_from([("btc_address", 0), ("btc_address", 5), ("tron_address", 0x41)])
    )
    address = encode_base58check(bytes([version]) + key_hash)
    position = data.draw(st.integers(0, len(address) - 1))
    other = data.draw(st.sampled_from(BASE58).filter(lambda sign: sign != address[position]))
    with pytest.raises(Rejected):
        canonicalise(kind, address[:position] + other + address[position + 1 :])


@given(st.sampled_from(SEGWIT), st.data())
def test_one_changed_character_of_a_segwit_address_is_refused(address: str, data: st.DataObject) -> None:
    position = data.draw(st.integers(3, len(address) - 1))
    other = data.draw(st.sampled_from(BECH32).filter(lambda sign: sign != address[position]))
    with pytest.raises(Rejected, match="checksum"):
        canonicalise("btc_address", address[:position] + other + address[position + 1 :])


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("bc1Qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "mixes capital and small"),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd", "checksum does not fit"),
        ("bc1gmk9yu", "checksum does not fit"),
        ("tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7", "test network"),
        ("mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", "test network"),
        ("1111111111111111111114oLvT2", "Nobody owns"),
        ("31h1vYVSYuKP6AhS86fbRdMw9XHieotbST", "Nobody owns"),
        ("1BitcoinEaterAddressDontSendf59kuE", "Nobody owns"),
        ("1CounterpartyXXXXXXXXXXXXXXXUWLpVr", "Nobody owns"),
        ("bc1pfeessrawgf", "Nobody owns"),
        ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", "another coin"),
        ("5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", "not a Bitcoin address"),
        ("tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty", "checksum does not fit"),
        ("bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a", "checksum does not fit"),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfN\u0430", "checksum does not fit"),
        ("1" * 200, "its own row"),
    ],
)
def test_what_is_no_ones_bitcoin_address_is_refused_in_words(raw: str, words: str) -> None:
    with pytest.raises(Rejected) as refusal:
        canonicalise("btc_address", raw)
    assert words in refusal.value.detail
    assert raw not in refusal.value.detail


# --- Ethereum ---


@pytest.mark.parametrize("address", EIP_55)
def test_eip_55s_addresses_come_to_small_letters(address: str) -> None:
    form = f"eth_address/1|{address.lower()}"
    for written in (
        address,
        address[2:],
        f"ethereum:{address}@1?value=1e18",
        f"ethereum:pay-{address}",
        wide(address),
    ):
        assert canonicalise("eth_address", written).text == form
    assert canonicalise("eth_address", address.lower()).text == form
    assert canonicalise("eth_address", "0X" + address[2:].upper()).text == form


@given(st.sampled_from(EIP_55[4:]), st.data())
def test_one_letter_in_the_other_case_is_refused(address: str, data: st.DataObject) -> None:
    letters = [place for place, sign in enumerate(address) if sign.isalpha() and place > 1]
    place = data.draw(st.sampled_from(letters))
    with pytest.raises(Rejected, match="EIP-55"):
        canonicalise("eth_address", address[:place] + address[place].swapcase() + address[place + 1 :])


def letter_by_letter(address: str) -> str:
    """EIP-55 as its text has it: a letter is a capital where the hash has a digit from 8 to f."""
    digest = keccak.new(digest_bits=256, data=address.encode("ascii")).hexdigest()
    return "".join(sign.upper() if mark >= "8" else sign for sign, mark in zip(address, digest, strict=False))


@given(KEY_HASHES.filter(lambda value: any(value[:18])), st.lists(st.booleans(), min_size=40, max_size=40))
def test_mixed_case_passes_exactly_if_each_letter_has_the_case_that_eip_55_gives_it(
    key_hash: bytes, capitals: list[bool]
) -> None:
    address = key_hash.hex()
    written = "".join(
        sign.upper() if capital else sign for sign, capital in zip(address, capitals, strict=True)
    )
    if written in (address, address.upper(), letter_by_letter(address)):
        assert canonicalise("eth_address", written).value == f"0x{address}"
    else:
        with pytest.raises(Rejected, match="EIP-55"):
            canonicalise("eth_address", written)


@given(KEY_HASHES.filter(lambda value: value[0] > 0), st.lists(SPACES, min_size=1, max_size=4))
def test_the_checked_form_and_the_small_one_agree_however_they_are_grouped(
    key_hash: bytes, spaces: list[str]
) -> None:
    address = key_hash.hex()
    checked = f"0x{letter_by_letter(address)}"
    for written in (checked, spaced(checked, spaces), address, address.upper()):
        assert canonicalise("eth_address", written).value == f"0x{address}"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("0x" + "0" * 40, "Nobody owns"),
        ("0x" + "E" * 40, "Nobody owns"),
        ("0x0000000000000000000000000000000000000004", "Nobody owns"),
        ("0x000000000000000000000000000000000000dEaD", "Nobody owns"),
        ("0xdEAD000000000000000042069420694206942069", "Nobody owns"),
        ("ethereum:0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359/transfer?address=0x1", "two addresses"),
        ("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d35", "40 signs"),
        ("\u0430" + "b" * 39, "40 signs"),
        ("someone.eth", "40 signs"),
        *((address, "common token") for address in _ETHEREUM_TOKENS),
        *((address.lower(), "common token") for address in _ETHEREUM_TOKENS),
    ],
)
def test_what_is_no_ones_ethereum_address_is_refused_in_words(raw: str, words: str) -> None:
    with pytest.raises(Rejected) as refusal:
        canonicalise("eth_address", raw)
    assert words in refusal.value.detail
    assert raw not in refusal.value.detail


# --- TRON ---


@given(KEY_HASHES, st.lists(SPACES, min_size=1, max_size=4))
def test_a_tron_address_and_its_hexadecimal_form_agree(key_hash: bytes, spaces: list[str]) -> None:
    payload = b"\x41" + key_hash
    address = encode_base58check(payload)
    for written in (
        address,
        payload.hex(),
        "0x" + payload.hex().upper(),
        spaced(address, spaces),
        f"tron:{address}",
    ):
        assert canonicalise("tron_address", written).value == address


def test_the_case_files_token_contract_is_flagged() -> None:
    contract = canonicalise("tron_address", "41a614f803b6fd780986a42c78ec9c7f77e6ded13c")
    assert contract.value == "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
    assert contract.flags == ("token-contract",)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb", "Nobody owns"),
        ("TEkxiTehnzSmSe2XqrBj4w32RUN966rdz8", "common token"),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "another coin"),
        ("0xa614f803b6fd780986a42c78ec9c7f77e6ded13c", "checksum does not fit"),
        ("TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6T", "checksum does not fit"),
    ],
)
def test_what_is_no_ones_tron_address_is_refused_in_words(raw: str, words: str) -> None:
    with pytest.raises(Rejected) as refusal:
        canonicalise("tron_address", raw)
    assert words in refusal.value.detail
    assert raw not in refusal.value.detail


# --- all three ---


@given(
    st.text(alphabet=string.printable, max_size=60),
    st.sampled_from(["btc_address", "eth_address", "tron_address"]),
)
def test_no_text_does_anything_but_a_form_or_a_refusal_without_the_value(raw: str, kind: str) -> None:
    try:
        value, reason = canonicalise(kind, raw).value, ""
    except Rejected as refusal:
        value, reason = "", refusal.detail
    assert reason or canonicalise(kind, value).value == value
    # Shorter texts can occur in an English sentence by chance.
    assert len(raw.strip()) < 6 or raw not in reason
