"""The attributes that rules may read, by type, from the closed schema: which of them could be mistaken for which.

Rule: two attributes are siblings when they stand in the same record and have the same type. It reads the schema as
the engine prints it, in which every record is written out; it checks nothing of the schema.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cedarpy

from broker.gate.question import NAMESPACE

Record = Mapping[str, "Type"]
Type = str | Record
"""`Long`, `Set<String>` and the like, or the attributes of a record."""

_TOKEN = re.compile(r'"[^"]*"|[A-Za-z_]\w*(?:::\w+)*|[{}<>\[\]:;=,?]')


@dataclass(frozen=True)
class Attributes:
    """What each action's rules may read: the types of `principal`, `resource` and `context`, by action."""

    by_action: Mapping[str, Record]

    def type_of(self, node: Mapping[str, Any]) -> Type | None:
        """The type of a path such as `context.people.approvers`; None for what is no path."""
        if "Var" in node:
            # Actions that share a rule share their context, so the first that knows the path will do.
            return {name: kind for record in self.by_action.values() for name, kind in record.items()}.get(
                node["Var"]
            )
        if "." not in node:
            return None
        return self._within(node["."]["left"]).get(node["."]["attr"])

    def siblings(self, node: Mapping[str, Any]) -> tuple[str, ...]:
        """The names of other attributes of the same type beside the one a path ends in; sorted."""
        kind = self.type_of(node)
        if "." not in node or kind is None:
            return ()
        beside = self._within(node["."]["left"])
        return tuple(sorted(name for name in beside if beside[name] == kind and name != node["."]["attr"]))

    def _within(self, left: Mapping[str, Any]) -> Record:
        if left.get("Var") == "context":
            merged: dict[str, Type] = {}
            for record in self.by_action.values():
                context = record["context"]
                merged |= context if isinstance(context, Mapping) else {}
            return merged
        kind = self.type_of(left)
        return kind if isinstance(kind, Mapping) else {}


def read_attributes(schema: cedarpy.Schema) -> Attributes:
    """The attributes of a schema that has one principal and one resource type for each action."""
    return Attributes(_Reader(_TOKEN.findall(str(schema))).read())


class _Reader:
    """Reads the printed schema, declaration by declaration."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._named: dict[str, Type] = {}

    def read(self) -> dict[str, Record]:
        actions: dict[str, dict[str, Type]] = {}
        while self._tokens:
            word = self._tokens.pop(0)
            if word in ("type", "entity"):
                name = self._tokens.pop(0)
                self._skip_to("=")
                self._named[name] = self._type()
            elif word == "action":
                name = self._tokens.pop(0).strip('"')
                self._skip_to("{")
                actions[name] = self._applies_to()
        return {
            name: {key: self._resolved(kind) for key, kind in each.items()} for name, each in actions.items()
        }

    def _skip_to(self, token: str) -> None:
        while self._tokens.pop(0) != token:
            pass

    def _applies_to(self) -> dict[str, Type]:
        found: dict[str, Type] = {}
        while (key := self._tokens.pop(0)) != "}":
            self._skip_to(":")
            listed = self._tokens[0] == "["
            found[key] = self._tokens[1] if listed else self._type()
            if listed:
                self._skip_to("]")
            if self._tokens[0] == ",":
                self._tokens.pop(0)
        return found

    def _type(self) -> Type:
        first = self._tokens.pop(0)
        if first == "Set":
            self._tokens.pop(0)
            of = self._type()
            self._tokens.pop(0)
            return f"Set<{of}>"
        if first != "{":
            return first
        record: dict[str, Type] = {}
        while (name := self._tokens.pop(0)) != "}":
            if self._tokens[0] == "?":
                self._tokens.pop(0)
            self._tokens.pop(0)
            record[name.strip('"')] = self._type()
            if self._tokens[0] == ",":
                self._tokens.pop(0)
        return record

    def _resolved(self, kind: Type) -> Type:
        if isinstance(kind, str):
            name = kind.removeprefix(f"{NAMESPACE}::")
            return self._resolved(self._named[name]) if name in self._named else kind
        return {name: self._resolved(each) for name, each in kind.items()}
