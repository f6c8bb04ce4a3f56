"""Replace what was deposited of some identifiers: newer content under the same token, in the next record version.

Rule (CRYPTO 4, decision 0008): the identifier stays here. Its record is sealed anew under the key it always had, bound
to the next version, and the contributor signs the root over all records with it
(`clients.deposit_changes.root_changes`). So a released record is either the newest or fails under the newest root. k is
needed, so this works while the series is open.

It adds no identifier to a deposit and takes none away. A deposit without payload has no content to replace. What may
not go in again, whoever calls it leaves out, by the conditions of each deposit (`clients.deposit_changes.sieve`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from broker.protocol import sealing, tokens
from broker.protocol.errors import Conflict
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.deposits import Record, record_bytes
from broker.protocol.messages.parties import Space
from broker.protocol.messages.roots import MAXIMUM_REPLACED_BYTES, MAXIMUM_WITHDRAWN
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import PayloadCategory
from clients.deposit_changes.root_changes import RootChanges
from clients.depositing.deposit_folder import DepositFolder, all_deposits
from clients.depositing.deposit_index import content_digest
from clients.depositing.masked_deposit import Row, input_digest
from clients.depositing.series_folder import SeriesFolder, SeriesState
from clients.home import Home
from clients.persons.consent_record import check_covered
from clients.transport import Caller, Clock

_LABEL = b"narrowgate/v1/replacing-input\x00"


class NewContent(NamedTuple):
    """What the record of an identifier, by its canonical text, holds from now on, and what it is called, if anything
    new."""

    text: str
    plaintext: bytes
    reference: str | None = None


@dataclass(frozen=True)
class Replacement:
    """New content of identifiers of one type. `records`: of each as given conditions allow; asked once a deposit."""

    identifier_type: str
    records: Callable[[Conditions], Sequence[NewContent]]


@dataclass(frozen=True)
class Replaced:
    """Records replaced in one deposit. `repeated` says that the same input had replaced them before this call."""

    deposit_id: bytes
    series_id: bytes
    records: int
    repeated: bool


@dataclass(frozen=True)
class Result:
    """What became of a replacement: by deposit; deposits that could not be looked into, since the keys of their series
    are erased; those without payload; and how many of the identifiers no deposit that was looked into holds."""

    replaced: tuple[Replaced, ...]
    closed: tuple[bytes, ...]
    without_payload: tuple[bytes, ...]
    not_held: int


@dataclass(frozen=True)
class Place:
    """A deposit that may hold some of them, and what is needed to seal in it."""

    deposit: DepositFolder
    series: SeriesFolder
    space: Space


class Replacing:
    """The acts of one contributor. `caller` signs with the home's key."""

    def __init__(self, home: Home, caller: Caller, clock: Clock, random_bytes: RandomBytes) -> None:
        self._home = home
        self._caller = caller
        self._clock = clock
        self._random_bytes = random_bytes

    def replace(self, space: Space, given: Replacement, reason: str) -> Result:
        """Replace the records of these identifiers wherever this home deposited them in a space.

        The same input again changes nothing, and so does an empty one. Raises Conflict (a deposit is not finished),
        VerificationFailed, or what the broker refuses with."""
        done: list[Replaced] = []
        closed, without_payload, held = [], [], set[str]()
        wanted: set[str] = set()
        for place in self._places(space, given.identifier_type):
            conditions = place.series.manifest.payload.conditions
            records = given.records(conditions)
            wanted |= {each.text for each in records}
            if place.series.state is SeriesState.CLOSED:
                closed.append(place.deposit.deposit_id)
            elif conditions.payload_category is PayloadCategory.NONE:
                without_payload.append(place.deposit.deposit_id)
            else:
                found = self._replace_in(place, records, reason)
                held |= found.texts
                done += found.replaced
        return Result(tuple(done), tuple(closed), tuple(without_payload), len(wanted - held))

    def _places(self, space: Space, identifier_type: str) -> Iterator[Place]:
        for deposit in all_deposits(self._home):
            series = SeriesFolder(self._home, deposit.declaration.payload.series_id)
            manifest = series.manifest.payload
            here = (manifest.space_id, manifest.identifier_type) == (space.space_id, identifier_type)
            if not here or manifest.conditions.retain_until <= self._clock():
                continue
            if deposit.entry.stage == "masked":
                raise Conflict("A deposit is not finished. Finish it first: narrowgate deposit resume")
            if deposit.entry.stage == "serving":
                yield Place(deposit, series, space)

    def _replace_in(self, place: Place, records: Sequence[NewContent], reason: str) -> "_Found":
        manifest = place.series.manifest.payload
        # The salt of the series, which need not be the space's any more.
        salt = self._home.salt_of(manifest.space_id, manifest.salt_id)
        by_hash = {tokens.salted_hash(salt, each.text): each for each in records}
        rows = [Row(h, each.plaintext, each.reference) for h, each in sorted(by_hash.items())]
        found = self.replace_rows(place, rows, reason)
        held = frozenset(by_hash[h].text for h in found.held)
        deposit_id, series_id = place.deposit.deposit_id, place.series.series_id
        done = [Replaced(deposit_id, series_id, len(held), found.repeated)] if held else []
        return _Found(held, tuple(done))

    def replace_rows(self, place: Place, rows: Sequence[Row], reason: str) -> "ReplacedRows":
        """Replace the records of those of the rows, in order of their salted hashes, that one deposit holds. The
        same rows again change nothing. Errors as `replace`."""
        deposit, keys = place.deposit, place.series.keys()
        changes = RootChanges(self._home, place.space, deposit, self._caller, self._clock, self._random_bytes)
        # 1. A statement that was kept and perhaps not sent is finished first: the next one follows it.
        changes.finish()
        # 2. Which of them are in this deposit, and in which version?
        declared = deposit.declaration.payload
        named = (place.series.series_id, declared.space_id, declared.deposit_id)
        outputs = [tokens.mask(keys.k_match, keys.k_open, row.salted_hash) for row in rows]
        derived = [tokens.derive(each.y_match, *named) for each in outputs]
        versions = changes.versions(set(derived))
        held = [at for at, token in enumerate(derived) if token in versions]
        conditions = place.series.manifest.payload.conditions
        check_covered(self._home, conditions, self._clock(), [rows[at] for at in held])
        digest = input_digest(keys, _LABEL, [(row.salted_hash, row.plaintext) for row in rows])
        repeated = deposit.entry.replaced_digest == digest
        # 3. Sealed anew, so many a statement.
        if held and not repeated:
            step = min(MAXIMUM_WITHDRAWN, MAXIMUM_REPLACED_BYTES // record_bytes(declared.size_class))
            by_token = sorted(held, key=lambda at: derived[at])
            for start in range(0, len(by_token), step):
                chunk = by_token[start : start + step]
                new = [
                    self._sealed(
                        place, outputs[at], derived[at], rows[at].plaintext, versions[derived[at]] + 1
                    )
                    for at in chunk
                ]
                called = {
                    derived[at]: reference for at in chunk if (reference := rows[at].reference) is not None
                }
                contents = {derived[at]: content_digest(rows[at].plaintext) for at in chunk}
                changes.replace(new, called, contents, reason)
            deposit.note_replacement(digest)
        return ReplacedRows(frozenset(rows[at].salted_hash for at in held), repeated)

    def _sealed(
        self, place: Place, outputs: tokens.Outputs, token: bytes, plaintext: bytes, version: int
    ) -> Record:
        declared = place.deposit.declaration.payload
        named = (place.series.series_id, declared.space_id, declared.deposit_id)
        sealed = sealing.seal(
            tokens.seal_key(outputs.y_match, outputs.y_open, *named),
            plaintext,
            space_id=declared.space_id,
            deposit_id=declared.deposit_id,
            token=token,
            record_version=version,
            size_class=declared.size_class,
            random_bytes=self._random_bytes,
        )
        return Record(token, version, sealed)


@dataclass(frozen=True)
class ReplacedRows:
    """Which of the rows a deposit holds, by salted hash, and whether the same rows were replaced before this call."""

    held: frozenset[bytes] = field(repr=False)
    repeated: bool


@dataclass(frozen=True)
class _Found:
    texts: frozenset[str] = field(repr=False)
    replaced: tuple[Replaced, ...]
