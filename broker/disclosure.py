"""Assemble what leaves the broker, by tier, on the receipt of the decision that it may.

Rule (AUDIT 3, promise 2): one function builds a disclosure, and it demands the log's receipt of RELEASE, read back
from the durable log, not handed on by the transaction that wrote it. Tier `count` tells a noised sum over at least
three contributors and nothing else; `hits` and `sources` tell which of the requester's own tokens are held, sorted
together, never per contributor (who holds them stands in the sheets of a permit for `sources`). It signs nothing.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from broker.audit.log import Receipt
from broker.audit.records import ReleaseDecided
from broker.gate.decide import Decision
from broker.matching.count import noise
from broker.matching.evidence import Matches
from broker.protocol.errors import Refused, Unavailable
from broker.protocol.messages.base import decode
from broker.protocol.messages.requests import Disclosure
from broker.protocol.messages.vocabulary import Outcome, RecordKind, Tier

MINIMUM_CONTRIBUTORS = 3
