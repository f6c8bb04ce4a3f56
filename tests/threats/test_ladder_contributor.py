"""What contributors try at a payload, and what is tried in their name: made-up records, older ones, answers of others.

A requester believes a record for its contributor's signed root alone. A contributor learns of a request when its own
record is asked for, and then of that record only.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from broker import roots
from broker.protocol import documents, merkle, sealing, tokens
from broker.protocol.documents import verify
from broker.protocol.errors import Conflict, Expired, NotFound, VerificationFailed
from broker.protocol.messages.base import blob_to_text
from broker.protocol.messages.deposits import DepositDeclaration
from broker.protocol.messages.envelopes import DocumentMessage
from broker.protocol.messages.ladder import ContributorRelease, RecordReference, ReleaseAsk, ReleasedRecord
from broker.protocol.messages.log import ReceiptMessage
from broker.protocol.messages.requests import Disclosure, Opening, Request
from broker.protocol.messages.series import Conditions
from broker.protocol.messages.vocabulary import Tier
from broker.store import deposits as deposit_rows
from clients.deposit_changes.replacing import NewContent, Replacement, Replacing
from clients.depositing.series_folder import SeriesFolder
from clients.remote import RefusedByGate
from clients.requester_checks.opened import VerifiedOpening, verify_opening
from clients.requester_checks.permits import verify_admission
from clients.requesting.answers import AnswerAwaited
from clients.requesting.request_folder import RequestFolder
from tests import gate_world
from tests.threats import climbing
from tests.threats import test_ladder_requester as theirs
from tests.threats.climbing import Climbed
from tests.world import BROKER, PLAINTEXT, POLICE, World, phone

DAY_SECONDS = 86_400
FORGED = b'{"signals":["forged"],"v":1}'


@pytest.fixture(scope="module")
def climbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Climbed]:
    """A climb of this module's own, since contributors change what they hold here."""
    made = World(tmp_path_factory.mktemp("contributors"))
    made.deposit("company-1", range(10), **climbing.PAYLOAD)
    made.deposit("company-2", range(5, 15), **climbing.PAYLOAD)
    made.deposit("ngo-1", range(12, 20), **climbing.PAYLOAD)
    yield climbing.climb(made)
    made.close()


@pytest.fixture(scope="module")
def world(climbed: Climbed) -> World:
    return climbed.world


# --- a record that another agency made up ---


@dataclass(frozen=True)
class Served:
    """What a broker serves with a released payload, to be changed by one that lies."""

    climbed: Climbed
    opening: Opening
    told: Disclosure

    @property
    def space(self) -> Any:
        """The pinned space document."""
        return self.climbed.world.space

    def of(self, contributor: str) -> ReleasedRecord:
        """The record of one contributor, as it was served."""
        series = next(each.series_id for each in self.told.sources if each.contributor == contributor)
        named = next(each for each in self.opening.series if each.series_id == series)
        return next(each for each in self.opening.records if each.deposit_id in named.deposits)

    def believed(self, *records: ReleasedRecord, **told: Any) -> VerifiedOpening:
        """What the requester's client makes of these records, under a disclosure that names them."""
        folder = self.climbed.folder(self.climbed.payload)
        admission = folder.admission()
        assert admission is not None
        named = tuple(
            RecordReference(
                deposit_id=each.deposit_id,
                token=each.token,
                record_version=each.record_version,
                sealed_digest=hashlib.sha256(each.sealed).digest(),
            )
            for each in records
        )
        changed = self.told.model_copy(update={"records": named, **told})
        disclosure = documents.sign(changed, self.climbed.world.broker_keys.signing_key)
        request = folder.request(self.climbed.world.homes[POLICE].identity.signing_key)
        admitted = verify_admission(admission, request, self.space)
        opening = self.opening.model_copy(update={"records": tuple(records)})
        return verify_opening(opening, disclosure, admitted, request, self.space)


@pytest.fixture(scope="module")
def served(climbed: Climbed) -> Served:
    folder = climbed.folder(climbed.payload)
    opening = folder.opening()
    assert opening is not None
    told = verify(Disclosure, folder.disclosure(), climbed.world.space.broker_signing_key).payload
    return Served(climbed, opening, told)


def test_the_records_as_they_were_served_are_believed(served: Served) -> None:
    found = served.believed(*served.opening.records)
    assert {each.contributor for each in found.records} == {"company-1", "company-2"}


def made_up(served: Served) -> ReleasedRecord:
    """A record in company-1's deposit that opens under the right key: its maker learned y as a requester does."""
    world, true = served.climbed.world, served.of("company-1")
    home = world.homes["company-1"]
    declared = verify(DepositDeclaration, true.declaration, home.identity.signing_key).payload
    keys = SeriesFolder(home, declared.series_id).keys()
    y = tokens.mask(keys.k_match, keys.k_open, tokens.salted_hash(home.salt(world.space), phone(7)))
    names = (declared.series_id, declared.space_id, declared.deposit_id)
    assert y.y_open is not None
    assert tokens.derive(y.y_match, *names) == true.token
    sealed = sealing.seal(
        tokens.seal_key(y.y_match, y.y_open, *names),
        FORGED,
        space_id=declared.space_id,
        deposit_id=declared.deposit_id,
        token=true.token,
        record_version=true.record_version,
        size_class=declared.size_class,
        random_bytes=world.random("forger"),
    )
    return true.model_copy(update={"sealed": sealed})


def test_a_payload_that_another_agency_made_up_is_not_the_contributors(served: Served) -> None:
    """Broker and member together: y, salt and k of its own series are enough to seal, and not to sign."""
    forged = made_up(served)
    with pytest.raises(VerificationFailed, match="does not lead to this root"):
        served.believed(forged)
    # With a declaration of its own: the root fits, and the signature is another agency's.
    leaf = sealing.record_leaf(forged.token, forged.sealed, forged.record_version)
    own = served.climbed.world.homes["company-2"]
    key = served.climbed.world.homes["company-1"].identity.signing_key
    declared = verify(DepositDeclaration, forged.declaration, key).payload
    root = root_of(leaf)
    signed = documents.sign(declared.model_copy(update={"root": root, "records": 1}), own.signing_key)
    alone = forged.model_copy(update={"declaration": signed.document, "index": 0, "path": ()})
    with pytest.raises(VerificationFailed, match="may not sign"):
        served.believed(alone)
    # Only in its own name: then the requester is told that it is company-2's word.
    sources = renamed(served, "company-1", "company-2")
    with pytest.raises(VerificationFailed, match="another series or contributor"):
        served.believed(alone, sources=sources)


def root_of(leaf: bytes) -> bytes:
    """The root over one leaf."""
    return merkle.root_of([merkle.leaf_hash(leaf)])


def renamed(served: Served, true: str, false: str) -> tuple[Any, ...]:
    return tuple(
        each.model_copy(update={"contributor": false}) if each.contributor == true else each
        for each in served.told.sources
    )


def test_a_record_of_its_own_under_anothers_name_is_refused(served: Served) -> None:
    """company-2's record is served as company-1's: by deposit, by series and by name."""
    theirs, ours = served.of("company-2"), served.of("company-1")
    moved = theirs.model_copy(update={"deposit_id": ours.deposit_id, "token": ours.token})
    with pytest.raises(VerificationFailed, match="may not sign"):
        served.believed(moved)
    with pytest.raises(VerificationFailed, match="of another deposit than it is"):
        served.believed(moved, sources=renamed(served, "company-1", "company-2"))
    with pytest.raises(VerificationFailed, match="may not sign"):
        served.believed(ours, sources=renamed(served, "company-1", "company-2"))


@pytest.mark.parametrize("change", ["sealed", "version", "index", "path"])
def test_a_record_that_is_not_what_was_signed_is_refused(served: Served, change: str) -> None:
    true = served.of("company-1")
    changes: dict[str, dict[str, Any]] = {
        "sealed": {"sealed": bytes([true.sealed[0] ^ 1]) + true.sealed[1:]},
        "version": {"record_version": true.record_version + 1},
        "index": {"index": (true.index + 1) % 8},
        "path": {"path": true.path[:-1]},
    }
    with pytest.raises(VerificationFailed):
        served.believed(true.model_copy(update=changes[change]))


def test_a_record_more_or_less_than_the_disclosure_names_is_refused(served: Served) -> None:
    one, other = served.opening.records
    with pytest.raises(VerificationFailed, match="not those that the disclosure names"):
        served.believed(one, one)
    folder = served.climbed.folder(served.climbed.payload)
    request = folder.request(served.climbed.world.homes[POLICE].identity.signing_key)
    admission = folder.admission()
    assert admission is not None
    signed = verify(Disclosure, folder.disclosure(), served.space.broker_signing_key)
    with pytest.raises(VerificationFailed, match="not those that the disclosure names"):
        verify_opening(
            served.opening.model_copy(update={"records": (other,)}),
            signed,
            verify_admission(admission, request, served.space),
            request,
            served.space,
        )


# --- an older version ---


def test_an_older_version_is_refused_under_the_newest_root_and_found_by_number_with_its_own(
    served: Served, world: World
) -> None:
    """The stated limit: a broker that serves the older record with the older signed root is believed; `number` then is
    lower than what the log says."""
    old = served.of("company-1")
    home = world.homes["company-1"]

    def newer(_: Conditions) -> Sequence[NewContent]:
        return [NewContent(phone(7), b'{"signals":["corrected"],"v":1}')]

    acts = Replacing(home, world.caller("company-1"), world.clock, world.random("company-1"))
    result = acts.replace(world.space, Replacement("phone", newer), "The report was corrected")
    assert [each.records for each in result.replaced] == [1]
    with world.broker.database.read() as connection:
        stored = deposit_rows.find(connection, old.deposit_id)
        assert stored is not None
        newest = roots.signed_root(connection, stored).change
    assert newest is not None
    with pytest.raises(VerificationFailed, match="does not lead to this root"):
        served.believed(old.model_copy(update={"change": newest}))
    (record,) = served.believed(old).records
    assert record.root.number == 0
    assert "RECORDS_REPLACED" in world.log_kinds()
    # Asked again, an honest broker serves the newer one, under a root of number 1.
    payload = world.climb(served.climbed.sources, [phone(7)])
    opening = RequestFolder(world.homes[POLICE].vault, payload.request_id).opening()
    assert opening is not None
    assert sorted(each.record_version for each in opening.records) == [1, 2]
    opened = world.payloads().open(payload.request_id).payloads
    assert {each.plaintext for each in opened} == {PLAINTEXT, b'{"signals":["corrected"],"v":1}'}


# --- who is asked about ---


def test_below_payload_no_contributor_learns_that_it_was_asked(world: World, climbed: Climbed) -> None:
    """Hits and sources of company-2 and the NGO were told; neither is asked, shown or told anything."""
    hits = world.ask([phone(12), phone(13)])
    world.climb(hits.request_id)
    for name in ("company-1", "company-2", "ngo-1"):
        assert world.releasing(name).asks() == ()


def silent_world_basis(world: World) -> dict[str, Any]:
    return {"basis": gate_world.basis(valid_until=world.now + 60 * DAY_SECONDS)}


def asked_ngo(world: World) -> tuple[ReleaseAsk, bytes]:
    """A payload of phone(12), which the NGO and company-2 hold; the NGO is waited for."""
    basis = silent_world_basis(world)
    hits = world.ask([phone(12)], **basis)
    sources = world.climb(hits.request_id, **basis)
    request = world.climb_prepared(sources.request_id, **basis)
    finding = world.finding_on(request)
    approvals = world.approvals(request, finding, *climbing.PEOPLE)
    request_id = request.payload.request_id
    with pytest.raises(AnswerAwaited):
        world.requester().run(request_id, [finding], approvals)
    asks = [each for each in world.releasing("ngo-1").asks() if each.request_digest == request.digest]
    assert len(asks) == 1
    return asks[0], request_id


def test_at_payload_a_contributor_learns_of_its_own_record_and_of_no_other(world: World) -> None:
    ask, request_id = asked_ngo(world)
    home = world.homes["ngo-1"]
    keys = SeriesFolder(home, ask.series_id).keys()
    y = tokens.mask(keys.k_match, None, tokens.salted_hash(home.salt(world.space), phone(12)))
    assert ask.tokens == tokens.derive(y.y_match, ask.series_id, world.space.space_id, ask.deposit_id)
    told = ask.model_dump_json()
    request = RequestFolder(world.homes[POLICE].vault, request_id)
    signed = request.request(world.homes[POLICE].identity.signing_key).payload
    secrets = [signed.claims.case_reference, signed.claims.officer, signed.claims.necessity, "company-2"]
    others = [hit for hit in climbing_hits(world, signed) if hit[0] != ask.deposit_id]
    assert len(others) == 1
    secrets += [blob_to_text(one) for hit in others for one in hit]
    assert [each for each in secrets if each in told] == []
    # That it looked is in the log.
    assert "RELEASE_SHOWN" in world.log_kinds()
    for name in ("company-1", "company-2"):
        assert world.releasing(name).asks() == ()


def climbing_hits(world: World, request: Request) -> list[tuple[bytes, bytes]]:
    """(deposit_id, token) of each match that a request goes on from."""
    answer = RequestFolder(world.homes[POLICE].vault, request.earlier_request or b"").answer()
    assert answer is not None
    return [(hit.deposit_id, hit.token) for hit in answer.hit_tokens]


# --- answers that are not its own, late, or twice ---


def say(world: World, name: str, ask: ReleaseAsk, **changes: Any) -> None:
    """One contributor's answer, by hand."""
    said = ContributorRelease(
        permit_id=ask.permit_id,
        request_digest=ask.request_digest,
        series_id=ask.series_id,
        released=True,
        reason="",
        answered_at=world.now,
    ).model_copy(update=changes)
    signed = documents.sign(said, world.homes[name].signing_key)
    url = f"{BROKER}/v1/releases/{ask.permit_id.hex()}"
    world.caller(name).post(url, DocumentMessage(document=signed.document), ReceiptMessage)


def test_a_contributor_answers_for_its_own_series_once_and_for_the_request_it_was_shown(
    world: World,
) -> None:
    ask, _ = asked_ngo(world)
    for name in ("company-1", "company-2", POLICE):
        with pytest.raises(NotFound):
            say(world, name, ask)
    with pytest.raises(NotFound):
        say(world, "ngo-1", ask, series_id=bytes(32))
    with pytest.raises(NotFound):
        say(world, "ngo-1", ask, permit_id=bytes(16))
    with pytest.raises(Conflict, match="another request"):
        say(world, "ngo-1", ask, request_digest=bytes(32))
    say(world, "ngo-1", ask, released=False, reason="No consent")
    with pytest.raises(Conflict, match="first answer stands"):
        say(world, "ngo-1", ask)


def test_a_refusal_keeps_the_ngos_record_closed_and_no_others(world: World) -> None:
    ask, request_id = asked_ngo(world)
    world.releasing("ngo-1").answer(ask.permit_id, False, "No consent")
    answer = world.requester().submit(request_id)
    assert {each.source.contributor for each in answer.sources} == {"company-2"}
    opened = world.payloads().open(request_id).payloads
    assert [each.contributor for each in opened] == ["company-2"]


def test_silence_is_a_veto_of_ones_own_record_alone_and_an_answer_after_it_is_late(world: World) -> None:
    ask, request_id = asked_ngo(world)
    before = world.now
    try:
        world.now = ask.until_at - 1
        with pytest.raises(AnswerAwaited):
            world.requester().submit(request_id)
        world.now = ask.until_at
        with pytest.raises(Expired, match="silence has refused"):
            say(world, "ngo-1", ask, answered_at=before)
        answer = world.requester().submit(request_id)
        assert (answer.tier, answer.records) == (Tier.PAYLOAD, 1)
        assert {each.source.contributor for each in answer.sources} == {"company-2"}
    finally:
        world.now = before


def test_silence_of_the_only_contributor_refuses_the_request(world: World) -> None:
    basis = silent_world_basis(world)
    hits = world.ask([phone(18)], **basis)
    sources = world.climb(hits.request_id, **basis)
    request = world.climb_prepared(sources.request_id, **basis)
    finding = world.finding_on(request)
    approvals = world.approvals(request, finding, *climbing.PEOPLE)
    request_id, before = request.payload.request_id, world.now
    with pytest.raises(AnswerAwaited):
        world.requester().run(request_id, [finding], approvals)
    try:
        world.now += 8 * DAY_SECONDS
        with pytest.raises(RefusedByGate) as caught:
            world.requester().submit(request_id)
    finally:
        world.now = before
    assert "L19" in caught.value.rules
    assert RequestFolder(world.homes[POLICE].vault, request_id).opening() is None


# --- what was opened once ---


def test_an_identifier_that_was_opened_opens_in_every_deposit_of_its_series(
    climbed: Climbed, world: World
) -> None:
    """The stated limit: y_open is of an identifier in a series. Who has it, and the sealed records besides, opens the
    same identifier in a later deposit of that series, which no decision ever let out; the broker has to hand it over,
    and no other identifier opens with it."""
    world.payloads().open(climbed.payload)
    before = {(each.declared.deposit_id, each.token) for each in theirs.whole_database(world)}
    world.deposit("company-1", (7, 8), **climbing.PAYLOAD)
    later = [
        each for each in theirs.whole_database(world) if (each.declared.deposit_id, each.token) not in before
    ]
    admission, opening = climbed.folder(climbed.hits).admission(), climbed.folder(climbed.payload).opening()
    assert admission is not None
    assert opening is not None
    matches = theirs.outputs(climbed, climbed.hits, admission.permit.encode())
    opens = theirs.outputs(climbed, climbed.payload, opening.permit.encode())
    opened = [each for each in later if any(each.opens(key) for key in each.keys(matches, opens))]
    assert len(later) == 3  # two identifiers and the self-test's
    assert len(opened) == 1
