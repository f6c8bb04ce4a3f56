"""The base of all wire types: strict parsing, canonical bytes, and errors that never repeat a value.

Rule: `decode` accepts exactly the bytes that `encode` writes (RFC 8785), so a message has one form: no duplicate
member, no other spelling of a number. It does not know any message.
"""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import rfc8785
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
)

from broker.protocol.errors import BadInput


class Message(BaseModel):
    """Base of every wire type: frozen, strict, closed."""

    # Deferred: a command uses a few of all these types, and building the others would be a quarter of its start.
    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )


MessageT = TypeVar("MessageT", bound=Message)

_HEX = re.compile(r"(?:[0-9a-f]{2})*\Z")


def _from_hex(value: Any) -> Any:
    if isinstance(value, str):
        if not _HEX.match(value):
            raise ValueError("must be lower-case hexadecimal")
        return bytes.fromhex(value)
    return value


def blob_to_text(value: bytes) -> str:
    """base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode("ascii")


def blob_from_text(value: str) -> bytes:
    """The inverse of `blob_to_text`; refuses padding, other alphabets and non-zero trailing bits.

    Raises BadInput."""
    try:
        raw = base64.b64decode(
            value.encode("ascii") + b"=" * (-len(value) % 4), altchars=b"-_", validate=True
        )
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BadInput(
            "A field that should be base64url is not. Send it as base64url without padding."
        ) from error
    if blob_to_text(raw) != value:
        raise BadInput("A field that should be base64url is not in its one canonical form.")
    return raw


def _from_blob(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return blob_from_text(value)
        except BadInput as error:
            raise ValueError("must be base64url without padding") from error
    return value


Id16 = Annotated[
    bytes,
    BeforeValidator(_from_hex),
    PlainSerializer(bytes.hex, return_type=str),
    Field(min_length=16, max_length=16),
]
Bytes32 = Annotated[
    bytes,
    BeforeValidator(_from_hex),
    PlainSerializer(bytes.hex, return_type=str),
    Field(min_length=32, max_length=32),
]
Blob = Annotated[bytes, BeforeValidator(_from_blob), PlainSerializer(blob_to_text, return_type=str)]

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
"""A short machine name: agency_id, holder_id, instrument, identifier type."""
Jurisdiction = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2, or EU."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(max_length=4000)]
Seconds = Annotated[int, Field(ge=0, le=253_402_300_799)]
"""Unix seconds, UTC, up to the year 9999."""
MAXIMUM_COUNT = 1_000_000_000
Count = Annotated[int, Field(ge=0, le=MAXIMUM_COUNT)]
KeyIdentifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
"""RFC 7638 thumbprint of an Ed25519 key, base64url."""
Document = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$")]
"""A signed document: JWS compact serialisation, see `broker.protocol.documents`."""


def encode(message: Message) -> bytes:
    """The message's canonical bytes (RFC 8785)."""
    return rfc8785.dumps(message.model_dump(mode="json"))


def decode(kind: type[MessageT], data: bytes) -> MessageT:
    """Parse canonical bytes. Raises BadInput, naming the field and never its value."""
    message = read(kind, data)
    if encode(message) != data:
        raise BadInput(
            "The message is not in canonical form (RFC 8785). Encode it again with a current client."
        )
    return message


def read(kind: type[MessageT], data: bytes) -> MessageT:
    """Parse JSON that need not be canonical: the body of a call, a file a person wrote. Raises BadInput."""
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise BadInput(explain(error)) from None


def explain(error: ValidationError) -> str:
    """What is wrong where, from a pydantic error; repeats no value and no name that the sender chose."""
    parts = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        location = [str(step) for step in item["loc"]]
        if item["type"] == "extra_forbidden":
            # The last step is the sender's own word.
            parts.append(f"{'.'.join(location[:-1]) or 'the message'}: has a field that is not known here")
        elif item["type"].startswith("json_"):
            parts.append("the message is not valid JSON")
        else:
            parts.append(f"{'.'.join(location) or 'the message'}: {item['msg'][:160]}")
    return "; ".join(parts[:5]) + ("; and more" if len(parts) > 5 else "") + "."


RandomBytes = Callable[[int], bytes]
"""A source of randomness, passed in: `os.urandom` in a service, a seeded one in a test."""
