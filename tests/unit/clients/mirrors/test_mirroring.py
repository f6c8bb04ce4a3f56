"""A mirror is fetched tile by tile, loses nothing when it is cut short, and counts only what gave a signed root."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from broker.protocol import leaves, merkle
from broker.protocol.errors import NotFound, Unavailable, VerificationFailed
from broker.protocol.messages.vocabulary import RecordKind
from broker.protocol.tiles import entry_bundle, leaves_in
from clients.auditing.mirrored import MirroredLog
from clients.auditor import AuditFailed, Auditor
from clients.mirrors.mirror import Mirror
from clients.mirrors.mirroring import AuditReport
from clients.mirrors.watched_log import broker_log
from clients.remote import Answer
from tests.requester_world import RequesterWorld, down, problem

ENTRIES = 1105
"""Four full bundles and a partial one."""
LAST = "/tile/entries/004.p/81"


class Reading:
    """A world whose auditor mirrors; what was asked of the broker is kept."""

    def __init__(self, folder: Path) -> None:
        self.world = RequesterWorld(folder)
        self.home = self.world.homes["auditor-1"]
        self.log = broker_log(self.world.space)
        self.store = Mirror(self.home.vault, self.log.folder)
        self.asked: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.cut_after: int | None = None
        self.false: dict[str, bytes] = {}
        self.world.broker = self.answer
        self.grow(ENTRIES)

    def grow(self, number: int) -> None:
        """The log has so many more entries."""
        for _ in range(number):
            index = len(self.world.log.entries)
            self.world.log.entries.append(
                leaves.compose(RecordKind.TOKENS, index, b"{}", index.to_bytes(32, "big"))
            )

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        if self.cut_after is not None and len(self.asked) >= self.cut_after:
            return down(method, path, body)
        self.asked.append(path)
        if path in self.false:
            return Answer(200, (), self.false[path])
        return self.world.answer_as_broker(method, path, body)

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.headers.append(headers)
        return self.world.send(method, url, headers, body)

    def mirror(self) -> AuditReport:
        """Mirror as a program that was just started; `asked` is what this run asked for."""
        self.asked.clear()
        caller = self.world.caller(self.home)
        caller._transport = self
        return Auditor(self.home.vault, self.log, caller, self.world.clock).mirror()


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    return Reading(tmp_path)


def test_a_mirror_is_made_of_tiles_unsigned_and_without_a_record(reading: Reading) -> None:
    report = reading.mirror()
    assert (report.size, report.verified, dict(report.kinds)) == (ENTRIES, True, {"TOKENS": ENTRIES})
    assert report.root == merkle.root_of(reading.world.log.hashes())
    assert reading.asked == ["/checkpoint", *(f"/tile/entries/{n:03d}" for n in range(4)), LAST]
    assert not any("signature" in name.lower() for headers in reading.headers for name in headers)
    assert reading.store.records_kept() == 0
    kept = b"".join(reading.store.bundle(tile) for tile in range(5))
    assert leaves_in(kept) == tuple(entry.leaf for entry in reading.world.log.entries)


def test_what_is_new_alone_is_fetched_and_fills_the_partial_bundle(reading: Reading) -> None:
    reading.mirror()
    reading.grow(300)
    assert reading.mirror().size == ENTRIES + 300
    assert reading.asked == ["/checkpoint", "/tile/entries/004", "/tile/entries/005.p/125"]
    assert reading.mirror().size == ENTRIES + 300
    assert reading.asked == ["/checkpoint"]


def test_a_mirror_that_the_network_cuts_goes_on_where_it_stopped(reading: Reading) -> None:
    reading.cut_after = 3
    with pytest.raises(Unavailable):
        reading.mirror()
    assert reading.store.checkpoint() is None
    reading.cut_after = None
    assert reading.mirror().verified
    assert reading.asked == ["/checkpoint", "/tile/entries/002", "/tile/entries/003", LAST]


def test_a_mirror_that_is_killed_goes_on_where_it_stopped(reading: Reading) -> None:
    child = os.fork()
    if child == 0:
        honest = reading.world.answer_as_broker

        def killing(method: str, path: str, body: bytes) -> Answer:
            if path.endswith("003"):
                os.kill(os.getpid(), signal.SIGKILL)
            return honest(method, path, body)

        reading.world.broker = killing
        reading.mirror()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert reading.mirror().verified
    assert reading.asked == ["/checkpoint", "/tile/entries/003", LAST]


def test_what_was_fetched_and_not_verified_is_read_by_nobody(reading: Reading) -> None:
    reading.cut_after = 3
    with pytest.raises(Unavailable):
        reading.mirror()
    with pytest.raises(NotFound, match="audit"):
        MirroredLog(reading.home, reading.world.space)
    reading.cut_after = None
    reading.mirror()
    reading.grow(600)
    reading.cut_after = 2
    with pytest.raises(Unavailable):
        reading.mirror()
    assert MirroredLog(reading.home, reading.world.space).checkpoint.size == ENTRIES
    assert len(leaves_in(reading.store.bundle(4))) == 256


def test_nobody_is_accused_for_what_an_earlier_run_was_served(reading: Reading) -> None:
    honest = entry_bundle([entry.leaf for entry in reading.world.log.entries[256:512]])
    reading.false = {"/tile/entries/001": honest.replace(b'"time":300', b'"time":301')}
    reading.cut_after = 3
    with pytest.raises(Unavailable):
        reading.mirror()
    reading.false, reading.cut_after = {}, None
    assert reading.mirror().verified
    assert reading.asked[1:4] == ["/tile/entries/002", "/tile/entries/003", LAST]
    assert reading.asked[4:] == [*(f"/tile/entries/{n:03d}" for n in range(4)), LAST]


def test_false_leaves_leave_the_mirror_as_it_was(reading: Reading) -> None:
    reading.mirror()
    before = [reading.store.bundle(tile) for tile in range(6)]
    reading.grow(300)
    false = [entry.leaf for entry in reading.world.log.entries[1024:1280]]
    reading.false = {"/tile/entries/004": entry_bundle([*false[:255], false[0]])}
    with pytest.raises(AuditFailed, match="do not give the root") as failed:
        reading.mirror()
    assert (failed.value.report.fork, failed.value.report.verified) == (False, False)
    assert [reading.store.bundle(tile) for tile in range(6)] == before
    reading.false = {}
    assert reading.mirror().size == ENTRIES + 300


def test_a_fork_names_the_first_entry_that_differs_and_keeps_both_checkpoints(reading: Reading) -> None:
    reading.mirror()
    before = reading.world.log.note()
    other = leaves.compose(RecordKind.REFUSED, 1, b"{}", bytes(32))
    reading.world.log.entries[700] = other
    reading.grow(3)
    with pytest.raises(AuditFailed, match="Entry 700 is the first") as failed:
        reading.mirror()
    assert (failed.value.report.fork, failed.value.report.first_bad_index) == (True, 700)
    assert failed.value.evidence is not None
    evidence = Path(failed.value.evidence).read_text()
    assert before in evidence
    assert reading.world.log.note() in evidence


def test_a_fork_from_a_checkpoint_that_was_only_being_fetched_is_a_fork(reading: Reading) -> None:
    reading.cut_after = 3
    with pytest.raises(Unavailable):
        reading.mirror()
    before = reading.world.log.note()
    reading.cut_after = None
    reading.world.log.entries[700] = leaves.compose(RecordKind.REFUSED, 1, b"{}", bytes(32))
    reading.grow(1)
    with pytest.raises(AuditFailed, match="two different logs") as failed:
        reading.mirror()
    assert failed.value.evidence is not None
    assert before in Path(failed.value.evidence).read_text()


def test_an_older_checkpoint_while_a_newer_one_is_fetched_accuses_nobody_and_forgets_neither(
    reading: Reading,
) -> None:
    """The newer one was seen: what is served later is held against it all the same."""
    reading.cut_after = 3
    with pytest.raises(Unavailable):
        reading.mirror()
    newer, reading.cut_after = reading.world.log.note(), None
    reading.false = {"/checkpoint": reading.world.log.note(300).encode()}
    report = reading.mirror()
    assert (report.size, report.new, report.fork, report.stale) == (300, 300, False, 300)
    assert reading.store.fetching() == newer
    reading.false = {}
    honest = reading.world.log.entries[700]
    reading.world.log.entries[700] = leaves.compose(RecordKind.REFUSED, 1, b"{}", bytes(32))
    reading.grow(1)
    with pytest.raises(AuditFailed, match="two different logs") as failed:
        reading.mirror()
    assert failed.value.evidence is not None
    assert newer in Path(failed.value.evidence).read_text()
    reading.world.log.entries[700] = honest
    assert reading.mirror().size == ENTRIES + 1
    assert reading.store.fetching() is None


def test_a_stale_checkpoint_does_not_cover_a_mirror_in_which_somebody_changed_a_leaf(
    reading: Reading,
) -> None:
    reading.mirror()
    name = f"mirror/{reading.log.folder}/entries/002"
    changed = reading.home.vault.read(name).replace(b'"time":600', b'"time":601')
    reading.home.vault.write(name, changed)
    reading.false = {"/checkpoint": reading.world.log.note(300).encode()}
    with pytest.raises(VerificationFailed, match="damaged"):
        reading.mirror()


def test_where_a_cache_dropped_a_partial_tile_the_full_one_is_read(reading: Reading) -> None:
    def broker(method: str, path: str, body: bytes) -> Answer:
        if ".p/" in path:
            return problem("not-found", 404)
        if path == "/checkpoint":
            return Answer(200, (), reading.world.log.note(ENTRIES).encode())
        return reading.answer(method, path, body)

    reading.grow(300)
    reading.world.broker = broker
    assert reading.mirror().size == ENTRIES


def test_a_mirror_in_which_somebody_changed_a_leaf_is_damaged_and_not_mended(reading: Reading) -> None:
    reading.mirror()
    name = f"mirror/{reading.log.folder}/entries/002"
    changed = reading.home.vault.read(name).replace(b'"time":600', b'"time":601')
    reading.home.vault.write(name, changed)
    for _ in range(2):
        with pytest.raises(VerificationFailed, match="damaged"):
            reading.mirror()
    reading.home.vault.write(name, changed[:-5])
    with pytest.raises(VerificationFailed, match="damaged"):
        reading.mirror()


def test_a_checkpoint_that_cannot_be_believed_is_reported_without_size_and_root(reading: Reading) -> None:
    for served in (b"nonsense\n", b"\xff"):
        reading.false = {"/checkpoint": served}
        with pytest.raises(AuditFailed) as failed:
            reading.mirror()
        report = failed.value.report
        assert (report.size, report.root, report.verified, report.fork) == (None, None, False, False)
