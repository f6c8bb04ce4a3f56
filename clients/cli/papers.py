"""Papers that people fill in: JSON files with remarks in them.

Rule: a member whose name begins with an underscore is a remark and is left out when the file is read; everything else
is checked strictly, and a fault is named by its field, never by its value.
"""

import json
from pathlib import Path
from typing import Any

from broker.protocol.errors import BadInput
from broker.protocol.messages.base import Message, MessageT, read
from clients.cli import run


def read_paper(kind: type[MessageT], path: Path, what: str) -> MessageT:
    """Read a filled-in paper as `kind`. Raises BadInput."""
    try:
        members = json.loads(run.read_input(path, what))
    except (ValueError, RecursionError):
        raise BadInput(
            f"The file of {what} is not JSON. Look for a missing comma or quotation mark."
        ) from None
    try:
        return read(kind, json.dumps(_without_remarks(members)).encode())
    except BadInput as error:
        raise BadInput(f"In the file of {what}: {error.detail}") from None


def write_paper(path: Path, message: Message, remarks: dict[str, str]) -> None:
    """Write a paper to fill in; `remarks` explain its fields, at the top."""
    members = {"_read_me": remarks, **message.model_dump(mode="json", exclude={"v"})}
    run.write_output(path, json.dumps(members, indent=2, ensure_ascii=False) + "\n")


def _without_remarks(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_remarks(item) for name, item in value.items() if not name.startswith("_")}
    if isinstance(value, list):
        return [_without_remarks(item) for item in value]
    return value
