"""Forms are data: each template of the bundle can be read, and a faulty one is refused by its field."""

from pathlib import Path
from typing import Any

import pytest

from broker.gate.instrument_terms import Form
from broker.gate.plain_text import read_toml
from broker.protocol.errors import BadInput
from clients.next_step.form import Fact, FormTemplate, read_form
from tests.gate_world import BUNDLE

FIELD = {"label": "Case", "fact": "case_reference"}
GOOD: dict[str, Any] = {
    "form": {"name": "letter", "title": "A letter", "law": "No law", "note": "A note"},
    "section": [{"letter": "A", "title": "First", "fields": [FIELD]}],
}


def template(form: Form) -> FormTemplate:
    path = BUNDLE / "forms" / f"{form}.toml"
    return read_form(path.name, read_toml(path.name, path.read_text()))


@pytest.mark.parametrize("form", Form)
def test_each_form_has_a_template_of_its_name(form: Form) -> None:
    assert template(form).form.name == form


def test_there_is_no_template_without_a_form() -> None:
    assert {path.stem for path in Path(BUNDLE / "forms").iterdir()} == set(Form)


def test_every_form_says_who_asks_whom_about_what_and_leaves_signing_to_a_person() -> None:
    for form in Form:
        fields = [field for section in template(form).section for field in section.fields]
        facts = {field.fact for field in fields}
        assert facts >= {Fact.REQUESTER_JURISDICTION, Fact.CONTRIBUTOR, Fact.IDENTIFIERS, Fact.CASE_REFERENCE}
        assert any(field.blank for field in fields)


def test_the_certificates_have_the_letters_of_their_annexes() -> None:
    assert "".join(section.letter for section in template(Form.EPOC).section) == "ABCDEFGHIJKLM"
    assert "".join(section.letter for section in template(Form.EPOC_PR).section) == "ABCDEFG"


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"fields": [{"label": "Case"}]}, "either a fact or a blank"),
        ({"fields": [{**FIELD, "blank": "write it"}]}, "either a fact or a blank"),
        ({"fields": [{"label": "Case", "fact": "colour"}]}, "fact"),
        ({"fields": []}, "fields"),
        ({"letter": "1"}, "letter"),
        ({"colour": "blue"}, "not known here"),
    ],
)
def test_a_faulty_template_is_refused_by_file_and_field(section: dict[str, Any], says: str) -> None:
    assert read_form("good.toml", GOOD).section[0].fields[0].fact is Fact.CASE_REFERENCE
    faulty = GOOD | {"section": [GOOD["section"][0] | section]}
    with pytest.raises(BadInput, match=rf"^bad\.toml: .*{says}"):
        read_form("bad.toml", faulty)


def test_a_letter_stands_for_one_section() -> None:
    with pytest.raises(BadInput, match="two sections"):
        read_form("bad.toml", GOOD | {"section": GOOD["section"] * 2})
