"""The auditor checks what a requester opened, offline: against the order, the pinned space and the mirrored log.

Rule (DESIGN 2.8), in this order; a later step uses only what an earlier one verified:

    1. the order is this auditor's; the requester signed an opening of that order, over exactly this evidence
    2. the wrapped part opens, is the one signed for, and holds the space's own salt
    3. request and permit, points, tokens, evaluated elements (`clients.draws.draw_evidence`)
    4. each drawn index: salted hash, point, place in the batch, its token in every permitted deposit, the case file

A file that fails 1 or 2 is no opening of this draw, and is refused. From 3 on a fault is a finding about the requester,
who signed all of it, and is reported with the rest.

It does not judge whether a case file is complete or true: it compares.
"""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeVar

from broker.protocol import documents, oprf, tokens, wrapping
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages import draws
from broker.protocol.messages.base import decode
from broker.protocol.messages.parties import Space
from clients.draws import draw_evidence
from clients.draws.draw_report import DrawnIndex, DrawReport
from clients.draws.logged_requests import LoggedRequest, find_by_digest
from clients.home import Home
from clients.mirrors.mirror import Mirror
from clients.mirrors.watched_log import mirror_folder

Result = TypeVar("Result")


@dataclass(frozen=True)
class _Established:
    """What step 3 verified; None where it did not, or where no tokens were sent."""

    points: draw_evidence.Points | None
    sent: draw_evidence.Sent | None
    evaluated: draw_evidence.Evaluated | None


class DrawCheck:
    """Checks openings of one order.

    Args:
        home: the auditor's folder, with its mirror and every roster it pinned.
        order_document: the order, as this auditor signed it.
        case_file: canonical identifiers of the case, or None.

    Raises VerificationFailed or BadInput on construction for an order that is not this auditor's, NotFound when the
    mirror has no such request or the roster it was made under is not pinned.
    """

    def __init__(self, home: Home, order_document: str, case_file: Collection[str] | None = None) -> None:
        self._home = home
        self._signed = documents.verify(draws.DrawOrder, order_document, home.identity.signing_key)
        self.order = self._signed.payload
        mirror = Mirror(home.vault, mirror_folder(self.order.space_id))
        self.logged: LoggedRequest = find_by_digest(mirror, self.order.request_digest)
        self._space: Space = home.space(self.order.space_id, self.logged.terms.roster_version).payload
        self._case_file = None if case_file is None else frozenset(case_file)

    def overdue(self, now: int) -> bool:
        """Whether the order's time is over: without an opening by then, the requester did not follow it."""
        return now >= self.order.expires_at

    def check(self, opened: draws.OpenedDraw) -> DrawReport:
        """Check an opening. Raises VerificationFailed or BadInput for a file that is no opening of this draw."""
        opening = self._opening(opened)
        secrets = self._secrets(opening)
        established, faults = self._establish(opened.evidence)
        by_place = {(each.identifier_type, each.index): each for each in secrets.opened}
        drawn = []
        for each in self.order.drawn:
            for index in each.indices:
                shown = by_place.get((each.identifier_type, index))
                drawn.append(
                    DrawnIndex(each.identifier_type, index)
                    if shown is None
                    else self._index(shown, secrets.salt, established)
                )
        return DrawReport(
            draw_id=self.order.draw_id,
            request_id=self.order.request_id,
            requester=self.logged.terms.requester,
            opened_at=opening.opened_at,
            tokens_sent=self.logged.tokens is not None,
            drawn=tuple(drawn),
            faults=faults,
        )

    # --- steps 1 and 2 ---

    def _opening(self, opened: draws.OpenedDraw) -> draws.DrawOpening:
        key = draw_evidence.requester_key(self._space, self.logged.terms.requester)
        opening = documents.verify(draws.DrawOpening, opened.opening, key).payload
        named = (opening.draw_id, opening.order_digest, opening.request_id)
        if named != (self.order.draw_id, self._signed.digest, self.order.request_id):
            raise VerificationFailed(
                "The opening follows another order. Check that the files belong together."
            )
        if opening.evidence_digest != draws.evidence_digest(opened.evidence):
            raise VerificationFailed("What goes beside the opening is not what the requester signed for.")
        return opening

    def _secrets(self, opening: draws.DrawOpening) -> draws.DrawSecrets:
        plaintext = self._home.unwrap(opening.wrapped, wrapping.draw_info(self._signed.digest))
        if hashlib.sha256(plaintext).digest() != opening.secrets_digest:
            raise VerificationFailed("The wrapped part of the opening is not what the requester signed for.")
        secrets = decode(draws.DrawSecrets, plaintext)
        if tokens.salt_id(secrets.salt) != self._space.salt_id:
            raise VerificationFailed("The salt in the opening is not the one that the space document names.")
        return secrets

    # --- step 3 ---

    def _establish(self, evidence: draws.DrawEvidence) -> tuple[_Established, tuple[str, ...]]:
        faults: list[str] = []

        def attempt(step: Callable[[], Result]) -> Result | None:
            try:
                return step()
            except (VerificationFailed, BadInput) as error:
                faults.append(error.detail)
                return None

        terms, logged = self.logged.terms, self.logged.tokens
        admission = attempt(
            lambda: draw_evidence.check_request(evidence, self.order, self.logged, self._space)
        )
        points = attempt(lambda: draw_evidence.check_points(evidence, terms))
        if logged is None:
            return _Established(points, None, None), tuple(faults)
        sent = attempt(lambda: draw_evidence.check_tokens(evidence.submission, logged, terms))
        evaluated: draw_evidence.Evaluated | None = None
        if points is not None and sent is not None:
            attempt(lambda: draw_evidence.check_numbers(sent, points, terms))
        if points is not None and admission is not None:
            types = {each.identifier_type for each in self.order.drawn}
            evaluated = attempt(lambda: draw_evidence.check_evaluated(evidence, admission, points, types))
        return _Established(points, sent, evaluated), tuple(faults)

    # --- step 4 ---

    def _index(self, shown: draws.OpenedIndex, salt: bytes, established: _Established) -> DrawnIndex:
        salted_hash = tokens.salted_hash(salt, shown.identifier)
        typed = shown.identifier.startswith(f"{shown.identifier_type}/")
        point_fits = _point(salted_hash, shown.blind) == shown.point
        in_batch: bool | None = None
        if established.points is not None:
            in_batch = established.points[shown.identifier_type][shown.index] == shown.point
        return DrawnIndex(
            identifier_type=shown.identifier_type,
            index=shown.index,
            identifier=shown.identifier,
            hash_fits=typed and salted_hash == shown.salted_hash,
            point_fits=point_fits,
            in_batch=in_batch,
            # Under a point that is not this identifier's, no token could be.
            deposits=self._tokens(shown, salted_hash, established) if point_fits and in_batch else {},
            in_case_file=None if self._case_file is None else shown.identifier in self._case_file,
        )

    def _tokens(
        self, shown: draws.OpenedIndex, salted_hash: bytes, established: _Established
    ) -> dict[bytes, bool]:
        found: dict[bytes, bool] = {}
        if established.sent is None or established.evaluated is None:
            return found
        for series in self.logged.terms.series:
            if series.identifier_type == shown.identifier_type:
                y = oprf.finalize(salted_hash, shown.blind, established.evaluated[series.handle][shown.index])
                for deposit in series.deposits:
                    token = tokens.derive(y, series.series_id, self._space.space_id, deposit)
                    found[deposit] = token in established.sent[deposit]
        return found


def _point(salted_hash: bytes, blind: bytes) -> bytes | None:
    """blind * HashToGroup(salted_hash); None for a blind that is no scalar."""
    try:
        return oprf.blind_with(salted_hash, blind).blinded_element
    except BadInput:
        return None
