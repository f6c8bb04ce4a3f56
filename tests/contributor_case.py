"""A real broker, three real key holders and two agencies' homes in one process, for founder and contributor.

Calls go to the services' own applications without a socket; clocks stand still. `Wire.cut` makes a call fail on its way
there or on its way back, as a killed process or a broken line would.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker import startup
from broker.api.app import create_app as broker_app
from broker.context import Broker, BrokerKeys
from broker.gate.bundle import load as load_bundle
from broker.protocol.documents import Signed, key_identifier, public_bytes
from broker.protocol.messages.envelopes import Nothing
from broker.protocol.messages.log import ReceiptMessage
from broker.protocol.messages.parties import Space
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import (
    AgencyKind,
    Collection,
    Consent,
    Offence,
    PayloadCategory,
    Purpose,
    Role,
    Subject,
    Tier,
)
from broker.settings import Settings
from broker.store import deposits as broker_rows
from clients.agency import enrol
from clients.contributor import Contributor
from clients.depositing.deposit_folder import all_deposits
from clients.founder import Founder, join
from clients.home import Home, Persona
from clients.keyholder import keys as holder_keys
from clients.keyholder import pinning
from clients.keyholder.api.app import create_app as holder_app
from clients.keyholder.context import KeyHolder, open_key_holder
from clients.space_plan import BrokerDescription, SpacePlan
from clients.transport import Answer, Caller, Unreachable
from tests import rules
from tests.asgi import InMemoryClient

NOW = 1_790_000_000
DAY_SECONDS = 86_400
BROKER = "http://broker.example.org:8470"
POLICIES = Path(__file__).parent.parent / "policies"

CONDITIONS = Conditions(
    contributor_kind=AgencyKind.COMPANY,
    established_in="IE",
    lawful_ground="legitimate_interests",
    collection=Collection.OWN_DETECTION,
    inclusion_criterion="Account closed for advertising another person",
    reviewed_by_person=True,
    subject=Subject.SUSPECT,
    consent=Consent.NOT_RELIED_ON,
    special_category=False,
    payload_category=PayloadCategory.NONE,
    confidence_percent=80,
    permitted_readers=(AgencyKind.COMPANY,),
    permitted_purposes=(Purpose.DISRUPT_ADVERT,),
    permitted_jurisdictions=("IE", "NL"),
    permitted_offences=(Offence.TRAFFICKING_ADULT,),
    highest_tier=Tier.HITS,
    transfer_ground="none_needed",
    retain_until=NOW + 80 * DAY_SECONDS,
    notice_duty=False,
    releases_each_payload=False,
)


class Killed(BaseException):
    """The process ends here, as by SIGKILL: nothing of it may be caught."""


@dataclass
class Wire:
    """Carries calls to the applications, by origin."""

    apps: dict[str, InMemoryClient] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    """Origins that do not answer."""
    calls: list[str] = field(default_factory=list)
    cut: Callable[[int, str], None] | None = None
    """Called with the call's number and `before` or `after`; may raise."""

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Deliver one call."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        number = len(self.calls)
        self.calls.append(f"{method} {parts.path}")
        if origin in self.down:
            raise Unreachable("The service did not answer.")
        self._maybe_cut(number, "before")
        answer = Answer(*self.apps[origin].send(method, url, headers, body))
        self._maybe_cut(number, "after")
        return answer

    def _maybe_cut(self, number: int, moment: str) -> None:
        if self.cut is not None:
            self.cut(number, moment)


class ContributorCase:
    """The services, and the homes of a company that founds the space and of another member. Close it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOW
        self.wire = Wire()
        self.operator = Ed25519PrivateKey.generate()
        self.broker_keys = BrokerKeys(Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate(), bytes(32))
        self.settings = Settings(
            public_origin=BROKER,
            database_url=f"sqlite:///{folder / 'broker.sqlite3'}",
            log_origin="broker.example.org/log",
            operator_kid=key_identifier(public_bytes(self.operator)),
            operator_key=public_bytes(self.operator).hex(),
            trial=True,
        )
        self.bundle = load_bundle(POLICIES)
        self.broker = self.start_broker()
        self.holders = [self._holder(x) for x in (1, 2, 3)]
        self.company = self.agency("adverts-company", AgencyKind.COMPANY)
        self.partner = self.agency("payments-company", AgencyKind.COMPANY)
        self.desk = self.home("legal-desk", Role.LEGAL_DESK, None)
        self.description = BrokerDescription(
            origin=BROKER,
            signing_key=self.broker_keys.signing_public,
            log_origin=self.settings.log_origin,
            log_key=self.broker_keys.log_public,
            trial=True,
        )

    def clock(self) -> int:
        """The one clock of all parties."""
        return self.now

    def start_broker(self) -> Broker:
        """Start the broker by the rules in force, and let it answer."""
        broker = rules.start_broker(self.settings, self.broker_keys, self.clock, os.urandom)
        self.wire.apps[BROKER] = InMemoryClient(broker_app(broker))
        return broker

    def restart_broker(self) -> None:
        """Stop the broker and start it again."""
        startup.stop(self.broker)
        self.broker = self.start_broker()

    def close(self) -> None:
        """Stop the services."""
        startup.stop(self.broker)
        for holder in self.holders:
            holder.close()

    # --- parties ---

    def home(self, name: str, role: Role, kind: AgencyKind | None) -> Home:
        """A party's fresh home."""
        persona = Persona(name, name.replace("-", " ").capitalize(), role, "IE", kind)
        return Home.create(self.folder / name, persona, now=NOW, random_bytes=os.urandom)

    def agency(self, name: str, kind: AgencyKind) -> Home:
        """An agency whose enrolment the operator accepted."""
        home = self.home(name, Role.AGENCY, kind)
        kid = enrol(home, self.caller(home), BROKER)
        operator = Caller(self.wire, self.operator, self.clock, os.urandom, pause=lambda _: None)
        operator.post(f"{BROKER}/v1/operator/enrolments/{kid}/accept", Nothing(), ReceiptMessage)
        return home

    def caller(self, home: Home) -> Caller:
        """Calls signed by a home's key; nobody waits between attempts."""
        return Caller(self.wire, home.signing_key, self.clock, os.urandom, pause=lambda _: None)

    def founder(self, home: Home) -> Founder:
        """The acts of a founder."""
        return Founder(home, self.caller(home), self.clock, os.urandom)

    def contributor(self, home: Home | None = None) -> Contributor:
        """The acts of a contributor, in a process that has just started: its home is opened anew."""
        opened = Home.open((home or self.company).vault.directory, os.urandom)
        return Contributor(opened, self.caller(opened), self.clock, os.urandom)

    def stored(self) -> dict[bytes, int]:
        """How many records lie at the broker of each serving deposit of the company, without the test record."""
        found = {}
        with self.broker.database.read() as connection:
            for deposit in all_deposits(Home.open(self.company.vault.directory, os.urandom)):
                row = broker_rows.find(connection, deposit.deposit_id)
                if row is not None and row.state == "serving":
                    records = broker_rows.all_records(connection, row.deposit_number)
                    found[deposit.deposit_id] = sum(1 for _ in records) - 1
        return found

    def _holder(self, x: int) -> KeyHolder:
        directory = self.folder / f"holder-{x}"
        origin = f"http://holder{x}.example.org:8480"
        persona = holder_keys.Persona(f"holder-{x}", f"Holder {x}", "NL", origin)
        holder_keys.create_keys(directory, persona, now=NOW, random_bytes=os.urandom)
        holder = open_key_holder(directory, self.clock, os.urandom)
        self.wire.apps[origin] = InMemoryClient(holder_app(holder))
        return holder

    # --- the space ---

    def plan(self, **changes: object) -> SpacePlan:
        """What the founder decides."""
        plan: dict[str, object] = {
            "name": "Example space",
            "broker": self.description,
            "members": [self.company.enrolment, self.partner.enrolment],
            "holders": [(self.folder / f"holder-{x}" / "enrolment.jws").read_text() for x in (1, 2, 3)],
            "desks": [self.desk.enrolment],
            "auditors": [],
            "threshold": 2,
            "identifier_types": ["phone", "email"],
            "bundle_digest": self.bundle.digest,
            "size_class": 512,
        }
        return SpacePlan(**{**plan, **changes})  # type: ignore[arg-type]  # a test may plan what no founder should

    def found(self, **changes: object) -> Signed[Space]:
        """Found the space, as planned but for `changes`; the partner joins, and the holders pin it."""
        signed = self.founder(self.company).found(self.plan(**changes))
        join(self.partner, self.caller(self.partner), signed.document, self.company.enrolment)
        self.pin(signed)
        return signed

    def pin(self, signed: Signed[Space]) -> None:
        """The holders' operators pin a space document they were handed."""
        for holder in self.holders:
            enrolment = self.company.enrolment
            pinning.pin_space(holder.database, holder.keys, signed.document, enrolment, NOW)
