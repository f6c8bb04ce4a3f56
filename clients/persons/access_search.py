"""What this home knows about some identifiers: deposited, contested, asked, received, opened. For a request of access.

Rule: it looks into this home alone and calls nobody. What it cannot look into it says: deposits whose keys are erased,
which are found by the agency's own reference or not at all, and requests whose retention is over. An identifier is
named by its place in the list that was given, never by its value.

What may be told to the person is a decision that somebody takes and signs: see `clients.persons.access_answer`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from broker.protocol import tokens
from broker.protocol.errors import BadInput, NotFound, VerificationFailed
from broker.protocol.messages.consent import ContestState
from broker.protocol.messages.requests import Claims
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import Tier
from clients.deposit_changes.kept_out import KeptOut
from clients.depositing import local_references, record_leaves
from clients.depositing.deposit_folder import DepositFolder, all_deposits
from clients.depositing.series_folder import SeriesFolder, SeriesState
from clients.home import Home
from clients.persons import contested_records
from clients.requesting.forgetting import kept_until
from clients.requesting.request_folder import RequestFolder, request_ids
from clients.requesting.retractions import contested


class Part(StrEnum):
    """The four parts of an answer, each told or withheld by itself."""

    DEPOSITED = "deposited"
    ASKED = "asked"
    RECEIVED = "received"
    OPENED = "opened"


@dataclass(frozen=True)
class Person:
    """Whom the search is about: canonical texts in the order of the list, and references of the agency's own."""

    identifiers: tuple[str, ...]
    references: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deposited:
    """One record that this agency deposited. `place` counts the list from 1; None if found by its reference alone."""

    place: int | None
    identifier_type: str
    deposit_id: bytes
    deposited_at: int
    conditions: Conditions
    reference: str | None


@dataclass(frozen=True)
class Contested:
    """A submission that somebody said is wrong or not theirs. `places` are none if found by its reference alone."""

    places: tuple[int, ...]
    state: ContestState
    contested_at: int
    decided_at: int | None
    reference: str


@dataclass(frozen=True)
class Asked:
    """One request in which this agency asked other agencies about some of them.

    `known` are the places that others were said to know, `contested` those of them of which a notice says that they are
    contested and none how that ended, `sources` who, where it was told; `opened` by whom records
    that were opened had been deposited, one for each record."""

    request_id: bytes
    created_at: int
    claims: Claims
    tier: Tier
    answered: bool
    places: tuple[int, ...]
    known: tuple[int, ...]
    sources: tuple[str, ...]
    opened: tuple[str, ...]
    kept_until: int
    contested: tuple[int, ...] = ()


@dataclass(frozen=True)
class Held:
    """All that was found, and what could not be looked into."""

    deposited: tuple[Deposited, ...]
    asked: tuple[Asked, ...]
    closed: tuple[bytes, ...]
    """Deposits whose keys are erased: identifiers are not found in them, only references."""
    forgotten: int
    """Requests whose identifiers are erased, since their retention is over."""
    contested: tuple[Contested, ...] = ()

    def numbers(self) -> Mapping[Part, int]:
        """How much was found, part by part."""
        return {
            Part.DEPOSITED: len(self.deposited) + len(self.contested),
            Part.ASKED: len(self.asked),
            Part.RECEIVED: sum(1 for each in self.asked if each.known),
            Part.OPENED: sum(len(each.opened) for each in self.asked),
        }


def search(home: Home, person: Person, now: int) -> Held:
    """Everything in the home about a person's identifiers.

    Raises BadInput (nothing to look for) or VerificationFailed (a file of the home is damaged)."""
    if not person.identifiers and not any(each.strip() for each in person.references):
        raise BadInput("There is no identifier and no reference to look for.")
    deposited: list[Deposited] = []
    closed: list[bytes] = []
    for deposit in all_deposits(home):
        series = SeriesFolder(home, deposit.declaration.payload.series_id)
        over = series.manifest.payload.conditions.retain_until <= now
        if deposit.entry.stage not in ("masked", "serving") or over:
            continue
        places: dict[bytes, int] = {}
        if series.state in (SeriesState.OPEN, SeriesState.OPENING):
            places = _in_deposit(home, deposit, series, person.identifiers)
        elif series.state is SeriesState.CLOSED:
            closed.append(deposit.deposit_id)
        else:
            continue
        deposited += _deposited(deposit, series, places, person.references)
    places_of = {text: place for place, text in enumerate(person.identifiers, 1)}
    asked, forgotten = [], 0
    for request_id in request_ids(home.vault):
        folder = RequestFolder(home.vault, request_id)
        if folder.state == "forgotten":
            forgotten += 1
            continue
        found = _asked(home, folder, request_id, places_of)
        if found is not None:
            asked.append(found)
    return Held(
        tuple(deposited), tuple(asked), tuple(closed), forgotten, tuple(_contested(home, person, now))
    )


def _no_new_key(_: int) -> bytes:
    """Where marks are, their key is too."""
    raise VerificationFailed("The key of what is kept out is gone from this home. Restore a backup.")


def _contested(home: Home, person: Person, now: int) -> Iterator[Contested]:
    """The contested submissions of the person's references, or with one of the identifiers."""
    named = {each.strip() for each in person.references if each.strip()}
    kept_out = KeptOut(home, now, _no_new_key)
    places: dict[tuple[bytes, bytes], dict[bytes, int]] = {}
    for each in contested_records.every(home):
        found = set()
        for held in each.marks:
            under = (held.space_id, held.salt_id)
            if under not in places:
                salt = home.salt_of(*under)
                places[under] = {
                    kept_out.mark_of_hash(tokens.salted_hash(salt, text)): place
                    for place, text in enumerate(person.identifiers, 1)
                }
            if held.mark in places[under]:
                found.add(places[under][held.mark])
        if found or each.reference in named:
            yield Contested(
                tuple(sorted(found)), each.state, each.contested_at, each.decided_at, each.reference
            )


def _in_deposit(
    home: Home, deposit: DepositFolder, series: SeriesFolder, texts: Sequence[str]
) -> dict[bytes, int]:
    """The place in the list of each token that the deposit holds."""
    manifest = series.manifest.payload
    head = f"{manifest.identifier_type}/"
    wanted = [(place, text) for place, text in enumerate(texts, 1) if text.startswith(head)]
    if not wanted:
        return {}
    salt, keys = home.salt_of(manifest.space_id, manifest.salt_id), series.keys()
    places = {}
    for place, text in wanted:
        y_match = tokens.mask(keys.k_match, None, tokens.salted_hash(salt, text)).y_match
        places[tokens.derive(y_match, series.series_id, manifest.space_id, deposit.deposit_id)] = place
    held = record_leaves.versions(home.vault, deposit.deposit_id, places, *_roots(deposit))
    return {token: places[token] for token in held}


def _roots(deposit: DepositFolder) -> Iterator[bytes]:
    """The roots that the list of records may have: that of a change under way too, which a crash can leave."""
    yield deposit.last_change()[1]
    pending = deposit.pending_root()
    if pending is not None:
        yield pending


def _deposited(
    deposit: DepositFolder, series: SeriesFolder, places: Mapping[bytes, int], references: Collection[str]
) -> Iterator[Deposited]:
    called: dict[bytes, str | None] = {token: local_references.find(deposit, token) for token in places}
    named = {each.strip() for each in references if each.strip()}
    if named:
        for token, reference in local_references.all_references(deposit):
            if named & local_references.parts(reference):
                called.setdefault(token, reference)
    manifest = series.manifest.payload
    for token, own in called.items():
        yield Deposited(
            place=places.get(token),
            identifier_type=manifest.identifier_type,
            deposit_id=deposit.deposit_id,
            deposited_at=deposit.declaration.payload.declared_at,
            conditions=manifest.conditions,
            reference=own,
        )


def _asked(
    home: Home, folder: RequestFolder, request_id: bytes, places_of: Mapping[str, int]
) -> Asked | None:
    """A request, if it asked about any of them."""
    try:
        plan = folder.plan()
    except NotFound:
        return None
    asked = {text for batch in plan.batches for text in batch.identifiers} & set(places_of)
    if not asked:
        return None
    key = home.identity.signing_key
    request, answer, opened = folder.request(key).payload, folder.answer(), folder.payloads()
    hits = set() if answer is None else {*answer.hits, *(each.identifier for each in answer.hit_tokens)}
    sources = () if answer is None else answer.sources
    known = hits | {text for each in sources for text in each.identifiers}
    return Asked(
        request_id=request_id,
        created_at=request.created_at,
        claims=request.claims,
        tier=request.tier,
        answered=answer is not None,
        places=_places(asked, places_of),
        known=_places(known & asked, places_of),
        sources=tuple(
            sorted({each.source.name for each in sources if not asked.isdisjoint(each.identifiers)})
        ),
        opened=tuple(
            each.contributor for each in (opened.payloads if opened else ()) if each.identifier in asked
        ),
        kept_until=kept_until(folder, key),
        contested=_places(
            asked & contested(home, home.space(*folder.roster()).payload, request_id), places_of
        ),
    )


def _places(texts: Collection[str], places_of: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(sorted(places_of[text] for text in texts))
