"""How far this holder's own log came, kept outside its folder: an old backup put back is found out at start.

Rule: the mark, size and root, is raised and on the disk after each transaction that made the log grow and before its
answer leaves (`store.database`). At start the log must hold the marked size with the marked root, as derived from its
leaves; else the holder would not know which permits it used, and refuses. The mark goes down on an operator's signed
word alone (`clients.keyholder.restoring`).

It cannot tell a mark that was put back together with the folder: keep it where backups of the folder do not go.
"""

from pathlib import Path
from typing import Literal

from broker.protocol.errors import BadInput, Unavailable, VerificationFailed
from broker.protocol.messages.base import Bytes32, Count, Message, Name, encode, read
from broker.translog.log import root_at
from broker.translog.storage import Head, LogStorage
from clients.keyholder.durable_file import write_durably

SUFFIX = ".high-water"
WHAT_TO_DO = (
    "Put the newest backup back. If entries are lost for good, say so: narrowgate keyholder accept-restore DIR "
    "--size N --reason ..."
)


class Mark(Message):
    """The file: the furthest that the log of this origin came."""

    v: Literal[1] = 1
    log_origin: Name
    size: Count
    root: Bytes32


def beside(directory: Path) -> Path:
    """Where the mark is unless the operator says otherwise: beside the folder, under its name."""
    folder = directory.resolve()
    return folder.with_name(f"{folder.name}{SUFFIX}")


class HighWater:
    """The mark of one holder. It is raised by one thread at a time: the database's writer."""

    def __init__(self, path: Path, log_origin: str) -> None:
        self.path = path
        self._origin = log_origin
        self._marked: Head | None = None

    def found(self) -> Head | None:
        """What the file says; None if there is none. Raises VerificationFailed if it is damaged or another holder's."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(
                "The high-water file beside the key holder's folder cannot be read. Check who owns it."
            ) from error
        try:
            mark = read(Mark, data)
        except BadInput as error:
            raise VerificationFailed(
                f"The high-water file beside the key holder's folder is damaged. {WHAT_TO_DO}"
            ) from error
        if mark.log_origin != self._origin:
            raise VerificationFailed(
                "The high-water file is another key holder's. Name this one's with --high-water FILE."
            )
        return Head(mark.size, mark.root)

    def check(self, storage: LogStorage) -> None:
        """Find the marked size and root in a log whose nodes were derived again; then mark what it has grown to since.

        Raises VerificationFailed: the folder is older than the mark, its log was rewritten, or the mark is gone."""
        head, marked = storage.head(), self.found()
        if marked is None and head.size:
            raise VerificationFailed(
                f"The key holder's log has {head.size} entries, and its high-water file is gone: whether entries are "
                f"missing cannot be told. Put the file back, or name it with --high-water FILE. {WHAT_TO_DO}"
            )
        if marked is not None and head.size < marked.size:
            raise VerificationFailed(
                f"The key holder's log had {marked.size} entries and now has {head.size}: the folder is an old copy, "
                f"which does not know which permits were used since. {WHAT_TO_DO}"
            )
        if marked is not None and root_at(storage, marked.size) != marked.root:
            raise VerificationFailed(
                f"The first {marked.size} entries of the key holder's log are not those it had: the log was "
                f"rewritten. Keep the folder as evidence. {WHAT_TO_DO}"
            )
        self._marked = marked
        self.rise(head)

    def set_aside(self) -> None:
        """Let the next entry begin a new mark, on an operator's word that older entries are lost."""
        self._marked = None

    def rise(self, head: Head) -> None:
        """Mark a head that was committed, durably. Raises Unavailable: the step's answer must not leave."""
        if self._marked is not None and head.size <= self._marked.size:
            return
        mark = Mark(log_origin=self._origin, size=head.size, root=head.root)
        try:
            write_durably(self.path, encode(mark))
        except OSError as error:
            raise Unavailable(
                "The high-water file of the key holder cannot be written, so nothing is answered. Make room for it, or "
                "name another place with --high-water FILE, and restart the service."
            ) from error
        self._marked = head
