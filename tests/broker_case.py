"""A broker in memory with its parties, for the tests of the broker's registry side: a fixed clock, seeded randomness.

The parties' ends are done by hand here (sign, deal, mask), so that a test can do each of them wrongly; the story of
whole agencies is in `tests/world.py`.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker import startup
from broker.api.app import create_app
from broker.context import Broker, BrokerKeys
from broker.gate.bundle import load as load_bundle
from broker.protocol import group, merkle, sealing, shares, tokens
from broker.protocol.calls import sign_call
from broker.protocol.documents import Signed, key_identifier, public_bytes, sign
from broker.protocol.messages.base import Message, encode, read
from broker.protocol.messages.deposits import DepositDeclaration, Record, SelfTest, encode_batch
from broker.protocol.messages.envelopes import DocumentMessage, DocumentsMessage, Nothing
from broker.protocol.messages.log import LogProof, ReceiptMessage
from broker.protocol.messages.parties import Enrolment, Holder, Member, Reviewer, Space
from broker.protocol.messages.series import (
    Acceptance,
    Conditions,
    SeriesManifest,
    SeriesOpening,
    key_digest,
)
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
from broker.store import requests as request_rows
from broker.store.database import Connection
from tests import rules
from tests.asgi import InMemoryClient
from tests.databases import Databases, SqliteFiles

NOW = 1_790_000_000
ORIGIN = "http://broker.example.org:8470"
SPACE_ID = bytes(range(16))
SALT = bytes(range(32))
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
    retain_until=NOW + 80 * 86_400,
    notice_duty=False,
    releases_each_payload=False,
)


def seeded(name: str) -> Callable[[int], bytes]:
    """Randomness that is the same in each run."""
    counter = itertools.count()

    def random_bytes(size: int) -> bytes:
        return hashlib.shake_256(f"{name} {next(counter)}".encode()).digest(size)

    return random_bytes


def key_of(name: str) -> Ed25519PrivateKey:
    """A party's signing key, by name."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


@dataclass(frozen=True)
class Answered:
    """An answer of the broker."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def receipt(self) -> ReceiptMessage:
        """The body as a receipt."""
        return read(ReceiptMessage, self.body)

    def proof(self) -> LogProof:
        """The proof in a refusal."""
        return read(LogProof, json.dumps(self.json["proof"]).encode())

    @property
    def slug(self) -> str:
        """The problem it is."""
        return str(self.json["type"]).rpartition(":")[2]


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@dataclass(frozen=True)
class Keys:
    """One series' secrets, as its contributor holds them, and what it published of them."""

    k_match: bytes
    k_open: bytes
    manifest: Signed[SeriesManifest]

    @property
    def series_id(self) -> bytes:
        """The series' name."""
        return self.manifest.payload_digest


@dataclass(frozen=True)
class Upload:
    """A deposit's declaration and its records, sorted."""

    declaration: Signed[DepositDeclaration]
    records: tuple[Record, ...]

    @property
    def deposit_id(self) -> bytes:
        """The deposit's name."""
        return self.declaration.payload.deposit_id

    def batches(self, size: int) -> list[bytes]:
        """The records in batches of `size`."""
        return [
            encode_batch(self.records[start : start + size]) for start in range(0, len(self.records), size)
        ]


class Case:
    """One broker in a folder, and the calls to it."""

    holders = ("holder-1", "holder-2", "holder-3")
    members = (
        ("company-1", AgencyKind.COMPANY, "IE"),
        ("company-2", AgencyKind.COMPANY, "NL"),
        ("unit-1", AgencyKind.POLICE, "NL"),
    )

    def __init__(
        self, folder: Path, name: str = "case", databases: Databases | None = None, url: str | None = None
    ) -> None:
        """On `url`, or on a new database of `databases`, or on the file in `folder`.

        `name` seeds the randomness: two cases on one database need two, else their nonces repeat."""
        self.databases = databases or SqliteFiles()
        self.clock = Clock()
        self.name = name
        self.random = seeded(name)
        self.operator = key_of("operator")
        self.settings = Settings(
            public_origin=ORIGIN,
            database_url=url or self.databases.new(folder),
            log_origin="broker.example.org/log",
            operator_kid=key_identifier(public_bytes(self.operator)),
            operator_key=public_bytes(self.operator).hex(),
            trial=True,
        )
        self.keys = BrokerKeys(key_of("broker"), key_of("log"), bytes(32))
        self.bundle = load_bundle(POLICIES)
        self.broker = self.start()
        self.client = InMemoryClient(create_app(self.broker))

    def start(self) -> Broker:
        """Start the broker on its folder; stop the one that runs before."""
        return rules.start_broker(self.settings, self.keys, self.clock, seeded(f"broker of {self.name}"))

    def restart(self) -> None:
        """Stop and start, as after a crash: nothing but the database remains."""
        startup.stop(self.broker)
        self.broker = self.start()
        self.client = InMemoryClient(create_app(self.broker))

    def close(self) -> None:
        """Stop the broker."""
        startup.stop(self.broker)

    def on_disk(self, data: bytes) -> bool:
        """Whether these bytes are anywhere in the files of the database."""
        return any(data in file for file in self.databases.files(self.settings.database_url))

    # --- calls ---

    def send(
        self,
        who: str | Ed25519PrivateKey,
        method: str,
        path: str,
        body: Message | bytes | None = None,
        idempotency_key: str | None = None,
    ) -> Answered:
        """A signed call."""
        return self.raw(method, path, *self.signed(who, method, path, body, idempotency_key))

    def signed(
        self,
        who: str | Ed25519PrivateKey,
        method: str,
        path: str,
        body: Message | bytes | None = None,
        idempotency_key: str | None = None,
    ) -> tuple[dict[str, str], bytes]:
        """The headers and body of a signed call."""
        data = encode(body) if isinstance(body, Message) else (body or b"")
        kind = "application/json" if isinstance(body, Message) else "application/octet-stream"
        headers = {}
        if method == "POST":
            headers = {
                "content-type": kind,
                "idempotency-key": idempotency_key or self.random(12).hex(),
            }
        key = key_of(who) if isinstance(who, str) else who
        url = ORIGIN + path
        signed = sign_call(
            key,
            method=method,
            url=url,
            headers=headers,
            body=data,
            now=self.clock(),
            random_bytes=self.random,
        )
        return signed, data

    def raw(self, method: str, path: str, headers: Any, body: bytes) -> Answered:
        """A call as it is."""
        return Answered(*self.client.send(method, ORIGIN + path, headers, body))

    def get(self, who: str | Ed25519PrivateKey, path: str) -> Answered:
        """A signed GET."""
        return self.send(who, "GET", path)

    def post(self, who: str | Ed25519PrivateKey, path: str, body: Message | bytes) -> Answered:
        """A signed POST."""
        return self.send(who, "POST", path, body)

    # --- parties ---

    def enrolment(self, name: str, role: Role, kind: AgencyKind | None, jurisdiction: str) -> Enrolment:
        """A party's enrolment."""
        return Enrolment(
            party_id=name,
            name=name.replace("-", " ").capitalize(),
            role=role,
            kind=kind,
            jurisdiction=jurisdiction,
            signing_key=public_bytes(key_of(name)),
            wrapping_key=b"wrapping key of " + name.encode(),
            created_at=NOW,
        )

    def enrol(self, enrolment: Enrolment, accept: bool = True) -> None:
        """Send an enrolment, and let the operator accept it."""
        key = key_of(enrolment.party_id)
        body = encode(DocumentMessage(document=sign(enrolment, key).document))
        answer = self.raw("POST", "/v1/enrolments", {"content-type": "application/json"}, body)
        assert answer.status == 202, answer.body
        if accept:
            kid = key_identifier(public_bytes(key))
            answer = self.post(self.operator, f"/v1/operator/enrolments/{kid}/accept", Nothing())
            assert answer.status == 200, answer.body

    def enrol_all(self) -> None:
        """Everybody who calls the broker."""
        for name, kind, jurisdiction in self.members:
            self.enrol(self.enrolment(name, Role.AGENCY, kind, jurisdiction))
        self.enrol(self.enrolment("auditor-1", Role.AUDITOR, None, "NL"))

    def space(self, **changes: Any) -> Space:
        """The space's document before it is signed."""
        members = tuple(
            Member(
                agency_id=name,
                name=name,
                kind=kind,
                jurisdiction=jurisdiction,
                mandates=(Purpose.DISRUPT_ADVERT, Purpose.IDENTIFY_VICTIM),
                signing_key=public_bytes(key_of(name)),
                wrapping_key=b"wrapping key of " + name.encode(),
            )
            for name, kind, jurisdiction in self.members
        )
        holders = tuple(
            Holder(
                holder_id=name,
                name=name,
                x=x,
                signing_key=public_bytes(key_of(name)),
                wrapping_key=b"wrapping key",
                origin=f"http://{name}.example.org:8480",
            )
            for x, name in enumerate(self.holders, 1)
        )
        space = Space(
            space_id=SPACE_ID,
            name="Example space",
            roster_version=1,
            members=members,
            holders=holders,
            threshold=2,
            legal_desks=(_reviewer("desk-1"),),
            auditors=(_reviewer("auditor-1"),),
            broker_origin=ORIGIN,
            broker_signing_key=self.keys.signing_public,
            log_origin=self.settings.log_origin,
            log_key=self.keys.log_public,
            identifier_types=("email", "phone"),
            size_class=512,
            salt_id=tokens.salt_id(SALT),
            bundle_digest=self.bundle.digest,
            trial=True,
            count_epsilon_millis=500,
            count_budget_millis=10_000,
            founded_at=NOW,
        )
        return Space.model_validate(dict(space) | changes)

    def found(self, space: Space | None = None, who: str = "company-1") -> Answered:
        """Post a space's document."""
        signed = sign(space or self.space(), key_of(who))
        return self.post(who, "/v1/spaces", DocumentMessage(document=signed.document))

    def ready(self) -> "Case":
        """Everybody enrolled, and the space founded."""
        self.enrol_all()
        answer = self.found()
        assert answer.status == 200, answer.body
        return self

    # --- series and deposits ---

    def deal(self, who: str = "company-1", **changes: Any) -> Keys:
        """Draw keys and sign a manifest over their commitments."""
        k_match, k_open = (group.random_scalar(self.random) for _ in range(2))
        dealt = [shares.split(each, 2, 3, self.random) for each in (k_match, k_open)]
        manifest = SeriesManifest(
            space_id=SPACE_ID,
            roster_version=1,
            contributor=who,
            identifier_type="phone",
            salt_id=tokens.salt_id(SALT),
            conditions=CONDITIONS,
            threshold=2,
            holders=self.holders,
            commitments_match=dealt[0].commitments,
            commitments_open=dealt[1].commitments,
            nonce=self.random(16),
        )
        manifest = SeriesManifest.model_validate(dict(manifest) | changes)
        return Keys(k_match, k_open, sign(manifest, key_of(who)))

    def acceptance(self, keys: Keys, x: int, /, signer: str | None = None, **changes: Any) -> str:
        """A holder's acceptance, or one that somebody else signed."""
        manifest = keys.manifest.payload
        digest = key_digest(keys.series_id, 2, 3, manifest.commitments_match, manifest.commitments_open)
        acceptance = Acceptance(
            series_id=keys.series_id, holder_id=self.holders[x - 1], x=x, key_digest=digest, accepted_at=NOW
        )
        changed = acceptance.model_copy(update=changes)
        return sign(changed, key_of(signer or self.holders[x - 1])).document

    def open_series(
        self, keys: Keys, acceptances: Sequence[str] | None = None, who: str = "company-1"
    ) -> Answered:
        """Post a manifest with acceptances, of all three holders if none are given."""
        accepted = tuple(acceptances or (self.acceptance(keys, x) for x in (1, 2, 3)))
        opening = SeriesOpening(manifest=keys.manifest.document, acceptances=accepted)
        return self.post(who, "/v1/series", opening)

    def opened(self, who: str = "company-1", **changes: Any) -> Keys:
        """A series that is open."""
        keys = self.deal(who, **changes)
        answer = self.open_series(keys, who=who)
        assert answer.status == 200, answer.body
        return keys

    def mask(self, keys: Keys, count: int = 5, who: str = "company-1", **changes: Any) -> Upload:
        """Mask `count` telephone numbers and the self-test, and sign the declaration."""
        deposit_id = self.random(32)
        salted = [tokens.salted_hash(SALT, f"phone/1|+44770090{number:04d}") for number in range(count)]
        inputs = [(each, b'{"signals":[]}') for each in salted]
        series_id = keys.series_id
        inputs.append((tokens.self_test_input(series_id), tokens.self_test_plaintext(series_id)))
        records = [self._record(keys, deposit_id, each, plaintext) for each, plaintext in inputs]
        self_test = records[-1].token
        records.sort()
        root = merkle.root_of(
            merkle.leaf_hash(sealing.record_leaf(each.token, each.sealed, each.record_version))
            for each in records
        )
        declaration = DepositDeclaration(
            deposit_id=deposit_id,
            series_id=series_id,
            space_id=SPACE_ID,
            contributor=who,
            salt_id=tokens.salt_id(SALT),
            size_class=512,
            records=len(records),
            root=root,
            self_test_token=self_test,
            period_from=NOW - 86_400,
            period_until=NOW,
            declared_at=NOW,
        )
        changed = DepositDeclaration.model_validate(dict(declaration) | changes)
        return Upload(sign(changed, key_of(who)), tuple(records))

    def _record(self, keys: Keys, deposit_id: bytes, salted: bytes, plaintext: bytes) -> Record:
        outputs = tokens.mask(keys.k_match, None, salted)
        token = tokens.derive(outputs.y_match, keys.series_id, SPACE_ID, deposit_id)
        key = tokens.seal_key(outputs.y_match, outputs.y_open, keys.series_id, SPACE_ID, deposit_id)
        sealed = sealing.seal(
            key,
            plaintext,
            space_id=SPACE_ID,
            deposit_id=deposit_id,
            token=token,
            record_version=1,
            size_class=512,
            random_bytes=self.random,
        )
        return Record(token, 1, sealed)

    def declare(self, upload: Upload, who: str = "company-1") -> Answered:
        """Post a declaration."""
        return self.post(who, "/v1/deposits", DocumentMessage(document=upload.declaration.document))

    def put(self, upload: Upload, number: int, data: bytes, who: str = "company-1") -> Answered:
        """Post one batch."""
        return self.post(who, f"/v1/deposits/{upload.deposit_id.hex()}/batches/{number}", data)

    def step(self, upload: Upload, name: str, body: Message, who: str = "company-1") -> Answered:
        """Post another step of a deposit."""
        return self.post(who, f"/v1/deposits/{upload.deposit_id.hex()}/{name}", body)

    def self_test(self, upload: Upload, who: str = "company-1", **changes: Any) -> DocumentMessage:
        """The contributor's word that its self-test was passed."""
        declared = upload.declaration.payload
        record = next(each for each in upload.records if each.token == declared.self_test_token)
        test = SelfTest(
            series_id=declared.series_id,
            deposit_id=upload.deposit_id,
            quorum=(1, 2),
            sealed_digest=hashlib.sha256(record.sealed).digest(),
            tested_at=NOW,
        )
        changed = SelfTest.model_validate(dict(test) | changes)
        return DocumentMessage(document=sign(changed, key_of(who)).document)

    def serving(self, keys: Keys, count: int = 5, who: str = "company-1") -> Upload:
        """A deposit that serves."""
        upload = self.mask(keys, count, who)
        for answer in (
            self.declare(upload, who),
            *(self.put(upload, number, data, who) for number, data in enumerate(upload.batches(4))),
            self.step(upload, "complete", Nothing(), who),
            self.step(upload, "serve", self.self_test(upload, who), who),
        ):
            assert answer.status == 200, answer.body
        return upload

    def kinds(self) -> list[str]:
        """The kinds of all log entries, in order."""
        with self.broker.database.read() as connection:
            page = self.broker.audit.leaf_page(connection, 0, 1000)
        return [str(json.loads(leaf)["kind"]) for leaf in page.leaves]


def keep_permit(connection: Connection, permit_id: bytes, state: str = request_rows.RELEASED) -> None:
    """A request in that state, and its permit of the same id that ends at NOW: what a match is kept under."""
    stored = request_rows.StoredRequest(
        request_id=permit_id,
        space_id=SPACE_ID,
        requester="unit-1",
        tier="hits",
        request_digest=permit_id + bytes(16),
        submission_digest=bytes(32),
        submission=b"",
        state=state,
        answer=b"",
        log_index=0,
        received_at=NOW,
    )
    request_rows.add(connection, stored)
    request_rows.add_permit(connection, request_rows.StoredPermit(permit_id, permit_id, "", NOW, None, None))


def documents(*signed: str) -> DocumentsMessage:
    """A body of several documents."""
    return DocumentsMessage(documents=signed)


def _reviewer(name: str) -> Reviewer:
    return Reviewer(party_id=name, name=name, signing_key=public_bytes(key_of(name)))
