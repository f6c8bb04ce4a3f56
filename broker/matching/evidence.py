"""What one step of a request hands to the next: frozen, and made only by checks that raise.

Rule (DESIGN 3): a step asks for the evidence of the step before. `Admitted` needs the receipt of ADMITTED, `Recorded`
that of TOKENS, and `find` takes nothing but `Recorded`: a skipped step does not type-check. It stores nothing.
"""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from broker.audit.log import Receipt
from broker.audit.records import TokensReceived
from broker.gate.decision import Decision
from broker.gate.facts import AdmitFacts
from broker.matching.count import TOKEN_BYTES, token_set_digest
from broker.protocol.errors import BadInput, NotPermitted, Unavailable
from broker.protocol.messages.base import decode
from broker.protocol.messages.requests import (
    AdmissionRecord,
    PermitTerms,
    ReleaseDecided,
    TokenList,
    TokenSubmission,
    token_set_root,
)
from broker.protocol.messages.vocabulary import RecordKind
from broker.store.matches import Match, OpenDeposit

_NAMES_A_TOKEN_SET: dict[RecordKind, type[TokensReceived] | type[ReleaseDecided]] = {
    RecordKind.TOKENS: TokensReceived,
    RecordKind.RELEASE: ReleaseDecided,
}


@dataclass(frozen=True)
class Admitted:
    """Evidence that the gate admitted a request on these terms, and that ADMITTED stands in the log."""

    terms: PermitTerms
    decision: Decision = field(repr=False)
    receipt: Receipt

    @classmethod
    def by(cls, terms: PermitTerms, receipt: Receipt) -> "Admitted":
        """From the receipt of the entry. Raises Unavailable when the entry is not about these terms."""
        if receipt.kind is not RecordKind.ADMITTED:
            raise Unavailable("The permit's entry in the log is of another kind. Nothing was disclosed.")
        record = decode(AdmissionRecord, receipt.record)
        decision = decode(Decision, record.decision.encode())
        if record.terms != terms or decision.digest != terms.decision_digest or not decision.allowed:
            raise Unavailable("The permit and its entry in the log differ. Nothing was disclosed.")
        return cls(terms, decision, receipt)

    @property
    def facts(self) -> AdmitFacts:
        """The facts the request was admitted on. Raises Unavailable when the decision is about something else."""
        if not isinstance(self.decision.facts, AdmitFacts):
            raise Unavailable("The permit's decision is not about a request. Nothing was disclosed.")
        return self.decision.facts


@dataclass(frozen=True)
class TokenSet:
    """Evidence that a submission is what its permit allows. `root` goes into the log, `digest` into the noise."""

    admitted: Admitted
    lists: tuple[TokenList, ...] = field(repr=False)
    nonce: bytes = field(repr=False)
    root: bytes
    digest: bytes = field(repr=False)

    @classmethod
    def within(
        cls,
        admitted: Admitted,
        submission: TokenSubmission,
        selectable: frozenset[tuple[bytes, bytes]] | None = None,
    ) -> "TokenSet":
        """Check that the lists are those the permit opens. Raises BadInput or NotPermitted.

        Args:
            selectable: for a higher tier, the (deposit_id, token) pairs that the earlier one disclosed: it selects from
                these alone (DESIGN 2.6)."""
        terms = admitted.terms
        if submission.permit_id != terms.permit_id:
            raise NotPermitted("The tokens are sent under another permit than the address names.")
        allowed = {(series.handle, deposit): series for series in terms.series for deposit in series.deposits}
        named = [(item.handle, item.deposit_id) for item in submission.lists]
        if len(set(named)) != len(named) or set(named) != set(allowed):
            raise NotPermitted(
                "Send one list for each deposit the permit names and no other; a list may be empty."
            )
        identifiers = {batch.identifier_type: batch.identifiers for batch in terms.batches}
        for item in submission.lists:
            most = identifiers[allowed[item.handle, item.deposit_id].identifier_type]
            if len(split(item.tokens)) > most:
                raise NotPermitted("A list has more tokens than the permit has identifiers of that type.")
            if selectable is not None and not selectable.issuperset(
                (item.deposit_id, token) for token in split(item.tokens)
            ):
                raise NotPermitted(
                    "A token is none that the earlier request was told of. Select from its hits."
                )
        lists, nonce = submission.lists, submission.nonce
        return cls(admitted, lists, nonce, token_set_root(nonce, lists), token_set_digest(lists))


@dataclass(frozen=True)
class Recorded:
    """Evidence that the log names this token set as the one submission under its permit.

    `receipt` is that of TOKENS, or of the RELEASE that was decided on the same set."""

    tokens: TokenSet
    receipt: Receipt

    @classmethod
    def by(cls, tokens: TokenSet, receipt: Receipt) -> "Recorded":
        """From the receipt of the entry. Raises Unavailable when the entry is not about this token set."""
        terms = tokens.admitted.terms
        kind = _NAMES_A_TOKEN_SET.get(receipt.kind)
        if kind is None:
            raise Unavailable(
                "The entry in the log is of a kind that names no tokens. Nothing was disclosed."
            )
        record = decode(kind, receipt.record)
        if (record.permit_id, record.token_root) != (terms.permit_id, tokens.root):
            raise Unavailable("The tokens and their entry in the log differ. Nothing was disclosed.")
        return cls(tokens, receipt)


@dataclass(frozen=True)
class Matches:
    """What was found, and in what: the result stays inside the broker until it is released.

    `contributors` counts those whose deposits were searched, whether or not they held anything."""

    recorded: Recorded
    pairs: tuple[Match, ...] = field(repr=False)
    deposits: tuple[OpenDeposit, ...] = field(repr=False)

    @property
    def contributors(self) -> int:
        """Over how many contributors the matches are summed."""
        return len({deposit.contributor for deposit in self.deposits})

    @property
    def series(self) -> frozenset[bytes]:
        """The series_ids of what was searched."""
        return frozenset(deposit.series_id for deposit in self.deposits)

    @property
    def holding(self) -> frozenset[bytes]:
        """The series_ids of what holds a match."""
        numbers = {pair.deposit_number for pair in self.pairs}
        return frozenset(each.series_id for each in self.deposits if each.deposit_number in numbers)

    def within(self, series: Collection[bytes]) -> tuple[Match, ...]:
        """What was found in these series."""
        numbers = {each.deposit_number for each in self.deposits if each.series_id in set(series)}
        return tuple(pair for pair in self.pairs if pair.deposit_number in numbers)


def split(tokens: bytes) -> Sequence[bytes]:
    """A list's tokens. Raises BadInput unless they are whole and strictly increase."""
    if len(tokens) % TOKEN_BYTES:
        raise BadInput("Tokens are 16 bytes each.")
    each = [tokens[at : at + TOKEN_BYTES] for at in range(0, len(tokens), TOKEN_BYTES)]
    if any(after <= before for before, after in itertools.pairwise(each)):
        raise BadInput("The tokens of a list strictly increase: sort them, and send each once.")
    return each
