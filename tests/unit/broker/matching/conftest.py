"""A real SQLite file with deposits in it, and permits admitted by a real log."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, select

from broker.audit.log import AuditLog
from broker.audit.records import TokensReceived
from broker.gate.decision import Decision
from broker.gate.facts import AdmitFacts, Derived, Party
from broker.matching.evidence import Admitted, Recorded, TokenSet
from broker.protocol.documents import sign
from broker.protocol.messages.deposits import DepositDeclaration
from broker.protocol.messages.requests import (
    AdmissionRecord,
    PermitSeries,
    PermitTerms,
    TokenList,
    TokenSubmission,
)
from broker.protocol.messages.vocabulary import AgencyKind, Outcome, RecordKind, Tier
from broker.store import migrate, partitions, tables
from broker.store.database import Database
from tests.messages_examples import BATCH, CLAIMS, NOW, TERMS

SIGNER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)


def name(word: str, length: int = 32) -> bytes:
    """A name of its length, the same each time."""
    return hashlib.sha256(word.encode()).digest()[:length]


def admission_decision() -> Decision:
    """A decision to admit, as the log keeps it: matching reads its facts and does not decide again."""
    facts = AdmitFacts(
        now=NOW,
        space_id=TERMS.space_id,
        request_digest=TERMS.request_digest,
        requester=Party(
            agency_id="unit-1", kind=AgencyKind.POLICE, jurisdiction="NL", mandates=(), suspended=False
        ),
        tier=Tier.HITS,
        claims=CLAIMS,
        verified=None,
        derived=Derived(
            identifiers_30d=0, queries_90d=0, hits_90d=0, count_budget_left_millis=0, count_cost_millis=500
        ),
        identifiers=1,
        points=1,
        identifier_types=("phone",),
        series=(),
    )
    return Decision(
        action="admit",
        bundle_digest=TERMS.bundle_digest,
        facts=facts,
        outcome=Outcome.ALLOW,
        tier=Tier.HITS,
        rules=("G2",),
        reasons=("Because",),
        law=("Law",),
        missed=(),
        series=(),
        notes=(),
    )


class Shelf:
    """Deposits on a real database, and what a request goes through before `find`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.log = AuditLog("broker.example.org/log", SIGNER, lambda size: bytes(size), trial=True)

    def put(
        self, word: str, tokens: Iterable[bytes], contributor: str = "company-1", self_test: bytes = b""
    ) -> bytes:
        """A serving deposit in a series of its own. Returns its deposit_id."""
        deposit_id, series_id = name(word), name(f"series of {word}")
        self_test = self_test or name(f"self-test of {word}", 16)
        held = sorted({*tokens, self_test})
        declaration = DepositDeclaration(
            deposit_id=deposit_id,
            series_id=series_id,
            space_id=TERMS.space_id,
            contributor=contributor,
            salt_id=name("salt"),
            size_class=512,
            records=len(held),
            root=name("root"),
            self_test_token=self_test,
            period_from=NOW,
            period_until=NOW,
            declared_at=NOW,
        )
        with self.database.write() as connection:
            connection.execute(
                insert(tables.series).values(
                    series_id=series_id,
                    space_id=TERMS.space_id,
                    contributor=contributor,
                    identifier_type="phone",
                    manifest="",
                    key_digest=name("key"),
                    state="open",
                    retain_until=NOW + 1000,
                    opened_at=NOW,
                    opened_index=0,
                )
            )
            connection.execute(
                insert(tables.deposits).values(
                    deposit_id=deposit_id,
                    series_id=series_id,
                    space_id=TERMS.space_id,
                    contributor=contributor,
                    declaration=sign(declaration, SIGNER).document,
                    size_class=512,
                    records_declared=len(held),
                    records_stored=len(held),
                    next_batch=1,
                    frontier=b"",
                    state="serving",
                    declared_at=NOW,
                    admitted_index=0,
                )
            )
            query = select(tables.deposits.c.deposit_number).where(tables.deposits.c.deposit_id == deposit_id)
            number = connection.execute(query).scalar_one()
            if partitions.in_use(connection):
                partitions.add(connection, number)
            rows = [
                {"deposit_number": number, "token": token, "record_version": 1, "sealed": b"sealed"}
                for token in held
            ]
            connection.execute(insert(tables.records), rows)
        return deposit_id

    def admit(self, deposit_ids: Iterable[bytes], identifiers: int = 1000) -> Admitted:
        """A permit for these deposits, its entry in the log."""
        series = tuple(
            PermitSeries(
                handle=deposit_id[:16],
                series_id=deposit_id,
                identifier_type="phone",
                key_digest=name("key"),
                deposits=(deposit_id,),
            )
            for deposit_id in deposit_ids
        )
        batch = BATCH.model_copy(update={"identifiers": identifiers, "points": identifiers})
        decision = admission_decision()
        update = {"series": series, "batches": (batch,), "decision_digest": decision.digest}
        terms: PermitTerms = TERMS.model_copy(update=update)
        with self.database.write() as connection:
            record = AdmissionRecord(terms=terms, decision=decision.text)
            receipt = self.log.append(connection, RecordKind.ADMITTED, record, NOW)
        return Admitted.by(terms, receipt)

    def record(self, tokens: TokenSet) -> Recorded:
        """Log the submission."""
        terms = tokens.admitted.terms
        record = TokensReceived(
            permit_id=terms.permit_id,
            request_id=name("request", 16),
            requester=terms.requester,
            token_root=tokens.root,
            nonce_digest=name("nonce"),
            lists=(),
        )
        with self.database.write() as connection:
            return Recorded.by(tokens, self.log.append(connection, RecordKind.TOKENS, record, NOW))


def submission(lists: Mapping[bytes, Iterable[bytes]]) -> TokenSubmission:
    """What a requester sends: tokens by deposit, sorted."""
    items = tuple(
        TokenList(handle=deposit_id[:16], deposit_id=deposit_id, tokens=b"".join(sorted(tokens)))
        for deposit_id, tokens in lists.items()
    )
    return TokenSubmission(permit_id=TERMS.permit_id, nonce=name("nonce"), lists=items)


@pytest.fixture(name="submit")
def _submit() -> Callable[[Mapping[bytes, Iterable[bytes]]], TokenSubmission]:
    return submission


@pytest.fixture
def shelf(database_url: str) -> Iterator[Shelf]:
    """An empty shelf."""
    database = Database(database_url)
    migrate.upgrade(database)
    yield Shelf(database)
    database.close()
