"""What the prover holds of an instrument is what the instrument itself says, on every day and for every pair."""

from itertools import product

import pytest
import z3

from broker.gate.bundle import Bundle, load
from broker.gate.instruments import Instrument
from broker.gate.proving.catalogue import Catalogue, Named
from broker.gate.proving.values import Truth, Vocabulary, word_variable
from tests.gate_world import BUNDLE, DAY_SECONDS

JURISDICTIONS = ("NL", "IE", "DK", "US", "GB", "KE", "XA")
NAMED = Named(
    word_variable("instrument"),
    word_variable("issuing"),
    word_variable("established_in"),
    word_variable("identifier_type"),
    z3.Int("now"),
)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


def moments(instrument: Instrument) -> list[int]:
    """A day before and after each day that the instrument names, and the seconds around its midnights."""
    days = [day for day in (instrument.in_force_from, instrument.in_force_until) if day is not None]
    midnights = [day.toordinal() * DAY_SECONDS - 719_163 * DAY_SECONDS for day in days]
    around = [0, -1, 1, DAY_SECONDS - 1, DAY_SECONDS, -DAY_SECONDS, 400 * DAY_SECONDS]
    return [1, *(max(0, midnight + shift) for midnight in midnights for shift in around)]


def said(answers: dict[str, z3.BoolRef], vocabulary: Vocabulary, **known: str | int) -> dict[str, bool]:
    """The answers for one instrument, pair, type and moment."""
    model = z3.Model()
    for field, value in known.items():
        term = getattr(NAMED, field)
        model.update_value(term, z3.IntVal(value) if isinstance(value, int) else vocabulary.word(value))
    return {name: z3.is_true(model.eval(term, model_completion=True)) for name, term in answers.items()}


def test_every_instrument_says_the_same_at_every_turn(bundle: Bundle) -> None:
    until = bundle.instruments["us_sca_2703_warrant"].model_copy(
        update={"in_force_until": bundle.instruments["eevidence_epoc"].in_force_from}
    )
    instruments = {**bundle.instruments, "one_that_ends": until}
    vocabulary = Vocabulary()
    facts = Catalogue(instruments, JURISDICTIONS, vocabulary).answers(NAMED)
    answers = {name: fact.term for name, fact in facts.items() if isinstance(fact, Truth)}
    for name, instrument in instruments.items():
        for now in moments(instrument):
            found = said(answers, vocabulary, instrument=name, now=now)
            assert found["inForce"] is instrument.in_force(now), (name, now)
        for issuing, to in product(JURISDICTIONS, JURISDICTIONS):
            found = said(answers, vocabulary, instrument=name, issuing=issuing, established_in=to)
            assert found["pairNamed"] is instrument.joins(issuing, to), (name, issuing, to)
        for kind in ("phone", "licence_plate", "email"):
            found = said(answers, vocabulary, instrument=name, identifier_type=kind)
            assert found["typeReached"] is instrument.reaches_type(kind), (name, kind)
    assert not any(said(answers, vocabulary, instrument="no_such_law", now=1_800_000_000).values())
