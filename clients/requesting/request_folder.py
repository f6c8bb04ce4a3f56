"""What a requester keeps of a request: one folder a request in its home, written step by step.

Rule: a step's result is kept before the next step is taken, so that a killed program goes on where it was; tokens are
kept before they are sent, so that a retry sends the same. Blinds, salted hashes, the holders' answers and the tokens
stay sealed for the retention period: with them an authorised auditor can have any index opened (DESIGN 2.8). After it
`forget` erases them; the signed papers stay.

It checks nothing and sends nothing: see `clients.requester`, `clients.draws.draw_opening`,
`clients.requesting.forgetting`.

    requests/ID/{begun.json, plan, request.jws, findings.json, approvals.json, earlier-confirmation.jws, refusal.json,
                 admission.json, answers/1-2/HANDLE-1, tokens, disclosure.jws, opening.json, answer, payloads,
                 confirmation.jws, draw-DRAW.jws, forgotten.json}
                                                  plan, answers, tokens, answer and payloads are sealed
"""

from typing import Literal

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import NotFound
from broker.protocol.messages.base import (
    Document,
    encode,
    read,
)
from broker.protocol.messages.envelopes import DocumentsMessage
from broker.protocol.messages.evaluation import EvaluationAnswer
from broker.protocol.messages.log import OpenedEntry
from broker.protocol.messages.requests import Admission, Opening, Request
from clients.requesting.request_values import Answer, Begun, Forgotten, OpenedPayloads, Plan, Refusal, Tokens
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
    "released.json",
    "released-false.json",
)


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

    def keep_prepared(
        self, plan: Plan, document: str, begun_at: int, earlier_confirmation: str | None = None
    ) -> None:
        """Keep the secrets first: a request without them can never be evaluated. When it was begun comes before them,
        so that what is cut short here is erased in the end (`unfinished`).

        Args:
            earlier_confirmation: of the earlier matches that the request selects from, if it does."""
        self._vault.write_message(f"{self._folder}/begun.json", Begun(begun_at=begun_at))
        self._vault.write_secret(f"{self._folder}/plan", encode(plan))
        if earlier_confirmation is not None:
            self._vault.write_text(f"{self._folder}/earlier-confirmation.jws", earlier_confirmation)
        self._vault.write_text(f"{self._folder}/request.jws", document)
        self._vault.erase(f"{self._folder}/begun.json")

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

    def keep_disclosure(self, document: str, recorded: OpenedEntry | None, *, false: bool = False) -> None:
        """Keep the signed disclosure and the log entry that records it; with `false` what did not verify."""
        suffix = "-false" if false else ""
        if recorded is not None:
            self._vault.write_message(f"{self._folder}/released{suffix}.json", recorded)
        self._vault.write_text(f"{self._folder}/disclosure{suffix}.jws", document)

    def disclosure(self) -> str:
        """The signed disclosure. Raises NotFound."""
        if not self._has("disclosure.jws"):
            raise NotFound("This request is not answered yet.")
        return self._vault.read_text(f"{self._folder}/disclosure.jws")

    def released(self) -> OpenedEntry:
        """The log entry that records the disclosure, opened. Raises NotFound."""
        if not self._has("released.json"):
            raise NotFound("The log entry of this answer is not kept here.")
        return self._vault.read_message(OpenedEntry, f"{self._folder}/released.json")

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

    def erase_unfinished(self) -> None:
        """Erase what there is of a request that was never signed."""
        for name in ("plan", "earlier-confirmation.jws", "begun.json"):
            self._vault.erase(f"{self._folder}/{name}")

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


def unfinished(vault: Vault, before: int) -> tuple[bytes, ...]:
    """The folders of requests whose making was cut short, begun before that time in Unix seconds or at no known one."""
    found = []
    for name in vault.names("requests"):
        if vault.exists(f"requests/{name}/request.jws") or not vault.names(f"requests/{name}"):
            continue
        begun = f"requests/{name}/begun.json"
        if not vault.exists(begun) or vault.read_message(Begun, begun).begun_at < before:
            found.append(bytes.fromhex(name))
    return tuple(found)
