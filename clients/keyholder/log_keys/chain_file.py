"""DIR/log-keys.json: the file of log keys, with which whoever pinned an old key of this holder's log follows it.

Rule: it is written whole and durably, and only with a link that goes on from the last one in it. It is public: the
operator hands it to witnesses. It verifies no link; `broker.translog.key_change` did, before it is kept.
"""

from pathlib import Path

from broker.protocol.errors import BadInput
from broker.protocol.log_keys import read_chain
from broker.protocol.messages.base import encode
from broker.protocol.messages.log_keys import LogKeyChain, LogKeyLink
from broker.translog.key_change import with_link
from clients.keyholder.durable_file import write_durably

LOG_KEYS_FILE = "log-keys.json"


def read_kept(directory: Path) -> LogKeyChain | None:
    """The file of log keys, or None while the log has its first key. Raises BadInput."""
    try:
        data = (directory / LOG_KEYS_FILE).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return read_chain(data)
    except BadInput as error:
        raise BadInput("The key holder's log-keys.json is damaged. Put the newest one back.") from error


def keep_link(directory: Path, log_origin: str, link: LogKeyLink) -> LogKeyChain:
    """The file with this link as the last; the same change proved anew takes the place of its link.

    Raises BadInput or VerificationFailed when the link does not go on from the last change in the file."""
    chain = with_link(read_kept(directory), log_origin, link)
    write_durably(directory / LOG_KEYS_FILE, encode(chain))
    return chain
