"""What a requester keeps of a request: one folder a request in its home, written step by step.

Rule: a step's result is kept before the next step is taken, so that a killed program goes on where it was; tokens are
kept before they are sent, so that a retry sends the same. Blinds, salted hashes, the holders' answers and the tokens
stay sealed for the retention period: with them an authorised auditor can have any index opened (DESIGN 2.8). After it
`forget` erases them; the signed papers stay.

It checks nothing and sends nothing: see `clients.requester`, `clients.draw_opening`, `clients.forgetting`.

    requests/ID/{request.jws, plan, findings.json, approvals.json, earlier-confirmation.jws, refusal.json,
                 admission.json, answers/1-2/HANDLE-1, tokens, disclosure.jws, opening.json, answer, payloads,
                 confirmation.jws, draw-DRAW.jws, forgotten.json}
                                                  plan, answers, tokens, answer and payloads are sealed
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import NotFound
from broker.protocol.messages.base import (
    Blob,
    Bytes32,
    Document,
    Id16,
    Message,
    Name,
    Seconds,
    Slug,
    Text,
    encode,
    read,
)
from broker.protocol.messages.envelopes import DocumentsMessage
from broker.protocol.messages.evaluation import EvaluationAnswer
from broker.protocol.messages.ladder import Source
from broker.protocol.messages.requests import Admission, Opening, Request, TokenSubmission
from broker.protocol.messages.vocabulary import Tier
from clients.remote import RefusedByGate
from clients.vault import Vault

State = Literal["prepared", "refused", "admitted", "evaluated", "answered", "forgotten"]
_FORGOTTEN_FILES = (
    "plan",
    "tokens",
    "answer",
    "outcome",
    "payloads",
    "opening.json",
    "disclosure.jws",
    "disclosure-false.jws",
)


class PlannedBatch(Message):
    """The identifiers of one type, in index order, with what blinds them. All but the points is secret."""

    identifier_type: Slug
    identifiers: Annotated[tuple[str, ...], Field(repr=False)]
    hashes: Annotated[Blob, Field(repr=False)]
    """h of each, 64 bytes, one after another."""
    blinds: Annotated[Blob, Field(repr=False)]
    """r of each, 32 bytes."""
    points: Blob
    """B = r * P of each, 32 bytes."""


class Plan(Message):
    """All batches of a request, in its order."""

    v: Literal[1] = 1
    batches: tuple[PlannedBatch, ...]


class Tokens(Message):
    """The one submission of a request; `orders[i][j]` is the index of the identifier behind token j of list i."""

    v: Literal[1] = 1
    submission: Annotated[TokenSubmission, Field(repr=False)]
    orders: Annotated[tuple[tuple[int, ...], ...], Field(repr=False)]


class HitToken(Message):
    """One match behind a hit: what the requester reports an outcome by."""

    identifier: Annotated[str, Field(repr=False)]
    deposit_id: Bytes32
    token: Annotated[Blob, Field(repr=False)]


class FoundSource(Message):
    """One contributor that holds some of the identifiers, with what it says of itself and its conditions."""

    source: Source
    identifiers: Annotated[tuple[str, ...], Field(repr=False)]


class OpenedPayload(Message):
    """One record that was opened: what a contributor had to say of one identifier."""

    identifier: Annotated[str, Field(repr=False)]
    contributor: Slug
    deposit_id: Bytes32
    token: Annotated[Blob, Field(repr=False)]
    record_version: int
    plaintext: Annotated[Blob, Field(repr=False)]


class OpenedPayloads(Message):
    """All records of one request that were opened."""

    v: Literal[1] = 1
    payloads: tuple[OpenedPayload, ...]


class Answer(Message):
    """What a request came to. `hits` are those of the requester's own identifiers that somebody knows."""

    v: Literal[1] = 1
    request_id: Id16
    tier: Tier
    identifiers: int
    """How many were asked about."""
    hits: Annotated[tuple[str, ...], Field(repr=False)] = ()
    hit_tokens: Annotated[tuple[HitToken, ...], Field(repr=False)] = ()
    sources: tuple[FoundSource, ...] = ()
    records: int = 0
    """How many sealed records were released; see `OpenedPayloads` for what was in them."""
    noised_count: int | None = None
    contributors: int | None = None
    rules: tuple[Name, ...]
    reasons: tuple[Text, ...]
    law: tuple[Text, ...]
    trial: bool


class Refusal(Message):
    """A refusal as it was told, by the broker or by a key holder."""

    v: Literal[1] = 1
    detail: Text
    rules: tuple[Text, ...]
    reasons: tuple[Text, ...]
    law: tuple[Text, ...]
    missed: tuple[Text, ...]
    notes: tuple[Text, ...]
    trial: bool

    @classmethod
    def of(cls, error: RefusedByGate, trial: bool) -> "Refusal":
        """The told part of an error. `trial` serves where the answer does not say."""
        said = error.extensions.get("trial")
        return cls(
            detail=error.detail,
            rules=error.rules,
            reasons=error.reasons,
            law=error.law,
            missed=error.missed,
            notes=error.notes,
            trial=said if isinstance(said, bool) else trial,
        )

    def error(self) -> RefusedByGate:
        """The refusal as the error it was."""
        members: dict[str, Any] = self.model_dump(mode="json", exclude={"v", "detail"})
        return RefusedByGate("refused", self.detail, members)


class Forgotten(Message):
    """That the retention is over, and since when nothing of the identifiers is left here."""

    v: Literal[1] = 1
    forgotten_at: Seconds


class RequestFolder:
    """The files of one request."""

    def __init__(self, vault: Vault, request_id: bytes) -> None:
        self._vault = vault
        self._folder = f"requests/{request_id.hex()}"

    def _has(self, name: str) -> bool:
        return self._vault.exists(f"{self._folder}/{name}")

    @property
    def state(self) -> State:
        """How far the request has come."""
        steps: tuple[tuple[str, State], ...] = (
            ("forgotten.json", "forgotten"),
            ("answer", "answered"),
            ("refusal.json", "refused"),
            ("tokens", "evaluated"),
            ("admission.json", "admitted"),
        )
        return next((state for name, state in steps if self._has(name)), "prepared")

    # --- prepared ---

    def keep_prepared(self, plan: Plan, document: str) -> None:
        """Keep the secrets first: a request without them can never be evaluated."""
        self._vault.write_secret(f"{self._folder}/plan", encode(plan))
        self._vault.write_text(f"{self._folder}/request.jws", document)

    @property
    def document(self) -> str:
        """The signed request. Raises NotFound."""
        if not self._has("request.jws"):
            raise NotFound("This home has no request of that id. Use: narrowgate request list")
        return self._vault.read_text(f"{self._folder}/request.jws")

    def request(self, own_key: bytes) -> Signed[Request]:
        """The request, verified under the home's own key. Raises NotFound or VerificationFailed."""
        return documents.verify(Request, self.document, own_key)

    def roster(self) -> tuple[bytes, int]:
        """Space and roster version that the request names, to find the space document by. Proves nothing."""
        named = documents.unverified_payload(Request, self.document)
        return named.space_id, named.roster_version

    def plan(self) -> Plan:
        """The identifiers and their blinds. Raises NotFound or VerificationFailed."""
        return read(Plan, self._vault.read_secret(f"{self._folder}/plan"))

    # --- filed ---

    def keep_findings(self, findings: tuple[Document, ...]) -> None:
        """Keep the findings a request was filed with: each key holder is shown the same."""
        self._vault.write_message(f"{self._folder}/findings.json", DocumentsMessage(documents=findings))

    def findings(self) -> tuple[Document, ...]:
        """The findings the request was filed with; none before."""
        if not self._has("findings.json"):
            return ()
        return self._vault.read_message(DocumentsMessage, f"{self._folder}/findings.json").documents

    def keep_approvals(self, approvals: tuple[Document, ...]) -> None:
        """Keep the approvals a request was filed with."""
        self._vault.write_message(f"{self._folder}/approvals.json", DocumentsMessage(documents=approvals))

    def approvals(self) -> tuple[Document, ...]:
        """The approvals the request was filed with; none before."""
        if not self._has("approvals.json"):
            return ()
        return self._vault.read_message(DocumentsMessage, f"{self._folder}/approvals.json").documents

    def keep_earlier_confirmation(self, document: str) -> None:
        """Keep the confirmation of the earlier matches that this request selects from."""
        self._vault.write_text(f"{self._folder}/earlier-confirmation.jws", document)

    def earlier_confirmation(self) -> str | None:
        """The confirmation this request goes on from, or None for one that selects nothing."""
        name = "earlier-confirmation.jws"
        return self._vault.read_text(f"{self._folder}/{name}") if self._has(name) else None

    def keep_admission(self, admission: Admission) -> None:
        """Keep a verified admission; an earlier refusal is over with it."""
        self._vault.write_message(f"{self._folder}/admission.json", admission)
        self.forget_refusal()

    def keep_false_admission(self, admission: Admission) -> None:
        """Keep an admission that did not verify, as evidence."""
        self._vault.write_message(f"{self._folder}/admission-false.json", admission)

    def admission(self) -> Admission | None:
        """The admission, or None before the request was admitted."""
        if not self._has("admission.json"):
            return None
        return self._vault.read_message(Admission, f"{self._folder}/admission.json")

    def keep_refusal(self, refusal: Refusal) -> None:
        """Keep what was told."""
        self._vault.write_message(f"{self._folder}/refusal.json", refusal)

    def forget_refusal(self) -> None:
        """A step that was refused before went through."""
        self._vault.erase(f"{self._folder}/refusal.json")

    def refusal(self) -> Refusal | None:
        """The last refusal, or None."""
        if not self._has("refusal.json"):
            return None
        return self._vault.read_message(Refusal, f"{self._folder}/refusal.json")

    # --- evaluated ---

    def _answer_name(self, quorum: tuple[int, ...], handle: bytes, x: int) -> str:
        return f"{self._folder}/answers/{'-'.join(map(str, quorum))}/{handle.hex()}-{x}"

    def keep_evaluation(
        self, quorum: tuple[int, ...], handle: bytes, x: int, answer: EvaluationAnswer
    ) -> None:
        """Keep one holder's verified answer for one series."""
        self._vault.write_secret(self._answer_name(quorum, handle, x), encode(answer))

    def keep_false_evaluation(
        self, quorum: tuple[int, ...], handle: bytes, x: int, answer: EvaluationAnswer
    ) -> None:
        """Keep an answer that did not verify, as evidence."""
        self._vault.write_secret(self._answer_name(quorum, handle, x) + ".false", encode(answer))

    def evaluation(self, quorum: tuple[int, ...], handle: bytes, x: int) -> EvaluationAnswer | None:
        """A holder's answer kept before, or None."""
        name = self._answer_name(quorum, handle, x)
        return read(EvaluationAnswer, self._vault.read_secret(name)) if self._vault.exists(name) else None

    def quorums(self) -> tuple[tuple[int, ...], ...]:
        """The quorums of which some answer is kept."""
        names = self._vault.names(f"{self._folder}/answers")
        return tuple(tuple(map(int, name.split("-"))) for name in names)

    def keep_tokens(self, tokens: Tokens) -> None:
        """Keep the submission before it is sent."""
        self._vault.write_secret(f"{self._folder}/tokens", encode(tokens))

    def tokens(self) -> Tokens | None:
        """The submission, or None before the evaluation is complete."""
        if not self._has("tokens"):
            return None
        return read(Tokens, self._vault.read_secret(f"{self._folder}/tokens"))

    # --- answered ---

    def keep_disclosure(self, document: str, *, false: bool = False) -> None:
        """Keep the signed disclosure; with `false` one that did not verify, as evidence."""
        self._vault.write_text(f"{self._folder}/disclosure{'-false' if false else ''}.jws", document)

    def disclosure(self) -> str:
        """The signed disclosure. Raises NotFound."""
        if not self._has("disclosure.jws"):
            raise NotFound("This request is not answered yet.")
        return self._vault.read_text(f"{self._folder}/disclosure.jws")

    def keep_opening(self, opening: Opening) -> None:
        """Keep the second permit and the sealed records that were released."""
        self._vault.write_message(f"{self._folder}/opening.json", opening)

    def opening(self) -> Opening | None:
        """The second permit with its records, or None where none was given."""
        if not self._has("opening.json"):
            return None
        return self._vault.read_message(Opening, f"{self._folder}/opening.json")

    def keep_payloads(self, payloads: OpenedPayloads) -> None:
        """Keep what was opened."""
        self._vault.write_secret(f"{self._folder}/payloads", encode(payloads))

    def payloads(self) -> OpenedPayloads | None:
        """What was opened, or None."""
        if not self._has("payloads"):
            return None
        return read(OpenedPayloads, self._vault.read_secret(f"{self._folder}/payloads"))

    def keep_confirmation(self, document: str) -> None:
        """Keep the newest statement on which matches of this request a person confirmed."""
        self._vault.write_text(f"{self._folder}/confirmation.jws", document)

    def confirmation(self) -> str:
        """That statement. Raises NotFound."""
        if not self._has("confirmation.jws"):
            raise NotFound("Nobody confirmed a match of this request yet. Use: narrowgate request confirm")
        return self._vault.read_text(f"{self._folder}/confirmation.jws")

    def keep_answer(self, answer: Answer) -> None:
        """Keep the answer. The tokens stay beside it for an auditor's draw."""
        self._vault.write_secret(f"{self._folder}/answer", encode(answer))
        self.forget_refusal()

    def answer(self) -> Answer | None:
        """The answer, or None."""
        if not self._has("answer"):
            return None
        return read(Answer, self._vault.read_secret(f"{self._folder}/answer"))

    # --- audited, and over ---

    def keep_draw(self, draw_id: bytes, order: str) -> None:
        """Keep an auditor's order that was followed: what was opened, and for whom."""
        self._vault.write_text(f"{self._folder}/draw-{draw_id.hex()}.jws", order)

    def forget(self, now: int) -> None:
        """Erase identifiers, blinds, the holders' answers, tokens and the result. Cut short, it is run again."""
        self._vault.write_message(f"{self._folder}/forgotten.json", Forgotten(forgotten_at=now))
        answers = f"{self._folder}/answers"
        for quorum in self._vault.names(answers):
            for name in self._vault.names(f"{answers}/{quorum}"):
                self._vault.erase(f"{answers}/{quorum}/{name}")
        for name in _FORGOTTEN_FILES:
            self._vault.erase(f"{self._folder}/{name}")


def request_ids(vault: Vault) -> tuple[bytes, ...]:
    """The requests of a home; one whose making was cut short, before it was signed and kept, is none."""
    whole = (name for name in vault.names("requests") if vault.exists(f"requests/{name}/request.jws"))
    return tuple(map(bytes.fromhex, whole))
