"""A small collaboration around real key holders: contributors, a requester, a legal desk, and a broker that may lie.

Shares, documents, the broker's log and the holders' databases are real; only the broker is played, so
that a test can have it lie where the real one would not. The clock is fixed and moved by hand.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.gate.bundle import Bundle, load
from broker.gate.decide import decide_admission
from broker.gate.facts import AdmitFacts, Derived, Party, SeriesFacts, verified_from
from broker.protocol import group, oprf, shares, wrapping
from broker.protocol.documents import Signed, key_identifier, public_bytes, sign, verify
from broker.protocol.messages.base import encode
from broker.protocol.messages.log import LogProof
from broker.protocol.messages.parties import Enrolment, Holder, Member, Reviewer, Space
from broker.protocol.messages.requests import (
    AdmissionRecord,
    Batch,
    Finding,
    Permit,
    PermitTerms,
    Request,
    batch_root,
)
from broker.protocol.messages.series import (
    PrekeyPack,
    SeriesManifest,
    ShareDelivery,
    Withdrawal,
)
from broker.protocol.messages.vocabulary import AgencyKind, Purpose, RecordKind, Role, Tier
from broker.translog.cosigning import Ask
from clients.keyholder.acceptance import accept_shares
from clients.keyholder.context import Caller, KeyHolder, open_key_holder
from clients.keyholder.keys import HolderKeys, Persona, create_keys
from clients.keyholder.pinning import pin_space
from clients.keyholder.prekeys import issue_pack
from tests import rules
from tests.keyholder_papers import (
    COMPANIES,
    HOLDER_IDS,
    NOW,
    POLICE,
    POLICIES,
    SALT,
    BrokerLog,
    Deal,
    FactsChange,
    Filed,
    HandClock,
    conditions,
    permit_series,
)
from tests.messages_examples import CLAIMS

__all__ = [
    "COMPANIES",
    "HOLDER_IDS",
    "NOW",
    "POLICE",
    "POLICIES",
    "SALT",
    "BrokerLog",
    "Deal",
    "FactsChange",
    "Filed",
    "HandClock",
    "World",
    "conditions",
    "permit_series",
]


@cache
def _bundle() -> Bundle:
    return load(POLICIES)


class World:
    """Everybody, with real keys. Holders are opened on demand, each in a folder of its own."""

    def __init__(self, directory: Path, holders: Sequence[str] = HOLDER_IDS[:1]) -> None:
        self.directory, self.clock, self.random_bytes = directory, HandClock(), os.urandom
        self.keys = {
            name: Ed25519PrivateKey.generate()
            for name in (*COMPANIES, POLICE, "desk-1", "auditor-1", "broker", "log")
        }
        self.bundle = _bundle()
        self.holder_keys = {name: self._make_holder(name) for name in HOLDER_IDS}
        self.space = self.sign_space()
        self.log = BrokerLog(self.keys["log"])
        self.holders: dict[str, KeyHolder] = {}
        for name in holders:
            self.start(name)

    def _make_holder(self, name: str) -> HolderKeys:
        persona = Persona(name, name, "NL", f"http://{name}.example.org:8000")
        return create_keys(self.directory / name, persona, now=NOW, random_bytes=os.urandom)

    # --- documents ---

    def member(self, name: str, **changes: object) -> Member:
        police = name == POLICE
        member = Member(
            agency_id=name,
            name=name,
            kind=AgencyKind.POLICE if police else AgencyKind.COMPANY,
            jurisdiction="NL" if police else "IE",
            mandates=(Purpose.INVESTIGATE_TRAFFICKER, Purpose.IDENTIFY_VICTIM),
            signing_key=public_bytes(self.keys[name]),
            wrapping_key=b"wrapping key",
        )
        return member.model_copy(update=changes)

    def space_value(self, **changes: object) -> Space:
        holders = tuple(
            Holder(
                holder_id=name,
                name=name,
                x=x,
                signing_key=keys.signing_public,
                wrapping_key=keys.wrapping.public,
                origin=keys.origin,
            )
            for x, (name, keys) in enumerate(self.holder_keys.items(), 1)
        )
        space = Space(
            space_id=bytes(range(16)),
            name="Example space",
            roster_version=1,
            members=tuple(self.member(name) for name in (*COMPANIES, POLICE)),
            holders=holders,
            threshold=2,
            legal_desks=(
                Reviewer(party_id="desk-1", name="Legal desk", signing_key=public_bytes(self.keys["desk-1"])),
            ),
            auditors=(
                Reviewer(
                    party_id="auditor-1", name="Auditor", signing_key=public_bytes(self.keys["auditor-1"])
                ),
            ),
            broker_origin="http://broker.example.org:8000",
            broker_signing_key=public_bytes(self.keys["broker"]),
            log_origin="broker.example.org/log",
            log_key=public_bytes(self.keys["log"]),
            identifier_types=("email", "phone"),
            size_class=512,
            salt_id=SALT,
            bundle_digest=self.bundle.digest,
            trial=True,
            count_epsilon_millis=500,
            count_budget_millis=10_000,
            founded_at=NOW,
        )
        return space.model_copy(update=changes)

    def sign_space(self, founder: str = COMPANIES[0], **changes: object) -> Signed[Space]:
        return sign(self.space_value(**changes), self.keys[founder])

    def enrolment(self, name: str = COMPANIES[0]) -> str:
        enrolment = Enrolment(
            party_id=name,
            name=name,
            role=Role.AGENCY,
            kind=AgencyKind.COMPANY,
            jurisdiction="IE",
            signing_key=public_bytes(self.keys[name]),
            wrapping_key=b"wrapping key",
            created_at=NOW,
        )
        return sign(enrolment, self.keys[name]).document

    def caller(self, name: str) -> Caller:
        key = public_bytes(self.keys[name])
        return Caller(key_identifier(key), key)

    # --- holders ---

    def start(self, name: str, ask: Ask | None = None) -> KeyHolder:
        """Open a holder's folder as its service does; `ask` carries calls to the witnesses chosen there."""
        folder = self.directory / name
        holder = open_key_holder(folder, self.clock, lambda size: self.random_bytes(size), ask=ask)
        try:
            holder.witnesses.start()
        except BaseException:
            holder.close()
            raise
        self.holders[name] = holder
        pin_space(holder.database, holder.keys, self.space.document, self.enrolment(), NOW)
        rules.activate_at_holder(holder)
        return holder

    @property
    def holder(self) -> KeyHolder:
        """The first holder."""
        return self.holders[HOLDER_IDS[0]]

    def close(self) -> None:
        for holder in self.holders.values():
            holder.close()

    # --- series ---

    def deal(
        self,
        contributor: str = COMPANIES[0],
        *,
        changes: Mapping[str, object] | None = None,
        signer: str | None = None,
    ) -> Deal:
        """Fresh keys under a manifest with these changes, that its contributor signs, or `signer`."""
        k_match, k_open = group.random_scalar(os.urandom), group.random_scalar(os.urandom)
        match, opened = (shares.split(key, 2, 3, os.urandom) for key in (k_match, k_open))
        manifest = SeriesManifest(
            space_id=self.space.payload.space_id,
            roster_version=1,
            contributor=contributor,
            identifier_type="phone",
            salt_id=SALT,
            conditions=conditions(),
            threshold=2,
            holders=HOLDER_IDS,
            commitments_match=match.commitments,
            commitments_open=opened.commitments,
            nonce=os.urandom(16),
        ).model_copy(update=dict(changes or {}))
        return Deal(sign(manifest, self.keys[signer or contributor]), match, opened, k_match)

    def delivery(self, holder: KeyHolder, deal: Deal, values: bytes | None = None) -> ShareDelivery:
        """Both shares wrapped to a fresh prekey; `values` in place of the right ones."""
        x = deal.manifest.holders.index(holder.keys.holder_id) + 1
        pack = verify(PrekeyPack, issue_pack(holder), holder.keys.signing_public).payload
        prekey = pack.prekeys[0]
        right = deal.match.shares[x - 1].value + deal.open.shares[x - 1].value
        info = wrapping.share_info(deal.series_id, holder.keys.holder_id, x)
        wrapped = wrapping.wrap(prekey.public_key, right if values is None else values, info)
        return ShareDelivery(manifest=deal.signed.document, prekey_id=prekey.prekey_id, wrapped=wrapped)

    def deliver(self, deal: Deal) -> None:
        """Every open holder accepts its shares."""
        for holder in self.holders.values():
            accept_shares(holder, self.caller(deal.manifest.contributor), self.delivery(holder, deal))

    def deal_all(self) -> tuple[Deal, ...]:
        """One series of each company, accepted by every open holder."""
        deals = tuple(self.deal(name) for name in COMPANIES)
        for each in deals:
            self.deliver(each)
        return deals

    def withdrawal(self, deal: Deal, signer: str | None = None) -> str:
        withdrawal = Withdrawal(series_id=deal.series_id, reason="Example", withdrawn_at=NOW)
        return sign(withdrawal, self.keys[signer or deal.manifest.contributor]).document

    # --- requests ---

    def admit(
        self,
        deals: Sequence[Deal],
        *,
        inputs: Sequence[bytes] = (b"first", b"second"),
        points: Sequence[bytes] | None = None,
        finding: Mapping[str, object] | None = None,
        desk: str = "desk-1",
        change_facts: FactsChange = lambda facts: facts,
        change_terms: Mapping[str, object] | None = None,
        change_text: Callable[[str], str] = lambda text: text,
        kind: RecordKind = RecordKind.ADMITTED,
    ) -> Filed:
        """An admission as the real broker would make it, or with one lie."""
        blinded = tuple(points or (oprf.blind(each, os.urandom).blinded_element for each in inputs))
        batch = Batch(
            identifier_type="phone",
            identifiers=len(blinded),
            points=len(blinded),
            batch_root=batch_root(blinded),
        )
        request = sign(
            Request(
                request_id=os.urandom(16),
                space_id=self.space.payload.space_id,
                roster_version=1,
                requester=POLICE,
                tier=Tier.HITS,
                batches=(batch,),
                claims=CLAIMS,
                created_at=self.clock(),
            ),
            self.keys[POLICE],
        )
        found = sign(self._finding(request, finding or {}), self.keys[desk])
        facts = change_facts(self._facts(request, found.payload, deals))
        decision = decide_admission(self.bundle, facts)
        text = change_text(decision.text)
        terms = self._terms(request, deals, text).model_copy(update=dict(change_terms or {}))
        record, salt = encode(AdmissionRecord(terms=terms, decision=text)), os.urandom(32)
        permit = Permit(terms=terms, proof=self.log.append(record, salt, kind.value))
        signed = sign(permit, self.keys["broker"])
        return Filed(signed, request, (found.document,), record, salt, blinded)

    def with_proof(self, filed: Filed, proof: LogProof) -> Filed:
        """The same terms with another proof of the same entry."""
        permit = Permit(terms=filed.terms, proof=proof)
        return replace(filed, permit=sign(permit, self.keys["broker"]))

    def _finding(self, request: Signed[Request], changes: Mapping[str, object]) -> Finding:
        claims = request.payload.claims
        finding = Finding(
            finding_id=os.urandom(16),
            space_id=request.payload.space_id,
            request_digest=request.digest,
            desk="desk-1",
            basis=claims.basis,
            basis_authentic=True,
            offence=claims.offence,
            maximum_penalty_months=claims.maximum_penalty_months,
            purpose=claims.purpose,
            subjects=claims.subjects,
            dual_criminality=True,
            threat_to_life=False,
            necessity_shown=True,
            less_intrusive_means_considered=True,
            found_at=self.clock(),
            expires_at=self.clock() + 7 * 86_400,
        )
        return finding.model_copy(update=dict(changes))

    def _facts(self, request: Signed[Request], finding: Finding, deals: Sequence[Deal]) -> AdmitFacts:
        asked = request.payload
        return AdmitFacts(
            now=self.clock(),
            space_id=asked.space_id,
            request_digest=request.digest,
            requester=Party.of(self.member(POLICE)),
            tier=asked.tier,
            claims=asked.claims,
            verified=verified_from([finding], self.clock()),
            derived=Derived(
                identifiers_30d=0,
                queries_90d=0,
                hits_90d=0,
                count_budget_left_millis=10_000,
                count_cost_millis=500,
            ),
            identifiers=sum(batch.identifiers for batch in asked.batches),
            points=sum(batch.points for batch in asked.batches),
            identifier_types=tuple(batch.identifier_type for batch in asked.batches),
            series=tuple(self._series_facts(deal) for deal in deals),
        )

    def _series_facts(self, deal: Deal) -> SeriesFacts:
        return SeriesFacts(
            series_id=deal.series_id,
            contributor=Party.of(self.member(deal.manifest.contributor)),
            identifier_type=deal.manifest.identifier_type,
            conditions=deal.manifest.conditions,
        )

    def _terms(self, request: Signed[Request], deals: Sequence[Deal], text: str) -> PermitTerms:
        asked = request.payload
        return PermitTerms(
            permit_id=os.urandom(16),
            space_id=asked.space_id,
            roster_version=asked.roster_version,
            requester=asked.requester,
            request_digest=request.digest,
            tier=asked.tier,
            batches=asked.batches,
            series=tuple(permit_series(deal) for deal in deals),
            decision_digest=hashlib.sha256(text.encode()).digest(),
            bundle_digest=self.bundle.digest,
            not_before_at=self.clock(),
            expires_at=self.clock() + 86_400,
            trial=True,
        )
