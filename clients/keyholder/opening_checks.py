"""What a key holder checks besides, before it opens a payload under a second permit (DESIGN 2.7).

     a permit     is a second one, for the tier payload, and its entry is a RELEASE
     b to d       the way up: see `ladder_checks`
     e decision   comes out the same under its rules, which this holder's own operator once put in force, and lets each
                  series of the permit leave; the one under the earlier rules, where they changed, does so too
     f answers    a contributor that the broker says released its records did sign so
     g facts      are this holder's own knowledge, as of the release
     h time       these rules, and those in force here, would still let the series leave by this holder's own clock

Rule: as in `checks`, each returns frozen evidence or raises, and the next asks for it. The result's numbers are the
broker's word; who must sign, and what must have gone before, are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from broker.gate import decide
from broker.gate.bundle import Bundle
from broker.gate.decide import Decision
from broker.gate.facts import ReleaseFacts
from broker.gate.ruling import check_same
from broker.protocol.documents import Signed, verify
from broker.protocol.errors import BadInput, NotPermitted, Refused, VerificationFailed
from broker.protocol.messages.base import decode
from broker.protocol.messages.ladder import ContributorRelease
from broker.protocol.messages.requests import ReleaseDecided, Request
from broker.protocol.messages.vocabulary import ContributorAnswer, Outcome, RecordKind, Tier
from clients.keyholder.activation import RulesHere
from clients.keyholder.checks import (
    CheckedPermit,
    CheckedRecord,
    check_terms,
    no_more,
    open_record,
    replay,
)
from clients.keyholder.keys import HolderKeys
from clients.keyholder.own_knowledge import OwnKnowledge

Paths = Sequence[Sequence[tuple[bytes, ...]]]


@dataclass(frozen=True)
class CheckedRelease:
    """Checks e and f: the decision to release, made again here, and its facts."""

    decision: Decision
    facts: ReleaseFacts


def check_release_record(
    permit: CheckedPermit, keys: HolderKeys, sealed: bytes
) -> tuple[CheckedRecord, ReleaseDecided]:
    """a. The record of the RELEASE opens here, stands in the pinned log, and has the second permit's terms."""
    if permit.terms.tier is not Tier.PAYLOAD:
        raise NotPermitted(
            "Payloads are opened under a second permit only, which the broker gives with the release."
        )
    opened, entry = open_record(permit, keys, sealed, RecordKind.RELEASE)
    record = decode(ReleaseDecided, opened)
    return CheckedRecord(record.decision, entry, check_terms(permit, record.opening, record.decision)), record


def check_release(permit: CheckedPermit, record: CheckedRecord, bundle: Bundle) -> CheckedRelease:
    """e. The decision to release comes out the same here, and lets every series of the permit leave."""
    decision = replay(permit, record, bundle)
    if decision.action != "release" or not isinstance(decision.facts, ReleaseFacts):
        raise VerificationFailed("The second permit rests on a decision that is none about a release.")
    if decision.outcome is not Outcome.ALLOW or decision.tier is not Tier.PAYLOAD:
        raise Refused("The rules refuse this release, and yet the broker gave a permit. Tell an auditor.")
    if not {series.series_id for series in permit.terms.series} <= set(decision.admitted_series):
        raise VerificationFailed("The second permit opens series that the decision does not let leave.")
    return CheckedRelease(decision, decision.facts)


def read_earlier(release: CheckedRelease, text: str) -> Decision:
    """e. The decision under the earlier rules is about the same release. Raises VerificationFailed."""
    try:
        return check_same(release.decision, decode(Decision, text.encode()))
    except BadInput:
        raise VerificationFailed("The recorded decision under the earlier rules is none.") from None


def check_earlier(
    permit: CheckedPermit, release: CheckedRelease, earlier: Decision, bundle: Bundle
) -> CheckedRelease:
    """e. The decision under the earlier rules comes out the same here, and lets every series of the permit leave."""
    if decide.decide_again(bundle, earlier).text != earlier.text:
        raise VerificationFailed("The recorded decision is not what the earlier rules come to on its facts.")
    if not {series.series_id for series in permit.terms.series} <= set(earlier.admitted_series):
        raise Refused(
            "The earlier rules refuse this release, and yet the broker gave a permit. Tell an auditor."
        )
    return release


def check_answers(
    release: CheckedRelease,
    record: ReleaseDecided,
    request: Signed[Request],
    contributor_keys: dict[bytes, bytes],
    documents: Sequence[str],
) -> CheckedRelease:
    """f. Each release that the broker counts is signed by the series' contributor, for this request and permit.

    Args:
        contributor_keys: by series_id, the key of its contributor as this holder pinned it."""
    given = {each.series_id for each in release.facts.answers if each.answer is ContributorAnswer.GIVEN}
    signed = set()
    for document in documents:
        for series_id in given & contributor_keys.keys():
            try:
                said = verify(ContributorRelease, document, contributor_keys[series_id]).payload
            except VerificationFailed:
                continue  # another series' contributor
            named = (said.series_id, said.permit_id, said.request_digest, said.released)
            if named == (series_id, record.permit_id, request.digest, True):
                signed.add(series_id)
    if given - signed:
        raise VerificationFailed("The broker counts a release that no contributor signed. Tell an auditor.")
    return release


def check_release_facts(permit: CheckedPermit, own: OwnKnowledge, release: CheckedRelease) -> CheckedRelease:
    """g. The release was decided on what this holder itself knows, at the time the permit begins."""
    facts = release.facts
    if facts.now != permit.terms.not_before_at or facts.admitted.now > facts.now:
        raise VerificationFailed("The release was decided at another time than the permit is for.")
    own.check(facts.admitted, facts.now)
    return release


def check_release_time(
    own: OwnKnowledge, release: CheckedRelease, rules: RulesHere, series_id: bytes, now: int
) -> CheckedRelease:
    """h. At `now`, this holder's own time, the rules still let the series leave."""
    facts = release.facts
    # The admission keeps its own time; what people and findings come to is as of now. At this tier each series is
    # decided by itself, so the one that is asked will do.
    asked = tuple(each for each in facts.admitted.series if each.series_id == series_id)
    admitted = own.at(facts.admitted, now).model_copy(update={"now": facts.admitted.now, "series": asked})
    facts = facts.model_copy(update={"now": now, "admitted": admitted})
    for bundle in rules.all:
        if series_id not in decide.decide_release(bundle, facts, Tier.PAYLOAD).admitted_series:
            raise no_more(release.decision, bundle)
    return release
