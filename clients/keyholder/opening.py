"""Open a payload: evaluate k_open at selected points, under a second permit, after deciding again (DESIGN 2.7).

Rule: this is the only thing that k_open is evaluated on but the public self-test. Every check of an evaluation holds
here, on the release instead of the admission, and those of `opening_checks` besides; then the call is charged, logged
and answered as any other (`evaluation.answer_cleared`).
"""

from broker.protocol.messages.evaluation import EarlierRelease, EvaluationAnswer, OpeningCall
from broker.protocol.papers import check_own_cause
from clients.keyholder import checks, ladder_checks, opening_checks, statements
from clients.keyholder.activation import activated_once, rules_for
from clients.keyholder.checks import CheckedPermit
from clients.keyholder.context import Caller, KeyHolder
from clients.keyholder.evaluation import Cleared, answer_cleared
from clients.keyholder.held import held_series, own_view
from clients.keyholder.ladder_checks import CheckedLadder, OpenedRelease
from clients.keyholder.own_knowledge import OwnKnowledge, Told
from clients.keyholder.own_ledger import OwnLedger, own_ledger
from clients.keyholder.pinning import member_by_id, pinned_roster, pinned_spaces
from clients.keyholder.store.database import Connection


def open_payload(holder: KeyHolder, caller: Caller, call: OpeningCall) -> EvaluationAnswer:
    """This holder's answer for one series. Raises what the checks raise, Conflict or Refused (budget), Unavailable."""
    now = holder.clock()
    return answer_cleared(
        holder, lambda connection: _clear(holder, connection, caller, call, now), call.consistency, now
    )


def _clear(holder: KeyHolder, connection: Connection, caller: Caller, call: OpeningCall, now: int) -> Cleared:
    permit = checks.check_permit(call.permit, pinned_spaces(connection), now)
    requester = checks.check_requester(permit, caller)
    request = checks.check_request(permit, requester, call.request)
    series = checks.find_series(permit, call.handle)
    held = checks.check_series(permit, series, held_series(holder, connection, series.series_id), now)
    asked = checks.check_quorum(held, call.quorum)
    record, released = opening_checks.check_release_record(permit, holder.keys, call.sealed_record)
    ladder = ladder_checks.check_ladder(permit, request, record, call.earlier)
    points = checks.check_points(permit, series, call.points)
    points = ladder_checks.check_selected_points(ladder, request, series, points, call.paths)
    papers = checks.check_papers(permit.space, request, call.findings, call.approvals)
    check_own_cause(papers.approvals, ladder.steps[0])
    _check_sources(holder, connection, permit, ladder, call.earlier_release)
    rules = rules_for(connection, holder.shelf, permit.terms.bundle_digest)
    release = opening_checks.check_release(permit, record, rules.decided_under)
    if released.earlier_decision is not None:
        earlier = opening_checks.read_earlier(release, released.earlier_decision)
        earlier_rules = activated_once(connection, holder.shelf, earlier.bundle_digest)
        release = opening_checks.check_earlier(permit, release, earlier, earlier_rules)
    known = own_view(connection, permit.space, release.facts.admitted.series)
    members = {member.agency_id: member.signing_key for member in permit.space.members}
    keys = {each.series_id: members[each.contributor.agency_id] for each in known}
    release = opening_checks.check_answers(release, released, request, keys, call.releases)
    told = statements.told(connection, request.digest)
    ledger = own_ledger(connection, permit.terms, now)
    own = OwnKnowledge(permit.space, request, requester, papers, told, ladder.steps[0], known, ledger)
    release = opening_checks.check_release_facts(permit, own, release)
    opening_checks.check_release_time(own, release, rules, series.series_id, now)
    return Cleared("open", permit, series.series_id, held, asked, points, record, rules, ledger)


def _check_sources(
    holder: KeyHolder,
    connection: Connection,
    permit: CheckedPermit,
    ladder: CheckedLadder,
    given: EarlierRelease,
) -> OpenedRelease:
    """d. How the sources before came to be disclosed, by the roster and the rules of that time."""
    step, asked = ladder.steps[0], ladder.steps[0].request.payload
    opened = ladder_checks.open_earlier_release(permit, holder.keys, ladder, given)
    space = pinned_roster(connection, asked.space_id, asked.roster_version)
    papers = checks.check_papers(space, step.request, given.findings, given.approvals)
    before = ladder.steps[1] if len(ladder.steps) > 1 else None
    if before is not None:
        check_own_cause(papers.approvals, before)
    own = OwnKnowledge(
        space,
        step.request,
        member_by_id(space, asked.requester),
        papers,
        Told(),
        before,
        own_view(connection, space, opened.facts.admitted.series),
        OwnLedger(),
    )
    named = {each.bundle_digest for each in opened.ruling.decisions}
    rules = {digest: activated_once(connection, holder.shelf, digest) for digest in named}
    return ladder_checks.check_earlier_release(ladder, opened, own, rules)
