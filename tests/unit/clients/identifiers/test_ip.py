"""IP addresses: one form, and none that everybody has."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.identifiers import Rejected, canonicalise
from tests.identifier_case import form_or_reason

EXAMPLES_V4 = st.sampled_from(["192.0.2", "198.51.100", "203.0.113"]).flatmap(
    lambda network: st.integers(0, 255).map(lambda last: f"{network}.{last}")
)
EXAMPLES_V6 = st.integers(0, 2**96 - 1).map(lambda rest: ipaddress.IPv6Address((0x2001_0DB8 << 96) + rest))


@given(
    EXAMPLES_V4,
    st.sampled_from([ord("0"), 0xFF10, 0x0660, 0x06F0]),
    st.sampled_from([".", "[.]", "(.)", "．"]),
)
def test_width_digits_and_defanging_do_not_count(address: str, zero: int, stop: str) -> None:
    written = "".join(chr(zero + int(sign)) if sign.isdigit() else stop for sign in address)
    for dressed in (written, f" {written}\t", f"\u200e{written}", f"{address}:443", f"::ffff:{address}"):
        assert canonicalise("ip", dressed).text == f"ip/1|{address}"


@given(EXAMPLES_V6)
def test_every_way_to_write_version_6_comes_to_one(address: ipaddress.IPv6Address) -> None:
    full = address.exploded
    forms = {
        canonicalise("ip", written)
        for written in (
            str(address),
            full,
            full.upper(),
            f"[{full}]",
            f"[{address}]:8080",
            full.replace(":", "[:]"),
        )
    }
    assert {form.value for form in forms} == {address.compressed}
    assert canonicalise("ip", address.compressed) in forms


@given(st.integers(0, 2**32 - 1))
def test_an_ipv4_address_is_refused_or_kept_and_never_otherwise_than_its_registry_says(number: int) -> None:
    address = ipaddress.IPv4Address(number)
    form, reason = form_or_reason("ip", str(address))
    assert str(address) not in reason
    if form is not None:
        assert form.value == str(address)
        assert form.flags or (address.is_global and not address.is_multicast)


@given(st.integers(0, 2**128 - 1))
def test_an_ipv6_address_is_its_own_form_or_refused(number: int) -> None:
    form, _ = form_or_reason("ip", str(ipaddress.IPv6Address(number)))
    assert form is None or canonicalise("ip", form.value) == form


@given(st.text(alphabet="0123456789abcdef.:[]%/ ", max_size=24))
def test_whatever_is_accepted_is_its_own_form(raw: str) -> None:
    form, reason = form_or_reason("ip", raw)
    assert len(raw.strip()) < 6 or raw.strip() not in reason
    assert form is None or canonicalise("ip", form.value) == form


def test_an_address_inside_another_is_the_address_itself() -> None:
    for written in (
        "::ffff:203.0.113.7",
        "::ffff:cb00:7107",
        "64:ff9b::203.0.113.7",
        "[::FFFF:203.0.113.7]:80",
    ):
        assert canonicalise("ip", written).value == "203.0.113.7"


def test_addresses_reserved_for_examples_are_kept_and_flagged() -> None:
    for address in ("192.0.2.1", "198.51.100.2", "203.0.113.255", "2001:db8::1", "3fff:fff::1"):
        assert canonicalise("ip", address).flags == ("for-examples",)
    assert canonicalise("ip", "203.0.114.7").flags == ()


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("10.1.2.3", "private network"),
        ("172.31.255.255", "private network"),
        ("192.168.0.1", "private network"),
        ("fd00::1", "private network"),
        ("::ffff:10.0.0.1", "private network"),
        ("64:ff9b::192.168.1.1", "private network"),
        ("100.64.0.1", "inside their networks"),
        ("127.0.0.1", "device itself"),
        ("0.0.0.0", "device itself"),
        ("169.254.1.1", "device itself"),
        ("::1", "device itself"),
        ("fe80::1", "device itself"),
        ("fe80::1%eth0", "network card"),
        ("224.0.0.251", "multicast"),
        ("255.255.255.255", "reserved"),
        ("ff02::1", "multicast"),
        ("198.18.0.1", "reserved"),
        ("240.0.0.1", "reserved"),
        ("100::1", "reserved"),
        ("::203.0.113.7", "reserved"),
        ("8.8.8.8", "match everyone"),
        ("2606:4700:4700::1111", "match everyone"),
        ("203.0.113.07", "leading zero"),
        ("203.0.113.0/24", "network and not one"),
        ("2001:db8::/32", "network and not one"),
        ("203.0.113.7, 203.0.113.8", "more than one"),
        ("203.0.113.7 203.0.113.8", "more than one"),
        ("https://203.0.113.7/", "Give it as a url"),
        ("203.0.113", "four numbers"),
        ("203.0.113.256", "four numbers"),
        ("3405803783", "four numbers"),
        ("0xcb.0.113.7", "four numbers"),
        ("2001:db8:::1", "four numbers"),
    ],
)
def test_what_is_shared_or_no_address_is_refused_in_words(raw: str, words: str) -> None:
    with pytest.raises(Rejected) as refusal:
        canonicalise("ip", raw)
    assert words in refusal.value.detail
    assert raw not in refusal.value.detail
    assert refusal.value.__cause__ is None
