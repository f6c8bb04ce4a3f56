"""The noise of a count: two-sided geometric, a function of the token set, sampled exactly.

Rule (DESIGN 2.7): noise X with P(X = x) proportional to exp(-epsilon |x|), the mechanism of Ghosh, Roughgarden and
Sundararajan ("Universally utility-maximizing privacy mechanisms", SIAM J. Comput. 41(6), 2012). The sensitivity is 1
for each (token, deposit) pair: whether one deposit holds one token changes the sum by at most one, so a person known
to d deposits has d times the privacy loss. The coins are HMAC, under the broker's key, of the set of tokens and the
deposits searched: who asks the same again, under any permit or nonce, gets the same noise and learns nothing by
averaging.

Sampling is in whole numbers throughout, after Canonne, Kamath and Steinke ("The discrete Gaussian for differential
privacy", NeurIPS 2020, algorithms 1 and 2), since the low bits of floating-point noise give sums away (Mironov 2012).
It decides nothing: whether a count may be given, and what budget it costs, is the gate's.
"""

import hashlib
import hmac
import struct
from collections.abc import Iterable, Sequence

from broker.protocol.messages.requests import TokenList

MILLIS = 1000
_WORD_BYTES = 8
_WORD_RANGE = 1 << (8 * _WORD_BYTES)
TOKEN_BYTES = 16


def token_set_digest(lists: Sequence[TokenList]) -> bytes:
    """SHA-256 of the sorted (deposit_id, token) pairs; 32 bytes.

    Leaves out the nonce and the handles, which the requester or the permit makes new each time: else asking the same
    set again would draw new noise."""
    digest = hashlib.sha256(b"narrowgate/v1/token-set\x00")
    for item in sorted(lists, key=lambda each: (each.deposit_id, each.tokens)):
        digest.update(item.deposit_id + struct.pack(">Q", len(item.tokens)) + item.tokens)
    return digest.digest()


def sum_digest(set_digest: bytes, deposit_ids: Sequence[bytes]) -> bytes:
    """What a count is about: the token set, and the deposits that were searched for it; 32 bytes.

    Else two counts of one set, before and after a deposit was withdrawn or ran out, would bear the same noise, and
    their difference would be the exact number of matches in that deposit."""
    digest = hashlib.sha256(b"narrowgate/v1/counted\x00" + set_digest)
    for deposit_id in sorted(deposit_ids):
        digest.update(deposit_id)
    return digest.digest()


def noise(count_key: bytes, space_id: bytes, set_digest: bytes, epsilon_millis: int) -> int:
    """The noise to add to the exact sum; may be negative.

    Args:
        count_key: the broker's secret for counts, 32 bytes.
        space_id: 16 bytes. set_digest: `sum_digest`, 32 bytes.
        epsilon_millis: privacy loss of this count in thousandths, at least 1."""
    if epsilon_millis < 1:
        raise ValueError("a count without privacy loss is no count")
    coins = _Coins(count_key, struct.pack(">Q", epsilon_millis) + space_id + set_digest)
    return _two_sided_geometric(coins, epsilon_millis, MILLIS)


class _Coins:
    """Uniform whole numbers from HMAC-SHA-256 in counter mode."""

    def __init__(self, key: bytes, seed: bytes) -> None:
        self._words = self._stream(key, b"narrowgate/v1/count-noise\x00" + seed)

    @staticmethod
    def _stream(key: bytes, prefix: bytes) -> Iterable[int]:
        counter = 0
        while True:
            block = hmac.digest(key, prefix + struct.pack(">Q", counter), "sha256")
            yield from struct.unpack(">4Q", block)
            counter += 1

    def below(self, bound: int) -> int:
        """Uniform in 0 .. bound-1: words above the largest multiple of `bound` are drawn again."""
        limit = _WORD_RANGE - _WORD_RANGE % bound
        for word in self._words:
            if word < limit:
                return word % bound
        raise AssertionError("the stream of words does not end")

    def bernoulli_exp(self, numerator: int, denominator: int) -> bool:
        """True with probability exp(-numerator/denominator), for 0 <= numerator <= denominator (algorithm 1)."""
        k = 1
        while self.below(denominator * k) < numerator:
            k += 1
        return k % 2 == 1


def _two_sided_geometric(coins: _Coins, numerator: int, denominator: int) -> int:
    # Algorithm 2 with s = numerator, t = denominator: P(y) proportional to exp(-|y| s / t).
    while True:
        remainder = coins.below(denominator)
        if not coins.bernoulli_exp(remainder, denominator):
            continue
        whole = 0
        while coins.bernoulli_exp(1, 1):
            whole += 1
        magnitude = (remainder + denominator * whole) // numerator
        negative = coins.below(2) == 1
        if negative and magnitude == 0:
            continue  # else zero would come up twice as often as it should
        return -magnitude if negative else magnitude
