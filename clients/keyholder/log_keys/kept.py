"""Changes of the key of the holder's own log against the keys and the file of log keys in its folder, for `fsck`.

Rule (decision 47): each change is signed by the key before and by the new one, and goes on from the change before it;
the folder has the key that the last one names; each has its proof in log-keys.json. Nothing is mended.
"""

from collections.abc import Iterator

from broker.protocol import log_keys
from broker.protocol.errors import NarrowgateError
from broker.protocol.messages.base import decode, encode
from broker.protocol.messages.log_keys import LogKeyChain, LogKeyRecord
from broker.protocol.messages.vocabulary import RecordKind
from broker.translog import key_change
from broker.translog.stored import Entry, Finding, entry_name
from clients.keyholder.keys import KEY_FILE, HolderKeys
from clients.keyholder.log_keys.chain_file import LOG_KEYS_FILE
from clients.keyholder.log_keys.rotation import changing
from clients.keyholder.own_log import LogKeyRotated


class LogKeysKept:
    """The changes met so far, in the log's order."""

    def __init__(self, keys: HolderKeys, chain: LogKeyChain | None) -> None:
        self._keys = keys
        self._proven = {} if chain is None else {link.proof.index: link.record for link in chain.links}
        self._last: LogKeyRotated | None = None
        self._complete = True

    def see(self, entry: Entry) -> Iterator[Finding]:
        """The next entry of the log."""
        if entry.kind is not RecordKind.LOG_KEY_ROTATED:
            return
        where = entry_name(entry.index, entry.kind.value)
        if not isinstance(entry.record, LogKeyRotated):
            self._complete = False
            yield Finding(
                where, "its record was erased, so it is not known which key the log was changed to."
            )
            return
        record = encode(entry.record)
        try:
            log_keys.check_record(record, self._keys.log_origin, entry.index)
        except NarrowgateError as error:
            yield Finding(where, error.detail)
        if self._last is not None and self._complete and entry.record.old_key != self._last.new_key:
            yield Finding(where, "it changes another key than the one that the log had.")
        self._last, self._complete = entry.record, True
        proven = self._proven.pop(entry.index, None)
        if proven is None:
            what = f"has no proof of {where}. Repeat: narrowgate keyholder rotate-log-key, or put the newest file back."
            yield Finding(LOG_KEYS_FILE, what)
        elif proven != record:
            yield Finding(LOG_KEYS_FILE, f"has another record of {where} than the log.")

    def finish(self) -> Iterator[Finding]:
        """What the folder has that the log has not."""
        for index, record in self._proven.items():
            size = decode(LogKeyRecord, record).from_size
            what = (
                f"proves {entry_name(index)}, of a log of {size:,} entries, and it is not there: an old copy."
            )
            yield Finding(LOG_KEYS_FILE, what)
        try:
            if self._complete:
                key_change.signing_keys(self._last, changing(self._keys))
        except NarrowgateError as error:
            yield Finding(KEY_FILE, error.detail)
