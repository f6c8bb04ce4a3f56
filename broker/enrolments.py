"""The list of enrolments, as the operator sees it: between `broker.api.operator` and `broker.operator_calls` alone.

It accepts nobody: that is `broker.registry`.
"""

from broker.protocol.messages.base import Document, KeyIdentifier, Message, Name, Seconds, Slug
from broker.protocol.messages.vocabulary import Role


class EnrolmentEntry(Message):
    """One enrolment as the operator sees it."""

    kid: KeyIdentifier
    party_id: Slug
    name: Name
    role: Role
    state: Slug
    received_at: Seconds
    document: Document


class EnrolmentList(Message):
    """All enrolments, the oldest first."""

    enrolments: tuple[EnrolmentEntry, ...]
