"""Links: one form for one page as two people would write it, and no page that everybody has seen."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.identifiers import Rejected, canonicalise
from clients.identifiers.tracking import is_tracking
from tests.identifier_case import MARK, form_or_reason

WORDS = st.text(alphabet=string.ascii_letters + string.digits + "-_", min_size=1, max_size=8)
PATHS = st.lists(WORDS, max_size=4).map(lambda words: "/" + "/".join(words))
PARAMETERS = st.lists(
    st.tuples(WORDS.filter(lambda name: not is_tracking(name)), WORDS), max_size=4, unique_by=lambda p: p[0]
)
TRACKING = st.lists(
    st.sampled_from(["utm_source=x", "fbclid=Iw1", "gclid=1", "UTM_Medium=y", "mc_cid=2", "igsh=3"]),
    max_size=3,
)


def form(raw: str, hint: str | None = None) -> str:
    return canonicalise("url", raw, hint).value


@given(PATHS, PARAMETERS, TRACKING, st.randoms(use_true_random=False))
def test_order_tracking_case_port_fragment_and_defanging_do_not_count(
    path: str, parameters: list[tuple[str, str]], tracking: list[str], shuffled: object
) -> None:
    own = [f"{name}={value}" for name, value in parameters]
    mixed = own + tracking
    shuffled.shuffle(mixed)  # type: ignore[attr-defined]
    query = "?" + "&".join(mixed) if mixed else ""
    forms = {
        canonicalise("url", written)
        for written in (
            f"https://example.org{path}{query}",
            f"HTTPS://EXAMPLE.org:443{path}{query}#top",
            f"hxxps://example[.]org{path}{query}",
            f"<https://example.org.:0443/./up/..{path}{query}>",
            f" https://example.org{path}{query}#:~:text=found\t",
        )
    }
    kept = "&".join(sorted(own, key=lambda each: each.partition("=")[0]))
    assert {each.value for each in forms} == {f"https://example.org{path}" + ("?" + kept if kept else "")}


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30))
def test_whatever_is_accepted_is_its_own_form(rest: str) -> None:
    accepted, reason = form_or_reason("url", f"https://example.org/{rest}{MARK}")
    assert MARK not in reason
    if accepted is not None:
        assert accepted.value.isascii()
        assert canonicalise("url", accepted.value) == accepted


@given(st.text(max_size=40), st.sampled_from([None, "https", "DE"]))
def test_no_text_does_anything_but_a_form_or_a_refusal_without_the_value(raw: str, hint: str | None) -> None:
    accepted, reason = form_or_reason("url", f"{raw}{MARK}", hint)
    assert accepted is None or accepted.value.startswith(("http://", "https://"))
    assert MARK not in reason


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("https://example.org", "https://example.org/"),
        ("https://example.org?b=1", "https://example.org/?b=1"),
        ("https://example.org/a//b/", "https://example.org/a//b/"),
        ("https://example.org/a/../../b/.", "https://example.org/b/"),
        ("https://example.org/a/%2e%2E/b", "https://example.org/b"),
        ("https://example.org/%7euser%2fx%c3%a9", "https://example.org/~user%2Fx%C3%A9"),
        ("https://example.org/caf\u00e9", "https://example.org/caf%C3%A9"),
        ("https://example.org/cafe\u0301", "https://example.org/caf%C3%A9"),
        ("https://example.org/100%", "https://example.org/100%25"),
        ("https://example.org/a|b^c", "https://example.org/a%7Cb%5Ec"),
        ("https://example.org/?a[]=2&a[]=1", "https://example.org/?a%5B%5D=2&a%5B%5D=1"),
        ("https://example.org/?b&&a=&", "https://example.org/?a=&b"),
        ("https://example.org/?a=1&amp;b=2", "https://example.org/?a=1&b=2"),
        ("https://example.org/?q=a+b%20c", "https://example.org/?q=a+b%20c"),
        ("https://example.org/?ref=2&id=1&source=3", "https://example.org/?id=1&ref=2&source=3"),
        ("https://example.org/?__cft__[0]=x&id=1", "https://example.org/?id=1"),
        ("https://example.org/#/ad/9", "https://example.org/#/ad/9"),
        ("https://example.org/app#!ad=9", "https://example.org/app#!ad=9"),
        ("https://example.org/#/", "https://example.org/"),
        ("https://example.org/#!", "https://example.org/"),
        ("https:\\\\example.org\\ad", "https://example.org/ad"),
        ("ｈｔｔｐｓ：／／ｅｘａｍｐｌｅ．ｏｒｇ／ａｄ／９", "https://example.org/ad/9"),
        ("https://example.org/Ａ", "https://example.org/%EF%BC%A1"),
        ("https://ｅｘａｍｐｌｅ。org/", "https://example.org/"),
        ("https://user_7.example.org:8443/", "https://user_7.example.org:8443/"),
        ("https://straße.example/", "https://xn--strae-oqa.example/"),
        ("https://b%C3%BCcher.example/", "https://xn--bcher-kva.example/"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("http://203.0.113.7:80/x", "http://203.0.113.7/x"),
        ("http://[2001:DB8::0:1]:8080/", "http://[2001:db8::1]:8080/"),
        ("http://[::ffff:203.0.113.7]/", "http://203.0.113.7/"),
        ("“https://example.org/ad”", "https://example.org/ad"),
        ("https://www.google.com/maps/@1,2", "https://www.google.com/maps/@1,2"),
    ],
)
def test_a_link_comes_to_its_form_and_stays_there(raw: str, expected: str) -> None:
    assert form(raw) == expected
    assert form(expected) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.org/ad", "http://example.org/ad"),
        ("https://example.org/ad", "https://example.org/ad/"),
        ("https://example.org/ad", "https://example.org/Ad"),
        ("https://example.org/ad", "https://www.example.org/ad"),
        ("https://example.org/a/b", "https://example.org/a//b"),
        ("https://example.org/a/b", "https://example.org/a%2Fb"),
        ("https://example.org/?a=1&a=2", "https://example.org/?a=2&a=1"),
        ("https://example.org/#/ad/9", "https://example.org/#/ad/8"),
        ("https://straße.example/", "https://strasse.example/"),
        ("https://\u0430pple.example/", "https://apple.example/"),
    ],
)
def test_what_may_be_two_pages_stays_two(one: str, other: str) -> None:
    assert form(one) != form(other)


def test_flags_warn_of_look_alikes_strange_domains_examples_and_sentence_ends() -> None:
    for raw, flags in (
        ("https://\u0430pple.example/", ("look-alike",)),
        ("https://xn--pple-43d.example/", ("look-alike",)),
        ("https://xn--i-7iq.example/", ("not-valid",)),
        ("https://bücher.example/", ()),
        ("http://203.0.113.7/", ("for-examples",)),
        ("https://example.org/ad.", ("ends-in-punctuation",)),
        ("https://example.org/ad%2E?fbclid=1", ("ends-in-punctuation",)),
    ):
        accepted = canonicalise("url", raw)
        assert accepted.flags == flags
        assert canonicalise("url", accepted.value) == accepted


def test_a_link_without_its_beginning_needs_the_scheme_as_the_hint() -> None:
    assert form("www.example.org/ad/9", "https") == "https://www.example.org/ad/9"
    assert form("//example.org:8080/ad", "HTTP://") == "http://example.org:8080/ad"
    with pytest.raises(Rejected, match="two pages"):
        form("www.example.org/ad/9", "DE")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("https://user:pw@example.org/", "password"),
        ("https://user@example.org/", "password"),
        ("example.org/ad/9", "lacks its beginning"),
        ("mailto:jane@example.org", "link of the web"),
        ("javascript:alert(1)", "link of the web"),
        ("ftp://example.org/x", "begins with http"),
        ("https:///ad", "no host"),
        ("https://", "no host"),
        ("https://localhost/x", "local network"),
        ("https://intranet/x", "local network"),
        ("http://printer.local/", "local network"),
        ("http://fritz.box.home.arpa/", "local network"),
        ("http://192.168.1.1/", "private network"),
        ("http://[::1]:8080/", "device itself"),
        ("http://2130706433/", "four numbers"),
        ("http://0x7f.1/", "four numbers"),
        ("http://203.0.113.07/", "leading zero"),
        ("https://example.org:99999/", "port"),
        ("https://example.org:8o/", "port"),
        ("https://exam ple.org/", "one piece"),
        ("https://example.org/a https://example.org/b", "one piece"),
        ("https://example.org/a\nd", "one piece"),
        ("https://example.org/a\u200bd", "one piece"),
        ("https://exa$mple.org/", "not a domain name"),
        ("https://-example.org/", "not a domain name"),
        ("https://example..org/", "not a domain name"),
        ("https://i❤.example/", "domain names do not have"),
        ("https://example.org/" + "é" * 400, "longer than 2,048"),
        ("https://www.google.com/", "everybody visits"),
        ("https://m.facebook.com/?utm_source=x", "everybody visits"),
    ],
)
def test_what_is_no_public_link_or_everybodys_is_refused_in_words(raw: str, words: str) -> None:
    with pytest.raises(Rejected) as refusal:
        form(raw)
    assert words in refusal.value.detail
    assert raw not in refusal.value.detail
    assert refusal.value.__cause__ is None
