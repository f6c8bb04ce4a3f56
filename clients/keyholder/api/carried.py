"""Bundles that came to a key holder on a stick: open, take the calls through this very application, seal the answers.

Rule: as at the broker (`broker.api.carried`): signed by a member of a pinned space, for this holder, in time and in
order; every call goes through the same route and checks as one over the network, and the answers are sealed to the
member's key in the pinned space. Its id is kept until it expires, from when all of it is answered and not sooner.

It takes no step itself.
"""

from dataclasses import dataclass, field
from functools import partial

from starlette.concurrency import run_in_threadpool

from broker.protocol import carried, documents
from broker.protocol.calls import Unauthenticated
from broker.protocol.carried import CarriedAnswers, CarriedBy, CarriedCalls, CarriedHeader
from broker.protocol.carried_answers import answer_bundle
from broker.protocol.carried_calls import Application, answer_all
from broker.protocol.documents import Signed
from broker.protocol.messages.base import blob_to_text
from broker.protocol.messages.parties import Member
from clients.keyholder.context import KeyHolder
from clients.keyholder.pinning import pinned_spaces
from clients.keyholder.store import calls


@dataclass(frozen=True)
class Opened:
    """Evidence of a bundle whose sender, receiver, time and order were checked."""

    header: Signed[CarriedHeader]
    member: Member
    index: CarriedCalls
    bodies: list[bytes] = field(repr=False)


def open_calls(holder: KeyHolder, data: bytes) -> Opened:
    """Check and open a bundle. Raises Unauthenticated, Conflict (out of order), or as `carried.verify`."""
    packed, now = carried.unpack(data), holder.clock()
    kid = packed.claimed_kid
    with holder.database.read() as connection:
        members = {
            documents.key_identifier(member.signing_key): member
            for space in pinned_spaces(connection)
            for member in space.payload.members
        }
    if kid not in members:
        raise Unauthenticated("The bundle's sender is not a member of a space that is pinned here.")
    own_kid = documents.key_identifier(holder.keys.signing_public)
    header = carried.verify(packed, members[kid].signing_key, own_kid, now)
    index, bodies = carried.open_bundle(header, packed.sealed, holder.keys.wrapping.private, CarriedCalls)
    said = header.payload
    with holder.database.write() as connection:
        carried.check_order(said, partial(calls.is_used, connection, kid))
        calls.use_idempotency_key(connection, kid, blob_to_text(said.bundle_id), header.digest, now)
    return Opened(header, members[kid], index, bodies)


async def answer_calls(holder: KeyHolder, application: Application, opened: Opened) -> bytes:
    """Take the calls in their order. Returns the bundle with the answers."""
    said = opened.header.payload
    by = CarriedBy(opened.header.kid, said.bundle_id, said.created_at)
    answers, bodies = await answer_all(application, opened.index.calls, opened.bodies, by)

    def sealed() -> bytes:
        answered = answer_bundle(
            opened.header,
            opened.member.wrapping_key,
            CarriedAnswers(answers=answers),
            bodies,
            signing_key=holder.keys.signing_key,
            now=holder.clock(),
            random_bytes=holder.random_bytes,
        )
        with holder.database.write() as connection:
            name = blob_to_text(said.bundle_id)
            calls.use_nonce(connection, opened.header.kid, name, holder.clock(), said.expires_at)
        return answered

    return await run_in_threadpool(sealed)
