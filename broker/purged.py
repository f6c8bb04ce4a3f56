"""What one purge deleted, as the operator sees it: between `broker.retention`, its route and the command alone.

It deletes nothing: that is `broker.retention`.
"""

from broker.protocol.messages.base import Count, Message


class Purged(Message):
    """How much had its time and is gone; all 0 when nothing was due."""

    deposits: Count
    series: Count
    records: Count
    matches: Count
    counted_sets: Count
    """Keyed sketches of lists that counts were told of."""
    calls: Count
    """Nonces and idempotency keys."""
