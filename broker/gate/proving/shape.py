"""Records under the schema's names: groups of facts as the engine is shown them.

Rule: a name is the fact's own in camel case (`broker.gate.question.camel`), but for the few that the schema calls
otherwise; a record has exactly the attributes of the real question, and one that is not known is an error.

It knows no fact's meaning.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import z3

from broker.gate import question
from broker.gate.proving.leaves import Fact, Group, Maybe, StatedFact
from broker.gate.proving.values import TRUE, Long, Record, Truth, Value, Word
from broker.protocol.errors import BadInput

_OTHER_NAMES = {"document_digest": "digest", "inclusion_criterion": "criterionStated"}


def present(attributes: Mapping[str, Value]) -> Record:
    """A record whose attributes are all there."""
    return Record({name: (TRUE, value) for name, value in attributes.items()})


def joined(record: Record, more: Mapping[str, Value]) -> Record:
    """A record with more attributes."""
    return Record({**record.attributes, **present(more).attributes})


def named(fact: Fact, leave_out: Iterable[str] = ()) -> Record:
    """A group's facts under the schema's names: camel case, and ...Stated for whether a text says anything."""
    group = group_of(fact)
    names = {
        name: _OTHER_NAMES.get(name)
        or question.camel(name) + ("Stated" if isinstance(group.facts[name], StatedFact) else "")
        for name in group.facts
        if name not in leave_out
    }
    return Record({said: _present_if(group.facts[name]) for name, said in names.items()})


def _present_if(fact: Fact) -> tuple[z3.BoolRef, Value]:
    return (fact.present if isinstance(fact, Maybe) else TRUE), fact.value


def shaped(real: Mapping[str, Any], known: Record, path: str) -> Record:
    """Exactly the attributes of the real question. Raises BadInput for one that is not known here."""
    attributes = {}
    for name, example in real.items():
        if name not in known.attributes:
            raise BadInput(
                f"The prover does not know where the fact {path}.{name} comes from. Teach it in proving/question.py."
            )
        present, value = known.attributes[name]
        if isinstance(example, Mapping) and isinstance(value, Record):
            value = shaped(example, value, f"{path}.{name}")
        attributes[name] = (present, value)
    return Record(attributes)


def group_of(fact: Fact) -> Group:
    """A fact that is a group of facts, or would be if it were not missing."""
    inner = fact.fact if isinstance(fact, Maybe) else fact
    assert isinstance(inner, Group)
    return inner


def term_of(fact: Fact) -> Any:
    """The variable of one boolean, number or string."""
    value = fact.value
    assert isinstance(value, Truth | Long | Word)
    return value.term


def member_term(fact: Fact, name: str) -> Any:
    """The variable of one boolean, number or string of a group."""
    return term_of(group_of(fact).facts[name])
