"""The whole system in memory: broker, key holders, agencies, legal desk and auditor, on one clock that a test sets.

Rule: everything is the real thing but sockets, clock and randomness. Calls go by origin to the services' own
applications; `WorldTransport` keeps each of them, and a test may change one on its way or take a service down.
Randomness is seeded by each party's name, so that a story comes out the same every time.

Identifiers are canonical texts, `phone(7)` and `email(7)`, of ranges that nobody has. It judges nothing: tests do.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import update

from broker import startup
from broker.api.app import create_app as broker_app
from broker.context import Broker, BrokerKeys
from broker.gate.bundle import Bundle
from broker.gate.bundle import load as load_bundle
from broker.protocol.checkpoint import ED25519, VerifierKey
from broker.protocol.documents import Signed, key_identifier, public_bytes
from broker.protocol.errors import Unavailable
from broker.protocol.leaves import parse_leaf
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.envelopes import Nothing
from broker.protocol.messages.log import ReceiptMessage
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Claims, Request
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import AgencyKind, Capacity, Role, Tier
from broker.settings import Settings, WitnessAddress
from broker.store import ledger, tables
from broker.translog.cosigning import Answer as WitnessAnswer
from clients.agency import enrol
from clients.approver import ApprovingPerson
from clients.auditing.log_key_entries import earlier_rosters
from clients.auditor import Auditor
from clients.contributor import Contributor, DepositResult
from clients.deposit_changes.releasing import Releasing
from clients.founder import Founder, join
from clients.home import Home, Persona
from clients.keyholder import keys as holder_keys
from clients.keyholder import pinning
from clients.keyholder.api.app import create_app as holder_app
from clients.keyholder.context import KeyHolder, open_key_holder
from clients.legal_desk import LegalDesk
from clients.mirrors.watched_log import broker_log
from clients.replay import ReplayReport, replay_all
from clients.requester import PreparedRequest, Requester
from clients.requesting.ladder import Ladder
from clients.requesting.payloads import Payloads
from clients.requesting.request_values import Answer as Answered
from clients.space_plan import BrokerDescription, PlannedApprover, SpacePlan
from clients.transport import Answer, Caller, Unreachable
from clients.witness.cosigning import pin_log
from clients.witness.keys import Algorithm
from tests import gate_world, rules
from tests.asgi import Application, InMemoryClient
from tests.broker_case import key_of, seeded
from tests.witness_case import WitnessCase

NOW = gate_world.NOW
BROKER = "http://broker.example.org:8470"
LOG_ORIGIN = "broker.example.org/log"
WITNESSES = {number: f"https://witness-{number}.example.org:8475" for number in (1, 2, 3)}
HOLDERS = {x: f"http://holder-{x}.example.org:8480" for x in (1, 2, 3)}
"""Origins of the key holders, by their index in the roster."""
POLICIES = Path(__file__).parent.parent / "policies"
CONTRIBUTORS = ("company-1", "company-2", "ngo-1")
POLICE = "unit-1"
_AGENCIES = {
    "company-1": (AgencyKind.COMPANY, "IE"),
    "company-2": (AgencyKind.COMPANY, "NL"),
    "ngo-1": (AgencyKind.NGO, "DE"),
    POLICE: (AgencyKind.POLICE, "NL"),
}
APPROVERS: Mapping[str, tuple[Capacity, str | None]] = {
    "supervisor-1": (Capacity.SUPERVISOR, POLICE),
    "prosecutor-1": (Capacity.PROSECUTOR, None),
    "judge-1": (Capacity.JUDGE, None),
    "reviewer-1": (Capacity.INDEPENDENT_REVIEWER, None),
}
_GROUNDS = {AgencyKind.COMPANY: "legal_obligation", AgencyKind.NGO: "vital_interests"}
PLAINTEXT = b'{"signals":[],"v":1}'


def phone(number: int) -> str:
    """A canonical number of the range reserved for drama; numbers from 0 to 999."""
    return f"phone/1|+447700900{number:03d}"


def email(number: int) -> str:
    """A canonical address of a domain reserved for examples."""
    return f"email/1|person{number}@example.org"


@cache
def policies() -> Bundle:
    """The project's own rules, loaded once."""
    return load_bundle(POLICIES)


@dataclass(frozen=True)
class Call:
    """One call on its way."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def path(self) -> str:
        """The path without the query."""
        return urlsplit(self.url).path


@dataclass(frozen=True)
class Passed:
    """A call as it was delivered, and the answer as the service gave it."""

    call: Call
    answer: Answer


@dataclass
class Tampering:
    """A change to calls or answers that pass; `times` counts those it met."""

    origin: str
    path_prefix: str
    call: Callable[[Call], Call] | None = None
    answer: Callable[[Answer], Answer] | None = None
    times: int = 0

    def meets(self, call: Call) -> bool:
        """Whether this call is to be changed."""
        return call.origin == self.origin and call.path.startswith(self.path_prefix)


@dataclass
class WorldTransport:
    """Carries calls to the applications by origin, and keeps all of them."""

    apps: dict[str, InMemoryClient] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    """Origins that do not answer."""
    passed: list[Passed] = field(default_factory=list)
    tamperings: list[Tampering] = field(default_factory=list)

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Deliver one call, or what tampering made of it, and bring the answer back."""
        call = Call(method, url, headers, body)
        met = [each for each in self.tamperings if each.meets(call)]
        for each in met:
            each.times += 1
            call = each.call(call) if each.call else call
        answer = self.deliver(call)
        for each in met:
            answer = each.answer(answer) if each.answer else answer
        return answer

    def deliver(self, call: Call) -> Answer:
        """Deliver a call as it is: what somebody on the network can do with one it recorded."""
        if call.origin in self.down:
            raise Unreachable("The service did not answer.")
        answer = Answer(*self.apps[call.origin].send(call.method, call.url, call.headers, call.body))
        self.passed.append(Passed(call, answer))
        return answer

    def seen(self, origin: str, path_prefix: str = "/") -> list[Passed]:
        """The calls that were delivered there, in order."""
        return [
            each
            for each in self.passed
            if each.call.origin == origin and each.call.path.startswith(path_prefix)
        ]


OPEN: "list[World]" = []
"""The worlds that are open now."""


class World:
    """Everybody, in one folder. The space is founded, joined and pinned. Close it."""

    def __init__(
        self,
        folder: Path,
        database_url: str | None = None,
        witnesses: int = 0,
        quorum: int = 0,
        algorithm: Algorithm = Algorithm.ED25519,
        identifier_types: Sequence[str] = ("phone", "email"),
    ) -> None:
        """The broker's database is a file in `folder` unless a URL is given. Without a quorum it is a trial."""
        self.folder = folder
        self.now = NOW
        self.wire = WorldTransport()
        self.randomness: dict[str, RandomBytes] = {}
        self.algorithm = algorithm
        self.identifier_types = identifier_types
        self.bundle = policies()
        self.witnesses = {number: self._start_witness(number) for number in range(1, witnesses + 1)}
        self.bundles = {self.bundle.digest: self.bundle}
        self.settings = Settings(
            public_origin=BROKER,
            database_url=database_url or f"sqlite:///{folder / 'broker.sqlite3'}",
            log_origin=LOG_ORIGIN,
            operator_kid=key_identifier(public_bytes(key_of("operator"))),
            operator_key=public_bytes(key_of("operator")).hex(),
            trial=not quorum,
            witnesses=tuple(
                WitnessAddress(key=str(each.verifier_key), url=WITNESSES[number])
                for number, each in self.witnesses.items()
            ),
            witness_quorum=quorum,
        )
        self.broker_keys = BrokerKeys(key_of("broker"), key_of("log"), self.random("count")(32))
        self.broker = rules.start_broker(
            self.settings, self.broker_keys, self.clock, self.random("broker"), ask=self.ask_witness
        )
        self.run_broker(self.broker)
        self.holders = {x: self._start_holder(x) for x in HOLDERS}
        self.homes = {name: self._enrol(name) for name in _AGENCIES}
        self.homes["desk-1"] = self._home("desk-1", Role.LEGAL_DESK)
        self.homes["auditor-1"] = self._accept(self._home("auditor-1", Role.AUDITOR))
        for name in APPROVERS:
            self.homes[name] = self._accept(self._home(name, Role.APPROVER))
        self.signed_space = self._found()
        self.space = self.signed_space.payload
        OPEN.append(self)

    def close(self) -> None:
        """Stop the services."""
        OPEN.remove(self)
        startup.stop(self.broker)
        for witness in self.witnesses.values():
            witness.stop()
        for holder in self.holders.values():
            holder.close()

    def let_budgets_refill(self) -> None:
        """Let the broker's ledger say that whatever was asked in the last 30 days was asked 30 days before.

        Tests that share a world ask about the same few targets far more often than one agency may (L10a)."""
        month, charged = ledger.SHORT_DAYS * ledger.DAY_SECONDS, tables.ledger.c.charged_at
        with self.broker.database.write() as connection:
            connection.execute(
                update(tables.ledger).where(charged > self.now - month).values(charged_at=charged - month)
            )

    def clock(self) -> int:
        """The one clock of all parties: Unix seconds."""
        return self.now

    def random(self, party: str) -> RandomBytes:
        """A party's randomness, which goes on from where it was."""
        return self.randomness.setdefault(party, seeded(f"world {party}"))

    # --- the services ---

    def run_broker(self, broker: Broker) -> None:
        """Let this broker answer at the broker's address."""
        application: Application = broker_app(broker)
        self.wire.apps[BROKER] = InMemoryClient(application)

    def change_rules(self, source: Path) -> None:
        """The broker's operator and all key holders' put rules in force; the broker starts again."""
        rules.activate_at_broker(self.broker, source)
        startup.stop(self.broker)
        self.bundle = load_bundle(source)
        self.bundles[self.bundle.digest] = self.bundle
        self.broker = rules.start_broker(self.settings, self.broker_keys, self.clock, self.random("broker"))
        self.run_broker(self.broker)
        for holder in self.holders.values():
            rules.activate_at_holder(holder, source)

    def _start_holder(self, x: int) -> KeyHolder:
        directory, name = self.folder / f"holder-{x}", f"holder-{x}"
        persona = holder_keys.Persona(name, f"Holder {x}", "NL", HOLDERS[x])
        holder_keys.create_keys(directory, persona, now=NOW, random_bytes=self.random(name))
        holder = open_key_holder(directory, self.clock, self.random(name))
        self.wire.apps[HOLDERS[x]] = InMemoryClient(holder_app(holder))
        return holder

    def _start_witness(self, number: int) -> WitnessCase:
        name = f"witness-{number}.example.org"
        case = WitnessCase(self.folder / f"witness-{number}", name, self.now, self.algorithm)
        pin_log(case.witness, VerifierKey(LOG_ORIGIN, ED25519, public_bytes(key_of("log"))))
        self.wire.apps[WITNESSES[number]] = case.client
        return case

    def ask_witness(self, url: str, body: bytes) -> WitnessAnswer:
        """The broker's calls to witnesses go over the same wire as all others."""
        try:
            answer = self.wire.send("POST", url, {}, body)
        except Unreachable as error:
            raise Unavailable("could not be reached in time") from error
        return WitnessAnswer(answer.status, answer.header("content-type") or "", answer.body)

    def take_down(self, *origins: str) -> None:
        """These services answer no more."""
        self.wire.down.update(origins)

    def bring_up(self, *origins: str) -> None:
        """They answer again; all of them, if none is named."""
        self.wire.down.difference_update(origins or set(self.wire.down))

    @contextmanager
    def tamper(
        self,
        origin: str,
        path_prefix: str,
        *,
        call: Callable[[Call], Call] | None = None,
        answer: Callable[[Answer], Answer] | None = None,
    ) -> Iterator[Tampering]:
        """Inside the block, change what passes to and from that address."""
        tampering = Tampering(origin, path_prefix, call, answer)
        self.wire.tamperings.append(tampering)
        try:
            yield tampering
        finally:
            self.wire.tamperings.remove(tampering)

    def log_kinds(self) -> list[str]:
        """The kinds of the broker's log entries, in order."""
        with self.broker.database.read() as connection:
            page = self.broker.audit.leaf_page(connection, 0, 1000)
        return [parse_leaf(leaf).kind for leaf in page.leaves]

    def evaluations(self) -> dict[int, int]:
        """How many evaluations each key holder's own log shows."""
        found = {}
        for x, holder in self.holders.items():
            with holder.database.read() as connection:
                page = holder.log.leaf_page(connection, 0, 1000)
            found[x] = [parse_leaf(leaf).kind for leaf in page.leaves].count("EVALUATED")
        return found

    # --- parties ---

    def caller(self, name: str) -> Caller:
        """Calls signed by a party's key; nobody waits between attempts."""
        return self._caller(name, self.homes[name].signing_key)

    def _caller(self, name: str, key: Ed25519PrivateKey) -> Caller:
        return Caller(self.wire, key, self.clock, self.random(name), pause=lambda _: None)

    def _home(self, name: str, role: Role, kind: AgencyKind | None = None, place: str = "NL") -> Home:
        contact = f"{name}@example.org" if kind is not None else ""
        persona = Persona(name, name.replace("-", " ").capitalize(), role, place, kind, contact=contact)
        return Home.create(self.folder / name, persona, now=NOW, random_bytes=self.random(name))

    def _enrol(self, name: str) -> Home:
        kind, place = _AGENCIES[name]
        return self._accept(self._home(name, Role.AGENCY, kind, place))

    def _accept(self, home: Home) -> Home:
        kid = enrol(home, self._caller(home.party_id, home.signing_key), BROKER)
        operator = self._caller("operator", key_of("operator"))
        operator.post(f"{BROKER}/v1/operator/enrolments/{kid}/accept", Nothing(), ReceiptMessage)
        return home

    def newcomer(self, name: str, kind: AgencyKind, place: str = "NL") -> Home:
        """An agency that enrols, and is no member yet."""
        self.homes[name] = self._accept(self._home(name, Role.AGENCY, kind, place))
        return self.homes[name]

    def founder(self) -> Founder:
        """The acts of the space's founder."""
        name = "company-1"
        return Founder(self.homes[name], self.caller(name), self.clock, self.random(name))

    def take_over(self, signed: Signed[Space]) -> None:
        """Everybody whom a new roster names pins it from a file."""
        named = {member.agency_id for member in signed.payload.members} | {"desk-1", "auditor-1"}
        for name in sorted(named - {"company-1"}):
            join(self.homes[name], self.caller(name), signed.document, self.homes["company-1"].enrolment)
        for holder in self.holders.values():
            self.pin(holder, signed)
        self.signed_space, self.space = signed, signed.payload

    def pin(self, holder: KeyHolder, signed: Signed[Space]) -> None:
        """A key holder's operator pins the space from a file."""
        founder = self.homes["company-1"].enrolment
        pinning.pin_space(holder.database, holder.keys, signed.document, founder, self.now)

    def _found(self) -> Signed[Space]:
        founder = self.homes["company-1"]
        plan = SpacePlan(
            name="Example space",
            broker=BrokerDescription(
                origin=BROKER,
                signing_key=self.broker_keys.signing_public,
                log_origin=self.settings.log_origin,
                log_key=self.broker_keys.log_public,
                trial=self.settings.trial,
            ),
            witnesses=[each.key for each in self.settings.witnesses],
            witness_quorum=self.settings.witness_quorum,
            members=[self.homes[name].enrolment for name in _AGENCIES],
            holders=[(self.folder / f"holder-{x}" / "enrolment.jws").read_text() for x in HOLDERS],
            desks=[self.homes["desk-1"].enrolment],
            auditors=[self.homes["auditor-1"].enrolment],
            approvers=[
                PlannedApprover(self.homes[name].enrolment, capacity, agency)
                for name, (capacity, agency) in APPROVERS.items()
            ],
            threshold=2,
            identifier_types=self.identifier_types,
            bundle_digest=self.bundle.digest,
            size_class=512,
        )
        random_bytes = self.random("company-1")
        signed = Founder(founder, self.caller("company-1"), self.clock, random_bytes).found(plan)
        for name in (*CONTRIBUTORS[1:], POLICE, "desk-1", "auditor-1", *APPROVERS):
            join(self.homes[name], self.caller(name), signed.document, founder.enrolment)
        for holder in self.holders.values():
            self.pin(holder, signed)
            rules.activate_at_holder(holder)
        return signed

    # --- contributors ---

    def contributor(self, name: str) -> Contributor:
        """The acts of a contributor."""
        return Contributor(self.homes[name], self.caller(name), self.clock, self.random(name))

    def conditions(self, name: str, **changes: Any) -> Conditions:
        """A contributor's usual conditions: the police may ask, up to hits."""
        identity = self.homes[name].identity
        kind, place = identity.kind or AgencyKind.COMPANY, identity.jurisdiction
        usual = {
            "contributor_kind": kind,
            "established_in": place,
            "lawful_ground": _GROUNDS.get(kind, "public_task"),
            "permitted_jurisdictions": ("NL", "IE", "DE"),
            "highest_tier": Tier.HITS,
        }
        return gate_world.conditions(**usual | changes)

    def deposit(
        self,
        name: str,
        phones: Iterable[int] = (),
        emails: Iterable[int] = (),
        **conditions: Any,
    ) -> list[DepositResult]:
        """A contributor deposits these identifiers; it opens the series it lacks. One result a type."""
        contributor, agreed = self.contributor(name), self.conditions(name, **conditions)
        results = []
        for kind, texts in (("phone", list(map(phone, phones))), ("email", list(map(email, emails)))):
            if texts:
                series = contributor.find_series(self.space, kind, agreed)
                series = series or contributor.open_series(self.space, kind, agreed)
                results.append(contributor.deposit(series, [(text, PLAINTEXT) for text in texts]))
        return results

    # --- requests ---

    def requester(self, name: str = POLICE) -> Requester:
        """The acts of a requester."""
        return Requester(self.homes[name], self.space, self.caller(name), self.clock, self.random(name))

    def prepare(
        self, identifiers: Iterable[str], tier: Tier = Tier.HITS, requester: str = POLICE, **claims: Any
    ) -> PreparedRequest:
        """A request about canonical texts, signed and not yet sent; `claims` are changes to a good case's."""
        grouped = itertools.groupby(sorted(identifiers), key=lambda text: text.partition("/")[0])
        asked = {kind: list(texts) for kind, texts in grouped}
        stated: Claims = gate_world.claims(**claims)
        return self.requester(requester).prepare(asked, stated, tier)

    def finding(self, prepared: PreparedRequest, **answers: Any) -> str:
        """The legal desk's finding: all that was claimed, but for `answers`."""
        return self.finding_on(prepared.request, **answers)

    def ask(
        self,
        identifiers: Iterable[str],
        tier: Tier = Tier.HITS,
        requester: str = POLICE,
        answers: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> Answered:
        """One request from papers to answer. Raises what the requester's client raises."""
        prepared = self.prepare(identifiers, tier, requester, **claims)
        finding = self.finding(prepared, **answers or {})
        return self.requester(requester).run(prepared.request_id, [finding])

    # --- the ladder ---

    def approver(self, name: str) -> ApprovingPerson:
        """The acts of a person who approves."""
        return ApprovingPerson(self.homes[name], self.space, self.caller(name), self.clock, self.random(name))

    def ladder(self, requester: str = POLICE) -> Ladder:
        """The steps of a requester from one tier to the next."""
        return Ladder(self.homes[requester], self.space, self.clock, self.random(requester))

    def payloads(self, requester: str = POLICE) -> Payloads:
        """The opening of what was released to a requester."""
        return Payloads(self.homes[requester], self.space, self.caller(requester), self.clock)

    def releasing(self, contributor: str) -> Releasing:
        """A contributor's say over its own records."""
        return Releasing(self.homes[contributor], self.space, self.caller(contributor), self.clock)

    def finding_on(self, request: Signed[Request], **answers: Any) -> str:
        """The legal desk's finding on any request: all that was claimed, but for `answers`."""
        desk = LegalDesk(self.homes["desk-1"], self.space, self.clock, self.random("desk-1"))
        found = desk.template(request.payload).model_copy(update=answers)
        return desk.find(request.document, found).document

    def approvals(self, request: Signed[Request], finding: str, *names: str) -> list[str]:
        """What these persons sign about a request with its finding."""
        people = [self.approver(name) for name in names]
        return [person.approve(person.read(request.document, [finding])).document for person in people]

    def climb(
        self,
        request_id: bytes,
        identifiers: Iterable[str] | None = None,
        by: Iterable[str] = ("supervisor-1", "prosecutor-1"),
        requester: str = POLICE,
        answers: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> Answered:
        """From an answered request to the next tier: confirmed, approved, filed and answered."""
        request = self.climb_prepared(request_id, identifiers, requester, **claims)
        finding = self.finding_on(request, **answers or {})
        approvals = self.approvals(request, finding, *by)
        return self.requester(requester).run(request.payload.request_id, [finding], approvals)

    def climb_prepared(
        self,
        request_id: bytes,
        identifiers: Iterable[str] | None = None,
        requester: str = POLICE,
        **claims: Any,
    ) -> Signed[Request]:
        """The next tier's request, confirmed and signed, not yet filed."""
        wanted = None if identifiers is None else list(identifiers)
        self.ladder(requester).confirm(request_id, "officer-1", wanted)
        return self.ladder(requester).climb(request_id, gate_world.claims(**claims), wanted)

    # --- the auditor ---

    def auditor(self) -> Auditor:
        """The acts of the auditor."""
        home = self.homes["auditor-1"]
        return Auditor(
            home.vault,
            broker_log(self.space, earlier_rosters(home, self.space)),
            self.caller("auditor-1"),
            self.clock,
        )

    def replay(self) -> ReplayReport:
        """The auditor mirrors and verifies the log, and takes every decision again."""
        auditor = self.auditor()
        auditor.verify()
        return replay_all(self.bundles, auditor.decisions())
