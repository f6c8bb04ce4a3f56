"""A requester on the ladder that wants more than it was released: other records, other sources, finer counts.

`tests/threats/test_draw.py` has what an auditor's draw finds of cached and of junk tokens afterwards.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest

from broker.protocol import documents, quorum, sealing, tokens
from broker.protocol.documents import verify
from broker.protocol.errors import NotPermitted, VerificationFailed
from broker.protocol.group import split_elements
from broker.protocol.messages.deposits import DepositDeclaration
from broker.protocol.messages.requests import Claims, Disclosure, Permit, TokensAnswered, TokenSubmission
from broker.protocol.messages.vocabulary import Tier
from broker.store import deposits as deposit_rows
from broker.store import ledger
from clients.depositing.series_folder import SeriesFolder
from clients.keyholder.held import held_series
from clients.remote import RefusedByGate
from clients.requesting.record_keys import finalize, kept_elements
from clients.requesting.request_folder import RequestFolder
from clients.requesting.request_values import PlannedBatch, Tokens
from tests.threats.climbing import Climbed
from tests.threats.test_draw import Audited, junk, with_lists
from tests.world import BROKER, POLICE, World, phone


@pytest.fixture(scope="module")
def world(climbed: Climbed) -> World:
    climbed.world.payloads().open(climbed.payload)
    return climbed.world


# --- the broker's whole database in hand ---


@dataclass(frozen=True)
class Stored:
    """One sealed record of the broker's database."""

    declared: DepositDeclaration
    token: bytes
    version: int
    sealed: bytes

    def opens(self, key: bytes) -> bool:
        """Whether this key opens it."""
        try:
            sealing.open_sealed(
                key,
                self.sealed,
                space_id=self.declared.space_id,
                deposit_id=self.declared.deposit_id,
                token=self.token,
                record_version=self.version,
                size_class=self.declared.size_class,
            )
        except VerificationFailed:
            return False
        return True

    def keys(self, matches: set[bytes], opens: set[bytes]) -> Iterator[bytes]:
        """Every key that these outputs give for this record, whatever series and identifier they are of."""
        for y_match, y_open in itertools.product(matches, opens):
            yield tokens.seal_key(
                y_match, y_open, self.declared.series_id, self.declared.space_id, self.declared.deposit_id
            )


def whole_database(world: World) -> list[Stored]:
    """All sealed records of all deposits."""
    members = {member.agency_id: member.signing_key for member in world.space.members}
    found = []
    with world.broker.database.read() as connection:
        for row in connection.exec_driver_sql("SELECT deposit_id FROM deposits").all():
            deposit = deposit_rows.find(connection, bytes(row[0]))
            assert deposit is not None
            declared = verify(DepositDeclaration, deposit.declaration, members[deposit.contributor]).payload
            found += [
                Stored(declared, each.token, each.record_version, each.sealed)
                for each in deposit_rows.all_records(connection, deposit.deposit_number)
            ]
    return found


def outputs(climbed: Climbed, request_id: bytes, of: bytes) -> set[bytes]:
    """All outputs that the holders' kept answers under a request's permit give for its own identifiers.

    Args:
        of: the permit's document, first or second."""
    folder = climbed.folder(request_id)
    terms = documents.verify(Permit, of.decode(), climbed.world.space.broker_signing_key).payload.terms
    (batch,) = folder.plan().batches
    found: set[bytes] = set()
    for series in terms.series:
        every = list(range(len(batch.identifiers)))
        found |= set(finalize(batch, kept_elements(folder, series.handle, every)))
    return found


def test_with_the_brokers_whole_database_the_requester_opens_what_was_released_and_nothing_else(
    climbed: Climbed, world: World
) -> None:
    """Every record against every key from every pair of outputs that its home gives, mixed across series."""
    admission, opening = climbed.folder(climbed.hits).admission(), climbed.folder(climbed.payload).opening()
    assert admission is not None
    assert opening is not None
    matches = outputs(climbed, climbed.hits, admission.permit.encode())
    opens = outputs(climbed, climbed.payload, opening.permit.encode())
    assert (len(matches), len(opens)) == (9, 2)
    guesses = opens | matches | {bytes(64)}
    opened = {
        (each.declared.contributor, each.token)
        for each in whole_database(world)
        if any(each.opens(key) for key in each.keys(matches, guesses))
    }
    released = {
        (each.contributor, each.token) for each in climbed.world.payloads().open(climbed.payload).payloads
    }
    assert opened == released
    assert {contributor for contributor, _ in released} == {"company-1", "company-2"}


def test_a_record_that_stayed_closed_opens_with_the_key_that_was_never_evaluated(
    climbed: Climbed, world: World
) -> None:
    """The honest twin: what the test above could not open is there, and y_open is all that was missing."""
    home, found = world.homes["company-1"], 0
    salt = home.salt(world.space)
    for each in whole_database(world):
        if each.declared.contributor == "company-1":
            keys = SeriesFolder(home, each.declared.series_id).keys()
            made = tokens.mask(keys.k_match, keys.k_open, tokens.salted_hash(salt, phone(3)))
            assert made.y_open is not None
            found += any(each.opens(key) for key in each.keys({made.y_match}, {made.y_open}))
    assert found == 1


def test_one_key_holder_on_its_side_opens_nothing_more(climbed: Climbed, world: World) -> None:
    """Requester, broker and t-1 holders: holder 1 evaluates k_open at every hit for them, in every quorum it is in."""
    admission = climbed.folder(climbed.hits).admission()
    assert admission is not None
    matches = outputs(climbed, climbed.hits, admission.permit.encode())
    (batch,) = climbed.folder(climbed.hits).plan().batches
    points = split_elements(batch.points)
    partial = partial_outputs(world, batch, points)
    opened = [each for each in whole_database(world) if any(map(each.opens, each.keys(matches, partial)))]
    assert len(partial) > 2 * len(points)
    assert opened == []


def partial_outputs(world: World, batch: PlannedBatch, points: list[bytes] | tuple[bytes, ...]) -> set[bytes]:
    """What the shares of holder 1 alone make of the points, under each series and quorum."""
    holder, made = world.holders[1], set[bytes]()
    with holder.database.read() as connection:
        for each in {each.declared.series_id for each in whole_database(world)}:
            held = held_series(holder, connection, each)
            for members in ((1, 2), (1, 3)):
                chunks = quorum.evaluate_share(
                    held.shares.open, held.manifest.commitments_open, members, points, world.random("cheat")
                )
                made |= set(finalize(batch, [one for chunk in chunks for one in chunk.elements]))
    return made


# --- tokens of other requests ---


def selected_tokens(world: World, climbed: Climbed) -> tuple[RequestFolder, Tokens]:
    """A request for the source of phone(3), admitted, with the tokens that its client would send."""
    request = world.climb_prepared(climbed.hits, [phone(3)])
    finding = world.finding_on(request)
    approvals = world.approvals(request, finding, "supervisor-1", "prosecutor-1")
    requester, request_id = world.requester(), request.payload.request_id
    requester.file(request_id, [finding], approvals)
    requester.evaluate(request_id)
    folder = RequestFolder(world.homes[POLICE].vault, request_id)
    kept = folder.tokens()
    assert kept is not None
    return folder, kept


def cached(world: World, request_id: bytes) -> dict[bytes, list[bytes]]:
    """The tokens of an earlier request, by deposit."""
    answer = RequestFolder(world.homes[POLICE].vault, request_id).answer()
    assert answer is not None
    found: dict[bytes, list[bytes]] = {}
    for hit in answer.hit_tokens:
        found.setdefault(hit.deposit_id, []).append(hit.token)
    return found


def send(world: World, request_id: bytes, submission: TokenSubmission) -> TokensAnswered:
    url = f"{BROKER}/v1/requests/{request_id.hex()}/tokens"
    return world.caller(POLICE).post(url, submission, TokensAnswered)


def test_cached_tokens_of_another_request_are_not_selected_from(climbed: Climbed, world: World) -> None:
    """Hits on phone(4) and phone(8), of the same case and confirmed by nobody, under the sources of another request."""
    other = cached(world, world.ask([phone(4), phone(8)]).request_id)
    folder, kept = selected_tokens(world, climbed)
    lists = tuple(
        item.model_copy(update={"tokens": other.get(item.deposit_id, [item.tokens])[0]})
        for item in kept.submission.lists
    )
    request_id = folder.request(world.homes[POLICE].identity.signing_key).payload.request_id
    stolen = kept.submission.model_copy(update={"lists": lists})
    with pytest.raises(NotPermitted, match="none that the earlier request was told of"):
        send(world, request_id, stolen)
    # Nothing was used up: the honest tokens are taken afterwards.
    assert world.requester().submit(request_id).tier is Tier.SOURCES


def test_the_token_of_another_match_is_told_at_sources_and_opens_nothing_at_payload(
    climbed: Climbed, world: World
) -> None:
    """The stated limit: which of one request's own matches a token stands for, the broker cannot see. The requester
    confirms phone(3) and sends the token of phone(13): it is told that source. The payload stays closed, since holders
    evaluate k_open at the selected point and at no other."""
    hits = climbed.folder(climbed.hits).answer()
    assert hits is not None
    wanted = {hit.deposit_id: hit.token for hit in hits.hit_tokens if hit.identifier == phone(13)}
    folder, kept = selected_tokens(world, climbed)
    lists = tuple(
        item.model_copy(update={"tokens": wanted.get(item.deposit_id, b"")}) for item in kept.submission.lists
    )
    request_id = folder.request(world.homes[POLICE].identity.signing_key).payload.request_id
    answered = send(world, request_id, kept.submission.model_copy(update={"lists": lists}))
    told = verify(Disclosure, answered.document or "", world.space.broker_signing_key).payload
    assert {each.contributor for each in told.sources} == {"company-2", "ngo-1"}
    assert set(told.matched) == set(wanted.values())


def test_swapped_tokens_open_no_payload(climbed: Climbed, world: World) -> None:
    """phone(7) was selected and approved; the token of phone(3) is sent, and its sealed record comes."""
    request = world.ladder().climb(climbed.sources, claims_of(climbed), [phone(7)])
    finding = world.finding_on(request)
    approvals = world.approvals(request, finding, "supervisor-1", "prosecutor-1")
    requester, request_id = world.requester(), request.payload.request_id
    requester.file(request_id, [finding], approvals)
    requester.evaluate(request_id)
    folder = RequestFolder(world.homes[POLICE].vault, request_id)
    kept, sources = folder.tokens(), climbed.folder(climbed.sources).answer()
    assert kept is not None
    assert sources is not None
    wanted = {hit.deposit_id: hit.token for hit in sources.hit_tokens if hit.identifier == phone(3)}
    lists = tuple(
        item.model_copy(update={"tokens": wanted.get(item.deposit_id, b"")}) for item in kept.submission.lists
    )
    orders = tuple((0,) if item.tokens else () for item in lists)
    swapped = Tokens(submission=kept.submission.model_copy(update={"lists": lists}), orders=orders)
    folder.keep_tokens(swapped)
    assert requester.submit(request_id).records == 1
    with pytest.raises(VerificationFailed, match="none of the identifiers that were selected"):
        world.payloads().open(request_id)
    # Not even by hand: the holders' answers are about another point.
    opening = folder.opening()
    first = climbed.folder(climbed.hits).admission()
    assert opening is not None
    assert first is not None
    (record,) = opening.records
    (stored,) = [each for each in whole_database(world) if each.token == record.token]
    matches = outputs(climbed, climbed.hits, first.permit.encode())
    opens = outputs(climbed, request_id, opening.permit.encode())
    assert stored.sealed == record.sealed
    assert not any(stored.opens(key) for key in stored.keys(matches, opens))


def claims_of(climbed: Climbed) -> Claims:
    """The claims of the honest climb, once more."""
    folder = climbed.folder(climbed.payload)
    return folder.request(climbed.world.homes[POLICE].identity.signing_key).payload.claims


# --- a count that becomes one contributor's ---


def test_a_count_of_one_contributor_behind_junk_is_noised_budgeted_and_found_by_one_draw(
    climbed: Climbed, world: World
) -> None:
    """Real tokens for one deposit, junk for the others: the sum is over one contributor, and nobody can see it.

    The same list again with other junk elsewhere is refused (L15a). What remains: padded with ten numbers more that
    nobody holds it is another list. Each count has noise of standard deviation sqrt(2a)/(1-a), a = exp(-epsilon), about
    2.8 at 0.5; other padding draws other noise, so m counts average it down to 2.8/sqrt(m), at ten counts about 0.9.
    More there are not: the budget of 30 days pays for ten. And every index of such a request is false, so that a draw
    of one finds it."""
    padded = [(*range(12), *range(500 + 10 * place, 510 + 10 * place)) for place in range(3)]
    counted = [count(climbed, numbers, salt=place) for place, numbers in enumerate(padded)]
    with pytest.raises(RefusedByGate) as refused:
        count(climbed, padded[0], salt=5)
    assert refused.value.rules == ("L15a",)
    again = [folder.tokens() for folder in counted]
    answers = [folder.answer() for folder in counted]
    assert all(answer is not None and answer.tier is Tier.COUNT for answer in answers)
    assert all(answer is not None and answer.contributors == 3 for answer in answers)
    roots = {each.submission.nonce for each in again if each is not None}
    assert len(roots) == 3
    # Each of them was paid for.
    with world.broker.database.write() as connection:
        used = ledger.usage(connection, world.space.space_id, POLICE, world.now)
    assert used.epsilon_millis_30d == 3 * world.space.count_epsilon_millis
    affordable = world.space.count_budget_millis // world.space.count_epsilon_millis
    ratio = math.exp(-world.space.count_epsilon_millis / 1000)
    deviation = math.sqrt(2 * ratio) / (1 - ratio)
    assert affordable == 10
    assert 2.7 < deviation < 2.9
    assert deviation / math.sqrt(affordable) > 0.85
    # One index, whichever it is, shows it.
    for index in (0, 7):
        audited = Audited(world, request_id_of(world, counted[0]))
        report = audited.draw(index)
        assert not report.verified
        assert report.drawn[0].faults


def request_id_of(world: World, folder: RequestFolder) -> bytes:
    return folder.request(world.homes[POLICE].identity.signing_key).payload.request_id


def count(climbed: Climbed, numbers: Iterable[int], salt: int) -> RequestFolder:
    """A count whose tokens are real for one deposit, always the same, and junk for all others."""
    world = climbed.world
    prepared = world.prepare([phone(number) for number in numbers], Tier.COUNT)
    requester = world.requester()
    requester.file(prepared.request_id, [world.finding(prepared)])
    requester.evaluate(prepared.request_id)
    folder = RequestFolder(world.homes[POLICE].vault, prepared.request_id)
    kept = folder.tokens()
    assert kept is not None
    lists = kept.submission.lists
    aimed_at = min(range(len(lists)), key=lambda place: lists[place].deposit_id)
    false = with_lists(
        kept.submission,
        lambda place, real: (
            real if place == aimed_at else [junk(place + 40 * salt, at) for at in range(len(real))]
        ),
    )
    folder.keep_tokens(Tokens(submission=false, orders=kept.orders))
    requester.submit(prepared.request_id)
    return folder
