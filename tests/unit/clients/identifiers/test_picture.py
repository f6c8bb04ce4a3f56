"""Perceptual hashes: pictures with something in them go in, flat ones never, and a PhotoDNA hash stays opaque."""

from base64 import b64encode
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.identifiers import Rejected, canonicalise

# Hashes of two of ThreatExchange's test images, its bridge by two implementations; all of quality 100.
REFERENCE = [
    "d8f8f0cec0f4a84f0637022a278f67f0b36e2ed596621e1d33e6339c4e9c9b22",
    "d8f8f0cee0f4a84f0637022a078f67f0b36e2ed596621e1d33e6339c4e9c9b22",
    "cfb2009ddd21c6dab0046a7745b5984757a8a4535b3377aea2591d32b33ff940",
]
# What pdqhash 0.2.8 gives for black, white and grey squares, and the smooth picture of the shared cases.
FLAT = [
    "0" * 64,
    "00001134000011342c4b00002c4b1134000000002c4b2c4b00002c4b8200554b",
    "000000002c4b11342c4b2c4b0000554b00002c4b113411342c4b585e2c4b017e",
    "0007001f003f003f007f00ff00ff00ff01ff01ff01ff03ff03ff03ff03ff03ff",
    "f" * 64,
]
OPAQUE = st.binary(min_size=144, max_size=144).filter(lambda value: len(set(value)) > 1)


@pytest.mark.parametrize("digest", REFERENCE)
def test_a_pdq_hash_has_one_form_in_every_spelling(digest: str) -> None:
    wide = "".join(chr(ord(sign) + 0xFEE0) for sign in digest)
    for written in (digest, digest.upper(), f" {digest[:32]} {digest[32:]}\n", f"PDQ:{digest}", wide):
        form = canonicalise("pdq", written, "100")
        assert (form.text, form.flags) == (f"pdq/1|{digest}", ())


@pytest.mark.parametrize(
    ("quality", "is_taken"), [("49", False), ("50", True), (" 100 ", True), ("0", False)]
)
def test_quality_under_50_is_refused_with_the_reason(quality: str, is_taken: bool) -> None:
    if is_taken:
        assert canonicalise("pdq", REFERENCE[0], quality).flags == ()
    else:
        with pytest.raises(Rejected, match="unrelated ones"):
            canonicalise("pdq", REFERENCE[0], quality)


def test_an_unknown_quality_is_flagged() -> None:
    for hint in (None, "", "  "):
        assert canonicalise("pdq", REFERENCE[0], hint).flags == ("quality-unknown",)


@pytest.mark.parametrize("hint", [None, "100"])
@pytest.mark.parametrize("digest", FLAT)
def test_a_flat_picture_is_refused_whatever_quality_is_claimed(digest: str, hint: str | None) -> None:
    with pytest.raises(Rejected, match="flat or smooth"):
        canonicalise("pdq", digest, hint)


def test_bits_as_pictures_have_them_are_not_taken_for_flat() -> None:
    # Half the bits above the median, in no order: what a picture with something in it gives.
    dice = Random(20261126)
    for _ in range(500):
        bits = ["0"] * 128 + ["1"] * 128
        dice.shuffle(bits)
        digest = f"{int(''.join(bits), 2):064x}"
        assert canonicalise("pdq", digest, "80").value == digest


@pytest.mark.parametrize(
    ("raw", "hint", "words"),
    [
        (REFERENCE[0][:-1], "100", "64 signs"),
        (f"{REFERENCE[0]},100", None, "not behind the hash"),
        ("g" + REFERENCE[0][1:], "100", "64 signs"),
        (REFERENCE[0], "101", "from 0 to 100"),
        (REFERENCE[0], "-1", "from 0 to 100"),
        (REFERENCE[0], "0.9", "from 0 to 100"),
        (REFERENCE[0], "GB", "from 0 to 100"),
        (REFERENCE[0], "²", "from 0 to 100"),
    ],
)
def test_what_is_no_pdq_hash_is_refused_in_words(raw: str, hint: str | None, words: str) -> None:
    with pytest.raises(Rejected) as refusal:
        canonicalise("pdq", raw, hint)
    assert words in refusal.value.detail
    assert raw not in refusal.value.detail


@given(OPAQUE)
def test_a_photodna_hash_has_one_form_in_its_three_spellings(value: bytes) -> None:
    numbers = ",".join(map(str, value))
    base64 = b64encode(value).decode()
    for written in (
        value.hex(),
        value.hex().upper(),
        base64,
        numbers,
        numbers.replace(",", ", "),
        f"PhotoDNA:{base64}",
    ):
        assert canonicalise("photodna", written).text == f"photodna/1|{value.hex()}"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (bytes(144).hex(), "flat picture"),
        (",".join(["7"] * 144), "flat picture"),
        (bytes(range(143)).hex(), "144 bytes"),
        (",".join(map(str, range(143))), "144 bytes"),
        (",".join([*map(str, range(143)), "256"]), "144 bytes"),
        (b64encode(bytes(range(141))).decode(), "144 bytes"),
        ("abc", "144 bytes"),
    ],
)
def test_what_is_no_photodna_hash_is_refused_in_words(raw: str, words: str) -> None:
    with pytest.raises(Rejected) as refusal:
        canonicalise("photodna", raw)
    assert words in refusal.value.detail
    assert raw not in refusal.value.detail
