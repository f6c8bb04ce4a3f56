"""Files of rules as text: plain ASCII, and tables in TOML.

Rule (POLICY 3, trap 4): letters that look like others mislead a reader, so there are none outside ASCII, neither in the
file nor written as an escape. It knows no table's meaning.
"""

import json
import tomllib
from typing import Any

from broker.protocol.errors import BadInput


def check_ascii(name: str, text: str) -> None:
    """Refuse letters outside ASCII in a file of rules. Raises BadInput."""
    if not text.isascii():
        raise BadInput(f"{name} has letters outside ASCII, which may look like others. Write it in ASCII.")


def read_toml(name: str, text: str) -> dict[str, Any]:
    """The tables of one file. Raises BadInput naming the file."""
    check_ascii(name, text)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(
            f"{name} is not valid TOML. Look for a missing quote or bracket, or a table written twice."
        ) from error
    if not json.dumps(tables, ensure_ascii=False, default=str).isascii():
        raise BadInput(f"{name} writes a letter outside ASCII as an escape. Write what is meant in ASCII.")
    return tables
