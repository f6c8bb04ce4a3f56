"""What an operator hands in and is handed when a log's key is changed: at a broker and at a key holder alike.

Rule: an error says which file it is about, and what is in the service's own folder stays there. It changes no key.
"""

from pathlib import Path

from broker.protocol.errors import BadInput
from broker.translog import key_change
from broker.translog.key_change import LostKey


def read_lost(key: str, last_checkpoint: Path) -> LostKey:
    """The lost key's public line and the file of the last checkpoint that it signed. Raises BadInput."""
    try:
        return key_change.read_lost(key, last_checkpoint.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("The file of the last checkpoint cannot be read. Check its name.") from error


def hand_out(kept: Path, out: Path | None, whose: str) -> Path:
    """Where the file of log keys is: as it is kept in the folder of the broker or key holder, in the words of `whose`,
    and a copy at `out` if that is named. Raises BadInput."""
    if out is None:
        return kept
    try:
        out.write_bytes(kept.read_bytes())
    except OSError as error:
        raise BadInput(
            f"The file of log keys cannot be written there; it is in {whose} folder, as {kept.name}."
        ) from error
    return out
