"""A broker with a space, four companies that deposited, and a police unit that may ask: what exchange tests begin with.

Everything is the real thing but the sockets: steps are called as the API calls them, on a SQLite file, with a clock
that stands still until a test moves it. Tokens are drawn and not masked, since the broker cannot tell.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker import declarations, deposits, exchange, registry, series, startup
from broker.context import Broker, BrokerKeys, Clock
from broker.gate.bundle import Bundle, load
from broker.protocol import group, sealing, shares, wrapping
from broker.protocol.documents import Signed, key_identifier, public_bytes, sign, verify
from broker.protocol.merkle import leaf_hash, root_of
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.deposits import DepositDeclaration, Record, SelfTest, encode_batch
from broker.protocol.messages.parties import Enrolment, Holder, Member, Reviewer, Space
from broker.protocol.messages.requests import (
    Admission,
    Batch,
    Claims,
    Disclosure,
    Finding,
    Permit,
    Request,
    RequestSubmission,
    TokenList,
    TokenSubmission,
)
from broker.protocol.messages.series import Acceptance, Conditions, SeriesManifest, SeriesOpening, key_digest
from broker.protocol.messages.vocabulary import AgencyKind, Purpose, Role, Tier
from broker.registry import Caller
from broker.settings import Settings
from tests import rules
from tests.messages_examples import CLAIMS, CONDITIONS, NOW

ORIGIN = "http://broker.example.org:8000"
LOG_ORIGIN = "broker.example.org/log"
COMPANIES = ("company-1", "company-2", "company-3", "company-4")
POLICE = ("unit-1", "unit-2")
HOLDERS = ("holder-1", "holder-2", "holder-3")
SHARED = {"lawful_ground": "legal_obligation", "transfer_ground": "within_union"}
"""What company-1's conditions need so that the rules let the police read them."""
SEALED_BYTES = sealing.sealed_bytes(512)


def key_of(party: str) -> Ed25519PrivateKey:
    """A party's signing key, the same each time."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(party.encode()).digest())


def named(word: str, length: int) -> bytes:
    """A name of its length, the same each time."""
    return hashlib.sha256(word.encode()).digest()[:length]


def token(index: int) -> bytes:
    """The token of an identifier; the same in each deposit, which the broker cannot know."""
    return named(f"token {index}", 16)


class Randomness:
    """Bytes that look random and are the same each time; can be made to fail at the n-th draw from now."""

    def __init__(self) -> None:
        self.drawn = 0
        self.fail_after: int | None = None

    def __call__(self, size: int) -> bytes:
        if self.fail_after is not None:
            if self.fail_after == 0:
                raise OSError("no randomness")
            self.fail_after -= 1
        self.drawn += 1
        return hashlib.shake_256(self.drawn.to_bytes(8, "big")).digest(size)


@dataclass
class Story:
    """One broker and everybody's keys. `now` is the clock."""

    directory: Path
    bundle: Bundle
    now: int = NOW
    randomness: Randomness = field(default_factory=Randomness)
    wrapping_keys: dict[str, wrapping.WrappingKeyPair] = field(default_factory=dict)
    count_budget_millis: int = 10_000
    requests_made: int = 0
    database_url: str = ""
    """A file in `directory` if it is none."""
    first_rules: Path | None = None
    """What is put in force first, if it is not the project's own."""

    def __post_init__(self) -> None:
        for party in (*COMPANIES, *POLICE, *HOLDERS):
            self.wrapping_keys[party] = wrapping.generate_key_pair()
        self.start()
        for agency in (*COMPANIES, *POLICE):
            self._enrol(agency)
        self.space = self._found()

    # --- the broker ---
    def start(self) -> None:
        """Start the broker, or start it again after `stop`."""
        random_bytes: RandomBytes = self.randomness
        url = self.database_url or f"sqlite:///{self.directory / 'broker.db'}"
        self.broker: Broker = open_broker(url, self.bundle, lambda: self.now, random_bytes, self.first_rules)

    def stop(self) -> None:
        """Stop the broker."""
        startup.stop(self.broker)

    def change_rules(self, source: Path) -> None:
        """The operator puts rules in force that officers signed, and starts the broker again."""
        rules.activate_at_broker(self.broker, source)
        self.stop()
        self.bundle = load(source)
        self.start()

    def caller(self, party: str) -> Caller:
        """Who signed a call, as the API says it."""
        public = public_bytes(key_of(party))
        role = None if party == "operator" else Role.AGENCY
        return Caller(key_identifier(public), public, party, role)

    def _enrol(self, agency: str) -> None:
        enrolment = Enrolment(
            party_id=agency,
            name=agency,
            role=Role.AGENCY,
            kind=_kind(agency),
            jurisdiction=_jurisdiction(agency),
            signing_key=public_bytes(key_of(agency)),
            wrapping_key=self.wrapping_keys[agency].public,
            created_at=self.now,
        )
        registry.enrol(self.broker, sign(enrolment, key_of(agency)).document)
        registry.accept_enrolment(self.broker, self.caller("operator"), self.caller(agency).kid)

    def _found(self) -> Space:
        space = Space(
            space_id=named("space", 16),
            name="Example space",
            roster_version=1,
            members=tuple(self._member(agency) for agency in (*COMPANIES, *POLICE)),
            holders=tuple(
                Holder(
                    holder_id=holder,
                    name=holder,
                    x=x,
                    signing_key=public_bytes(key_of(holder)),
                    wrapping_key=self.wrapping_keys[holder].public,
                    origin=f"http://{holder}.example.org:8000",
                )
                for x, holder in enumerate(HOLDERS, 1)
            ),
            threshold=2,
            legal_desks=(
                Reviewer(party_id="desk-1", name="Legal desk", signing_key=public_bytes(key_of("desk-1"))),
            ),
            broker_origin=ORIGIN,
            broker_signing_key=self.broker.keys.signing_public,
            log_origin=LOG_ORIGIN,
            log_key=self.broker.keys.log_public,
            identifier_types=("email", "phone"),
            size_class=512,
            salt_id=named("salt", 32),
            bundle_digest=self.bundle.digest,
            trial=True,
            count_epsilon_millis=500,
            count_budget_millis=self.count_budget_millis,
            founded_at=self.now,
        )
        registry.found_space(
            self.broker, self.caller(COMPANIES[0]), sign(space, key_of(COMPANIES[0])).document
        )
        return space

    def _member(self, agency: str) -> Member:
        return Member(
            agency_id=agency,
            name=agency,
            kind=_kind(agency),
            jurisdiction=_jurisdiction(agency),
            mandates=(Purpose.INVESTIGATE_TRAFFICKER,) if agency in POLICE else (),
            signing_key=public_bytes(key_of(agency)),
            wrapping_key=self.wrapping_keys[agency].public,
        )

    # --- contributors ---
    def deposit(self, contributor: str, tokens: Iterable[bytes], **conditions: Any) -> bytes:
        """Open a series and serve one deposit of these tokens. Returns its deposit_id."""
        series_id = self._open_series(contributor, CONDITIONS.model_copy(update={**SHARED, **conditions}))
        deposit_id = named(f"deposit of {series_id.hex()}", 32)
        self_test = named(f"self-test of {series_id.hex()}", 16)
        records = [
            Record(each, 1, each * (SEALED_BYTES // 16) + bytes(SEALED_BYTES % 16))
            for each in sorted({*tokens, self_test})
        ]
        leaves = [sealing.record_leaf(each.token, each.sealed, each.record_version) for each in records]
        declaration = DepositDeclaration(
            deposit_id=deposit_id,
            series_id=series_id,
            space_id=self.space.space_id,
            contributor=contributor,
            salt_id=self.space.salt_id,
            size_class=512,
            records=len(records),
            root=root_of(leaf_hash(leaf) for leaf in leaves),
            self_test_token=self_test,
            period_from=self.now - 86_400,
            period_until=self.now,
            declared_at=self.now,
        )
        caller, key = self.caller(contributor), key_of(contributor)
        declarations.declare(self.broker, caller, sign(declaration, key).document)
        deposits.put_batch(self.broker, caller, deposit_id, 0, encode_batch(records))
        deposits.complete(self.broker, caller, deposit_id)
        sealed = next(each.sealed for each in records if each.token == self_test)
        test = SelfTest(
            series_id=series_id,
            deposit_id=deposit_id,
            quorum=(1, 2),
            sealed_digest=hashlib.sha256(sealed).digest(),
            tested_at=self.now,
        )
        deposits.serve(self.broker, caller, deposit_id, sign(test, key).document)
        return deposit_id

    def _open_series(self, contributor: str, conditions: Conditions) -> bytes:
        dealings = [
            shares.split(group.random_scalar(self.randomness), 2, 3, self.randomness) for _ in range(2)
        ]
        manifest = SeriesManifest(
            space_id=self.space.space_id,
            roster_version=1,
            contributor=contributor,
            identifier_type="phone",
            salt_id=self.space.salt_id,
            conditions=conditions,
            threshold=2,
            holders=HOLDERS,
            commitments_match=dealings[0].commitments,
            commitments_open=dealings[1].commitments,
            nonce=self.randomness(16),
        )
        signed = sign(manifest, key_of(contributor))
        series_id = signed.payload_digest
        digest = key_digest(series_id, 2, 3, manifest.commitments_match, manifest.commitments_open)
        acceptances = tuple(
            sign(
                Acceptance(
                    series_id=series_id, holder_id=holder, x=x, key_digest=digest, accepted_at=self.now
                ),
                key_of(holder),
            ).document
            for x, holder in enumerate(HOLDERS, 1)
        )
        opening = SeriesOpening(manifest=signed.document, acceptances=acceptances)
        series.open_series(self.broker, self.caller(contributor), opening)
        return series_id

    # --- the requester ---
    def request(
        self, identifiers: int = 20, tier: Tier = Tier.HITS, requester: str = "unit-1", **claims: Any
    ) -> Signed[Request]:
        """A signed request, new each time."""
        self.requests_made += 1
        request = Request(
            request_id=named(f"request {self.requests_made}", 16),
            space_id=self.space.space_id,
            roster_version=1,
            requester=requester,
            tier=tier,
            batches=(
                Batch(
                    identifier_type="phone",
                    identifiers=identifiers,
                    points=identifiers,
                    batch_root=named(f"points {self.requests_made}", 32),
                ),
            ),
            claims=self.claims.model_copy(update=claims),
            created_at=self.now,
        )
        return sign(request, key_of(requester))

    @property
    def claims(self) -> Claims:
        """What a requester with a good case states."""
        return CLAIMS

    def finding(self, request: Signed[Request], **found: Any) -> str:
        """What the legal desk found: all that was claimed, unless told otherwise."""
        claims = request.payload.claims
        finding = Finding(
            finding_id=named(f"finding {request.digest.hex()}", 16),
            space_id=self.space.space_id,
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
            found_at=self.now,
            expires_at=self.now + 30 * 86_400,
        )
        return sign(finding.model_copy(update=found), key_of("desk-1")).document

    def submission(self, request: Signed[Request]) -> RequestSubmission:
        """The request with a finding on all it claims."""
        return RequestSubmission(request=request.document, findings=(self.finding(request),))

    def file(self, request: Signed[Request]) -> Admission:
        """File a request with its finding."""
        return exchange.file_request(
            self.broker, self.caller(request.payload.requester), self.submission(request)
        )

    def permit(self, admission: Admission) -> Permit:
        """The permit of an admission, verified."""
        return verify(Permit, admission.permit, self.broker.keys.signing_public).payload

    def tokens(
        self,
        admission: Admission,
        asked: Iterable[bytes],
        special: Mapping[bytes, Iterable[bytes]] | None = None,
    ) -> TokenSubmission:
        """The same tokens for each deposit of the permit; others for those in `special`."""
        terms, everywhere = self.permit(admission).terms, list(asked)
        lists = tuple(
            TokenList(
                handle=opened.handle,
                deposit_id=deposit,
                tokens=b"".join(sorted((special or {}).get(deposit, everywhere))),
            )
            for opened in terms.series
            for deposit in opened.deposits
        )
        return TokenSubmission(permit_id=terms.permit_id, nonce=self.randomness(32), lists=lists)

    def answer(self, request: Signed[Request], submission: TokenSubmission) -> Disclosure:
        """Send tokens; the disclosure, verified."""
        caller = self.caller(request.payload.requester)
        answer = exchange.answer_tokens(self.broker, caller, request.payload.request_id, submission)
        return verify(Disclosure, answer.document or "", self.broker.keys.signing_public).payload


def open_broker(
    url: str, bundle: Bundle, clock: Clock, random_bytes: RandomBytes, first: Path | None = None
) -> Broker:
    """The story's broker on that database; in PostgreSQL there may be several of it."""
    operator = public_bytes(key_of("operator"))
    settings = Settings(
        public_origin=ORIGIN,
        database_url=url,
        log_origin=LOG_ORIGIN,
        operator_kid=key_identifier(operator),
        operator_key=operator.hex(),
        trial=True,
    )
    keys = BrokerKeys(key_of("broker"), key_of("log"), named("count key", 32))
    return replace(rules.start_broker(settings, keys, clock, random_bytes, first), bundle=bundle)


def _kind(agency: str) -> AgencyKind:
    return AgencyKind.POLICE if agency in POLICE else AgencyKind.COMPANY


def _jurisdiction(agency: str) -> str:
    return "NL" if agency in POLICE else "IE"
