"""One line in, one line out: the body of `narrowgate canonicalise`.

Rule: NDJSON `{"type", "raw", "hint"}` becomes `{"canonical": "phone/1|+44..."}`, with "flags" if there are
any, or `{"rejected": reason}`; line for line, so that a client in any language can be held to the shared
cases. Other members are ignored. A reason never repeats the value.

It reads no file and prints nothing: the command does.
"""

import json

from clients.identifiers import canonicalise
from clients.identifiers.types import Rejected


def canonicalise_line(line: str) -> dict[str, str | list[str]]:
    """Canonicalise one NDJSON line. Never raises for what the line holds.

    Returns: {"canonical": text} and perhaps "flags", or {"rejected": reason}.
    """
    try:
        canonical = canonicalise(*_request(line))
    except Rejected as error:
        return {"rejected": error.detail}
    if canonical.flags:
        return {"canonical": canonical.text, "flags": list(canonical.flags)}
    return {"canonical": canonical.text}


def _request(line: str) -> tuple[str, str, str | None]:
    try:
        members = json.loads(line)
    except (ValueError, RecursionError):
        raise Rejected(
            "The line is not valid JSON: a comma, quote or bracket may be missing. Write it again."
        ) from None
    if not isinstance(members, dict):
        raise Rejected('The line is not a JSON object with "type", "raw" and perhaps "hint".')
    type_name, raw, hint = members.get("type"), members.get("raw"), members.get("hint")
    if not isinstance(type_name, str) or not isinstance(raw, str):
        raise Rejected('The line lacks "type" or "raw", or one of them is not text.')
    if hint is not None and not isinstance(hint, str):
        raise Rejected('The "hint" is not text.')
    return type_name, raw, hint
