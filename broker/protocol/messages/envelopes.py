"""Small bodies that carry documents, and the answers that carry little else."""

from typing import Annotated

from pydantic import Field

from broker.protocol.messages.base import Blob, Bytes32, Count, Document, Message, Seconds


class DocumentMessage(Message):
    """A body that is one signed document."""

    document: Document


class DocumentsMessage(Message):
    """A body that is several signed documents."""

    documents: Annotated[tuple[Document, ...], Field(max_length=1000)]


class Nothing(Message):
    """A body that says nothing: the path says it all."""


class TokenQuery(Message):
    """Ask for the one record whose token was declared as the self-test's."""

    token: Blob


class SealedAnswer(Message):
    """The self-test record."""

    record_version: Count
    sealed: Blob


class ServerTime(Message):
    """The service's clock, for a caller whose own is wrong."""

    now: Seconds


class SeenCheckpoint(Message):
    """The largest size of the broker's log that a holder saw, with its root."""

    size: Count
    root: Bytes32
