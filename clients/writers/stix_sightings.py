"""Hits as a STIX 2.1 bundle: an indicator for each identifier, and a sighting of it.

Rule: the indicator is the requester's own identifier; the sighting says that a member of the space knows it, and from
the tier `sources` on which (`where_sighted_refs`), below that nothing. All is marked with TLP and with the purpose it
was disclosed for. Ids are UUIDs of version 5 from the request, and all times are those of the disclosure, so writing
twice gives the same objects.

STIX has objects for e-mail addresses, links, IP addresses, files and accounts. For phone numbers, bank accounts and
wallets the names that OpenCTI uses are taken, for the rest x-narrowgate-TYPE; a pattern may name any. No custom object
or property is in the bundle, so that strict readers take it.
"""

import datetime
import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Any
from uuid import uuid5

from broker.protocol.messages.vocabulary import Tier
from clients.readers.exchange.stix_patterns import OWN_OBJECT
from clients.writers.hits import Hit, Hits, Holder


class TrafficLight(StrEnum):
    """How far the receiver may pass the bundle on (TLP 1, which STIX 2.1 defines)."""

    RED = "red"
    AMBER = "amber"
    GREEN = "green"


_TLP_IDS = {
    TrafficLight.RED: "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
    TrafficLight.AMBER: "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
    TrafficLight.GREEN: "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
}
_TLP_CREATED = "2017-01-20T00:00:00.000Z"
_HASHES = {32: "MD5", 40: "'SHA-1'", 64: "'SHA-256'"}
_PATHS = {
    "email": "email-addr:value",
    "url": "url:value",
    "phone": "phone-number:value",
    "iban": "bank-account:iban",
    "btc_address": "cryptocurrency-wallet:value",
    "eth_address": "cryptocurrency-wallet:value",
    "tron_address": "cryptocurrency-wallet:value",
}


def stix_bundle(hits: Hits, tlp: TrafficLight) -> str:
    """The bundle as JSON, for a file that only its owner reads."""
    bundle = {"type": "bundle", "id": _id(hits, "bundle", tlp.value), "objects": list(_objects(hits, tlp))}
    return json.dumps(bundle, indent=1, ensure_ascii=False) + "\n"


def pattern_of(hit: Hit) -> str:
    """The STIX pattern that names an identifier and nothing else."""
    value = hit.value
    if hit.type == "handle":
        platform, _, login = value.partition(":")
        return f"[user-account:account_type = {_quoted(platform)} AND user-account:account_login = {_quoted(login)}]"
    return f"[{_path(hit)} = {_quoted(value)}]"


def _path(hit: Hit) -> str:
    if hit.type == "ip":
        return "ipv6-addr:value" if ":" in hit.value else "ipv4-addr:value"
    if hit.type == "file_hash" and len(hit.value) in _HASHES:
        return f"file:hashes.{_HASHES[len(hit.value)]}"
    return _PATHS.get(hit.type, f"{OWN_OBJECT}{hit.type.replace('_', '-')}:value")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _objects(hits: Hits, tlp: TrafficLight) -> Iterator[dict[str, Any]]:
    at = _stamp(hits.released_at)
    requester = _id(hits, "identity", "requester")
    statement = _id(hits, "marking-definition", "purpose")
    markings = [_TLP_IDS[tlp], statement]
    yield _tlp_definition(tlp)
    yield {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": statement,
        "created": at,
        "created_by_ref": requester,
        "definition_type": "statement",
        "definition": {
            "statement": f"Disclosed by Narrowgate on request {hits.request_id.hex()} for the purpose "
            f"{hits.purpose.value}. Any other use needs a legal basis of its own."
        },
    }
    yield _identity(requester, hits.requester, "", at)
    named = hits.tier in (Tier.SOURCES, Tier.PAYLOAD)
    holders = dict.fromkeys(holder for hit in hits.hits for holder in hit.holders) if named else {}
    for holder in holders:
        yield _identity(_holder_id(hits, holder), holder.name, holder.contact, at)
    for hit in dict.fromkeys(hits.hits):
        made = {
            "spec_version": "2.1",
            "created": at,
            "modified": at,
            "created_by_ref": requester,
            "object_marking_refs": markings,
        }
        indicator = _id(hits, "indicator", hit.canonical)
        yield {
            "type": "indicator",
            "id": indicator,
            **made,
            "name": f"Identifier of type {hit.type}",
            "pattern": pattern_of(hit),
            "pattern_type": "stix",
            "valid_from": at,
        }
        sighting = {
            "type": "sighting",
            "id": _id(hits, "sighting", hit.canonical),
            **made,
            "description": "A member of the space knows this identifier.",
            "sighting_of_ref": indicator,
        }
        if named and hit.holders:
            sighting["where_sighted_refs"] = [_holder_id(hits, holder) for holder in hit.holders]
        yield sighting


def _tlp_definition(tlp: TrafficLight) -> dict[str, Any]:
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": _TLP_IDS[tlp],
        "created": _TLP_CREATED,
        "definition_type": "tlp",
        "name": f"TLP:{tlp.value.upper()}",
        "definition": {"tlp": tlp.value},
    }


def _identity(name: str, called: str, contact: str, at: str) -> dict[str, Any]:
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": name,
        "created": at,
        "modified": at,
        "name": called,
        "identity_class": "organization",
        **({"contact_information": contact} if contact else {}),
    }


def _holder_id(hits: Hits, holder: Holder) -> str:
    return _id(hits, "identity", f"{holder.contributor}\n{holder.name}\n{holder.contact}")


def _id(hits: Hits, kind: str, name: str) -> str:
    return f"{kind}--{uuid5(hits.namespace, f'{kind} {name}')}"


def _stamp(seconds: int) -> str:
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%dT%H:%M:%S.000Z}"
