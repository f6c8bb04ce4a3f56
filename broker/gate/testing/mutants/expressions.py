"""The expressions of rules as the engine's JSON: every place in one, another put in its place, and as text.

Rule: the JSON of an expression is one member, the operator, with its operands; a place is the way to one of them. The
text is near to what the rule's author wrote and is for people only. It knows no rule.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Node = Mapping[str, Any]
Place = tuple[str | int, ...]

_BETWEEN = {"<", "<=", ">", ">=", "==", "!=", "&&", "||", "+", "-", "*", "in"}
_CALLS = {"contains", "containsAll", "containsAny", "getTag", "hasTag"}


def places(node: Any, at: Place = ()) -> Iterator[tuple[Place, Node]]:
    """Every expression in an expression with the way to it, itself first, in the order of reading."""
    if isinstance(node, Mapping):
        if len(node) == 1 and next(iter(node)) not in ("left", "right", "arg", "if"):
            yield at, node
        for key, value in node.items():
            yield from places(value, (*at, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from places(value, (*at, index))


def put(node: Any, at: Place, new: Any) -> Any:
    """The expression with `new` at a place; the old one is left as it was."""
    if not at:
        return new
    if isinstance(node, list):
        return [put(each, at[1:], new) if index == at[0] else each for index, each in enumerate(node)]
    return {key: put(each, at[1:], new) if key == at[0] else each for key, each in node.items()}


def text(node: Node) -> str:
    """An expression in words near to those of the rule."""
    (operator, operands), *_ = node.items()
    if operator == "Value":
        return _literal(operands)
    if operator == "Var":
        return str(operands)
    if operator == ".":
        return f"{text(operands['left'])}.{operands['attr']}"
    if operator == "has":
        return f"{text(operands['left'])} has {operands['attr']}"
    if operator in _BETWEEN:
        return f"{_grouped(operands['left'])} {operator} {_grouped(operands['right'])}"
    if operator in _CALLS:
        return f"{_grouped(operands['left'])}.{operator}({text(operands['right'])})"
    if operator == "!":
        return f"!{_grouped(operands['arg'])}"
    if operator == "Set":
        return f"[{', '.join(text(each) for each in operands)}]"
    if operator == "if-then-else":
        return f"if {text(operands['if'])} then {text(operands['then'])} else {text(operands['else'])}"
    return f"{operator}({operands})"


def _grouped(node: Node) -> str:
    written = text(node)
    return f"({written})" if _BETWEEN & set(node) or "if-then-else" in node else written


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
