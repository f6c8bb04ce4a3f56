"""A bundle of rules: read from a folder, checked, and named by the digest of its files.

Rule (POLICY 3): the schema is closed and every policy validates against it; each rule has an id of its own, a reason
and a law, in ASCII (`broker.gate.lint`). The digest is SHA-256 over the sorted relative paths and
exact contents of the *.cedar, *.cedarschema and *.toml files; scenarios, invariants, forms, templates and rights beside
them do not count, since they decide nothing. Reading is all this module does with files; deciding reads none.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import cedarpy

from broker.gate import catalogue, lint, packs
from broker.gate.catalogue import Lanes, Limits, Regions, Vocabulary
from broker.gate.instruments import Instrument
from broker.gate.lint import Policy
from broker.gate.plain_text import check_ascii
from broker.protocol.errors import BadInput

_SUFFIXES = (".cedar", ".cedarschema", ".toml")
_SCHEMA = "schema.cedarschema"
_TABLES = ("lanes.toml", "limits.toml", "regions.toml", "vocabulary.toml")
BESIDE = ("scenarios", "invariants", "forms", "templates", "rights")
"""Folders of a bundle that decide nothing."""
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
    regions: Regions
    vocabulary: Vocabulary
    schema: cedarpy.Schema = field(repr=False)
    policies: cedarpy.PolicySet = field(repr=False)
    clauses: cedarpy.PolicySet = field(repr=False)
    """Each clause of each permit as a policy of its own, named `ID/number`: which of them were not met."""
    syntax: Mapping[str, Policy] = field(repr=False)
    """Each rule as the engine's JSON, by id, for who takes rules apart."""


def is_bundle(directory: Path) -> bool:
    """Whether a folder is meant as a bundle: whether it is sound, `load` says."""
    return (directory / _SCHEMA).is_file()


def load(directory: Path) -> Bundle:
    """Load and check the bundle in `directory`. Raises BadInput saying which file or rule is wrong, and how.

    The same contents are parsed once in a process: a bundle is a pure function of them, and never changes."""
    return _parsed(tuple(sorted(_read(directory).items())))


@lru_cache(maxsize=8)
def _parsed(contents: tuple[tuple[str, str], ...]) -> Bundle:
    files = dict(contents)
    try:
        schema = cedarpy.Schema.from_str(files[_SCHEMA])
    except ValueError as error:
        raise BadInput("schema.cedarschema does not parse. Look for a missing brace or semicolon.") from error
    named = _policies(files, schema)
    rules = {identifier: _rule(identifier, policy) for identifier, policy in named.items()}
    lanes = catalogue.read_lanes(files["lanes.toml"])
    regions = catalogue.read_regions(files["regions.toml"])
    gateways = [rule.id for rule in rules.values() if rule.effect == "permit"]
    lint.check_gateways(gateways, lanes)
    return Bundle(
        digest=_digest(files),
        rules=MappingProxyType(rules),
        limits=catalogue.read_limits(files["limits.toml"]),
        lanes=lanes,
        instruments=packs.read_packs(files, regions, gateways),
        regions=regions,
        vocabulary=catalogue.read_vocabulary(files["vocabulary.toml"]),
        schema=schema,
        policies=policy_set(named),
        clauses=policy_set(dict(_clauses(named))),
        syntax=MappingProxyType(named),
    )


def with_other_rules(bundle: Bundle, syntax: Mapping[str, Policy]) -> Bundle:
    """`bundle` with its rules changed or some of them gone, to try out what they would come to.

    Its digest is all zeros, as no bundle's is; what gateways need is told as it was."""
    rules = {name: replace(bundle.rules[name], effect=policy["effect"]) for name, policy in syntax.items()}
    return replace(
        bundle,
        digest=bytes(32),
        rules=MappingProxyType(rules),
        syntax=MappingProxyType(dict(syntax)),
        policies=policy_set(syntax),
    )


def _read(directory: Path) -> dict[str, str]:
    files: dict[str, str] = {}
    for path in sorted(directory.rglob("*")) if directory.is_dir() else ():
        name = path.relative_to(directory).as_posix()
        if path.suffix not in _SUFFIXES or name.partition("/")[0] in BESIDE or not path.is_file():
            continue
        try:
            content = path.read_bytes()
            files[name] = content.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{name} cannot be read as UTF-8 text.") from error
        if len(content) > _MAXIMUM_BYTES:
            raise BadInput(f"{name} is larger than any file of rules should be.")
    if _SCHEMA not in files:
        raise BadInput("This folder is no bundle of rules: it has no schema.cedarschema.")
    missing = [name for name in _TABLES if name not in files]
    if missing:
        raise BadInput(f"The bundle has no {missing[0]}.")
    for name in files:
        if name.endswith(".toml") and name not in _TABLES and not name.startswith(f"{packs.FOLDER}/"):
            raise BadInput(
                f"{name} is no table of a bundle, so nobody would read it. Instruments are in packs/."
            )
    return files


def _policies(files: Mapping[str, str], schema: cedarpy.Schema) -> dict[str, Policy]:
    """Every rule by its @id, each file linted and checked against the schema."""
    named: dict[str, Policy] = {}
    check_ascii(_SCHEMA, files[_SCHEMA])
    for name, text in files.items():
        if not name.endswith(".cedar"):
            continue
        check_ascii(name, text)
        for identifier, policy in lint.named_policies(name, text).items():
            if identifier in named:
                raise BadInput(f"Two rules have the id {identifier}, the second in {name}.")
            named[identifier] = policy
        lint.check_against_schema(name, text, schema)
    if not named:
        raise BadInput("This bundle has no rules.")
    return named


def _rule(identifier: str, policy: Policy) -> Rule:
    needs = lint.check_annotations(identifier, policy)
    annotations = policy["annotations"]
    return Rule(
        identifier,
        policy["effect"],
        annotations["reason"],
        annotations["law"],
        "review" in annotations,
        needs,
    )


def _clauses(named: Mapping[str, Policy]) -> list[tuple[str, Policy]]:
    return [
        (f"{identifier}/{number}", {**policy, "conditions": [condition]})
        for identifier, policy in named.items()
        if policy["effect"] == "permit"
        for number, condition in enumerate(policy["conditions"], start=1)
    ]


def policy_set(named: Mapping[str, Policy]) -> cedarpy.PolicySet:
    """Rules by name as the engine takes them. Raises ValueError for what is none."""
    return cedarpy.PolicySet.from_json_str(
        json.dumps({"staticPolicies": dict(named), "templates": {}, "templateLinks": []})
    )


def _digest(files: Mapping[str, str]) -> bytes:
    digest = hashlib.sha256(b"narrowgate/v1/bundle\x00")
    for name, content in sorted(files.items()):
        for part in (name.encode(), content.encode()):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()
