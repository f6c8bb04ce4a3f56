"""What a contributor writes of itself stays text in a form, whatever it is."""

import re
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clients.next_step.markdown import render
from tests.unit.clients.next_step.conftest import Told
from tests.unit.clients.next_step.test_document import filled

HOSTILE = st.text(
    st.sampled_from(list("ab \n#*->_`[](){}|\\1.)+=~\N{RIGHT-TO-LEFT OVERRIDE}\x1b")),
    min_size=1,
    max_size=150,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=HOSTILE, contact=HOSTILE)
def test_a_contributors_words_cannot_pass_for_a_part_of_the_form(told: Told, name: str, contact: str) -> None:
    holding = told.disclosed.holdings[0]
    found = holding.sources[0]
    source = found.source.model_copy(update={"name": name, "contact": contact})
    hostile = replace(holding, sources=(found.model_copy(update={"source": source}),))
    usual = render(filled(told.disclosed, holding))
    text = render(filled(told.disclosed, hostile))
    assert headings(text) == headings(usual)
    assert set(items(text)) <= set(items(usual))
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)


def headings(text: str) -> list[str]:
    return re.findall(r"^ *#+ .*$", text, re.M)


def items(text: str) -> list[str]:
    """What begins a list item: its label, or for a value the mark alone."""
    return re.findall(r"^ *(?:[-+*]|\d+[.)])(?: \*\*[^*]*\*\*| (?=[^*]))", text, re.M)
