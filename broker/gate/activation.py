"""Whether two officers approved a bundle of rules, and whether its time has come.

Rule (decision 0014): a bundle is activated only with the approvals of two distinct officers whom this operator pinned,
over exactly its digest, the same predecessor and the same time, which has come. What follows must follow what is in
force here, and be valid from a later time, so that an old approval brings no old rules back.

It reads the signatures beside a bundle, and nothing else; what an activation does, broker and key holder each do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from broker.gate.bundle import Bundle
from broker.protocol.documents import Signed, unverified_kid, unverified_payload, verify
from broker.protocol.errors import BadInput, Conflict, Expired, NotPermitted, VerificationFailed
from broker.protocol.messages.bundles import BundleApproval, RuleOfficer

SIGNATURES_FOLDER = "signatures"
OFFICERS_NEEDED = 2
_MAXIMUM_SIGNATURES = 200
_Terms = tuple[bytes | None, int]
"""Previous digest, and from when it is valid."""


@dataclass(frozen=True)
class InForce:
    """What is in force at one broker or key holder: a bundle's digest, and from when it was valid, Unix seconds."""

    bundle_digest: bytes
    valid_from: int


@dataclass(frozen=True)
class ApprovedBundle:
    """Evidence that two pinned officers approved these rules, as the next ones, from a time that has come."""

    bundle: Bundle
    valid_from: int
    approvals: tuple[str, ...]
    """One document of each officer, in order of their names."""


def read_signatures(source: Path) -> tuple[str, ...]:
    """The signed documents beside a bundle, in `signatures/*.jws`. Raises BadInput for a file that is none."""
    folder = source / SIGNATURES_FOLDER
    paths = sorted(folder.glob("*.jws")) if folder.is_dir() else []
    if len(paths) > _MAXIMUM_SIGNATURES:
        raise BadInput("There are more signatures beside these rules than anybody needs. Remove old ones.")
    found = []
    for path in paths:
        try:
            document = path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(
                "A signature beside the rules cannot be read. Ask the officer for it again."
            ) from error
        unverified_kid(document)
        found.append(document)
    return tuple(found)


def check_approved(
    bundle: Bundle,
    signatures: Sequence[str],
    officers: Mapping[str, RuleOfficer],
    in_force: InForce | None,
    now: int,
) -> ApprovedBundle:
    """Two pinned officers approved exactly this bundle, to follow what is in force, from a time that has come.

    Args:
        officers: those this operator pinned, by `kid`.
        in_force: what is in force here; None where nothing is, and then any predecessor will do.

    Raises NotPermitted or VerificationFailed (it is not approved so), Conflict (it follows other rules than are in
    force), Expired (its time has not come)."""
    if len(officers) < OFFICERS_NEEDED:
        raise NotPermitted(
            f"Rules are put in force by two officers, and so many are pinned here: {len(officers)}. Pin their files "
            "first: narrowgate broker officer, or narrowgate keyholder officer"
        )
    agreed, left_out = _agreed(bundle, signatures, officers)
    if not agreed:
        raise VerificationFailed(_not_approved(signatures, left_out))
    following = {terms: signed for terms, signed in agreed.items() if _follows(terms, in_force)}
    if not following:
        raise Conflict(
            "Two officers approved these rules, but to follow others than those in force here, or from a time before "
            "theirs. Activate what lies between first, or have the officers sign for what is in force."
        )
    (_, valid_from), signed = min(following.items(), key=lambda item: item[0][1])
    if now < valid_from:
        raise Expired(
            f"These rules are valid from {_date(valid_from)}, which has not come. Activate them then."
        )
    in_order = sorted(signed, key=lambda each: each.payload.officer_id)
    return ApprovedBundle(bundle, valid_from, tuple(each.document for each in in_order))


def _agreed(
    bundle: Bundle, signatures: Sequence[str], officers: Mapping[str, RuleOfficer]
) -> tuple[dict[_Terms, list[Signed[BundleApproval]]], list[str]]:
    """By predecessor and time, the approvals that at least two officers gave alike; and why others do not count."""
    by_terms: dict[_Terms, dict[str, Signed[BundleApproval]]] = {}
    left_out: list[str] = []
    for document in signatures:
        officer = officers.get(unverified_kid(document))
        if officer is None:
            left_out.append("one is by an officer who is not pinned here")
            continue
        if unverified_payload(BundleApproval, document).bundle_digest != bundle.digest:
            left_out.append("one is over other rules than these")
            continue
        signed = verify(BundleApproval, document, officer.signing_key)
        said = signed.payload
        if (said.officer_id, said.office) != (officer.officer_id, officer.office):
            left_out.append("one names another officer or office than the one pinned under its key")
            continue
        by_terms.setdefault((said.previous_digest, said.valid_from), {})[signed.kid] = signed
    few = [terms for terms, signed in by_terms.items() if len(signed) < OFFICERS_NEEDED]
    left_out += ["one stands alone: no second officer signed for the same predecessor and time"] * len(few)
    return {terms: list(by_terms[terms].values()) for terms in by_terms if terms not in few}, left_out


def _follows(terms: _Terms, in_force: InForce | None) -> bool:
    previous, valid_from = terms
    return in_force is None or (previous == in_force.bundle_digest and valid_from > in_force.valid_from)


def _not_approved(signatures: Sequence[str], left_out: Sequence[str]) -> str:
    if not signatures:
        return "These rules are not signed. Two officers sign them first: narrowgate policy sign"
    why = "; ".join(dict.fromkeys(left_out))
    return f"These rules are not approved by two officers who are pinned here. Of the signatures, {why}."


def _date(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
