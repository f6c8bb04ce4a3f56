"""A requester is told that matches it was given are taken back or contested: it fetches the notice, acts, and says so.

Rule: a notice counts under the broker's pinned key and names places in a disclosure that lies here, so no identifier
and no token travels. Whoever says that it erased has erased: hits, sources and opened records go from this home first,
and only then the signed acknowledgement; and with them which identifier is behind which of the tokens that were sent.
The signed papers, and of the question what an auditor's draw needs, stay until the request's retention is over: whoever
has the home's key can unblind the key holders' answers once more, and hold the result against the disclosure. What lies
outside this home, such as a case folder, is the officer's to erase. An answer that comes after a notice of it, on a
stick or after a crash, is kept without what was taken back.
What is contested is set aside: until a later notice of the same matches, nothing of it is exported or handed over.

    retractions/{NOTICE.jws,NOTICE-done.jws}
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from broker.protocol import documents
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, NotFound, VerificationFailed
from broker.protocol.messages.consent import (
    ANSWERS,
    RetractionAcknowledgement,
    RetractionDone,
    RetractionGround,
    RetractionNotice,
    RetractionNotices,
)
from broker.protocol.messages.envelopes import DocumentMessage
from broker.protocol.messages.parties import Space
from broker.protocol.messages.requests import Disclosure
from broker.protocol.messages.vocabulary import RecordKind
from broker.protocol.tokens import TOKEN_BYTES
from clients.home import Home
from clients.recorded import post_recorded
from clients.requesting.request_folder import RequestFolder
from clients.requesting.request_values import Answer, FoundSource, OpenedPayloads
from clients.transport import Caller, Clock

CONTESTED = (
    "Something of this request is contested, so nothing of it leaves this home until you are told how that ended. Look "
    "for a notice: narrowgate request retractions"
)
_TAKEN_BACK = (RetractionGround.CONSENT_REVOKED, RetractionGround.WITHDRAWN)


@dataclass(frozen=True)
class Received:
    """One notice, and how many of the request's own identifiers it is about: 0 once those are forgotten."""

    notice: Signed[RetractionNotice]
    identifiers: int
    opened: int
    """How many opened records of it lie here."""


class Retractions:
    """The notices of one requester in a space."""

    def __init__(self, home: Home, space: Space, caller: Caller, clock: Clock) -> None:
        self._home = home
        self._space = space
        self._caller = caller.within(space.space_id)
        self._clock = clock

    def fetch(self) -> tuple[Received, ...]:
        """Fetch what is new, keep it, and list all that is not acknowledged; that it was shown is logged.

        Raises VerificationFailed for a notice that is not the broker's or another's, Unreachable or RemoteProblem."""
        url = f"{self._space.broker_origin}/v1/retractions"
        for document in self._caller.get(url, RetractionNotices).notices:
            signed = documents.verify(RetractionNotice, document, self._space.broker_signing_key)
            notice = signed.payload
            if (notice.requester, notice.space_id) == (self._home.party_id, self._space.space_id):
                self._home.vault.write_text(f"retractions/{notice.notice_id.hex()}.jws", document)
            elif notice.requester != self._home.party_id:
                raise VerificationFailed(
                    "The broker sent a notice of another requester. Keep it as evidence."
                )
        return tuple(self.open_notices())

    def open_notices(self) -> Iterator[Received]:
        """The notices here that are not acknowledged, by their id."""
        names = self._home.vault.names("retractions")
        for name in names:
            if name.endswith("-done.jws") or name.replace(".jws", "-done.jws") in names:
                continue
            signed = self._notice(name)
            if signed.payload.space_id == self._space.space_id:
                yield self._received(signed)

    def acknowledge(
        self,
        notice_id: bytes,
        officer: str,
        lawful_ground: str | None = None,
        done: RetractionDone | None = None,
    ) -> RetractionAcknowledgement:
        """Erase what the notice is about from this home, keep it on a lawful ground, or what else the notice lets be
        done; and say so, signed.

        Args:
            lawful_ground: on which it is kept.
            done: what is done; None to keep it where a ground is named, and else to erase it.

        Again, the same word is sent again. Raises NotFound, BadInput, or what the broker refuses with."""
        name = f"{notice_id.hex()}.jws"
        if not self._home.vault.exists(f"retractions/{name}"):
            raise NotFound("This home has no such notice. Fetch them: narrowgate request retractions")
        if lawful_ground is not None and not lawful_ground.strip():
            raise BadInput("Name the lawful ground on which it is kept, in a sentence.")
        signed = self._notice(name)
        if done is None:
            done = RetractionDone.ERASED if lawful_ground is None else RetractionDone.KEPT
        ground = signed.payload.ground
        if done not in ANSWERS[ground]:
            may = ", ".join(each.value for each in ANSWERS[ground])
            raise BadInput(f"A notice that says {ground.value} is answered by one of: {may}.")
        finished = f"retractions/{notice_id.hex()}-done.jws"
        said = RetractionAcknowledgement(
            notice_id=notice_id,
            notice_digest=signed.digest,
            requester=self._home.party_id,
            done=done,
            lawful_ground=lawful_ground or "",
            officer=officer,
            acknowledged_at=self._clock(),
        )
        sending = f"retractions/{notice_id.hex()}-sending"
        if self._home.vault.exists(sending):
            # Cut short before, the same word is sent again; another one is not.
            kept = self._home.vault.read_text(sending)
            own = documents.verify(RetractionAcknowledgement, kept, self._home.identity.signing_key)
            if own.payload.done is not said.done:
                raise BadInput("You said otherwise before. The first word stands: send it again.")
            said, document = own.payload, kept
        else:
            document = documents.sign(said, self._home.signing_key).document
        if said.done is RetractionDone.ERASED:
            self._erase(signed.payload)
        self._home.vault.write_text(sending, document)
        body = DocumentMessage(document=document)
        path = f"/v1/retractions/{notice_id.hex()}"
        post_recorded(self._caller, path, body, self._space, RecordKind.RETRACTION_ACKNOWLEDGED)
        self._home.vault.write_text(finished, document)
        self._home.vault.remove(sending)
        return said

    def _notice(self, name: str) -> Signed[RetractionNotice]:
        return _notice(self._home, self._space, name)

    def _tokens(self, notice: RetractionNotice) -> frozenset[bytes]:
        return _tokens(self._home, self._space, notice)

    def _received(self, signed: Signed[RetractionNotice]) -> Received:
        gone = self._tokens(signed.payload)
        folder = RequestFolder(self._home.vault, signed.payload.request_id)
        answer, opened = folder.answer(), folder.payloads()
        hits = {each.identifier for each in answer.hit_tokens if each.token in gone} if answer else set()
        records = [each for each in opened.payloads if each.token in gone] if opened else []
        return Received(signed, len(hits), len(records))

    def _erase(self, notice: RetractionNotice) -> None:
        gone = self._tokens(notice)
        folder = RequestFolder(self._home.vault, notice.request_id)
        answer, opened = folder.answer(), folder.payloads()
        if opened is not None:
            left = tuple(each for each in opened.payloads if each.token not in gone)
            folder.keep_payloads(OpenedPayloads(payloads=left))
        _strip_opening(folder, gone)
        if answer is not None:
            folder.keep_answer(without(answer, gone))
            _forget_orders(folder)


def contested(home: Home, space: Space, request_id: bytes) -> frozenset[str]:
    """The own identifiers of a request with a match that is contested: its notice says so, and none after it how that
    ended. Only what was fetched is known. Raises VerificationFailed."""
    places: dict[int, tuple[int, bool]] = {}
    for name in home.vault.names("retractions"):
        if name.endswith("-done.jws") or not name.endswith(".jws"):
            continue
        # Another space's broker may have signed it: whose request it is about is read first.
        text = home.vault.read_text(f"retractions/{name}")
        if documents.unverified_payload(RetractionNotice, text).request_id != request_id:
            continue
        notice = _notice(home, space, name).payload
        # A match is contested once at most: what is deposited again is another match.
        ended = notice.ground is not RetractionGround.CONTESTED
        for place in notice.places:
            places[place] = max(places.get(place, (0, False)), (notice.noticed_at, ended))
    folder = RequestFolder(home.vault, request_id)
    answer = folder.answer()
    aside = [place for place, (_, ended) in places.items() if not ended]
    if answer is None or not aside:
        return frozenset()
    matched = documents.verify(Disclosure, folder.disclosure(), space.broker_signing_key).payload.matched
    tokens = {matched[place] for place in aside}
    return frozenset(each.identifier for each in answer.hit_tokens if each.token in tokens)


def keep_what_stands(home: Home, space: Space, answer: Answer) -> Answer:
    """Keep an answer that has just come, whose disclosure is kept already, without what the notices here took back
    before it came. Returns what was kept. Raises VerificationFailed for a notice of another answer."""
    folder, gone = RequestFolder(home.vault, answer.request_id), set[bytes]()
    for name in home.vault.names("retractions"):
        if name.endswith(("-done.jws", "-sending")):
            continue
        # Another space's broker may have signed it: whose request it is about is read first.
        text = home.vault.read_text(f"retractions/{name}")
        if documents.unverified_payload(RetractionNotice, text).request_id != answer.request_id:
            continue
        notice = _notice(home, space, name).payload
        if notice.ground in _TAKEN_BACK and not _is_kept(home, name.replace(".jws", "-done.jws")):
            gone |= _tokens(home, space, notice)
    if gone:
        _strip_opening(folder, gone)
        answer = without(answer, gone)
    folder.keep_answer(answer)
    if gone:
        _forget_orders(folder)
    return answer


def _is_kept(home: Home, done: str) -> bool:
    """Whether it was acknowledged that it is kept, on a lawful ground."""
    if not home.vault.exists(f"retractions/{done}"):
        return False
    text = home.vault.read_text(f"retractions/{done}")
    said = documents.verify(RetractionAcknowledgement, text, home.identity.signing_key).payload
    return said.done is RetractionDone.KEPT


def _notice(home: Home, space: Space, name: str) -> Signed[RetractionNotice]:
    text = home.vault.read_text(f"retractions/{name}")
    return documents.verify(RetractionNotice, text, space.broker_signing_key)


def _tokens(home: Home, space: Space, notice: RetractionNotice) -> frozenset[bytes]:
    """The tokens taken back; none once the disclosure is forgotten. Raises VerificationFailed for another's."""
    try:
        text = RequestFolder(home.vault, notice.request_id).disclosure()
    except NotFound:
        return frozenset()
    disclosure = documents.verify(Disclosure, text, space.broker_signing_key)
    matched = disclosure.payload.matched
    if disclosure.digest != notice.disclosure_digest or max(notice.places) >= len(matched):
        raise VerificationFailed("The notice is about another answer than the one kept here.")
    return frozenset(matched[place] for place in notice.places)


def _strip_opening(folder: RequestFolder, gone: Collection[bytes]) -> None:
    opening = folder.opening()
    if opening is not None:
        records = tuple(each for each in opening.records if each.token not in gone)
        folder.keep_opening(opening.model_copy(update={"records": records}))


def _forget_orders(folder: RequestFolder) -> None:
    """Of all tokens, since a gap would tell which identifier was struck. Once a request is answered nothing reads them;
    the tokens themselves stay as they were sent, since their root is in the log and a draw is held against it."""
    kept = folder.tokens()
    if kept is not None and kept.orders:
        folder.keep_tokens(kept.model_copy(update={"orders": ()}))


def without(answer: Answer, gone: Collection[bytes]) -> Answer:
    """An answer as if the matches of these tokens had not been told."""
    tokens = tuple(each for each in answer.hit_tokens if each.token not in gone)
    still = {each.identifier for each in tokens}
    behind = {each.token: each.identifier for each in tokens}
    sources = tuple(_source(each, behind) for each in answer.sources)
    return answer.model_copy(
        update={
            "hits": tuple(text for text in answer.hits if text in still),
            "persons": tuple(
                each.model_copy(update={"found_as": left})
                for each in answer.persons
                if (left := tuple(text for text in each.found_as if text in still))
            ),
            "hit_tokens": tokens,
            "sources": tuple(each for each in sources if each.identifiers),
        }
    )


def _source(found: FoundSource, behind: dict[bytes, str]) -> FoundSource:
    data = found.source.tokens
    held = [data[at : at + TOKEN_BYTES] for at in range(0, len(data), TOKEN_BYTES)]
    left = [token for token in held if token in behind]
    texts = {behind[token] for token in left}
    source = found.source.model_copy(update={"tokens": b"".join(left)})
    kept = tuple(text for text in found.identifiers if text in texts)
    return FoundSource(source=source, identifiers=kept)
