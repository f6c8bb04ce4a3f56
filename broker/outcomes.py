"""A requester tells what became of its matches: useful, a false match, a victim identified, not yet known.

Rule (DESIGN 2.8): only tokens that were disclosed to the very requester may be reported on, each in the deposit it
matched in. The signed report is kept and logged with numbers alone; of the tokens beside it nothing is stored but,
for each series, which kinds of outcome there were (decision 0010). A later report replaces an earlier one. What
contributors are told of it is `broker.statistics`'.
"""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from broker.audit.log import Receipt
from broker.audit.records import OutcomeReported
from broker.context import Broker
from broker.months import month_of
from broker.protocol.documents import Signed, verify
from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted
from broker.protocol.messages.base import decode
from broker.protocol.messages.outcomes import (
    OutcomeEntry,
    OutcomeReport,
    OutcomeSubmission,
    counts,
    entries_digest,
)
from broker.protocol.messages.requests import Disclosure, Permit, TokensAnswered
from broker.protocol.messages.vocabulary import RecordKind
from broker.registry import Caller
from broker.store import outcomes as rows
from broker.store import requests as request_rows
from broker.store import statistics
from broker.store.database import Connection


@dataclass(frozen=True)
class Disclosed:
    """Evidence of what was disclosed to the caller: its request, the signed disclosure, and the deposits searched."""

    request: request_rows.StoredRequest
    permit_id: bytes
    disclosure: Signed[Disclosure]
    deposits: frozenset[bytes]


def report(broker: Broker, caller: Caller, request_id: bytes, submission: OutcomeSubmission) -> Receipt:
    """Keep what a requester reports; the same report again gives its receipt again and changes nothing.

    Raises NotFound (another's request as none), VerificationFailed, BadInput, NotPermitted (a token that was not
    disclosed), Conflict (nothing disclosed, another number or content) or Unavailable."""
    signed = verify(OutcomeReport, submission.document, caller.signing_key)
    told, now = signed.payload, broker.clock()
    with broker.database.write() as connection:
        disclosed = _disclosed(broker, connection, caller, request_id)
        _check_report(told, disclosed, submission)
        known = rows.find(connection, request_id, told.number)
        if known is not None:
            if known.document != submission.document:
                raise Conflict("A report of this number came before, with other content.")
            return broker.audit.receipt(connection, known.log_index)
        if told.number != rows.last_number(connection, request_id) + 1:
            raise Conflict("Reports on a request follow one another without a gap.")
        kinds = _kinds_by_series(connection, disclosed, submission.entries)
        # Entry, report and what is counted of it, together.
        record = OutcomeReported(
            request_id=request_id,
            space_id=disclosed.request.space_id,
            requester=disclosed.request.requester,
            number=told.number,
            report_digest=signed.digest,
            useful=told.useful,
            false_match=told.false_match,
            victim_identified=told.victim_identified,
            not_yet_known=told.not_yet_known,
        )
        receipt = broker.audit.append(connection, RecordKind.OUTCOME_REPORTED, record, now)
        stored = rows.StoredReport(submission.document, receipt.proof.index)
        rows.add(connection, request_id, told.number, stored)
        statistics.tell(connection, request_id, disclosed.request.requester, month_of(now), kinds)
    return receipt


def _disclosed(broker: Broker, connection: Connection, caller: Caller, request_id: bytes) -> Disclosed:
    # The permit's row is locked first, so that two reports come one after the other.
    permit = request_rows.permit_of(connection, request_id)
    stored = request_rows.find(connection, request_id)
    if stored is None or stored.requester != caller.party_id:
        raise NotFound("No such request of yours is known here.")
    kept = None if permit is None or stored.state != request_rows.RELEASED else permit.disclosure
    document = None if kept is None else decode(TokensAnswered, kept).document
    if permit is None or document is None:
        raise Conflict("Nothing was disclosed about this request yet, so there is no outcome to report.")
    key = broker.keys.signing_public
    terms = verify(Permit, permit.document, key).payload.terms
    disclosure = verify(Disclosure, document, key)
    searched = frozenset(deposit for series in terms.series for deposit in series.deposits)
    return Disclosed(stored, permit.permit_id, disclosure, searched)


def _check_report(told: OutcomeReport, disclosed: Disclosed, submission: OutcomeSubmission) -> None:
    """Raises BadInput unless the report is about this answer and these entries, NotPermitted for others' tokens."""
    entries, request = submission.entries, disclosed.request
    if (told.request_id, told.requester) != (request.request_id, request.requester):
        raise BadInput("The report is about another request than the address names.")
    if told.disclosure_digest != disclosed.disclosure.digest:
        raise BadInput("The report is about another answer than the one that was given.")
    if entries_digest(submission.nonce, entries) != told.entries_digest:
        raise BadInput("The entries are not those the report was signed over.")
    if any(getattr(told, kind) != number for kind, number in counts(entries).items()):
        raise BadInput("The report's numbers are not those of its entries.")
    named = [(entry.deposit_id, entry.token) for entry in entries]
    if any(after <= before for before, after in itertools.pairwise(named)):
        raise BadInput("Entries strictly increase by deposit and token: sort them, and report on each once.")
    matched = frozenset(disclosed.disclosure.payload.matched)
    if not all(entry.token in matched and entry.deposit_id in disclosed.deposits for entry in entries):
        raise NotPermitted(
            "The report names a match that was not disclosed. Report on those of the answer only."
        )


def _kinds_by_series(
    connection: Connection, disclosed: Disclosed, entries: Sequence[OutcomeEntry]
) -> dict[bytes, set[str]]:
    """The kinds of outcome for each series. A match whose record is gone since then counts for no series.

    Raises NotPermitted when a token is named with another deposit than the one it matched in."""
    known = rows.series_of(connection, (entry.deposit_id for entry in entries))
    kept = rows.deposits_of_matches(connection, disclosed.permit_id, [entry.token for entry in entries])
    by_deposit: dict[bytes, list[OutcomeEntry]] = defaultdict(list)
    for entry in entries:
        by_deposit[entry.deposit_id].append(entry)
    kinds: dict[bytes, set[str]] = defaultdict(set)
    for deposit_id, named in by_deposit.items():
        if deposit_id not in known:
            continue
        number, series_id = known[deposit_id]
        # Matches are kept for `match_days`; after that the record itself tells, while it is there.
        held = rows.still_held(connection, number, [each.token for each in named if each.token not in kept])
        for each in named:
            if kept.get(each.token, number) != number:
                raise NotPermitted("The report names a match in another deposit than it was found in.")
            if each.token in kept or each.token in held:
                kinds[series_id].add(each.outcome.value)
    return dict(kinds)
