"""Whether an open SQLite database is still the files of its name (AUDIT 4): a deleted file takes writes as any other.

Rule: device and inode of the database file and of its write-ahead log are noted once and compared from then on; any
doubt is another file. From Linux 6.13 on a file's times have to be written anew once somebody read them, which makes
every commit slower (docs/figures.md), so the log's inode is read off the folder it lies in, where that lists the inodes
that its files have. It opens no file and does not know what to do about another one.
"""

import errno
import os
from pathlib import Path

Identity = tuple[int, int, int]
"""Device, inode of the database file, inode of its write-ahead log."""


class OpenFiles:
    """The files of one database. They have to be there when this is made: raises OSError if one is not."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wal = f"{path.name}-wal"
        # Some network file systems list other numbers, or one for all.
        self._is_listed = self._listed_inode() == self._inode()
        self._identity = self._found()

    def is_replaced(self) -> bool:
        """Whether one of them is another file now. Raises OSError if one is gone."""
        return self._found() != self._identity

    def _found(self) -> Identity:
        database = os.stat(self._path)
        return database.st_dev, database.st_ino, self._listed_inode() if self._is_listed else self._inode()

    def _inode(self) -> int:
        return os.stat(self._path.with_name(self._wal)).st_ino

    def _listed_inode(self) -> int:
        with os.scandir(self._path.parent) as entries:
            for each in entries:
                if each.name == self._wal:
                    return each.inode()
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
