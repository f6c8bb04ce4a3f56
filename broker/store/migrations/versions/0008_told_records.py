"""Which records an answer told of has a table (decision 0049); the answers that are stored fill it.

An answer names tokens, and its permit the deposits that were searched: it told of those records that these still hold.
Nothing is verified here, where no key is at hand. An answer that cannot be read is passed over; `fsck` tells of it.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ANSWERS_AT_ONCE = 100
_TOKENS_PER_QUERY = 500
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_REQUESTS = sa.table("requests", *map(sa.column, ("request_id", "state")))
_PERMITS = sa.table("permits", *map(sa.column, ("permit_id", "request_id", "document", "disclosure")))
_DEPOSITS = sa.table("deposits", *map(sa.column, ("deposit_number", "deposit_id", "state")))
_RECORDS = sa.table("records", *map(sa.column, ("deposit_number", "token")))
_TOLD = sa.table("told_records", *map(sa.column, ("permit_id", "deposit_number", "token_digest")))


def upgrade() -> None:
    """Apply this version."""
    op.create_table(
        "told_records",
        sa.Column("permit_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("deposit_number", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("token_digest", sa.LargeBinary(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["permit_id"], ["permits.permit_id"], name=op.f("fk_told_records_permit_id")
        ),
        sa.PrimaryKeyConstraint(
            "permit_id", "deposit_number", "token_digest", name=op.f("pk_told_records")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_told_records_record", "told_records", ["deposit_number", "token_digest"])
    if op.get_bind().dialect.name == "postgresql":
        # Statistics are samples: digests that would outlive their rows.
        op.execute("ALTER TABLE told_records ALTER COLUMN token_digest SET STATISTICS 0")
    numbers = _numbers()
    for answers in _pages():
        rows = _told_by(answers, numbers)
        if rows:
            op.get_bind().execute(sa.insert(_TOLD), rows)


def downgrade() -> None:
    """Undo this version."""
    op.drop_table("told_records")


def _numbers() -> dict[bytes, int]:
    """The deposits whose records are still here."""
    query = sa.select(_DEPOSITS.c.deposit_id, _DEPOSITS.c.deposit_number).where(
        _DEPOSITS.c.state.not_in(("withdrawn", "expired"))
    )
    return {bytes(row.deposit_id): row.deposit_number for row in op.get_bind().execute(query)}


def _pages() -> Iterator[Sequence[Any]]:
    """The permits of answered requests, some at a time, in order."""
    last = b""
    while True:
        query = (
            sa.select(_PERMITS.c.permit_id, _PERMITS.c.document, _PERMITS.c.disclosure)
            .join(_REQUESTS, _REQUESTS.c.request_id == _PERMITS.c.request_id)
            .where(_REQUESTS.c.state == "released", _PERMITS.c.permit_id > last)
            .order_by(_PERMITS.c.permit_id)
        )
        rows = op.get_bind().execute(query.limit(_ANSWERS_AT_ONCE)).all()
        if not rows:
            return
        yield rows
        last = bytes(rows[-1].permit_id)


def _told_by(answers: Sequence[Any], numbers: Mapping[bytes, int]) -> list[dict[str, Any]]:
    matched = {bytes(each.permit_id): _matched(each.disclosure) for each in answers}
    asked: dict[int, dict[bytes, set[bytes]]] = {}
    for each in answers:
        permit_id = bytes(each.permit_id)
        for deposit_id in _searched(each.document) if matched[permit_id] else ():
            if deposit_id in numbers:
                asked.setdefault(numbers[deposit_id], {})[permit_id] = matched[permit_id]
    rows = []
    for number, by_permit in asked.items():
        held = _held(number, sorted(set().union(*by_permit.values())))
        rows += [
            {"permit_id": permit_id, "deposit_number": number, "token_digest": _digest(token)}
            for permit_id, tokens in by_permit.items()
            for token in sorted(tokens & held)
        ]
    return rows


def _held(number: int, tokens: Sequence[bytes]) -> set[bytes]:
    found: set[bytes] = set()
    for at in range(0, len(tokens), _TOKENS_PER_QUERY):
        query = sa.select(_RECORDS.c.token).where(
            _RECORDS.c.deposit_number == number, _RECORDS.c.token.in_(tokens[at : at + _TOKENS_PER_QUERY])
        )
        found.update(map(bytes, op.get_bind().execute(query).scalars()))
    return found


def _matched(answer: bytes | None) -> set[bytes]:
    """The tokens that an answer names."""
    try:
        return set(map(_decoded, _payload(json.loads(answer or b"")["document"])["matched"]))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return set()


def _searched(permit: str) -> set[bytes]:
    """The deposits that a permit names."""
    try:
        return {
            bytes.fromhex(each) for series in _payload(permit)["terms"]["series"] for each in series["deposits"]
        }
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return set()


def _payload(document: str) -> Any:
    return json.loads(_decoded(document.split(".")[1]))


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _digest(token: bytes) -> bytes:
    """As `broker.store.told.token_digest` was in this version."""
    return hashlib.sha256(b"narrowgate/v1/told-token\x00" + token).digest()[:16]
