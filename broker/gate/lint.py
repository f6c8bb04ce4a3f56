"""What is checked of a bundle beyond what the engine checks: what could mislead a person who reads it.

Rule (POLICY 3, trap 4): the engine takes two rules of one @id, and letters that look like others; both are refused
here, also where a letter is written as an escape. Each rule has a reason and a law; a gateway says what each of its
clauses asks for; lanes name gateways that exist, since a misspelt one would close a lane in silence. Packs of
instruments are checked in `broker.gate.packs`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import cedarpy

from broker.gate.catalogue import Lanes
from broker.gate.computed import COMPUTED
from broker.gate.expressions import part_count
from broker.protocol.errors import BadInput

Policy = Mapping[str, Any]
"""One rule as the engine's JSON."""

_MAXIMUM_BYTES = 32 * 1024
_MAXIMUM_DEPTH = 32
_RULE_ID = re.compile(r"[A-Z][A-Za-z0-9_-]{0,31}\Z")


def named_policies(
    name: str,
    text: str,
    pattern: re.Pattern[str] = _RULE_ID,
    described: str = "a capital followed by letters and digits",
) -> dict[str, Policy]:
    """The rules of one file by @id. Raises BadInput for a fault that a reader could not see.

    Args:
        pattern, described: what an @id looks like, for the engine of regular expressions and for people."""
    _check_size(name, text)
    try:
        parsed = json.loads(cedarpy.policies_to_json_str(text))
        cedarpy.PolicySet.from_json_str(json.dumps(parsed))
    except RecursionError:
        raise BadInput(
            f"{name} has a rule with more parts than anybody reads. Make several rules of it."
        ) from None
    except ValueError as error:
        raise BadInput(f"{name} does not parse as Cedar. Look for a missing brace or semicolon.") from error
    if parsed.get("templates"):
        raise BadInput(f"{name} has a template. Write the rule out.")
    named: dict[str, Policy] = {}
    for policy in parsed["staticPolicies"].values():
        identifier = (policy.get("annotations") or {}).get("id")
        if not identifier:
            raise BadInput(f"{name} has a rule without @id.")
        if not json.dumps(policy, ensure_ascii=False).isascii():
            raise BadInput(
                f"{name} writes a letter outside ASCII as an escape. Write what is meant in ASCII."
            )
        if not pattern.match(identifier):
            raise BadInput(f"{name} has an @id that is not {described}.")
        if identifier in COMPUTED:
            raise BadInput(
                f"{name} has a rule named {identifier}, a name that the gate itself uses. Rename it."
            )
        if identifier in named:
            raise BadInput(f"Two rules have the id {identifier}, both in {name}.")
        named[identifier] = policy
    return named


def _check_size(name: str, text: str) -> None:
    """The engine's parser recurses, and ends the whole program where rules nest deep enough; none are that long."""
    if len(text) > _MAXIMUM_BYTES:
        raise BadInput(f"{name} is longer than {_MAXIMUM_BYTES} letters. Divide it by subject.")
    depth = 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if depth > _MAXIMUM_DEPTH:
            raise BadInput(f"{name} nests brackets deeper than anybody reads. Make several rules of it.")


def check_against_schema(name: str, text: str, schema: cedarpy.Schema) -> None:
    """Refuse a file whose rules do not fit the schema. Raises BadInput naming the rules."""
    checked = cedarpy.validate_policies(text, schema)
    if not checked.validation_passed:
        ids = checked.id_annotations_by_policy_id
        rules = sorted({str(ids.get(error.policy_id, "one")) for error in checked.errors})
        raise BadInput(
            f"{name} does not fit the schema in rule {', '.join(rules)}. Check the names and types of its facts."
        )


def check_annotations(identifier: str, policy: Policy) -> tuple[str, ...]:
    """What each clause asks for, from @needs_1 on. Raises BadInput for a rule that does not explain itself."""
    annotations = policy["annotations"]
    for needed in ("reason", "law"):
        if not (annotations.get(needed) or "").strip():
            raise BadInput(f"Rule {identifier} has no @{needed}: people must be told why, and by what law.")
    _check_parts(identifier, policy)
    clauses = len(policy["conditions"])
    needs = tuple(annotations.get(f"needs_{number}") or "" for number in range(1, clauses + 1))
    if policy["effect"] == "permit" and not (needs and all(needs)):
        raise BadInput(
            f"Gateway {identifier} needs @needs_1 to @needs_{clauses or 1}: what each clause asks for."
        )
    return needs


def _check_parts(identifier: str, policy: Policy) -> None:
    known = {f"part_{number}" for number in range(1, part_count(policy) + 1)}
    written = {name for name in policy["annotations"] if name.startswith("part_")}
    if policy["effect"] == "permit" and written:
        raise BadInput(
            f"Gateway {identifier} has a @part: what its clauses ask for is said by @needs_1 and so on."
        )
    if not written <= known:
        raise BadInput(
            f"Rule {identifier} says in a @part what no part of its condition asks for. It has {len(known)} parts."
        )


def check_gateways(gateways: Iterable[str], lanes: Lanes) -> None:
    """Refuse lanes that name a gateway which no rule is. Raises BadInput."""
    known = set(gateways)
    for reader in lanes.values():
        for named in reader.values():
            if not set(named) <= known:
                raise BadInput(
                    f"lanes.toml names a gateway that no rule is. The gateways are {', '.join(sorted(known))}."
                )
