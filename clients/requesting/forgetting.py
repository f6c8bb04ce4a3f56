"""Erase what a requester keeps of its requests once the retention that each claimed is over.

Rule: until then an auditor may have any index opened (DESIGN 2.8), so nothing goes before; from then on identifiers,
blinds, answers, tokens and results go, and the signed papers stay. The time runs from the permit's beginning, which
the log has too, so that requester and auditor reckon alike; for a request never admitted, from its making.

It sends nothing. Whoever runs it daily keeps the retention to a day.
"""

from broker.protocol.documents import unverified_payload
from broker.protocol.messages.requests import Permit
from clients.home import Home
from clients.requesting.request_folder import RequestFolder, request_ids, unfinished

DAY_SECONDS = 86_400


def kept_until(folder: RequestFolder, own_key: bytes) -> int:
    """When the retention of a request is over, Unix seconds. Raises NotFound or VerificationFailed."""
    request, admission = folder.request(own_key).payload, folder.admission()
    begins_at = request.created_at
    if admission is not None:  # verified when it was kept
        begins_at = unverified_payload(Permit, admission.permit).terms.not_before_at
    return begins_at + request.claims.retention_days * DAY_SECONDS


def forget_due(home: Home, now: int) -> tuple[bytes, ...]:
    """Erase of every request whose time is over, and what is left of those whose making was cut short a day ago or
    more. Returns the ids of those that were not erased before."""
    forgotten = []
    for request_id in unfinished(home.vault, now - DAY_SECONDS):
        RequestFolder(home.vault, request_id).erase_unfinished()
        forgotten.append(request_id)
    for request_id in request_ids(home.vault):
        folder = RequestFolder(home.vault, request_id)
        if kept_until(folder, home.identity.signing_key) > now:
            continue
        if folder.state != "forgotten":
            forgotten.append(request_id)
        folder.forget(now)  # also one that was cut short before
    return tuple(forgotten)
