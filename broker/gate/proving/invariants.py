"""The invariants of a bundle: what no rules may ever allow, written in Cedar so that a lawyer can read it.

Rule: an invariant is a `forbid` in `invariants/` with an @id in plain words, a @reason and a @law, in ASCII and within
the bundle's schema: no request for which its condition holds is ever allowed. It is written from the law's side and not
from the rules', is never evaluated as a rule, and does not count for the bundle's digest.

Reading is all this module does. Those that compare two requests are in `broker.gate.proving.relations`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from broker.gate import lint
from broker.gate.bundle import Bundle
from broker.gate.lint import Policy
from broker.gate.plain_text import check_ascii
from broker.protocol.errors import BadInput

FOLDER = "invariants"
_NAME = re.compile(r"[a-z][a-z0-9_]{2,79}\Z")


@dataclass(frozen=True)
class Invariant:
    """One invariant as people read it, and its syntax."""

    name: str
    reason: str
    law: str
    policy: Policy


def read_invariants(directory: Path, bundle: Bundle) -> Mapping[str, Invariant]:
    """The invariants beside a bundle's rules, by name. Raises BadInput saying which is wrong, and how."""
    found: dict[str, Invariant] = {}
    for path in sorted((directory / FOLDER).rglob("*.cedar")):
        name = path.relative_to(directory).as_posix()
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{name} cannot be read as UTF-8 text.") from error
        check_ascii(name, text)
        policies = lint.named_policies(name, text, _NAME, "small letters, digits and _")
        lint.check_against_schema(name, text, bundle.schema)
        for identifier, policy in policies.items():
            if identifier in found:
                raise BadInput(f"Two invariants have the id {identifier}, the second in {name}.")
            found[identifier] = _invariant(identifier, policy)
    if not found:
        raise BadInput(
            f"This bundle has no folder {FOLDER}/ with invariants, so there is nothing to prove of it."
        )
    return found


def _invariant(name: str, policy: Policy) -> Invariant:
    if policy["effect"] != "forbid":
        raise BadInput(f"The invariant {name} is a permit. Write it as a forbid of what must never happen.")
    lint.check_annotations(name, policy)
    return Invariant(name, policy["annotations"]["reason"], policy["annotations"]["law"], policy)
