"""What a key holder itself knows of a request, held against the facts a broker decided on.

Rule (DESIGN 2.5): claims come from the signed request, findings, approvals and earlier steps from their signed
documents, parties from the pinned roster, conditions from the accepted manifests, sizes from the request. A fact that
is otherwise is untrue, and nothing is evaluated on it. Of approvals a broker may know fewer, and of refusals more,
than this holder: that is only stricter. What the ledger says (`Derived`) is the broker's word, but for earlier steps,
and where this holder's own ledger is stricter (`own_ledger`).
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from broker.gate.facts import (
    AdmitFacts,
    Party,
    People,
    SeriesFacts,
    people_from,
    prior_facts,
    verified_from,
)
from broker.protocol.documents import Signed
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.parties import Member, Space
from broker.protocol.messages.requests import Finding, Request
from broker.protocol.papers import Approved, EarlierStep
from clients.keyholder.own_ledger import OwnLedger


@dataclass(frozen=True)
class Papers:
    """Evidence of the papers that came with a call: each signed by whom it names, over this very request."""

    findings: tuple[Signed[Finding], ...]
    approvals: tuple[Approved, ...]


@dataclass(frozen=True)
class Told:
    """What approvers told this holder themselves: who refused, and the approvals taken back (kid, digest)."""

    refusers: tuple[str, ...] = ()
    withdrawn: Collection[tuple[str, bytes]] = frozenset()


@dataclass(frozen=True)
class OwnKnowledge:
    """Everything this holder knows about one request; `series` is its own view of the decision's series."""

    space: Space
    request: Signed[Request]
    requester: Member
    papers: Papers
    told: Told
    earlier: EarlierStep | None
    series: tuple[SeriesFacts, ...] = field(repr=False)
    ledger: OwnLedger

    def people(self, at: int) -> People:
        """Who stands by the request at a time, as far as this holder knows."""
        return people_from(self.papers.approvals, self.told.refusers, self.told.withdrawn, at)

    def check(self, facts: AdmitFacts, at: int) -> None:
        """Hold the facts against what is known; findings and people count as of `at`, Unix seconds.

        Raises VerificationFailed naming the facts that are untrue, never their values."""
        asked = self.request.payload
        # A mapping and not AdmitFacts, which would not be made of a broker's contradictions.
        own: dict[str, object] = {
            "now": facts.now,
            "space_id": self.space.space_id,
            "request_digest": self.request.digest,
            "requester": Party.of(self.requester),
            "tier": asked.tier,
            "claims": asked.claims,
            "verified": verified_from([each.payload for each in self.papers.findings], at),
            "derived": facts.derived.model_copy(
                update={"count_cost_millis": self.space.count_epsilon_millis, **prior_facts(self.earlier)}
            ),
            "people": self._people(facts.people, at),
            "identifiers": sum(batch.identifiers for batch in asked.batches),
            "points": sum(batch.points for batch in asked.batches),
            "identifier_types": tuple(batch.identifier_type for batch in asked.batches),
            "series": self.series,
        }
        untrue = [name for name in AdmitFacts.model_fields if own[name] != getattr(facts, name)]
        if untrue:
            raise VerificationFailed(f"The broker decided on facts that are not so: {', '.join(untrue)}.")

    def at(self, facts: AdmitFacts, now: int) -> AdmitFacts:
        """The same facts at this holder's own time and by its own ledger: what ran out or was taken back since then
        counts no more, and what it evaluated itself counts whatever the broker says."""
        known = self.people(now)
        people = People(
            approvers=tuple(sorted(set(facts.people.approvers) & set(known.approvers))),
            reviewers=tuple(sorted(set(facts.people.reviewers) & set(known.reviewers))),
            refusers=tuple(sorted({*facts.people.refusers, *known.refusers})),
        )
        verified = verified_from([each.payload for each in self.papers.findings], now)
        derived = self.ledger.stricter(
            facts.derived, self.space.count_budget_millis, self.space.count_epsilon_millis
        )
        return facts.model_copy(
            update={"now": now, "verified": verified, "people": people, "derived": derived}
        )

    def _people(self, claimed: People, at: int) -> People | None:
        """The broker's people, if each approver and reviewer is one that this holder saw sign; else none."""
        known = people_from(self.papers.approvals, (), frozenset(), at)
        if set(claimed.approvers) <= set(known.approvers) and set(claimed.reviewers) <= set(known.reviewers):
            return claimed
        return None
