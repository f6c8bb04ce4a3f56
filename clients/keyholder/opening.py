"""Open a payload: evaluate k_open at selected points, under a second permit, after deciding again (DESIGN 2.7).

Rule: this is the only thing that k_open is evaluated on but the public self-test. Every check of an evaluation holds
here, on the release instead of the admission, and those of `opening_checks` besides; then the call is charged, logged
and answered as any other (`evaluation.answer_cleared`).
"""

from broker.protocol.messages.evaluation import EvaluationAnswer, OpeningCall
from broker.protocol.papers import check_own_cause
from clients.keyholder import checks, opening_checks, statements
from clients.keyholder.activation import activated_once, rules_for
from clients.keyholder.context import Caller, KeyHolder
from clients.keyholder.evaluation import Cleared, answer_cleared
from clients.keyholder.held import held_series, own_view
from clients.keyholder.own_knowledge import OwnKnowledge
from clients.keyholder.pinning import pinned_spaces
from clients.keyholder.store.database import Connection


def open_payload(holder: KeyHolder, caller: Caller, call: OpeningCall) -> EvaluationAnswer:
    """This holder's answer for one series. Raises what the checks raise, Conflict or Refused (budget), Unavailable."""
    now = holder.clock()
    with holder.database.read() as connection:
        cleared = _clear(holder, connection, caller, call, now)
    return answer_cleared(holder, cleared, call.consistency, now)


def _clear(holder: KeyHolder, connection: Connection, caller: Caller, call: OpeningCall, now: int) -> Cleared:
    permit = checks.check_permit(call.permit, pinned_spaces(connection), now)
    requester = checks.check_requester(permit, caller)
    request = checks.check_request(permit, requester, call.request)
    series = checks.find_series(permit, call.handle)
    held = checks.check_series(permit, series, held_series(holder, connection, series.series_id), now)
    asked = checks.check_quorum(held, call.quorum)
    record, released = opening_checks.check_release_record(permit, holder.keys, call.sealed_record)
    ladder = opening_checks.check_ladder(permit, request, record, call.earlier)
    points = checks.check_points(permit, series, call.points)
    points = opening_checks.check_selected_points(ladder, request, series, points, call.paths)
    papers = checks.check_papers(permit.space, request, call.findings, call.approvals)
    check_own_cause(papers.approvals, ladder.steps[0])
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
    own = OwnKnowledge(permit.space, request, requester, papers, told, ladder.steps[0], known)
    release = opening_checks.check_release_facts(permit, own, release)
    opening_checks.check_release_time(own, release, rules, series.series_id, now)
    return Cleared("open", permit, series.series_id, held, asked, points, record, rules)
