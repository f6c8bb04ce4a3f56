"""What may be wrong in one expression: each small change that a slip of the author would make.

Rule (issue 4): all of them, at every place; none is left out because it is hard to tell from the original. Whether a
change fits the schema, or makes a difference at all, is not decided here.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from broker.gate.testing.mutants.attributes import Attributes
from broker.gate.testing.mutants.expressions import Node, text
from broker.protocol.messages import vocabulary

_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_REPLACED = {"&&": ("||",), "||": ("&&",), "+": ("-",), "-": ("+",), "*": ("+",)}
_NEGATED = ("contains", "containsAny", "containsAll", "has", "&&", "||", "if-then-else", ".")
_VOCABULARIES = tuple(
    kind
    for kind in vars(vocabulary).values()
    if isinstance(kind, type) and issubclass(kind, StrEnum) and kind is not StrEnum
)


def mutations(node: Node, attributes: Attributes) -> Iterator[tuple[str, Node]]:
    """Every slip at the root of an expression, in words and as it is then; what stands below has slips of its own."""
    (operator, operands), *_ = node.items()
    for other in _other_operators(operator):
        yield f"{other} for {operator} in {text(node)}", {other: operands}
    if operator in ("&&", "||"):
        yield f"without {text(operands['left'])}", operands["right"]
        yield f"without {text(operands['right'])}", operands["left"]
    if operator == "!":
        yield f"no longer negated: {text(operands['arg'])}", operands["arg"]
    if operator in _NEGATED and (operator != "." or attributes.type_of(node) == "Bool"):
        yield f"negated: {text(node)}", {"!": {"arg": node}}
    if operator == "if-then-else":
        swapped = {"if": operands["if"], "then": operands["else"], "else": operands["then"]}
        yield f"then and else change places in {text(node)}", {operator: swapped}
    if operator == "Value":
        yield from ((f"{text(other)} for {text(node)}", other) for other in _other_values(operands))
    if operator == "Set":
        yield from _other_sets(operands)
    for name in attributes.siblings(node):
        sibling = {".": {"left": operands["left"], "attr": name}}
        yield f"{text(sibling)} for {text(node)}", sibling


def _other_operators(operator: str) -> tuple[str, ...]:
    if operator in _COMPARISONS:
        return tuple(other for other in _COMPARISONS if other != operator)
    return _REPLACED.get(operator, ())


def _other_values(value: Any) -> Iterator[Node]:
    if isinstance(value, bool):
        yield {"Value": not value}
    elif isinstance(value, int):
        yield from ({"Value": value + 1}, {"Value": value - 1})


def _other_sets(elements: list[Node]) -> Iterator[tuple[str, Node]]:
    listed = text({"Set": elements})
    for index, element in enumerate(elements):
        yield f"{text(element)} dropped from {listed}", {"Set": elements[:index] + elements[index + 1 :]}
    values = [element.get("Value") for element in elements]
    for words in _VOCABULARIES:
        if set(values) <= {str(word) for word in words}:
            for word in words:
                if word not in values:
                    added = {"Value": str(word)}
                    yield f"{text(added)} added to {listed}", {"Set": [*elements, added]}
