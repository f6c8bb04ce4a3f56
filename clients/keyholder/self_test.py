"""Evaluate a series' public self-test element under both keys, before the series serves.

Rule: the element is HashToGroup of a label and the series id, without any salt: nobody's identifier. So it needs no
permit and is charged to nobody, and it is the only thing that k_open is evaluated on here.
"""

from broker.protocol import oprf, quorum, tokens
from broker.protocol.messages.evaluation import Chunk, SelfTestAnswer, SelfTestCall
from clients.keyholder.context import Caller, KeyHolder
from clients.keyholder.held import held_series
from clients.keyholder.pinning import member_by_key, pinned_space


def answer_self_test(
    holder: KeyHolder, caller: Caller, series_id: bytes, call: SelfTestCall
) -> SelfTestAnswer:
    """The evaluated element with its proofs, for any member of the series' space.

    Raises NotFound, NotPermitted, Conflict (the shares are erased) or BadInput (not a quorum with this holder)."""
    with holder.database.read() as connection:
        held = held_series(holder, connection, series_id)
        member_by_key(pinned_space(connection, held.manifest.space_id).payload, caller.signing_key)
    asked = quorum.check_quorum(call.quorum, held.manifest.threshold, len(held.manifest.holders))
    point = oprf.hash_input(tokens.self_test_input(series_id))
    match, opened = (
        quorum.evaluate_share(share, commitments, asked, (point,), holder.random_bytes)[0]
        for share, commitments in (
            (held.shares.match, held.manifest.commitments_match),
            (held.shares.open, held.manifest.commitments_open),
        )
    )
    return SelfTestAnswer(match=wire_chunk(match), open=wire_chunk(opened))


def wire_chunk(chunk: quorum.Chunk) -> Chunk:
    """An evaluated chunk as it goes over the wire."""
    return Chunk(elements=b"".join(chunk.elements), proof=chunk.proof)
