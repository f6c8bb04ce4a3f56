"""The requester opens what an auditor drew: B = r * P, and P comes from the identifier under the space's salt.

Rule (DESIGN 2.8): an order is followed only if an auditor of the newest pinned roster signed it, for exactly this
request, in its time. What is secret is wrapped to the key in the order; points, the holders' answers and the tokens
go with it as they were kept, since the auditor believes none of them but by their proofs. Identifiers that were not
drawn stay here: of them the auditor sees blinded points and tokens.

It makes no call, and refuses nothing that a valid order asks for: whoever will not open hands over no file.
"""

import hashlib

from broker.protocol import documents, wrapping
from broker.protocol.calls import WINDOW_SECONDS
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, Conflict, Expired, NotFound, VerificationFailed
from broker.protocol.group import split_elements
from broker.protocol.messages import draws
from broker.protocol.messages.base import RandomBytes, encode
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Request
from broker.protocol.messages.series import SeriesSheet
from broker.protocol.tokens import SALTED_HASH_BYTES
from clients.home import Home
from clients.requester_checks.permits import VerifiedAdmission, verify_admission
from clients.requesting.request_folder import RequestFolder
from clients.requesting.request_values import Plan


def open_draw(
    home: Home, space: Space, order_document: str, now: int, random_bytes: RandomBytes
) -> draws.OpenedDraw:
    """Follow an auditor's order, and keep the order with the request.

    Args:
        home: the requester's folder.
        space: the newest pinned space document: who is an auditor now.

    Raises VerificationFailed (no auditor's order, or about another request), Expired, NotFound (no such request, or its
    retention is over), Conflict (never admitted), BadInput (indices it has not).
    """
    order = verify_order(order_document, space, now)
    asked = order.payload
    folder = RequestFolder(home.vault, asked.request_id)
    request = folder.request(home.identity.signing_key)
    if request.digest != asked.request_digest:
        raise VerificationFailed("The order is about another document of this request. Ask the auditor.")
    if folder.state == "forgotten":
        raise NotFound("The retention of this request is over, and what a draw needs is erased.")
    kept = folder.admission()
    if kept is None:
        raise Conflict("The request was never admitted, so there is nothing to open.")
    pinned = home.space(*folder.roster()).payload
    plan, admission = folder.plan(), verify_admission(kept, request, pinned)
    secrets = draws.DrawSecrets(
        nonce=random_bytes(32), salt=home.salt(pinned), opened=_opened(plan, asked.drawn)
    )
    types = {drawn.identifier_type for drawn in asked.drawn}
    tokens = folder.tokens()
    evidence = draws.DrawEvidence(
        request=request.document,
        admission=kept,
        points=tuple(
            draws.BatchPoints(identifier_type=batch.identifier_type, points=batch.points)
            for batch in plan.batches
        ),
        evaluated=() if tokens is None else _evaluated(folder, admission, types),
        submission=None if tokens is None else tokens.submission,
    )
    opened = seal(home, order, request.payload, secrets, evidence, now)
    folder.keep_draw(asked.draw_id, order.document)
    return opened


def verify_order(document: str, space: Space, now: int) -> Signed[draws.DrawOrder]:
    """Verify that an auditor of this space ordered the draw, and that its time is now.

    Raises BadInput (malformed, or another space), VerificationFailed or Expired.
    """
    auditors = {documents.key_identifier(each.signing_key): each for each in space.auditors}
    signed = documents.verify(
        draws.DrawOrder, document, {kid: auditor.signing_key for kid, auditor in auditors.items()}
    )
    order = signed.payload
    if order.auditor != auditors[signed.kid].party_id:
        raise VerificationFailed("The order names another auditor than the one that signed it.")
    if order.space_id != space.space_id:
        raise BadInput("The order belongs to another space. Name that space with --space-id.")
    if not order.ordered_at - WINDOW_SECONDS <= now < order.expires_at:
        raise Expired("The order's time is over or has not begun. Ask the auditor for a new one.")
    return signed


def seal(
    home: Home,
    order: Signed[draws.DrawOrder],
    request: Request,
    secrets: draws.DrawSecrets,
    evidence: draws.DrawEvidence,
    now: int,
) -> draws.OpenedDraw:
    """Wrap the secrets to the order's key and sign what was wrapped and what goes beside it. Raises BadInput."""
    plaintext = encode(secrets)
    opening = draws.DrawOpening(
        draw_id=order.payload.draw_id,
        order_digest=order.digest,
        space_id=request.space_id,
        request_id=request.request_id,
        requester=request.requester,
        wrapped=wrapping.wrap(order.payload.wrapping_key, plaintext, wrapping.draw_info(order.digest)),
        secrets_digest=hashlib.sha256(plaintext).digest(),
        evidence_digest=draws.evidence_digest(evidence),
        opened_at=now,
    )
    return draws.OpenedDraw(opening=documents.sign(opening, home.signing_key).document, evidence=evidence)


def _opened(plan: Plan, drawn: tuple[draws.DrawnIndices, ...]) -> tuple[draws.OpenedIndex, ...]:
    batches = {batch.identifier_type: batch for batch in plan.batches}
    opened = []
    for each in drawn:
        batch = batches.get(each.identifier_type)
        if batch is None or each.indices[-1] >= len(batch.identifiers):
            raise BadInput("The order names an index that the request has not. Ask the auditor for another.")
        points, blinds = split_elements(batch.points), split_elements(batch.blinds)
        for index in each.indices:
            at = index * SALTED_HASH_BYTES
            opened.append(
                draws.OpenedIndex(
                    identifier_type=each.identifier_type,
                    index=index,
                    identifier=batch.identifiers[index],
                    salted_hash=batch.hashes[at : at + SALTED_HASH_BYTES],
                    blind=blinds[index],
                    point=points[index],
                )
            )
    return tuple(opened)


def _evaluated(
    folder: RequestFolder, admission: VerifiedAdmission, types: set[str]
) -> tuple[draws.EvaluatedSeries, ...]:
    sheets = [sheet for sheet in admission.sheets if sheet.identifier_type in types]
    for members in folder.quorums():
        series = [_of_series(folder, members, sheet) for sheet in sheets]
        complete = tuple(each for each in series if each is not None)
        if len(complete) == len(sheets):
            return complete
    raise NotFound("The key holders' answers of this request are not all here any more. Restore a backup.")


def _of_series(
    folder: RequestFolder, members: tuple[int, ...], sheet: SeriesSheet
) -> draws.EvaluatedSeries | None:
    kept = {x: folder.evaluation(members, sheet.handle, x) for x in members}
    answers = tuple(
        draws.HolderElements(x=x, chunks=answer.chunks) for x, answer in kept.items() if answer is not None
    )
    if len(answers) != len(members):
        return None
    return draws.EvaluatedSeries(handle=sheet.handle, quorum=members, answers=answers)
