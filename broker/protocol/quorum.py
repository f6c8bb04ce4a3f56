"""Evaluation by a quorum of key holders, each with its Lagrange coefficient folded into its share.

Rule (DESIGN 2.5): the requester names the quorum S, t increasing indices. Holder i answers with key λ_i^S * k_i and
RFC 9497's proof under pkS_i = λ_i^S * sum(i^j * C_j), which the verifier computes itself from the dealer's commitments
and never takes from the holder. The answers then add up to k * B. An answer made for another quorum fails its proof:
summed unchecked it would give tokens that match nothing, silently.

Identity, non-canonical and repeated points are refused. Who may ask is not decided here: that is the gate's.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from broker.protocol import group, oprf, shares
from broker.protocol.errors import BadInput, VerificationFailed

CHUNK_ELEMENTS = oprf.CHUNK_ELEMENTS


@dataclass(frozen=True, slots=True)
class Chunk:
    """Up to 4,096 evaluated elements in the order asked, and their proof (64 bytes)."""

    elements: tuple[bytes, ...]
    proof: bytes


def check_quorum(quorum: Sequence[int], threshold: int, holders: int) -> tuple[int, ...]:
    """Returns the quorum if it names exactly t distinct holders, increasing, within 1..n. Raises BadInput."""
    increasing = all(a < b for a, b in itertools.pairwise(quorum))
    if not quorum or len(quorum) != threshold or not increasing or quorum[0] < 1 or quorum[-1] > holders:
        raise BadInput("A quorum names exactly as many holders as the threshold, once each, in roster order.")
    return tuple(quorum)


def folded_key(share: shares.Share, quorum: Sequence[int]) -> oprf.KeyPair:
    """A holder's key for one quorum: λ_x^S * k_x and its public element. Raises BadInput."""
    coefficient = shares.lagrange_coefficient(quorum, share.x)
    secret = group.scalar_multiply(coefficient, group.check_scalar(share.value))
    return oprf.KeyPair(secret, group.multiply_base(secret))


def folded_public_key(commitments: Sequence[bytes], quorum: Sequence[int], x: int) -> bytes:
    """The public element of `folded_key`, from public values alone: the verifier's side.

    Raises VerificationFailed unless there are exactly as many sound commitments as the quorum has members, and
    BadInput if x is not in the quorum.
    """
    sound = shares.check_commitments(commitments, len(quorum))
    coefficient = shares.lagrange_coefficient(quorum, x)
    return group.multiply(coefficient, shares.share_commitment(sound, x))


def evaluate_share(
    share: shares.Share,
    commitments: Sequence[bytes],
    quorum: Sequence[int],
    blinded_elements: Sequence[bytes],
    random_bytes: Callable[[int], bytes],
) -> tuple[Chunk, ...]:
    """A holder's answer: every element times its folded key, in chunks of 4,096 with a proof each.

    Raises BadInput for no, identity, non-canonical or repeated elements, and VerificationFailed if the share does not
    belong to the commitments.
    """
    if len(set(blinded_elements)) != len(blinded_elements):
        raise BadInput("A point was sent twice. Send each distinct identifier once, blinded afresh.")
    key = folded_key(share, quorum)
    if key.public_key != folded_public_key(commitments, quorum, share.x):
        raise VerificationFailed("The share does not fit the series' commitments. Nothing was evaluated.")
    answer = []
    for part in _parts(blinded_elements):
        evaluation = oprf.blind_evaluate(key.secret_key, key.public_key, part, random_bytes)
        answer.append(Chunk(evaluation.elements, evaluation.proof))
    return tuple(answer)


def verify_answer(
    commitments: Sequence[bytes],
    quorum: Sequence[int],
    x: int,
    blinded_elements: Sequence[bytes],
    chunks: Sequence[Chunk],
) -> tuple[bytes, ...]:
    """Returns holder x's evaluated elements, all of them, once every chunk's proof has verified for this quorum.

    Raises VerificationFailed, and BadInput if x is not in the quorum or nothing was asked.
    """
    public_key = folded_public_key(commitments, quorum, x)
    parts = list(_parts(blinded_elements))
    if len(parts) != len(chunks):
        raise VerificationFailed("The holder's answer has another number of chunks than was asked for.")
    for part, chunk in zip(parts, chunks, strict=True):
        oprf.verify_proof(public_key, part, chunk.elements, chunk.proof)
    return tuple(element for chunk in chunks for element in chunk.elements)


def combine(answers: Mapping[int, Sequence[bytes]], quorum: Sequence[int]) -> list[bytes]:
    """Adds the verified answers of all members of the quorum: k * B for each point, in order.

    Takes only what `verify_answer` returned for this same quorum. Raises BadInput if an answer is missing, too many,
    or of another length.
    """
    if not quorum or sorted(answers) != list(quorum):
        raise BadInput("To combine, the answers of exactly the named quorum are needed.")
    if len({len(each) for each in answers.values()}) != 1:
        raise BadInput("The holders' answers have different lengths and cannot be combined.")
    first, *rest = (answers[x] for x in quorum)
    total = list(first)
    for answer in rest:
        total = [group.add(a, b) for a, b in zip(total, answer, strict=True)]
    return total


def _parts(elements: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    if not elements:
        raise BadInput("Nothing was sent to evaluate.")
    for start in range(0, len(elements), CHUNK_ELEMENTS):
        yield elements[start : start + CHUNK_ELEMENTS]
