"""What a person may be told about their own submission: deposited, asked, released, contested, withdrawn.

Rule: it looks into this home alone and calls nobody, so it tells what the agency was last shown. Never who asked, when,
or in what case: that would warn the wrong people. Where the law does not let the person be told that somebody asked,
the answer is the same whether somebody did or not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from broker.protocol import documents
from broker.protocol.messages.consent import ContestState
from broker.protocol.messages.ladder import ContributorRelease
from broker.protocol.tokens import TOKEN_BYTES
from clients.depositing import local_references
from clients.depositing.deposit_folder import DepositFolder, KeptAsk, all_deposits
from clients.depositing.record_leaves import leaves_name
from clients.home import Home
from clients.persons import contested_records
from clients.persons.consent_case import Cases, ConsentCase
from clients.persons.contested_records import ContestedSubmission

AskedState = Literal["may_not_be_told", "no", "waiting", "refused", "agreed"]
KEPT_AFTER_END_SECONDS = 365 * 86_400


@dataclass(frozen=True)
class Status:
    """What may be told. `records` are those that others can find now, `being_sent` those on their way."""

    records: int
    being_sent: int
    closed: int
    """Of the records, how many can only be taken back with all others of their deposit, by the agency."""
    asked: AskedState
    withdrawn_at: int | None
    contest: ContestedSubmission | None = None


def status(home: Home, case: ConsentCase) -> Status:
    """The status of one case. Raises VerificationFailed when a file of the home is damaged."""
    records = being_sent = closed = 0
    answers: list[AskedState] = []
    for deposit, tokens in _own(home, case.reference):
        if deposit.entry.stage == "masked":
            being_sent += len(tokens)
            continue
        records += len(tokens)
        if not home.vault.exists(leaves_name(deposit.deposit_id)):
            closed += len(tokens)
        answers += [_answered(home, ask) for ask in deposit.asks() if _is_about(ask, tokens)]
    contest = contested_records.find(home, case.reference)
    return Status(records, being_sent, closed, _asked(case, answers), case.withdrawn_at, contest)


def forget_ended(home: Home, cases: Cases, now: int) -> int:
    """Erase the cases with nothing left under their reference, a year after anything was done in them: how many.

    One that is contested and not decided stays."""
    gone = 0
    contested_records.forget_upheld(home, now)
    open_ones = {
        each.reference for each in contested_records.every(home) if each.state is ContestState.CONTESTED
    }
    for opened in list(cases.every()):
        last = max((step.at for step in opened.case.steps), default=0)
        reference = opened.case.reference
        over = last + KEPT_AFTER_END_SECONDS <= now and reference not in open_ones
        if over and not any(_own(home, reference)):
            cases.erase(opened)
            gone += 1
    return gone


def anything_under(home: Home, reference: str) -> bool:
    """Whether anything is deposited under a reference."""
    return any(_own(home, reference))


def _own(home: Home, reference: str) -> Iterator[tuple[DepositFolder, frozenset[bytes]]]:
    """The deposits with records of a reference, and the records' tokens."""
    for deposit in all_deposits(home):
        tokens = frozenset(
            token
            for token, text in local_references.all_references(deposit)
            if reference in local_references.parts(text)
        )
        if tokens and deposit.entry.stage in ("masked", "serving"):
            yield deposit, tokens


def _is_about(ask: KeptAsk, tokens: frozenset[bytes]) -> bool:
    asked = {ask.tokens[at : at + TOKEN_BYTES] for at in range(0, len(ask.tokens), TOKEN_BYTES)}
    return not asked.isdisjoint(tokens)


def _answered(home: Home, ask: KeptAsk) -> AskedState:
    name = f"releases/{ask.permit_id.hex()}/{ask.series_id.hex()}.jws"
    if not home.vault.exists(name):
        return "waiting"
    kept = documents.verify(ContributorRelease, home.vault.read_text(name), home.identity.signing_key)
    return "agreed" if kept.payload.released else "refused"


def _asked(case: ConsentCase, answers: list[AskedState]) -> AskedState:
    if not case.tells_asked:
        return "may_not_be_told"
    order: tuple[AskedState, ...] = ("agreed", "waiting", "refused")
    return next((each for each in order if each in answers), "no")
