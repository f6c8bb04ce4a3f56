"""E-mail addresses: exact form, the provider's mailbox, and look-alikes that are flagged and never folded."""

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.identifiers import Rejected, canonicalise

LOCALS = st.text(alphabet=string.ascii_letters + string.digits + "_", min_size=1, max_size=20)
DOMAINS = st.sampled_from(
    ["example.org", "bücher.example", "gmail.com", "googlemail.com", "outlook.com", "hotmail.fr"]
)


@given(LOCALS, DOMAINS, st.sampled_from(["email", "email_mailbox"]))
def test_case_does_not_count_and_the_form_is_its_own_form(local: str, domain: str, type_name: str) -> None:
    forms = {
        canonicalise(type_name, written)
        for written in (
            f"{local}@{domain}",
            f"{local}@{domain}".upper(),
            f" {local}@{domain}\t",
            f"mailto:{local}@{domain}",
        )
    }
    assert len(forms) == 1
    form = forms.pop()
    assert canonicalise(type_name, form.value) == form


@given(LOCALS, st.lists(st.integers(1, 19), max_size=3), LOCALS)
def test_a_gmail_mailbox_has_one_form_whatever_its_dots_and_tag(
    local: str, dots: list[int], tag: str
) -> None:
    dotted = "".join(f".{sign}" if position in dots else sign for position, sign in enumerate(local))
    written = canonicalise("email_mailbox", f"{dotted}+{tag}@googlemail.com")
    assert written.value == f"{local.lower()}@gmail.com"


@given(st.text(max_size=40))
def test_no_text_does_anything_but_a_form_or_a_refusal_without_the_value(raw: str) -> None:
    try:
        value, reason = canonicalise("email", f"{raw}@example.org").value, ""
    except Rejected as refusal:
        value, reason = "", refusal.detail
    assert reason or canonicalise("email", value).value == value
    assert unicodedata.is_normalized("NFC", value)
    # Shorter texts can occur in an English sentence by chance.
    assert len(raw.strip()) < 6 or raw not in reason


def test_composed_and_decomposed_letters_agree() -> None:
    assert canonicalise("email", "jose\u0301@example.org") == canonicalise("email", "jos\u00e9@example.org")


def test_sharp_s_and_ss_are_two_domains() -> None:
    assert canonicalise("email", "a@straße.de").value != canonicalise("email", "a@strasse.de").value


def test_unicode_and_a_label_domains_agree() -> None:
    assert canonicalise("email", "a@bücher.example") == canonicalise("email", "a@xn--bcher-kva.example")


@pytest.mark.parametrize(
    "raw",
    [
        "\u0430lice@example.org",  # Cyrillic a among Latin letters
        "\u0430\u0441\u0435@example.org",  # wholly Cyrillic, drawn as "ace"
        "a@ex\u0430mple.org",
        "\uff55ser@example.org",  # full-width u
    ],
)
def test_a_look_alike_is_flagged_and_stays_apart(raw: str) -> None:
    form = canonicalise("email", raw)
    assert form.flags == ("look-alike",)
    latin = raw.translate({0x430: "a", 0x441: "c", 0x435: "e", 0xFF55: "u"})
    assert canonicalise("email", latin).value != form.value


@pytest.mark.parametrize(
    "raw", ["иван@example.org", "josé@example.org", "用户jo@example.org", "john.doe-7@example.org"]
)
def test_a_name_in_its_own_script_is_not_flagged(raw: str) -> None:
    assert canonicalise("email", raw).flags == ()


def test_exact_and_mailbox_forms_are_types_of_their_own() -> None:
    assert canonicalise("email", "j.doe+x@gmail.com").text == "email/1|j.doe+x@gmail.com"
    assert canonicalise("email_mailbox", "j.doe+x@gmail.com").text == "email_mailbox/1|jdoe@gmail.com"


def test_a_provider_without_known_rules_keeps_dots_and_tags() -> None:
    assert canonicalise("email_mailbox", "J.Doe+x@example.org").value == "j.doe+x@example.org"


@pytest.mark.parametrize(
    "raw",
    [
        "user[at]example[.]org",
        "user[@]example.org",
        "User (at) example (dot) org",
        "user{at}example{dot}org",
        "mailto:user[at]example[punkt]org",
        "\ufeffuser@example.org\u200e",
        "ｕｓｅｒ＠ｅｘａｍｐｌｅ．ｏｒｇ",
    ],
)
def test_a_defanged_or_wide_address_is_read(raw: str) -> None:
    form = canonicalise("email", raw)
    assert (form.value, form.flags) == ("user@example.org", ())


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("user.example.org", "exactly one @"),
        ("a@example.org, b@example.org", "exactly one @"),
        ("user@localhost", "public domain"),
        ("user@example.org.", "full stop"),
        ("Jane Doe <jane@example.org>", "form name@domain"),
        ('"jane doe"@example.org', "form name@domain"),
        ("jane(a comment)@example.org", "form name@domain"),
        ("jane@[192.0.2.1]", "form name@domain"),
        ("ja\u200bne@example.org", "form name@domain"),
        ("jane@example.invalid", "form name@domain"),
        ("jane..doe@gmail.com", "form name@domain"),
    ],
)
def test_what_is_no_public_address_is_refused_in_words(raw: str, words: str) -> None:
    with pytest.raises(Rejected) as refusal:
        canonicalise("email", raw)
    assert words in refusal.value.detail
    assert raw not in refusal.value.detail
    assert refusal.value.__cause__ is None
    assert "jane" not in refusal.value.detail.lower()


def test_a_gmail_address_that_is_only_a_tag_names_no_mailbox() -> None:
    with pytest.raises(Rejected, match="names no mailbox"):
        canonicalise("email_mailbox", "+tag@gmail.com")
