"""A decision's text and digest are those of its fields, however it was made."""

import copy
import pickle

from broker.gate.bundle import load
from broker.gate.decide import decide_admission
from broker.gate.decision import Decision
from broker.protocol.messages.base import decode, encode
from broker.protocol.messages.vocabulary import Outcome
from tests.gate_world import BUNDLE, admit_facts

DECISION = decide_admission(load(BUNDLE), admit_facts())


def test_a_text_is_canonical_and_reads_back_to_the_same_decision() -> None:
    assert DECISION.text == encode(DECISION).decode()
    again = decode(Decision, DECISION.text.encode())
    assert again == DECISION
    assert again.digest == DECISION.digest


def test_a_changed_copy_has_the_text_of_the_change_also_after_the_text_was_read() -> None:
    assert DECISION.text
    for deep in (False, True):
        changed = DECISION.model_copy(update={"outcome": Outcome.DENY}, deep=deep)
        assert changed.text == encode(changed).decode()
        assert '"outcome":"DENY"' in changed.text
        assert changed.digest != DECISION.digest


def test_a_copy_that_changes_nothing_has_the_same_text() -> None:
    for same in (DECISION.model_copy(), copy.copy(DECISION), copy.deepcopy(DECISION)):
        assert (same, same.text) == (DECISION, DECISION.text)
    assert pickle.loads(pickle.dumps(DECISION)).digest == DECISION.digest


def test_whether_a_text_was_read_makes_no_difference_between_decisions() -> None:
    unread = decode(Decision, DECISION.text.encode())
    assert "text" not in vars(unread)
    assert unread == DECISION
