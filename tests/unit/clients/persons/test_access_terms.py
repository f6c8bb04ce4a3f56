"""The laws on access as files: what the loader refuses, and that nothing is cited that was held against nothing."""

import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from broker.protocol.errors import BadInput
from broker.protocol.messages.vocabulary import AgencyKind
from clients.persons.access_terms import AccessTerms, read_terms
from tests.gate_world import BUNDLE

NAMES = ("eu-gdpr", "eu-led", "ke", "uk-gdpr", "uk-law-enforcement")

_NUMBER = r"\d+[A-Z]{0,2}(?:\([0-9a-zA-Z]+\))*"
_CITED = re.compile(
    rf"\b(article|section|regulation|Schedule|paragraph)s? ({_NUMBER}(?:(?:, | and | to |, and ){_NUMBER})*)"
)


def tables(name: str) -> dict[str, Any]:
    return tomllib.loads((BUNDLE / "rights" / f"{name}.toml").read_text())


def terms(name: str) -> AccessTerms:
    return read_terms(f"rights/{name}.toml", tables(name))


def _provisions(text: str) -> Iterator[str]:
    """Each provision named in a text, without its paragraphs: `articles 15 to 17 and 21(1)` is 15, 16, 17 and 21."""
    for kind, numbers in _CITED.findall(text):
        parts = re.findall(rf"(, | and | to )?({_NUMBER})", numbers)
        last = 0
        for joint, number in parts:
            bare = re.sub(r"\(.*", "", number)
            if joint == " to ":
                yield from (f"{kind} {each}" for each in range(last + 1, int(bare)))
            yield f"{kind} {bare}"
            last = int(re.sub(r"[A-Z]+$", "", bare))


def test_these_are_the_laws() -> None:
    assert tuple(sorted(path.stem for path in (BUNDLE / "rights").glob("*.toml"))) == NAMES
    for name in NAMES:
        assert terms(name).terms.name == name


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_cited_that_was_held_against_no_source(name: str) -> None:
    law = terms(name)
    head = law.terms
    cited = " ; ".join(
        [head.access, head.restriction, head.told_of_restriction or "", head.reasons_kept or ""]
        + [head.answer, *head.rights, head.complaint]
        + [ground.article for ground in law.ground.values()]
        + [ground.note or "" for ground in law.ground.values()]
    )
    compared = set(_provisions(" ; ".join(each.provisions for each in law.compared)))
    named_as_open = set(_provisions(" ; ".join(head.open)))
    missing = set(_provisions(cited)) - compared - named_as_open
    assert not missing, (
        f"{name} cites {sorted(missing)}, which no [[compared]] and no question in `open` names"
    )


def test_a_range_of_provisions_is_each_of_them() -> None:
    assert list(_provisions("articles 15 to 17 and 21(1)(a); Schedule 2 paragraph 16")) == [
        "article 15",
        "article 16",
        "article 17",
        "article 21",
        "Schedule 2",
        "paragraph 16",
    ]


def test_every_kind_of_agency_has_a_law_in_the_union_the_kingdom_and_kenya() -> None:
    for names in (("eu-gdpr", "eu-led"), ("uk-gdpr", "uk-law-enforcement"), ("ke",)):
        kinds = [kind for name in names for kind in terms(name).terms.for_kinds]
        assert sorted(kinds) == sorted(AgencyKind)


def test_no_month_is_shorter_than_the_days_that_are_called_safe() -> None:
    for name in NAMES:
        head = terms(name).terms
        if "one month" in head.answer:
            assert head.answer_days == 28


def test_national_security_is_no_restriction_of_the_kingdoms_right_of_access_any_more() -> None:
    articles = {ground.article for ground in terms("uk-law-enforcement").ground.values()}
    assert "section 45(4)(d)" not in articles
    assert {"section 78A", "section 45A(1)"} <= articles


def test_that_a_copy_would_harm_others_is_no_ground_to_withhold_a_part() -> None:
    assert not any(ground.article.startswith("article 15") for ground in terms("eu-gdpr").ground.values())


def _changed(name: str, table: str, **changes: Any) -> dict[str, Any]:
    found = tables(name)
    found[table] = {key: value for key, value in {**found[table], **changes}.items() if value is not None}
    return found


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (_changed("ke", "terms", may_be_silent=True), "has the words for it"),
        (_changed("ke", "terms", may_be_silent=True, silence="Neither."), "the provision that says so"),
        (_changed("eu-led", "terms", silence=None), "has the words for it"),
        (_changed("eu-led", "terms", open=[]), "what waits for one"),
        (_changed("eu-led", "terms", open=None), "what waits for one"),
        (_changed("eu-led", "terms", from_memory=True), "a field that is not known"),
        (_changed("eu-led", "terms", access="the right of access"), "access"),
        (_changed("eu-led", "terms", contact_owed=None), "contact_owed"),
        (_changed("eu-led", "ground", inquiry={"words": "an inquiry", "article": "15(1)(a)"}), "article"),
        ({**tables("eu-led"), "compared": []}, "compared"),
        ({key: value for key, value in tables("eu-led").items() if key != "compared"}, "compared"),
        (
            {**tables("eu-led"), "compared": [{"provisions": "all of it", "source": "a book", "text": True}]},
            "on",
        ),
        ({**tables("eu-led"), "ground": {}}, "ground"),
    ],
)
def test_a_file_that_does_not_say_all_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says) as refused:
        read_terms("rights/wrong.toml", wrong)
    assert "rights/wrong.toml" in str(refused.value)


def test_a_file_that_a_lawyer_has_read_may_leave_nothing_open() -> None:
    read = read_terms(
        "rights/eu-led.toml", _changed("eu-led", "terms", open=None, lawyer="A. Lawyer, 2027-01-11")
    )
    assert read.terms.open == ()
