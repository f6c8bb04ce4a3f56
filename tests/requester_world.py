"""A broker and three key holders in memory, as a requester and an auditor see them: made of protocol functions alone.

Points are evaluated under real shares, tokens joined with real deposits, and every entry stands in a real log. No
rules are decided here: tests say what the broker or a holder does by replacing its `answer`.
"""

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol import checkpoint, documents, group, leaves, merkle, quorum, shares, tokens
from broker.protocol.messages import evaluation, log, parties, requests, series
from broker.protocol.messages.base import Message, encode, read
from broker.protocol.messages.closings import Released
from broker.protocol.messages.vocabulary import AgencyKind, Outcome, Purpose, RecordKind, Role, Tier
from broker.protocol.problems import PROBLEMS, URN_PREFIX
from broker.protocol.tiles import TILE_WIDTH, entry_bundle, read_path
from clients.home import Home, Persona
from clients.remote import Answer
from clients.requester import Requester
from clients.transport import Caller, Unreachable
from tests.messages_examples import CLAIMS, NOW

BROKER = "http://broker.example.org:8000"
LOG = "broker.example.org/log"
CLAIMS_OF_A_CASE = CLAIMS
Handler = Callable[[str, str, bytes], Answer]
"""(method, path and query, body) to the answer."""


def phone(number: int) -> str:
    """A canonical number of the range reserved for drama."""
    return f"phone/1|+447700900{number:03d}"


def problem(slug: str, status: int = 400, **extensions: Any) -> Answer:
    """A problem document."""
    members = {"type": URN_PREFIX + slug, "detail": PROBLEMS[slug].title, "status": status}
    return Answer(status, (), json.dumps(members | extensions).encode())


def answer(message: Message) -> Answer:
    """A message as an answer."""
    return Answer(200, (), encode(message))


def derived_key(name: str) -> Ed25519PrivateKey:
    """A signing key by name."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


@dataclass
class Log:
    """The broker's log, held as a list. A copy that goes another way is a fork."""

    key: Ed25519PrivateKey
    entries: list[leaves.Leaf] = field(default_factory=list)

    def hashes(self, size: int | None = None) -> list[bytes]:
        return [merkle.leaf_hash(entry.leaf) for entry in self.entries[:size]]

    def append(self, kind: str, record: bytes) -> log.LogProof:
        self.entries.append(leaves.compose(kind, NOW, record, hashlib.sha256(record).digest()))
        index = len(self.entries) - 1
        path = merkle.inclusion_path(self.hashes(), index)
        return log.LogProof(index=index, leaf=self.entries[-1].leaf, path=path, checkpoint=self.note())

    def note(self, size: int | None = None) -> str:
        size = len(self.entries) if size is None else size
        return checkpoint.sign(LOG, size, merkle.root_of(self.hashes(size)), self.key, LOG).decode()

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """RFC 9162 2.1.4.1, by its recursive definition."""

        def subproof(m: int, hashes: Sequence[bytes], whole: bool) -> list[bytes]:
            if m == len(hashes):
                return [] if whole else [merkle.root_of(hashes)]
            k = 1 << (len(hashes) - 1).bit_length() - 1
            if m <= k:
                return [*subproof(m, hashes[:k], whole), merkle.root_of(hashes[k:])]
            return [*subproof(m - k, hashes[k:], False), merkle.root_of(hashes[:k])]

        return tuple(subproof(old, self.hashes(new), True))


@dataclass
class Dealt:
    """One series with its one deposit, whoever's it is."""

    series_id: bytes
    identifier_type: str
    match: shares.Dealing
    open: shares.Dealing
    deposit_id: bytes
    held: frozenset[bytes]
    handle: bytes

    @property
    def key_digest(self) -> bytes:
        return series.key_digest(self.series_id, 2, 3, self.match.commitments, self.open.commitments)


class RequesterWorld:
    """Everything around one requester. `holders[x]` and `broker` are replaced by tests to misbehave."""

    def __init__(self, directory: Path) -> None:
        self.random_bytes = random.Random(1).randbytes
        self.now = NOW
        self.salt = bytes(range(32))
        self.directory = directory
        self.homes = {
            "unit-1": self._home("unit-1", Role.AGENCY, AgencyKind.POLICE),
            "desk-1": self._home("desk-1", Role.LEGAL_DESK, None),
            "auditor-1": self._home("auditor-1", Role.AUDITOR, None),
        }
        self.home = self.homes["unit-1"]
        self.broker_key, self.log = derived_key("broker"), Log(derived_key("log"))
        self.holder_keys = {x: derived_key(f"holder-{x}") for x in (1, 2, 3)}
        self.space = self._space()
        for home in self.homes.values():
            home.pin_space(documents.sign(self.space, self.home.signing_key).document, self.founder_key)
        self.home.keep_salt(self.space, self.salt)
        self.dealt: dict[bytes, Dealt] = {}
        self.calls: list[str] = []
        self.broker: Handler = self.answer_as_broker
        self.holders: dict[int, Handler] = {x: self.holder(x) for x in (1, 2, 3)}
        self.submissions: list[bytes] = []
        self.asked: dict[bytes, bytes] = {}

    @property
    def founder_key(self) -> bytes:
        return self.home.identity.signing_key

    def clock(self) -> int:
        return self.now

    def _home(self, name: str, role: Role, kind: AgencyKind | None) -> Home:
        persona = Persona(name, name.title(), role, "NL", kind)
        return Home.create(self.directory / name, persona, now=NOW, random_bytes=self.random_bytes)

    def _space(self) -> parties.Space:
        holders = tuple(
            parties.Holder(
                holder_id=f"holder-{x}",
                name=f"Holder {x}",
                x=x,
                signing_key=documents.public_bytes(key),
                wrapping_key=b"-",
                origin=f"http://holder-{x}.example.org:8000",
            )
            for x, key in self.holder_keys.items()
        )
        unit = self.home.identity
        member = parties.Member(
            agency_id="unit-1",
            name=unit.name,
            kind=AgencyKind.POLICE,
            jurisdiction="NL",
            mandates=(Purpose.INVESTIGATE_TRAFFICKER,),
            signing_key=unit.signing_key,
            wrapping_key=unit.wrapping_key,
        )
        return parties.Space(
            space_id=bytes(16),
            name="Example space",
            roster_version=1,
            members=(member,),
            holders=holders,
            threshold=2,
            legal_desks=(self._reviewer("desk-1"),),
            auditors=(self._reviewer("auditor-1"),),
            broker_origin=BROKER,
            broker_signing_key=documents.public_bytes(self.broker_key),
            log_origin=LOG,
            log_key=documents.public_bytes(self.log.key),
            identifier_types=("email", "phone"),
            size_class=512,
            salt_id=tokens.salt_id(self.salt),
            bundle_digest=bytes(32),
            trial=True,
            count_epsilon_millis=500,
            count_budget_millis=10_000,
            founded_at=NOW,
        )

    def _reviewer(self, name: str) -> parties.Reviewer:
        identity = self.homes[name].identity
        return parties.Reviewer(party_id=name, name=identity.name, signing_key=identity.signing_key)

    # --- the parties' programs ---

    def caller(self, home: Home) -> Caller:
        return Caller(self, home.signing_key, self.clock, self.random_bytes, pause=lambda _: None)

    def requester(self) -> Requester:
        """The requester, as if its program had just been started."""
        home = Home.open(self.directory / "unit-1", self.random_bytes)
        return Requester(home, self.space, self.caller(home), self.clock, self.random_bytes)

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The transport: to whichever party has that address."""
        parts = urlsplit(url)
        origin, path = (
            f"{parts.scheme}://{parts.netloc}",
            url.removeprefix(f"{parts.scheme}://{parts.netloc}"),
        )
        self.calls.append(f"{parts.hostname} {method} {parts.path}")
        if origin == BROKER:
            return self.broker(method, path, body)
        return self.holders[int(parts.netloc.removeprefix("holder-")[0])](method, path, body)

    # --- contributors ---

    def deal(self, identifier_type: str, identifiers: Sequence[str]) -> Dealt:
        """A contributor's series and deposit of these identifiers."""
        number = len(self.dealt) + 1
        k = group.random_scalar(self.random_bytes)
        series_id = hashlib.sha256(f"series {number}".encode()).digest()
        deposit_id = hashlib.sha256(f"deposit {number}".encode()).digest()
        held = frozenset(
            tokens.derive(
                tokens.mask(k, None, tokens.salted_hash(self.salt, text)).y_match,
                series_id,
                self.space.space_id,
                deposit_id,
            )
            for text in identifiers
        )
        dealt = Dealt(
            series_id,
            identifier_type,
            shares.split(k, 2, 3, self.random_bytes),
            shares.split(group.random_scalar(self.random_bytes), 2, 3, self.random_bytes),
            deposit_id,
            held,
            bytes([number]) * 16,
        )
        self.dealt[dealt.handle] = dealt
        return dealt

    # --- the broker ---

    def answer_as_broker(self, method: str, path: str, body: bytes) -> Answer:
        """What an honest broker answers."""
        parts = urlsplit(path)
        query = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
        if parts.path == "/v1/requests":
            return answer(self.admission(read(requests.RequestSubmission, body)))
        if parts.path.endswith("/tokens"):
            self.submissions.append(body)
            submission = read(requests.TokenSubmission, body)
            request_id = bytes.fromhex(parts.path.split("/")[3])
            return answer(self.answered(self.disclosure(request_id, submission)))
        if parts.path == "/v1/log/consistency":
            old, new = query["old"], query["new"]
            path_between = self.log.consistency(old, new)
            return answer(log.ConsistencyPath(old_size=old, new_size=new, path=path_between))
        if parts.path == "/checkpoint":
            return Answer(200, (), self.log.note().encode())
        if parts.path.startswith("/tile/"):
            tile = read_path(parts.path.removeprefix("/tile/"))
            at = tile.index * TILE_WIDTH
            held = [entry.leaf for entry in self.log.entries[at : at + tile.width]]
            assert tile.level is None
            if len(held) < tile.width:
                return problem("not-found", 404)
            return Answer(200, (), entry_bundle(held))
        entries = list(enumerate(self.log.entries))[query["start"] : query["end"]]
        assert parts.path == "/v1/audit/records"
        records = tuple(
            log.LoggedRecord(index=index, record=entry.record, salt=entry.salt) for index, entry in entries
        )
        self.log.append(RecordKind.RECORDS_READ, b"{}")
        return answer(log.RecordPage(start=query["start"], records=records))

    def sign(self, payload: Message) -> str:
        return documents.sign(payload, self.broker_key).document

    def terms(self, submission: requests.RequestSubmission, **changes: Any) -> requests.PermitTerms:
        """The terms an honest broker's permit has; `changes` make it dishonest."""
        signed = documents.verify(requests.Request, submission.request, self.founder_key)
        asked = signed.payload
        self.asked[asked.request_id] = signed.digest
        types = {batch.identifier_type for batch in asked.batches}
        fields: dict[str, Any] = {
            "permit_id": bytes([7]) * 16,
            "space_id": asked.space_id,
            "roster_version": asked.roster_version,
            "requester": asked.requester,
            "request_digest": signed.digest,
            "tier": asked.tier,
            "batches": asked.batches,
            "series": tuple(
                requests.PermitSeries(
                    handle=dealt.handle,
                    series_id=dealt.series_id,
                    identifier_type=dealt.identifier_type,
                    key_digest=dealt.key_digest,
                    deposits=(dealt.deposit_id,),
                )
                for dealt in self.dealt.values()
                if dealt.identifier_type in types
            ),
            "decision_digest": hashlib.sha256(b"{}").digest(),
            "bundle_digest": bytes(32),
            "not_before_at": NOW,
            "expires_at": NOW + 3600,
            "trial": True,
        }
        return requests.PermitTerms(**(fields | changes))

    def admission(
        self, submission: requests.RequestSubmission, kind: str = RecordKind.ADMITTED, **changes: Any
    ) -> requests.Admission:
        terms = self.terms(submission, **changes)
        proof = self.log.append(kind, encode(requests.AdmissionRecord(terms=terms, decision="{}")))
        return requests.Admission(
            permit=self.sign(requests.Permit(terms=terms, proof=proof)),
            series=tuple(self.sheet(self.dealt[item.handle]) for item in terms.series),
            sealed_records=tuple(
                requests.SealedRecord(holder_id=holder.holder_id, wrapped=b"sealed")
                for holder in self.space.holders
            ),
        )

    def sheet(self, dealt: Dealt, accepted_by: Sequence[int] = (1, 2, 3)) -> series.SeriesSheet:
        acceptances = tuple(
            documents.sign(
                series.Acceptance(
                    series_id=dealt.series_id,
                    holder_id=f"holder-{x}",
                    x=x,
                    key_digest=dealt.key_digest,
                    accepted_at=NOW,
                ),
                self.holder_keys[x],
            ).document
            for x in accepted_by
        )
        return series.SeriesSheet(
            handle=dealt.handle,
            series_id=dealt.series_id,
            identifier_type=dealt.identifier_type,
            threshold=2,
            holders=3,
            commitments_match=dealt.match.commitments,
            commitments_open=dealt.open.commitments,
            acceptances=acceptances,
            deposits=(dealt.deposit_id,),
        )

    def disclosure(
        self,
        request_id: bytes,
        submission: requests.TokenSubmission,
        /,
        kind: str = RecordKind.RELEASE,
        **changes: Any,
    ) -> requests.Disclosure:
        """The disclosure of tier hits that an honest broker makes; `changes` make it dishonest."""
        matched = [
            token
            for item in submission.lists
            for token in self.dealt[item.handle].held
            if token in {item.tokens[at : at + 16] for at in range(0, len(item.tokens), 16)}
        ]
        fields: dict[str, Any] = {
            "request_id": request_id,
            "permit_id": submission.permit_id,
            "requester": "unit-1",
            "asked_tier": Tier.HITS,
            "tier": Tier.HITS,
            "token_root": requests.token_set_root(submission.nonce, submission.lists),
            "matched": tuple(sorted(matched)),
            "outcome": Outcome.ALLOW,
            "rules": ("G2",),
            "reasons": ("The lane is open.",),
            "law": ("LED 8",),
            "decision_digest": bytes(32),
            "released_at": NOW,
            "trial": True,
            "proof": self.log.append(kind, b'{"decision":"{}"}'),
        }
        return requests.Disclosure(**(fields | changes))

    def answered(self, told: requests.Disclosure, /, **changes: Any) -> requests.TokensAnswered:
        """A disclosure, signed and with the entry that records it; `changes` make the record another's."""
        signed = documents.sign(told, self.broker_key)
        fields: dict[str, Any] = {
            "permit_id": told.permit_id,
            "request_id": told.request_id,
            "request_digest": self.asked.get(told.request_id, bytes(32)),
            "requester": told.requester,
            "tier": told.tier,
            "disclosure_digest": signed.digest,
            "release_index": told.proof.index,
        }
        proof = self.log.append(RecordKind.RELEASED, encode(Released(**(fields | changes))))
        entry = self.log.entries[-1]
        opened = log.OpenedEntry(proof=proof, record=entry.record, salt=entry.salt)
        return requests.TokensAnswered(document=signed.document, recorded=opened)

    # --- key holders ---

    def holder(self, x: int) -> Handler:
        """An honest key holder."""

        def evaluate(method: str, path: str, body: bytes) -> Answer:
            return answer(self.evaluated(x, read(evaluation.EvaluationCall, body)))

        return evaluate

    def evaluated(
        self,
        x: int,
        call: evaluation.EvaluationCall,
        tamper: Callable[[quorum.Chunk], quorum.Chunk] = lambda chunk: chunk,
        **changes: Any,
    ) -> evaluation.EvaluationAnswer:
        """An evaluation under the real share; `tamper` and `changes` make it a false one, signed all the same."""
        dealt = self.dealt[call.handle]
        permit = documents.verify(requests.Permit, call.permit, self.space.broker_signing_key).payload
        points = group.split_elements(call.points)
        batch = next(item for item in permit.terms.batches if item.identifier_type == dealt.identifier_type)
        assert requests.batch_root(points) == batch.batch_root
        evaluated = quorum.evaluate_share(
            dealt.match.shares[x - 1], dealt.match.commitments, call.quorum, points, self.random_bytes
        )
        chunks = tuple(
            evaluation.Chunk(elements=b"".join(chunk.elements), proof=chunk.proof)
            for chunk in map(tamper, evaluated)
        )
        fields: dict[str, Any] = {
            "permit_id": permit.terms.permit_id,
            "series_id": dealt.series_id,
            "quorum": call.quorum,
            "holder_id": f"holder-{x}",
            "x": x,
            "batch_root": batch.batch_root,
            "answer_digest": evaluation.answer_digest(chunks),
            "evaluated_at": NOW,
        }
        statement = evaluation.EvaluationStatement(**(fields | changes))
        return evaluation.EvaluationAnswer(
            statement=documents.sign(statement, self.holder_keys[x]).document, chunks=chunks
        )


def down(method: str, path: str, body: bytes) -> Answer:
    """A party that does not answer."""
    raise Unreachable("No answer.")
