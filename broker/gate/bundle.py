"""A bundle of rules: read from a folder, checked, and named by the digest of its files.

Rule (POLICY 3): the schema is closed and every policy validates against it; each rule has an id of its own, a reason
and a law, in ASCII, so that no look-alike stands for another. The digest is SHA-256 over the sorted relative paths and
exact contents of the *.cedar, *.cedarschema and *.toml files; scenarios beside them do not count. Reading is all this
module does with files; deciding reads none.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cedarpy

from broker.gate import catalogue
from broker.gate.catalogue import Instrument, Lanes, Limits
from broker.protocol.errors import BadInput

_SUFFIXES = (".cedar", ".cedarschema", ".toml")
_SCHEMA = "schema.cedarschema"
_MAXIMUM_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Rule:
    """One rule as people read it. `effect` is permit or forbid; `needs` names what each clause asks for."""

    id: str
    effect: str
    reason: str
    law: str
    review: bool
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle. Equal digests mean equal rules."""

    digest: bytes
    rules: Mapping[str, Rule]
    limits: Limits
    lanes: Lanes
    instruments: Mapping[str, Instrument]
    schema: cedarpy.Schema = field(repr=False)
    policies: cedarpy.PolicySet = field(repr=False)
    clauses: cedarpy.PolicySet = field(repr=False)
    """Each clause of each permit as a policy of its own, named `ID/number`: which of them were not met."""


def load(directory: Path) -> Bundle:
    """Load and check the bundle in `directory`. Raises BadInput saying which file or rule is wrong, and how."""
    files = _read(directory)
    schema_text = files.get(_SCHEMA, "")
    named = _parse(files)
    text = "\n".join(content for name, content in files.items() if name.endswith(".cedar"))
    try:
        schema = cedarpy.Schema.from_str(schema_text)
    except ValueError as error:
        raise BadInput("schema.cedarschema does not parse. Look for a missing brace or semicolon.") from error
    checked = cedarpy.validate_policies(text, schema)
    if not checked.validation_passed:
        raise BadInput(
            f"{len(checked.errors)} rules do not fit the schema: check the names of facts in them."
        )
    rules = {identifier: _rule(identifier, policy) for identifier, policy in named.items()}
    return Bundle(
        digest=_digest(files),
        rules=rules,
        limits=catalogue.read_limits(files.get("limits.toml", "")),
        lanes=catalogue.read_lanes(files.get("lanes.toml", "")),
        instruments=catalogue.read_instruments(files.get("instruments.toml", "")),
        schema=schema,
        policies=_policy_set(named),
        clauses=_policy_set(dict(_clauses(named))),
    )


def _read(directory: Path) -> dict[str, str]:
    files: dict[str, str] = {}
    for path in sorted(directory.rglob("*")) if directory.is_dir() else ():
        name = path.relative_to(directory).as_posix()
        if path.suffix not in _SUFFIXES or name.startswith("scenarios/") or not path.is_file():
            continue
        try:
            content = path.read_bytes()
            files[name] = content.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{name} cannot be read as UTF-8 text.") from error
        if len(content) > _MAXIMUM_BYTES:
            raise BadInput(f"{name} is larger than any file of rules should be.")
        if name.endswith(".cedar") and not files[name].isascii():
            raise BadInput(
                f"{name} has letters outside ASCII, which may look like others. Write it in ASCII."
            )
    if _SCHEMA not in files:
        raise BadInput("This folder is no bundle of rules: it has no schema.cedarschema.")
    return files


def _parse(files: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Every policy by its @id, as the engine's JSON."""
    named: dict[str, dict[str, Any]] = {}
    for name, content in files.items():
        if not name.endswith(".cedar"):
            continue
        try:
            parsed = json.loads(cedarpy.policies_to_json_str(content))
        except ValueError as error:
            raise BadInput(
                f"{name} does not parse as Cedar. Look for a missing brace or semicolon."
            ) from error
        for policy in parsed["staticPolicies"].values():
            identifier = policy.get("annotations", {}).get("id")
            if not identifier:
                raise BadInput(f"{name} has a rule without @id.")
            if identifier in named:
                raise BadInput(f"Two rules have the id {identifier}, the second in {name}.")
            named[identifier] = policy
        if parsed.get("templates"):
            raise BadInput(f"{name} has a template. Write the rule out.")
    if not named:
        raise BadInput("This bundle has no rules.")
    return named


def _rule(identifier: str, policy: Mapping[str, Any]) -> Rule:
    annotations = policy["annotations"]
    for needed in ("reason", "law"):
        if not annotations.get(needed):
            raise BadInput(f"Rule {identifier} has no @{needed}: people must be told why, and by what law.")
    clauses = len(policy["conditions"])
    needs = tuple(annotations.get(f"needs_{number}", "") for number in range(1, clauses + 1))
    if policy["effect"] == "permit" and not all(needs):
        raise BadInput(f"Gateway {identifier} needs @needs_1 to @needs_{clauses}: what each clause asks for.")
    return Rule(
        identifier,
        policy["effect"],
        annotations["reason"],
        annotations["law"],
        "review" in annotations,
        needs,
    )


def _clauses(named: Mapping[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{identifier}/{number}", {**policy, "conditions": [condition]})
        for identifier, policy in named.items()
        if policy["effect"] == "permit"
        for number, condition in enumerate(policy["conditions"], start=1)
    ]


def _policy_set(named: Mapping[str, dict[str, Any]]) -> cedarpy.PolicySet:
    return cedarpy.PolicySet.from_json_str(
        json.dumps({"staticPolicies": dict(named), "templates": {}, "templateLinks": []})
    )


def _digest(files: Mapping[str, str]) -> bytes:
    digest = hashlib.sha256(b"narrowgate/v1/bundle\x00")
    for name, content in sorted(files.items()):
        for part in (name.encode(), content.encode()):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()
