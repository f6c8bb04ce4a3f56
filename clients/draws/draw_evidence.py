"""What goes beside an opening, checked part by part: request and permit, points, tokens, evaluated elements.

Rule (DESIGN 2.8): each part is held against something the requester cannot change afterwards. The request and the
permit's terms against the log's ADMITTED entry, the points against the batch roots in those terms, the tokens against
the root in the TOKENS entry, the evaluated elements against commitments that t key holders accepted. Each check returns
what it verified, or raises VerificationFailed or BadInput.

It knows no identifier: see `clients.draws.draw_check`.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence

from broker.protocol import documents, quorum
from broker.protocol.errors import VerificationFailed
from broker.protocol.group import split_elements
from broker.protocol.messages import draws
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import (
    PermitTerms,
    Request,
    TokenSubmission,
    batch_root,
    token_set_root,
)
from broker.protocol.messages.series import SeriesSheet
from broker.protocol.tokens import TOKEN_BYTES
from clients.draws.logged_requests import LoggedRequest, LoggedTokens
from clients.requester_checks.permits import VerifiedAdmission, verify_admission

Points = Mapping[str, Sequence[bytes]]
"""All blinded elements by identifier type, in index order."""
Sent = Mapping[bytes, frozenset[bytes]]
"""The tokens that were sent, by deposit_id."""
Evaluated = Mapping[bytes, Sequence[bytes]]
"""k * B of every point, by the series' handle."""


def check_request(
    evidence: draws.DrawEvidence, order: draws.DrawOrder, logged: LoggedRequest, space: Space
) -> VerifiedAdmission:
    """The admission of the ordered request, on the terms that the log has.

    Args:
        space: the pinned document of the roster that the request was made under.
    """
    request = documents.verify(Request, evidence.request, requester_key(space, logged.terms.requester))
    if (request.digest, request.payload.request_id) != (order.request_digest, order.request_id):
        raise VerificationFailed("The opening is of another request than was ordered.")
    admission = verify_admission(evidence.admission, request, space)
    if admission.terms != logged.terms:
        raise VerificationFailed("The permit's terms are not those of the entry in the log.")
    return admission


def requester_key(space: Space, requester: str) -> bytes:
    """The pinned signing key of the requester. Raises VerificationFailed."""
    for member in space.members:
        if member.agency_id == requester:
            return member.signing_key
    raise VerificationFailed("The requester in the log is no member of the space.")


def check_points(evidence: draws.DrawEvidence, terms: PermitTerms) -> Points:
    """All points of the request, as its signed batch roots bind them."""
    points = {each.identifier_type: split_elements(each.points) for each in evidence.points}
    if len(points) != len(evidence.points) or points.keys() != {
        each.identifier_type for each in terms.batches
    }:
        raise VerificationFailed("The opening does not list the points of each identifier type once.")
    for batch in terms.batches:
        listed = points[batch.identifier_type]
        if len(listed) != batch.points or batch_root(listed) != batch.batch_root:
            raise VerificationFailed("The points are not those that the request's batch root binds.")
    return points


def check_tokens(submission: TokenSubmission | None, logged: LoggedTokens, terms: PermitTerms) -> Sent:
    """The tokens that were sent, as the log's root binds them, for exactly the deposits that the permit opens."""
    if submission is None:
        raise VerificationFailed("The log shows that tokens were sent, and the opening has none.")
    if hashlib.sha256(submission.nonce).digest() != logged.nonce_digest:
        raise VerificationFailed(
            "The nonce of the tokens is not the one that was sent: the log has its digest."
        )
    if token_set_root(submission.nonce, submission.lists) != logged.token_root:
        raise VerificationFailed(
            "The tokens are not those that were sent: they do not give the root in the log."
        )
    opened = {(each.handle, deposit) for each in terms.series for deposit in each.deposits}
    named = [(item.handle, item.deposit_id) for item in submission.lists]
    if len(set(named)) != len(named) or set(named) != opened:
        raise VerificationFailed("The lists of tokens are not for the deposits that the permit opens.")
    return {
        item.deposit_id: frozenset(
            item.tokens[at : at + TOKEN_BYTES] for at in range(0, len(item.tokens), TOKEN_BYTES)
        )
        for item in submission.lists
    }


def check_numbers(sent: Sent, points: Points, terms: PermitTerms) -> None:
    """One token for each point in every list: with more, some are of no point; with fewer, one deposit is asked less
    than another."""
    for series in terms.series:
        expected = len(points[series.identifier_type])
        if any(len(sent[deposit]) != expected for deposit in series.deposits):
            raise VerificationFailed(
                "A deposit was sent another number of tokens than the request has points."
            )


def check_evaluated(
    evidence: draws.DrawEvidence, admission: VerifiedAdmission, points: Points, types: Collection[str]
) -> Evaluated:
    """k * B for every series of these types, each key holder's part with its proof."""
    given = {each.handle: each for each in evidence.evaluated}
    sheets = [sheet for sheet in admission.sheets if sheet.identifier_type in types]
    if len(given) != len(evidence.evaluated) or given.keys() != {sheet.handle for sheet in sheets}:
        raise VerificationFailed("The opening lacks the key holders' answers for a series, or has others.")
    return {sheet.handle: _combined(given[sheet.handle], sheet, points) for sheet in sheets}


def _combined(given: draws.EvaluatedSeries, sheet: SeriesSheet, points: Points) -> Sequence[bytes]:
    members = quorum.check_quorum(given.quorum, sheet.threshold, sheet.holders)
    verified = {
        answer.x: quorum.verify_answer(
            sheet.commitments_match,
            members,
            answer.x,
            points[sheet.identifier_type],
            [quorum.Chunk(split_elements(chunk.elements), chunk.proof) for chunk in answer.chunks],
        )
        for answer in given.answers
    }
    return quorum.combine(verified, members)
