"""How answers are written and addresses read: canonical JSON of one wire type, names in hexadecimal.

Rule: an answer is a `Message` or a problem document, nothing else; a part of an address that is no name is answered
as a name that is not known. It decides nothing.
"""

from fastapi import Response

from broker.protocol.errors import NotFound
from broker.protocol.messages.base import Message, encode


def reply(message: Message, status: int = 200) -> Response:
    """The message's canonical bytes as an HTTP answer."""
    return Response(encode(message), status_code=status, media_type="application/json")


def named(text: str, length: int) -> bytes:
    """The `length` bytes of a name in an address, lower-case hexadecimal. Raises NotFound for any other text."""
    try:
        name = bytes.fromhex(text)
    except ValueError:
        name = b""
    if len(name) != length or name.hex() != text:
        raise NotFound("Nothing is known here under that name.")
    return name
