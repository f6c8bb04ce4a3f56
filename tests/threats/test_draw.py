"""A requester whose identifiers are not those it claimed, or whose tokens are not theirs: a draw finds it.

The cheating requester uses the real client wherever that does what it wants, and changes what it keeps where not.
"""

import hashlib
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from broker.protocol import documents, tokens
from broker.protocol.errors import BadInput, Expired, NarrowgateError, NotFound, VerificationFailed
from broker.protocol.messages import draws
from broker.protocol.messages.evaluation import Chunk
from broker.protocol.messages.requests import TokenList, TokenSubmission
from clients.deposit_changes.taking_back import TakingBack
from clients.draws.draw_check import DrawCheck
from clients.draws.draw_opening import open_draw, seal
from clients.draws.draw_report import DrawReport
from clients.draws.drawing import Drawing
from clients.requesting.request_folder import RequestFolder
from clients.requesting.request_values import Plan, Tokens
from clients.requesting.retractions import Retractions
from tests.world import POLICE, World, email, phone

pytestmark = pytest.mark.all_only

ASKED = [phone(3), phone(7), phone(12), phone(500)]
Submit = Callable[[TokenSubmission], TokenSubmission]


@dataclass
class Audited:
    """One answered request of the police unit, before its auditor."""

    world: World
    request_id: bytes

    @property
    def folder(self) -> RequestFolder:
        return RequestFolder(self.world.homes[POLICE].vault, self.request_id)

    @property
    def drawing(self) -> Drawing:
        world = self.world
        return Drawing(world.homes["auditor-1"], world.space, world.clock, world.random("auditor-1"))

    def order(self, *indices: int, kind: str = "phone") -> documents.Signed[draws.DrawOrder]:
        """The auditor mirrors the log and orders these indices."""
        self.world.auditor().verify()
        request_id, logged = self.drawing.find(self.request_id)
        return self.drawing.order(request_id, logged, {kind: indices})

    def open(self, order: documents.Signed[draws.DrawOrder]) -> draws.OpenedDraw:
        """The requester opens with its client, from what it keeps."""
        world = self.world
        return open_draw(world.homes[POLICE], world.space, order.document, world.now, world.random(POLICE))

    def check(
        self,
        order: documents.Signed[draws.DrawOrder],
        opened: draws.OpenedDraw,
        case_file: Iterable[str] | None = None,
    ) -> DrawReport:
        """The auditor checks it."""
        known = None if case_file is None else set(case_file)
        return DrawCheck(self.world.homes["auditor-1"], order.document, known).check(opened)

    def draw(self, *indices: int, case_file: Iterable[str] | None = None) -> DrawReport:
        """All three steps."""
        order = self.order(*indices)
        return self.check(order, self.open(order), case_file)

    def reseal(
        self,
        order: documents.Signed[draws.DrawOrder],
        opened: draws.OpenedDraw,
        secrets: dict[str, Any] | None = None,
        **evidence: Any,
    ) -> draws.OpenedDraw:
        """The same opening with other contents, signed by the requester all the same."""
        home, now = self.world.homes[POLICE], self.world.now
        kept = draws.DrawSecrets(
            nonce=bytes(32),
            salt=home.salt(self.world.space),
            opened=opened_indices(self.folder.plan(), order.payload),
        )
        request = self.folder.request(home.identity.signing_key).payload
        return seal(
            home,
            order,
            request,
            kept.model_copy(update=secrets or {}),
            opened.evidence.model_copy(update=evidence),
            now,
        )


def opened_indices(plan: Plan, order: draws.DrawOrder) -> tuple[draws.OpenedIndex, ...]:
    batch, places = plan.batches[0], order.drawn[0].indices
    return tuple(
        draws.OpenedIndex(
            identifier_type=batch.identifier_type,
            index=at,
            identifier=batch.identifiers[at],
            salted_hash=batch.hashes[at * 64 : at * 64 + 64],
            blind=batch.blinds[at * 32 : at * 32 + 32],
            point=batch.points[at * 32 : at * 32 + 32],
        )
        for at in places
    )


def asked(world: World, identifiers: Sequence[str] = ASKED, cheat: Submit | None = None) -> Audited:
    """A request from papers to answer; `cheat` changes the tokens before they are sent."""
    prepared = world.prepare(identifiers)
    requester, audited = world.requester(), Audited(world, prepared.request_id)
    requester.file(prepared.request_id, [world.finding(prepared)])
    requester.evaluate(prepared.request_id)
    if cheat is not None:
        kept = audited.folder.tokens()
        assert kept is not None
        audited.folder.keep_tokens(Tokens(submission=cheat(kept.submission), orders=kept.orders))
    requester.submit(prepared.request_id)
    return audited


def split(item: TokenList) -> list[bytes]:
    return [item.tokens[at : at + 16] for at in range(0, len(item.tokens), 16)]


def with_lists(
    submission: TokenSubmission, change: Callable[[int, list[bytes]], list[bytes]]
) -> TokenSubmission:
    """The submission with each list changed; `change` gets its place and its tokens."""
    lists = tuple(
        item.model_copy(update={"tokens": b"".join(sorted(change(place, split(item))))})
        for place, item in enumerate(submission.lists)
    )
    return submission.model_copy(update={"lists": lists})


def junk(place: int, number: int) -> bytes:
    return hashlib.sha256(bytes([place, number])).digest()[:16]


# --- the honest twin ---


def test_what_an_honest_requester_opens_verifies(world: World) -> None:
    report = asked(world).draw(0, 1, 2, 3, case_file=ASKED)
    assert report.verified
    assert report.tokens_sent
    assert [each.identifier for each in report.drawn] == ASKED
    for each in report.drawn:
        assert (each.hash_fits, each.point_fits, each.in_batch, each.in_case_file) == (True,) * 4
        assert list(each.deposits.values()) == [True] * 3


def test_a_draw_verifies_after_the_requester_erased_what_was_taken_back(fresh_world: World) -> None:
    world = fresh_world
    audited = asked(world)
    back = TakingBack(
        world.homes["company-1"], world.caller("company-1"), world.clock, world.random("company-1")
    )
    back.withdraw_identifiers(world.space, {"phone": [phone(3)]}, "Taken back")
    acts = Retractions(world.homes[POLICE], world.space, world.caller(POLICE), world.clock)
    (notice,) = acts.fetch()
    acts.acknowledge(notice.notice.payload.notice_id, "officer-1")
    answer, kept = audited.folder.answer(), audited.folder.tokens()
    assert answer is not None
    assert phone(3) not in answer.hits
    assert kept is not None
    assert kept.orders == ()
    report = audited.draw(0, 1, 2, 3, case_file=ASKED)
    assert report.verified
    assert [each.identifier for each in report.drawn] == ASKED


def test_an_opening_shows_the_drawn_identifiers_to_the_auditor_alone(world: World) -> None:
    audited = asked(world)
    order = audited.order(1)
    opened = audited.open(order)
    written = opened.model_dump_json()
    salt = world.homes[POLICE].salt(world.space)
    for text in (*ASKED, "447700900", salt.hex()):
        assert text not in written
    told = audited.check(order, opened)
    assert [each.identifier for each in told.drawn] == [phone(7)]
    opening = documents.verify(
        draws.DrawOpening, opened.opening, world.homes[POLICE].identity.signing_key
    ).payload
    with pytest.raises(VerificationFailed):
        world.homes["company-1"].unwrap(opening.wrapped, b"narrowgate/v1/draw\x00" + order.digest)


# --- (a) another identifier than was blinded ---


def test_another_identifier_than_was_blinded_does_not_give_the_point(world: World) -> None:
    audited = asked(world)
    order = audited.order(0, 1)
    opened, salt = audited.open(order), world.homes[POLICE].salt(world.space)
    true, other = opened_indices(audited.folder.plan(), order.payload)
    for claimed, hash_fits in ((tokens.salted_hash(salt, phone(900)), True), (true.salted_hash, False)):
        false = true.model_copy(update={"identifier": phone(900), "salted_hash": claimed})
        report = audited.check(order, audited.reseal(order, opened, {"opened": (false, other)}))
        first, second = report.drawn
        assert not report.verified
        assert (first.hash_fits, first.point_fits, first.in_batch) == (hash_fits, False, True)
        assert not first.deposits
        assert not second.faults


def test_an_identifier_blinded_anew_or_of_another_place_is_not_in_the_batch(world: World) -> None:
    audited = asked(world)
    order = audited.order(0)
    opened = audited.open(order)
    plan = audited.folder.plan()
    moved = opened_indices(plan, order.payload.model_copy(update={"drawn": audited.order(1).payload.drawn}))
    anew = world.requester()._blind("phone", [phone(900)], world.homes[POLICE].salt(world.space))
    fresh = opened_indices(Plan(batches=(anew,)), order.payload)
    for shown in (moved[0].model_copy(update={"index": 0}), fresh[0]):
        (result,) = audited.check(order, audited.reseal(order, opened, {"opened": (shown,)})).drawn
        assert (result.hash_fits, result.point_fits, result.in_batch) == (True, True, False)


def test_an_index_that_was_drawn_and_not_opened_is_reported(world: World) -> None:
    audited = asked(world)
    order = audited.order(0, 3)
    first, _ = opened_indices(audited.folder.plan(), order.payload)
    report = audited.check(order, audited.reseal(order, audited.open(order), {"opened": (first,)}))
    assert [each.faults for each in report.drawn] == [(), ("was not opened",)]


def test_a_salt_of_its_own_does_not_help(world: World) -> None:
    audited = asked(world)
    order = audited.order(0)
    with pytest.raises(VerificationFailed, match="salt"):
        audited.check(order, audited.reseal(order, audited.open(order), {"salt": bytes(32)}))


# --- (b) identifiers that are not of the case ---


def test_an_identifier_that_is_not_in_the_case_file_is_found(world: World) -> None:
    report = asked(world).draw(0, 3, case_file=ASKED[:3])
    assert [each.in_case_file for each in report.drawn] == [True, False]
    assert not report.verified
    assert not report.faults


# --- (c) junk tokens ---


def test_junk_for_all_deposits_but_one_is_found_by_any_index(world: World) -> None:
    def but_one(place: int, real: list[bytes]) -> list[bytes]:
        return real if place == 0 else [junk(place, number) for number in range(len(real))]

    audited = asked(world, cheat=lambda submission: with_lists(submission, but_one))
    for index in range(len(ASKED)):
        report = audited.draw(index)
        assert not report.faults
        assert sorted(report.drawn[0].deposits.values()) == [False, False, True]
        assert not report.verified


@pytest.mark.parametrize("left", [0, 3], ids=["none", "one fewer"])
def test_fewer_tokens_for_all_deposits_but_one_are_found_without_a_match(world: World, left: int) -> None:
    def but_one(place: int, real: list[bytes]) -> list[bytes]:
        return real if place == 0 else real[:left]

    # The client maps matches back by place, so the cheat sends its lists by hand.
    prepared = world.prepare(ASKED)
    requester, audited = world.requester(), Audited(world, prepared.request_id)
    requester.file(prepared.request_id, [world.finding(prepared)])
    requester.evaluate(prepared.request_id)
    kept = audited.folder.tokens()
    assert kept is not None
    orders = tuple(order if not place else order[:left] for place, order in enumerate(kept.orders))
    audited.folder.keep_tokens(Tokens(submission=with_lists(kept.submission, but_one), orders=orders))
    requester.submit(prepared.request_id)
    report = audited.draw(0)
    assert report.faults == ("A deposit was sent another number of tokens than the request has points.",)


# --- (d) tokens of another request ---


def test_cached_tokens_of_another_request_are_found(world: World) -> None:
    cached = asked(world, [phone(17)]).folder.tokens()
    assert cached is not None
    old = {item.deposit_id: split(item)[0] for item in cached.submission.lists}

    def replaced(submission: TokenSubmission) -> TokenSubmission:
        deposits = [item.deposit_id for item in submission.lists]
        return with_lists(submission, lambda place, real: [*real[1:], old[deposits[place]]])

    audited = asked(world, cheat=replaced)
    report = audited.draw(*range(len(ASKED)))
    missing = sum(not sent for each in report.drawn for sent in each.deposits.values())
    assert missing == 3  # one token in each of three lists
    assert not report.verified
    assert not report.faults


def test_the_odds_of_a_partial_cheat_are_those_of_drawing_without_replacement(world: World) -> None:
    """1 of 4 cheated and 2 drawn: C(3,2) of C(4,2) draws do not find it."""

    def one_junk(submission: TokenSubmission) -> TokenSubmission:
        return with_lists(submission, lambda place, real: [*real[1:], junk(0, 0)] if place == 0 else real)

    audited = asked(world, cheat=one_junk)
    order = audited.order(*range(len(ASKED)))
    report = audited.check(order, audited.open(order))
    bad = [each.index for each in report.drawn if each.faults]
    assert len(bad) == 1
    pairs = list(itertools.combinations(range(len(ASKED)), 2))
    escaped = sum(audited.draw(*pair).verified for pair in pairs)
    assert escaped == math.comb(3, 2)
    assert len(pairs) == math.comb(4, 2)


# --- (e) other tokens than were logged ---


def changed_list(submission: TokenSubmission) -> TokenSubmission:
    return with_lists(submission, lambda place, real: [*real[1:], junk(place, 0)])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda submission: submission.model_copy(update={"nonce": bytes(32)}), "nonce"),
        (changed_list, "root in the log"),
        (lambda submission: submission.model_copy(update={"lists": submission.lists[1:]}), "root in the log"),
        (lambda submission: None, "the opening has none"),
    ],
    ids=["another nonce", "another token", "a list fewer", "none"],
)
def test_other_tokens_than_were_logged_are_found(
    world: World, change: Callable[[TokenSubmission], TokenSubmission | None], words: str
) -> None:
    audited = asked(world)
    order = audited.order(0)
    opened = audited.open(order)
    assert opened.evidence.submission is not None
    report = audited.check(
        order, audited.reseal(order, opened, submission=change(opened.evidence.submission))
    )
    assert len(report.faults) == 1
    assert words in report.faults[0]
    assert not report.verified
    assert not report.drawn[0].deposits


def test_junk_sent_and_honest_tokens_shown_is_found(world: World) -> None:
    honest: list[TokenSubmission] = []

    def cheat(submission: TokenSubmission) -> TokenSubmission:
        honest.append(submission)
        return with_lists(submission, lambda place, real: [junk(place, at) for at in range(len(real))])

    audited = asked(world, cheat=cheat)
    order = audited.order(0)
    opened = audited.open(order)
    assert audited.check(order, opened).drawn[0].faults
    report = audited.check(order, audited.reseal(order, opened, submission=honest[0]))
    assert "root in the log" in report.faults[0]


# --- the rest of the evidence ---


def forged_chunk(evidence: draws.DrawEvidence) -> dict[str, Any]:
    first, *others = evidence.evaluated
    answer, *rest = first.answers
    elements = answer.chunks[0].elements
    chunk = Chunk(elements=elements[32:64] + elements[:32] + elements[64:], proof=answer.chunks[0].proof)
    forged = answer.model_copy(update={"chunks": (chunk,)})
    return {"evaluated": (first.model_copy(update={"answers": (forged, *rest)}), *others)}


def forged_points(evidence: draws.DrawEvidence) -> dict[str, Any]:
    (batch,) = evidence.points
    swapped = batch.points[32:64] + batch.points[:32] + batch.points[64:]
    return {"points": (batch.model_copy(update={"points": swapped}),)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (forged_chunk, "proof of evaluation"),
        (lambda evidence: {"evaluated": evidence.evaluated[1:]}, "answers for a series"),
        (forged_points, "batch root"),
        (lambda evidence: {"points": ()}, "points of each identifier type"),
    ],
    ids=["elements without proof", "a series fewer", "points in another order", "no points"],
)
def test_evidence_that_proves_nothing_is_found(
    world: World, change: Callable[[draws.DrawEvidence], dict[str, Any]], words: str
) -> None:
    audited = asked(world)
    order = audited.order(0)
    opened = audited.open(order)
    report = audited.check(order, audited.reseal(order, opened, **change(opened.evidence)))
    assert words in report.faults[0]
    assert not report.drawn[0].deposits


def test_papers_of_another_request_are_found(world: World) -> None:
    audited, other = asked(world), asked(world)
    order, foreign = audited.order(0), other.order(0)
    opened, theirs = audited.open(order), other.open(foreign).evidence
    report = audited.check(order, audited.reseal(order, opened, request=theirs.request))
    assert report.faults == ("The opening is of another request than was ordered.",)
    report = audited.check(order, audited.reseal(order, opened, admission=theirs.admission))
    assert report.faults == ("The broker's permit is not for this request. Keep it as evidence.",)
    with pytest.raises(VerificationFailed, match="another order"):
        audited.check(order, other.open(foreign))


def test_what_the_requester_did_not_sign_is_no_opening(world: World) -> None:
    audited = asked(world)
    order = audited.order(0)
    opened = audited.open(order)
    altered = opened.evidence.model_copy(update={"submission": None})
    with pytest.raises(VerificationFailed, match="signed for"):
        audited.check(order, opened.model_copy(update={"evidence": altered}))
    payload = documents.verify(
        draws.DrawOpening, opened.opening, world.homes[POLICE].identity.signing_key
    ).payload
    forged = documents.sign(payload, world.homes["company-1"].signing_key).document
    with pytest.raises(VerificationFailed, match="may not sign"):
        audited.check(order, opened.model_copy(update={"opening": forged}))


# --- who may draw ---


def test_only_an_auditor_of_the_space_has_something_opened(world: World) -> None:
    audited = asked(world)
    order = audited.order(0)
    for name in ("desk-1", "company-1", POLICE):
        forged = documents.sign(order.payload, world.homes[name].signing_key)
        with pytest.raises(VerificationFailed, match="may not sign"):
            audited.open(forged)
    auditor = world.homes["auditor-1"].signing_key
    changes: list[tuple[dict[str, Any], type[NarrowgateError]]] = [
        ({"auditor": "auditor-2"}, VerificationFailed),
        ({"space_id": bytes(16)}, BadInput),
        ({"request_digest": bytes(32)}, VerificationFailed),
        ({"request_id": bytes(16)}, NotFound),
        ({"drawn": (draws.DrawnIndices(identifier_type="phone", indices=(4,)),)}, BadInput),
        ({"drawn": (draws.DrawnIndices(identifier_type="email", indices=(0,)),)}, BadInput),
        ({"ordered_at": world.now + 3600}, Expired),
        ({"expires_at": world.now}, Expired),
    ]
    for change, problem in changes:
        wrong = documents.sign(order.payload.model_copy(update=change), auditor)
        with pytest.raises(problem):
            audited.open(wrong)
    assert audited.open(order)


def test_an_order_that_nobody_followed_is_overdue(fresh_world: World) -> None:
    audited = asked(fresh_world)
    order = audited.order(0)
    check = DrawCheck(fresh_world.homes["auditor-1"], order.document)
    assert not check.overdue(fresh_world.now)
    fresh_world.now += 14 * 86_400
    assert check.overdue(fresh_world.now)
    with pytest.raises(Expired):
        audited.open(order)


def test_both_types_of_a_request_are_drawn(fresh_world: World) -> None:
    fresh_world.deposit("company-1", emails=range(3))
    fresh_world.deposit("company-2", emails=range(3))
    fresh_world.deposit("ngo-1", emails=range(3))
    audited = asked(fresh_world, [phone(3), phone(4), email(1), email(2)])
    fresh_world.auditor().verify()
    request_id, logged = audited.drawing.find(audited.request_id)
    drawn = audited.drawing.draw(logged, 4)
    assert {name: sorted(indices) for name, indices in drawn.items()} == {"phone": [0, 1], "email": [0, 1]}
    order = audited.drawing.order(request_id, logged, drawn)
    report = audited.check(order, audited.open(order))
    assert report.verified
    assert [each.identifier for each in report.drawn] == [email(1), email(2), phone(3), phone(4)]
