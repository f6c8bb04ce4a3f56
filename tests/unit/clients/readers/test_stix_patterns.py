"""A STIX pattern is read where each comparison names an identifier, and refused in words elsewhere."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.identifiers import Rejected
from clients.readers.exchange.stix_patterns import Named, named_by_pattern

MAIL = "user@example.org"


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("[email-addr:value = 'user@example.org']", [("email", MAIL, None)]),
        ("([email-addr:value = 'user@example.org'])", [("email", MAIL, None)]),
        ("[(email-addr:value = 'user@example.org')]", [("email", MAIL, None)]),
        ("[url:value = 'https://example.org/\\\\a\\'b']", [("url", "https://example.org/\\a'b", None)]),
        ("[url:value = 'NOT']", [("url", "NOT", None)]),
        ("[url:value IN ('a', 'b')]", [("url", "a", None), ("url", "b", None)]),
        ("[ipv4-addr:value = 'a' OR ipv6-addr:value = 'b']", [("ip", "a", None), ("ip", "b", None)]),
        ("[url:value = 'a'] OR [email-addr:value = 'b']", [("url", "a", None), ("email", "b", None)]),
        ("[file:hashes.MD5 = 'a']", [("file_hash", "a", None)]),
        ("[file:hashes.'SHA-256' = 'a']", [("file_hash", "a", None)]),
        ("[phone-number:value = '+447700900123']", [("phone", "+447700900123", None)]),
        ("[bank-account:iban = 'a']", [("iban", "a", None)]),
        ("[cryptocurrency-wallet:value = '0xa']", [("eth_address", "0xa", None)]),
        ("[cryptocurrency-wallet:value = 'Ta']", [("tron_address", "Ta", None)]),
        ("[cryptocurrency-wallet:value = 'bc1a']", [("btc_address", "bc1a", None)]),
        ("[x-narrowgate-licence-plate:value = 'DE:B-MW1234']", [("licence_plate", "DE:B-MW1234", None)]),
        (
            "[user-account:account_login = 'alice' AND user-account:account_type = 'telegram']",
            [("handle", "alice", "telegram")],
        ),
        ("[user-account:account_login = 'alice']", [("handle", "alice", None)]),
    ],
)
def test_equality_names_identifiers(pattern: str, named: list[tuple[str, str, str | None]]) -> None:
    assert named_by_pattern(pattern) == tuple(Named(*each) for each in named)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("[email-addr:value = 'a' AND url:value = 'b']", "language"),
        ("[url:value = 'a' AND url:value = 'b']", "at once"),
        ("[url:value = 'NOT' OR url:value not IN ('a')]", "excludes|language"),
        ("[file:hashes.MD5 = 'a' AND file:name = 'b']", "at once"),
        ("[user-account:account_login = 'a' AND user-account:account_login = 'b']", "at once"),
        ("[user-account:account_login = 'a' AND user-account:account_type != 'telegram']", "at once"),
        ("[url:value = 'a'] AND [url:value = 'b']", "at once"),
        ("[url:value = 'a'] FOLLOWEDBY [url:value = 'b']", "at once"),
        ("[url:value = 'a'] WITHIN 5 SECONDS", "how often"),
        ("[url:value = 'a'] REPEATS 2 TIMES", "how often"),
        ("[email-addr:value != 'a']", "excludes"),
        ("[email-addr:value NOT = 'a']", "excludes"),
        ("[email-addr:value NOT IN ('a', 'b')]", "excludes"),
        ("[url:value MATCHES '^a']", "many values"),
        ("[url:value LIKE 'a%']", "many values"),
        ("[ipv4-addr:value ISSUBSET '203.0.114.0/24']", "many values"),
        ("[ipv4-addr:value > 'a']", "many values"),
        ("[EXISTS email-addr:value]", "many values"),
        ("[email-addr:value = 5]", "not text"),
        ("[domain-name:value = 'example.org']", "not compared"),
        ("[email-addr:value = 'a'", "language"),
        ("user@example.org", "language"),
        ("", "language"),
        ("(" * 2000 + "[url:value = 'a']" + ")" * 2000, "deeply|language"),
        ("[url:value = '" + "a" * 40_000 + "']", "longer"),
    ],
)
def test_what_names_no_identifier_is_refused_as_a_whole(pattern: str, said: str) -> None:
    with pytest.raises(Rejected, match=said) as refusal:
        named_by_pattern(pattern)
    assert "example.org" not in refusal.value.detail


def test_a_long_list_is_read(capfd: pytest.CaptureFixture[str]) -> None:
    values = [f"https://example.org/{number}" for number in range(500)]
    listed = ", ".join(f"'{value}'" for value in values)
    assert [each.raw for each in named_by_pattern(f"[url:value IN ({listed})]")] == values
    assert capfd.readouterr() == ("", "")


@given(pattern=st.text(alphabet="[]()='abOR AND:.-\\\n'urlvale", max_size=60))
def test_no_pattern_raises_anything_but_a_refusal(pattern: str) -> None:
    with suppress(Rejected):
        named_by_pattern(pattern)
