"""A key holder's folder at rest whose log's key is changed, and its two real witnesses, both of which must cosign."""

import os
from pathlib import Path

from broker.protocol import checkpoint, leaves, witnessing
from broker.protocol.checkpoint import ED25519, VerifierKey
from broker.protocol.errors import Unavailable
from broker.protocol.log_keys import WitnessQuorum
from broker.protocol.messages.log_keys import LogKeyChain
from broker.protocol.messages.vocabulary import RecordKind
from broker.translog.cosigning import Answer
from broker.translog.key_change import LostKey
from broker.translog.stored import Finding
from clients.keyholder import fsck, witness_choice
from clients.keyholder.context import DATABASE_FILE, KeyHolder, open_key_holder
from clients.keyholder.high_water import HighWater, beside
from clients.keyholder.keys import HolderKeys, Persona, create_keys, open_keys
from clients.keyholder.log_keys import change
from clients.keyholder.log_keys.chain_file import read_kept
from clients.keyholder.own_log import RecordsRead
from clients.witness.cosigning import follow_log, pin_log
from tests.witness_case import NOW, WitnessCase

PERSONA = Persona("court-office", "Court office", "NL", "http://court.example.org:8000")
REASON = "The key was on a machine that is sold."


class HolderLogKeyCase:
    """A folder with five entries in its log."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "holder"
        self.origin = create_keys(self.directory, PERSONA, now=NOW, random_bytes=os.urandom).log_origin
        names = ("w1.example.org", "w2.example.org")
        self.witnesses = {f"https://{name}": WitnessCase(directory / name, name) for name in names}
        self.down: set[str] = set()
        chosen = tuple((str(each.verifier_key), url) for url, each in self.witnesses.items())
        witness_choice.choose(self.directory, chosen, quorum=2, timeout_seconds=20)
        self.first_key = self.key_of(self.keys.log_key.public_key().public_bytes_raw())
        for each in self.witnesses.values():
            pin_log(each.witness, self.first_key)
        self.stopped = change.StoppedHolder(self.directory, lambda: NOW, ask=self.ask)
        self.grow(5)

    @property
    def keys(self) -> HolderKeys:
        """The keys in the folder."""
        return open_keys(self.directory)

    @property
    def chain(self) -> LogKeyChain:
        """The file of log keys in the folder."""
        kept = read_kept(self.directory)
        assert kept is not None
        return kept

    def key_of(self, public: bytes) -> VerifierKey:
        """A key under the log's name."""
        return VerifierKey(self.origin, ED25519, public)

    def ask(self, url: str, body: bytes) -> Answer:
        """A call to a witness."""
        where = url.removesuffix(witnessing.ADD_CHECKPOINT)
        if where in self.down:
            raise Unavailable("could not be reached in time")
        status, media_type, text = self.witnesses[where].post(body)
        return Answer(status, media_type, text.encode())

    def opened(self) -> KeyHolder:
        """The holder as its service opens it, which shows the log to its witnesses."""
        holder = open_key_holder(self.directory, lambda: NOW, os.urandom, ask=self.ask)
        try:
            holder.witnesses.start()
        except BaseException:
            holder.close()
            raise
        return holder

    def grow(self, entries: int) -> None:
        """The holder runs for so many entries."""
        holder = self.opened()
        try:
            for _ in range(entries):
                with holder.database.write() as connection:
                    read = RecordsRead(auditor="auditor-1", kid="k" * 43, start=0, end=1, read_at=NOW)
                    index = holder.log.append(connection, RecordKind.RECORDS_READ, read, NOW)
                holder.witnesses.cosign(index)
        finally:
            holder.close()

    def note(self) -> str:
        """What the holder publishes when it starts now."""
        holder = self.opened()
        try:
            return holder.witnesses.published()
        finally:
            holder.close()

    def signers(self) -> list[VerifierKey]:
        """Which of the log keys in the folder sign that, in order."""
        keys = self.keys
        known = [keys.log_key, *([keys.next_log_key] if keys.next_log_key else [])]
        _, lines = checkpoint.read_unverified(self.note().encode())
        named = {}
        for each in known:
            key = self.key_of(each.public_key().public_bytes_raw())
            named[checkpoint.line_of(key, lines)] = key
        return [named[line] for line in lines if line in named]

    def kinds(self) -> list[str]:
        """The kinds of the log's entries."""
        holder = self.opened()
        try:
            with holder.database.read() as connection:
                page = holder.log.leaf_page(connection, 0, 1000).leaves
        finally:
            holder.close()
        return [leaves.parse_leaf(leaf).kind for leaf in page]

    def change(self, reason: str = REASON, lost: LostKey | None = None) -> LogKeyChain:
        """The operator's command."""
        return change.change(self.stopped, reason, lost)

    def finish(self) -> None:
        """The operator's command, with --finish."""
        change.finish(self.stopped)

    def follow(self) -> VerifierKey:
        """The witnesses' operators follow."""
        for each in self.witnesses.values():
            newest = follow_log(each.witness, self.chain).newest
        return newest

    def quorum(self) -> WitnessQuorum:
        """Both witnesses."""
        return WitnessQuorum(tuple(each.verifier_key for each in self.witnesses.values()), 2)

    def fsck(self) -> list[Finding]:
        """All that fsck finds in the folder."""
        mark = HighWater(beside(self.directory), self.origin)
        chain = read_kept(self.directory)
        return list(fsck.look(self.directory / DATABASE_FILE, self.keys, mark, chain=chain))

    def close(self) -> None:
        """Stop the witnesses."""
        for each in self.witnesses.values():
            each.stop()
