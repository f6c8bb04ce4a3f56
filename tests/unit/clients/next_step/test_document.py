"""A form filled in: the papers' words in it, blanks where they are silent, and nothing that passes for another part."""

from dataclasses import replace

from broker.gate.instrument_terms import Form
from broker.gate.plain_text import read_toml
from broker.gate.routes import read_catalogue
from clients.next_step.carrier import Carrier, deadlines
from clients.next_step.disclosed import Disclosed, Holding
from clients.next_step.document import Document, fill
from clients.next_step.facts import facts_of
from clients.next_step.form import Fact, FormTemplate, read_form
from clients.next_step.markdown import render
from tests.gate_world import BUNDLE, NOW
from tests.unit.clients.next_step.conftest import Told

CARRIER = Carrier(
    "example_order", "Example order", "Act of examples", ("1", "2"), 10, 8, 60, 30, "The court", True, None
)
TERMS = read_catalogue(BUNDLE).vocabulary.purposes


def template(form: Form) -> FormTemplate:
    path = BUNDLE / "forms" / f"{form}.toml"
    return read_form(path.name, read_toml(path.name, path.read_text()))


def filled(disclosed: Disclosed, holding: Holding, form: Form = Form.EPOC, *carriers: Carrier) -> Document:
    facts = facts_of(disclosed, holding, carriers, TERMS, NOW)
    return fill(template(form), facts, disclosed, holding, carriers)


def test_the_deadlines_are_counted_from_receipt() -> None:
    # NOW is 2026-11-18.
    assert deadlines(CARRIER, NOW) == (
        "Example order: an answer within 10 days of receipt; received today: by 2026-11-28",
        "Example order: in an emergency within 8 hours of receipt",
        "Example order: preserved for 60 days; received today: until 2027-01-17",
        "Example order: extended on request by 30 days",
    )
    silent = replace(CARRIER, answer_days=None, emergency_hours=None, preserve_days=None, extension_days=None)
    assert deadlines(silent, NOW) == ()


def test_every_fact_of_a_form_can_be_told(told: Told) -> None:
    facts = facts_of(told.disclosed, told.disclosed.holdings[0], (CARRIER,), TERMS, NOW)
    assert set(facts) == set(Fact)
    assert all(facts.values())


def test_what_the_papers_do_not_say_is_blank(told: Told) -> None:
    finding = told.disclosed.finding.model_copy(update={"dual_criminality": False})
    document = filled(
        replace(told.disclosed, finding=finding, confirmed_by=None), told.disclosed.holdings[0], Form.MLA
    )
    blanks = {
        field.label: field.blank for section in document.sections for field in section.fields if field.blank
    }
    assert blanks["Offence under the requested State's law too"] == blanks["Who looked at the match"]
    assert "do not say" in blanks["Treaty"]
    assert "confirmed these matches yet" in render(document)


def test_each_field_is_either_filled_or_blank_and_the_members_say_the_same(told: Told) -> None:
    for form in Form:
        document = filled(told.disclosed, told.disclosed.holdings[0], form, CARRIER)
        for section, members in zip(document.sections, document.members()["sections"], strict=True):
            for field, member in zip(section.fields, members["fields"], strict=True):
                assert bool(field.values) != bool(field.blank)
                assert (list(field.values), field.blank) == (member["values"], member["blank"])


def test_one_contributor_reads_nothing_of_what_another_holds(told: Told) -> None:
    first, second = told.disclosed.holdings
    assert "+447700900003" in render(filled(told.disclosed, first))
    text = render(filled(told.disclosed, second))
    assert "+447700900003" not in text
    assert "company-1" not in text


def test_a_document_never_says_that_it_was_sent_and_marks_what_is_from_memory(told: Told) -> None:
    text = render(filled(told.disclosed, told.disclosed.holdings[0]))
    assert "Nothing was signed or sent" in text
    assert "## M. Necessity and proportionality (enforcing authority only) [M]" in text
    assert "## A. Issuing and validating authority\n" in text
