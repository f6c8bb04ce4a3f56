"""Account names: qualified by their platform, held to its rules, and never taken for somebody else's."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.identifiers import Rejected, canonicalise
from clients.identifiers.platforms import PLATFORMS, platform_called
from tests.identifier_case import MARK, form_or_reason

NAMES = st.text(alphabet=string.ascii_letters + string.digits, min_size=6, max_size=12).map(
    lambda rest: "a" + rest
)
WIDE = {ord(sign): ord(sign) + 0xFEE0 for sign in string.ascii_letters + string.digits}
SPECIAL = {"signal": "alice.01", "skype": "live:.cid.abc123"}


def form(raw: str, hint: str | None = None) -> str:
    return canonicalise("handle", raw, hint).value


@given(NAMES, st.sampled_from(sorted(set(PLATFORMS) - {"signal"})))
def test_case_width_marks_and_the_platform_in_front_do_not_count(name: str, platform: str) -> None:
    forms = {
        canonicalise("handle", written, hint)
        for written, hint in (
            (name, platform),
            (f"@{name.upper()}", platform.upper()),
            (f"\uff20{name.translate(WIDE)}", platform),
            (f" \u200e{name}\t", f" {platform.title()} "),
            (f"{platform}: @{name}", None),
        )
    }
    assert {each.text for each in forms} == {f"handle/1|{platform}:{name.lower()}"}
    assert canonicalise("handle", forms.pop().value).flags == ()


@pytest.mark.parametrize("platform", sorted(PLATFORMS))
def test_every_platform_takes_a_plain_name_and_refuses_its_own_words_and_a_sentence(platform: str) -> None:
    name = SPECIAL.get(platform, "alice99")
    assert form(name, platform) == f"{platform}:{name}"
    assert form(f"{platform}:{name}") == f"{platform}:{name}"
    for raw in ("none", platform, "alice 99", "alice!99", "a" * 200, "alice99,bob99", "@", "alice/99"):
        if (platform, raw) == ("skype", "alice99,bob99"):
            continue  # a comma may be part of it
        with pytest.raises(Rejected) as refusal:
            form(raw, platform)
        assert raw in ("none", platform, "@") or raw not in refusal.value.detail


def test_no_word_or_host_means_two_platforms() -> None:
    words = [word for each in PLATFORMS.values() for word in (each.slug, *each.called.split())]
    hosts = [host for each in PLATFORMS.values() for host in each.hosts.split() if ":" not in host]
    assert len(words) == len(set(words))
    assert len(hosts) == len(set(hosts))
    for each in PLATFORMS.values():
        assert {platform_called(word) for word in (each.slug, *each.called.split())} == {each}
    assert all(platform_called(host) is not None for host in hosts)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("https://t.me/Alice_99?start=1", "telegram:alice_99"),
        ("hxxps://t[.]me/alice_99", "telegram:alice_99"),
        ("t.me/s/alice_99/123", "telegram:alice_99"),
        ("telegram.me/@alice_99", "telegram:alice_99"),
        ("https://alice99.t.me", "telegram:alice99"),
        ("tg://resolve?domain=Alice_99", "telegram:alice_99"),
        ("tg:resolve?domain=alice_99&start=x", "telegram:alice_99"),
        ("ｔ．ｍｅ／ａｌｉｃｅ＿９９", "telegram:alice_99"),
        ("TG: t.me/alice_99", "telegram:alice_99"),
        ("https://www.instagram.com/A.lice_99/?igsh=abc", "instagram:a.lice_99"),
        ("instagram.com/stories/alice99/3141", "instagram:alice99"),
        ("https://www.threads.net/@alice99/post/Cx", "threads:alice99"),
        ("https://de-de.facebook.com/John.Doe.5", "facebook:johndoe5"),
        ("https://m.facebook.com/profile.php?id=100001234567890&mibextid=x", "facebook:100001234567890"),
        ("https://www.facebook.com/people/Jane-Doe/100001234567890/", "facebook:100001234567890"),
        ("https://www.facebook.com/p/Jane-Doe-100001234567890/", "facebook:100001234567890"),
        ("m.me/john.doe.5", "facebook:johndoe5"),
        ("https://mobile.twitter.com/Alice_99/status/1", "x:alice_99"),
        ("https://x.com/intent/user?screen_name=alice_99", "x:alice_99"),
        ("https://www.tiktok.com/@alice.99/video/7", "tiktok:alice.99"),
        ("https://www.snapchat.com/add/alice-99", "snapchat:alice-99"),
        ("https://youtube.com/@%D0%B8%D0%B2%D0%B0%D0%BD", "youtube:иван"),
        ("https://old.reddit.com/user/Alice-99/comments", "reddit:alice-99"),
        ("https://vk.com/id12345", "vk:id12345"),
        ("https://ok.ru/profile/123456789", "ok:123456789"),
        ("https://de.linkedin.com/in/jane-doe-5a", "linkedin:jane-doe-5a"),
        ("https://cash.app/$alice99", "cashapp:alice99"),
        ("https://www.paypal.com/paypalme/Alice99/25EUR", "paypal:alice99"),
        ("https://account.venmo.com/u/alice-99", "venmo:alice-99"),
        ("skype:live:.cid.abc123?chat", "skype:live:.cid.abc123"),
    ],
)
def test_a_profile_link_is_the_handle(raw: str, expected: str) -> None:
    assert form(raw) == expected
    assert form(raw, expected.partition(":")[0]) == expected
    assert form(expected) == expected


@pytest.mark.parametrize(
    ("raw", "hint", "expected"),
    [
        ("u/Alice_99", "reddit", "reddit:alice_99"),
        ("/u/Alice_99", "Reddit", "reddit:alice_99"),
        ("$Alice99", "Cash App", "cashapp:alice99"),
        ("£alice99", "cashapp", "cashapp:alice99"),
        ("John.Doe.5", "FB", "facebook:johndoe5"),
        ("johndoe5", "facebook.com", "facebook:johndoe5"),
        ("alice99", "Twitter", "x:alice99"),
        ("IG: alice.99", None, "instagram:alice.99"),
        ("insta:@alice", "instagram", "instagram:alice"),
        ("alice.01", "Signal", "signal:alice.01"),
        ("josé", "youtube", "youtube:josé"),
        ("jose\u0301", "youtube", "youtube:josé"),
    ],
)
def test_a_written_name_takes_the_ways_of_its_platform(raw: str, hint: str | None, expected: str) -> None:
    assert form(raw, hint) == expected


@pytest.mark.parametrize(
    ("raw", "hint", "flags"),
    [
        ("\u0430lice", "instagram", ("look-alike", "not-valid")),
        ("\u0430\u0441\u0435", "youtube", ("look-alike",)),
        ("иван", "youtube", ()),
        ("иван", "instagram", ("not-valid",)),
        ("山田taro", "linkedin", ()),
    ],
)
def test_letters_of_another_writing_system_are_flagged_and_stay_apart(
    raw: str, hint: str, flags: tuple[str, ...]
) -> None:
    kept = canonicalise("handle", raw, hint)
    assert kept.flags == flags
    assert kept.value == f"{hint}:{raw}"
    assert canonicalise("handle", kept.value) == kept


@given(st.text(max_size=40), st.sampled_from([None, *sorted(PLATFORMS)]))
def test_whatever_is_accepted_is_its_own_form_and_no_refusal_repeats_the_value(
    raw: str, hint: str | None
) -> None:
    kept, reason = form_or_reason("handle", f"{raw}{MARK}", hint)
    assert MARK not in reason
    assert kept is None or canonicalise("handle", kept.value) == kept


@pytest.mark.parametrize(
    ("raw", "hint", "words"),
    [
        ("alice99", None, "does not say its platform"),
        ("alice99", "myspace", "not known"),
        ("t.me/alice99", "instagram", "another platform"),
        ("ig: alice99", "telegram", "another platform"),
        ("https://example.org/alice99", None, "not to a platform"),
        ("https://t.me/+AbCdEf123", None, "not lead to an account"),
        ("https://t.me/joinchat/AbCdEf123", None, "not lead to an account"),
        ("https://t.me/c/12345/6", None, "not lead to an account"),
        ("tg://resolve?phone=447700900123", None, "not lead to an account"),
        ("https://www.instagram.com/p/Cx123/", None, "not lead to an account"),
        ("https://www.instagram.com/", None, "not lead to an account"),
        ("https://www.facebook.com/groups/12345", None, "not lead to an account"),
        ("https://vm.tiktok.com/ZMabc123/", None, "not lead to an account"),
        ("https://www.youtube.com/channel/UCabcdef", None, "not lead to an account"),
        ("https://discord.com/users/123456789012345678", None, "not lead to an account"),
        ("https://vk.com/wall123_456", None, "not lead to an account"),
        ("https://signal.me/#eu/abcdef", None, "not lead to an account"),
        ("https://[t.me/alice99", None, "cannot be read"),
        ("al\u200bice", "instagram", "invisible or decorated"),
        ("\U0001d41alice", "instagram", "invisible or decorated"),
        ("alice❤", "instagram", "invisible or decorated"),
        ("Alice Smith", "facebook", "no spaces"),
        ("+44 7700 900123", "telegram", "phone number"),
        ("07700 900123", "snapchat", "phone number"),
        ("alice@example.org", "instagram", "e-mail address"),
        ("Alice#1234", "discord", "ended in 2023"),
        ("alice__99", "telegram", "single underscores"),
        ("12345678", "telegram", "first is a letter"),
        ("alice.", "instagram", "single full stops"),
        ("alice.lee", "x", "15 letters"),
        ("@", "x", "empty"),
        ("N/A", "kik", "2 to 30"),
        ("Unknown", "kik", "match all who have none"),
    ],
)
def test_what_names_no_account_or_everybodys_is_refused_in_words(
    raw: str, hint: str | None, words: str
) -> None:
    with pytest.raises(Rejected) as refusal:
        form(raw, hint)
    assert words in refusal.value.detail
    assert len(raw) < 4 or raw not in refusal.value.detail
    assert refusal.value.__cause__ is None
