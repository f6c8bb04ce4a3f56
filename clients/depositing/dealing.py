"""Deal a new series to the key holders, and try it out with a quorum of them.

Rule (DESIGN 2.2): two independent scalars, each shared with Feldman commitments; a holder's two shares are wrapped to
one of its one-time prekeys, taken from a pack that verifies under the holder's pinned key. An acceptance counts when it
is signed by that key and names this series, this holder and these commitments. One holder may be down: t+1 suffice.

It keeps what it made in the series' folder before it sends anything, so that a run that was killed goes on. It opens no
series at the broker: see `clients.contributor`.
"""

import itertools
from collections.abc import Mapping, Sequence

from broker.protocol import documents, group, oprf, quorum, shares, tokens, wrapping
from broker.protocol.documents import Signed
from broker.protocol.errors import (
    BadInput,
    Conflict,
    NarrowgateError,
    NotFound,
    NotPermitted,
    Unavailable,
    VerificationFailed,
)
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.envelopes import DocumentMessage
from broker.protocol.messages.evaluation import Chunk, SelfTestAnswer, SelfTestCall
from broker.protocol.messages.parties import Holder, Space
from broker.protocol.messages.series import (
    Acceptance,
    Conditions,
    Prekey,
    PrekeyPack,
    SeriesManifest,
    ShareDelivery,
    key_digest,
)
from broker.protocol.tokens import Outputs
from clients.depositing.series_folder import SeriesFolder
from clients.home import Home
from clients.masking import MaskingKeys
from clients.transport import Awaited, Awaiting, Caller, Clock

_PREKEY_ATTEMPTS = 3


def draw_series(
    home: Home,
    space: Space,
    identifier_type: str,
    conditions: Conditions,
    now: int,
    random_bytes: RandomBytes,
) -> SeriesFolder:
    """Draw, share and sign a new series and keep it. Nothing is sent.

    Raises NotPermitted when the type is not compared in this space, BadInput for conditions no holder would accept.
    """
    if identifier_type not in space.identifier_types:
        raise NotPermitted("This type of identifier is not compared in the space. See: narrowgate space show")
    member = home.membership(space)
    if conditions.contributor_kind is not member.kind:
        raise BadInput(f"contributor_kind: the space knows you as {member.kind}. Correct the conditions.")
    if conditions.retain_until <= now:
        raise BadInput("retain_until: that day is over. Correct the conditions.")
    keys = MaskingKeys(group.random_scalar(random_bytes), group.random_scalar(random_bytes))
    threshold, holders = space.threshold, len(space.holders)
    match = shares.split(keys.k_match, threshold, holders, random_bytes)
    opening = shares.split(keys.k_open, threshold, holders, random_bytes)
    manifest = SeriesManifest(
        space_id=space.space_id,
        roster_version=space.roster_version,
        contributor=member.agency_id,
        identifier_type=identifier_type,
        salt_id=space.salt_id,
        conditions=conditions,
        threshold=threshold,
        holders=tuple(holder.holder_id for holder in space.holders),
        commitments_match=match.commitments,
        commitments_open=opening.commitments,
        nonce=random_bytes(16),
    )
    pairs = b"".join(a.value + b.value for a, b in zip(match.shares, opening.shares, strict=True))
    return SeriesFolder.create(home, documents.sign(manifest, home.signing_key), keys, pairs, now)


class Dealer:
    """Brings a series' shares to the holders of its space, and asks them to try it out."""

    def __init__(self, space: Space, caller: Caller, clock: Clock, random_bytes: RandomBytes) -> None:
        self._space = space
        self._caller = caller.within(space.space_id)
        self._clock = clock
        self._random_bytes = random_bytes

    def deliver(self, series: SeriesFolder) -> Mapping[str, str]:
        """Bring every holder its shares. Returns the acceptances, verified, by holder_id.

        Holders that accepted in an earlier run are not asked again. Raises Unavailable when fewer than t+1 (or all n)
        accepted, and whatever a holder that did answer refused with.
        """
        manifest = series.manifest.payload
        if manifest.holders != tuple(holder.holder_id for holder in self._space.holders):
            raise Conflict("The space's holders changed since the series was drawn. Open a new series.")
        awaiting = Awaiting()
        for holder in self._space.holders:
            if series.kept(f"acceptance-{holder.holder_id}") is None:
                try:
                    with awaiting:
                        series.keep(f"acceptance-{holder.holder_id}", self._deliver_to(series, holder))
                except Unavailable:
                    continue
        accepted = series.documents("acceptance")
        needed = min(manifest.threshold + 1, len(manifest.holders))
        if len(accepted) < needed:
            awaiting.check()
            raise Unavailable(
                f"{len(accepted)} key holders took their shares, and {needed} must. Run the command again when the "
                "others answer: it goes on where it stopped."
            )
        return accepted

    def _deliver_to(self, series: SeriesFolder, holder: Holder) -> str:
        for _ in range(_PREKEY_ATTEMPTS):
            try:
                return self._deliver_once(series, holder)
            except (Conflict, NotFound):
                # Somebody else's share took the prekey first: take another from a fresh pack.
                continue
        return self._deliver_once(series, holder)

    def _deliver_once(self, series: SeriesFolder, holder: Holder) -> str:
        delivery = series.delivery(holder.holder_id) if self._caller.answers_later else None
        if delivery is None:
            prekey = self._prekey(holder, series.prekeys_on_their_way(holder.holder_id))
            info = wrapping.share_info(series.series_id, holder.holder_id, holder.x)
            delivery = ShareDelivery(
                manifest=series.manifest.document,
                prekey_id=prekey.prekey_id,
                wrapped=wrapping.wrap(prekey.public_key, series.share_pair(holder.x), info),
            )
        if self._caller.answers_later:
            # The answer is read in a later run, which must ask with the same bytes to find it.
            series.keep_delivery(holder.holder_id, delivery)
        try:
            answer = self._caller.post(f"{holder.origin}/v1/series", delivery, DocumentMessage)
        except (Conflict, NotFound):
            series.forget_delivery(holder.holder_id)
            raise
        verify_acceptance(answer.document, series.manifest, holder)
        series.forget_delivery(holder.holder_id)
        return answer.document

    def _prekey(self, holder: Holder, taken: frozenset[bytes]) -> Prekey:
        answer = self._caller.get(f"{holder.origin}/v1/prekeys", DocumentMessage)
        pack = documents.verify(PrekeyPack, answer.document, holder.signing_key).payload
        if pack.holder_id != holder.holder_id or pack.expires_at <= self._clock():
            raise VerificationFailed("A key holder's pack of one-time keys is another's or out of date.")
        free = [prekey for prekey in pack.prekeys if prekey.prekey_id not in taken]
        if not free:
            raise Unavailable("A key holder has no one-time key left. Try again in a while.")
        # At random, so that contributors who come at the same time seldom take the same one.
        return free[int.from_bytes(self._random_bytes(8), "big") % len(free)]

    def self_test(self, series: SeriesFolder) -> tuple[tuple[int, ...], Outputs]:
        """Have the series' public element evaluated by a quorum that accepted, the next one if a holder is down.

        Returns: the quorum, and the element's outputs under both keys. Raises Unavailable when no quorum answers, and
        VerificationFailed when a proof does not verify.
        """
        accepted = series.documents("acceptance")
        abscissas = [holder.x for holder in self._space.holders if holder.holder_id in accepted]
        last: NarrowgateError = Unavailable("Fewer key holders accepted the series than a quorum needs.")
        for chosen in itertools.combinations(abscissas, series.manifest.payload.threshold):
            try:
                return chosen, self._ask_quorum(series, chosen)
            except Awaited:
                raise
            except Unavailable as error:
                last = error
        raise last

    def _ask_quorum(self, series: SeriesFolder, chosen: tuple[int, ...]) -> Outputs:
        manifest = series.manifest.payload
        seed = tokens.self_test_input(series.series_id)
        element = oprf.hash_input(seed)
        match: dict[int, Sequence[bytes]] = {}
        opening: dict[int, Sequence[bytes]] = {}
        awaiting = Awaiting()
        for x in chosen:
            url = f"{self._space.holders[x - 1].origin}/v1/series/{series.series_id.hex()}/self-test"
            with awaiting:
                answer = self._caller.post(url, SelfTestCall(quorum=chosen), SelfTestAnswer)
                match[x] = _verified(manifest.commitments_match, chosen, x, element, answer.match)
                opening[x] = _verified(manifest.commitments_open, chosen, x, element, answer.open)
        awaiting.check()
        return Outputs(
            oprf.output(seed, quorum.combine(match, chosen)[0]),
            oprf.output(seed, quorum.combine(opening, chosen)[0]),
        )


def verify_acceptance(document: str, manifest: Signed[SeriesManifest], holder: Holder) -> Acceptance:
    """Verify that `holder` accepted exactly this series. Raises VerificationFailed or BadInput."""
    acceptance = documents.verify(Acceptance, document, holder.signing_key).payload
    keys = manifest.payload
    expected = key_digest(
        manifest.payload_digest,
        keys.threshold,
        len(keys.holders),
        keys.commitments_match,
        keys.commitments_open,
    )
    if (acceptance.series_id, acceptance.holder_id, acceptance.x, acceptance.key_digest) != (
        manifest.payload_digest,
        holder.holder_id,
        holder.x,
        expected,
    ):
        raise VerificationFailed("A key holder's acceptance is for another series or other keys.")
    return acceptance


def _verified(
    commitments: Sequence[bytes], chosen: tuple[int, ...], x: int, element: bytes, chunk: Chunk
) -> tuple[bytes, ...]:
    part = quorum.Chunk(group.split_elements(chunk.elements), chunk.proof)
    return quorum.verify_answer(commitments, chosen, x, [element], [part])
