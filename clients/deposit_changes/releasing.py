"""A contributor's say over its own records: see what is asked, and release or refuse (DESIGN 2.8, POLICY L19).

Rule: the contributor sees the grounds and which of its own records are meant, by the local reference it gave them; that
it looked is logged at the broker. Its answer is a signed document that broker and key holders verify; silence refuses.
What was asked, not by whom, is kept for the person (`clients.persons.consent_status`). It opens nothing and sends no
identifier.
"""

from dataclasses import dataclass

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, NotFound
from broker.protocol.messages.envelopes import DocumentMessage
from broker.protocol.messages.ladder import ContributorRelease, ReleaseAsk, ReleaseAsks
from broker.protocol.messages.log import ReceiptMessage
from broker.protocol.messages.parties import Space
from clients.depositing.deposit_folder import KeptAsk, all_deposits
from clients.home import Home
from clients.transport import Caller, Clock


@dataclass(frozen=True)
class OwnAsk:
    """One ask about this contributor's own records; `references` are those it gave the records itself."""

    ask: ReleaseAsk
    references: tuple[str | None, ...]


class Releasing:
    """One contributor in one space."""

    def __init__(self, home: Home, space: Space, caller: Caller, clock: Clock) -> None:
        self._home = home
        self._space = space
        self._caller = caller.within(space.space_id)
        self._clock = clock

    def asks(self) -> tuple[ReleaseAsk, ...]:
        """What is asked, the unanswered first. Looking is logged at the broker. Raises Unreachable, RemoteProblem."""
        asks = self._caller.get(f"{self._space.broker_origin}/v1/releases", ReleaseAsks).asks
        serving = {
            each.deposit_id: each for each in all_deposits(self._home) if each.entry.stage == "serving"
        }
        for ask in asks:
            if ask.deposit_id in serving:
                kept = {name: getattr(ask, name) for name in KeptAsk.model_fields if name != "v"}
                serving[ask.deposit_id].keep_ask(KeptAsk(**kept))
        return asks

    def answer(
        self, permit_id: bytes, released: bool, reason: str, series_id: bytes | None = None
    ) -> Signed[ContributorRelease]:
        """Release one's own records that a permit asks for, or refuse to. Carried, it needs no second look at the asks.

        Args:
            series_id: which of one's series; None for the only one asked.

        Raises NotFound (nothing is asked), BadInput, Unreachable or RemoteProblem (as Expired: silence refused)."""
        asked = self._asked(permit_id)
        if series_id is None and len(asked) > 1:
            raise BadInput("Several of your series are asked. Name one with --series.")
        chosen = series_id or next(iter(asked), b"")
        if chosen not in asked:
            raise NotFound("You are asked for no release under that permit.")
        if not released and not reason.strip():
            raise BadInput("Say why you refuse, in a sentence: it is kept with your answer.")
        name = f"releases/{permit_id.hex()}/{chosen.hex()}.jws"
        answer = ContributorRelease(
            permit_id=permit_id,
            request_digest=asked[chosen],
            series_id=chosen,
            released=released,
            reason=reason,
            answered_at=self._clock(),
        )
        vault = self._home.vault
        signed = documents.sign(answer, self._home.signing_key)
        if vault.exists(name):
            kept = documents.verify(
                ContributorRelease, vault.read_text(name), self._home.identity.signing_key
            )
            # Cut short before, the same answer is sent again; another one is not.
            if kept.payload.released != released:
                raise BadInput("You answered this before, otherwise. The first answer stands.")
            signed = kept
        vault.write_text(name, signed.document)
        url = f"{self._space.broker_origin}/v1/releases/{permit_id.hex()}"
        self._caller.post(url, DocumentMessage(document=signed.document), ReceiptMessage)
        return signed

    def _asked(self, permit_id: bytes) -> dict[bytes, bytes]:
        """The digest of the request, by series that a permit asks for: as this home was shown it, or as of now."""
        if self._caller.answers_later:
            kept = (ask for deposit in all_deposits(self._home) for ask in deposit.asks())
            known = {ask.series_id: ask.request_digest for ask in kept if ask.permit_id == permit_id}
            found = {series_id: digest for series_id, digest in known.items() if digest is not None}
            if found:
                return found
        return {each.series_id: each.request_digest for each in self.asks() if each.permit_id == permit_id}
