"""What each party alone must never be able to do (docs/threat-model.md, "By party"), tried after a whole climb.

Contributors, requesters, brokers and key holders have files of their own beside this one; here are those who only look:
legal desk, approver, auditor, and a key holder that reads its own database; and a broker that calls in its own name.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest
from fastapi.routing import APIRoute

from broker.api import (
    approvals,
    audit,
    deposits,
    health,
    log,
    operator,
    outcomes,
    releases,
    requests,
    series,
    spaces,
)
from broker.protocol import documents, oprf, tokens
from broker.protocol.errors import NarrowgateError
from broker.protocol.messages.base import blob_from_text
from broker.protocol.messages.envelopes import Nothing
from broker.protocol.messages.evaluation import EvaluationAnswer
from broker.protocol.messages.log import RecordPage
from broker.protocol.messages.requests import Permit, TokensAnswered
from broker.protocol.quorum import folded_key
from broker.protocol.tiles import tiles_of
from clients.keyholder.held import held_series
from clients.transport import Caller, RemoteUnauthenticated
from tests.threats import climbing, colluding
from tests.threats.climbing import Climbed
from tests.threats.test_canary import spellings, what_shows
from tests.threats.test_ladder_requester import whole_database
from tests.world import BROKER, HOLDERS, PLAINTEXT, POLICE, World, phone

ASKED = (3, 7, 13)
_ROUTERS = (
    health,
    operator,
    spaces,
    series,
    deposits,
    requests,
    outcomes,
    approvals,
    releases,
    log,
    audit,
)


@pytest.fixture(scope="module")
def world(climbed: Climbed) -> World:
    climbed.world.payloads().open(climbed.payload)
    return climbed.world


def secrets(climbed: Climbed) -> dict[str, list[bytes]]:
    """What of a climb only the requester and, of each its own part, a contributor or the broker may see."""
    world = climbed.world
    salt = world.homes[POLICE].salt(world.space)
    hashes = [tokens.salted_hash(salt, phone(number)) for number in ASKED]
    answer = climbed.folder(climbed.hits).answer()
    assert answer is not None
    raw = {
        "identifier": [phone(number).encode() for number in ASKED]
        + [b"447700900%03d" % number for number in ASKED],
        "salted hash": hashes,
        "point": [oprf.hash_input(one) for one in hashes],
        "hit": [hit.token for hit in answer.hit_tokens],
        "sealed record": [each.sealed[:48] for each in whole_database(world)],
        "payload": [PLAINTEXT],
    }
    return {name: [each for one in values for each in spellings(one)] for name, values in raw.items()}


def answers_to(climbed: Climbed, name: str) -> dict[str, bytes]:
    """Every address that can be read at broker and key holders, read by one party with the ids of the climb in hand."""
    world = climbed.world
    admission = climbed.folder(climbed.payload).admission()
    assert admission is not None
    terms = documents.verify(Permit, admission.permit, world.space.broker_signing_key).payload.terms
    values = {
        "space_id": world.space.space_id,
        "request_id": climbed.payload,
        "permit_id": terms.permit_id,
        "series_id": terms.series[0].series_id,
        "deposit_id": terms.series[0].deposits[0],
    }
    paths = {
        route.path.replace("{path:path}", "entries/000.p/1").format(
            **{key: value.hex() for key, value in values.items()}
        )
        for module in _ROUTERS
        for route in module.router.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ())
    }
    urls = [f"{BROKER}{path}" for path in sorted(paths)]
    urls += [f"{BROKER}/v1/audit/records?start=0&end=1000"]
    urls += [f"{BROKER}/tile/{bundle}" for bundle in _bundles(world.broker.database, world.broker.audit)]
    for holder in world.space.holders:
        keeper = world.holders[holder.x]
        urls += [f"{holder.origin}/tile/{bundle}" for bundle in _bundles(keeper.database, keeper.log)]
    found = {}
    for url in urls:
        before = len(world.wire.passed)
        with suppress(NarrowgateError):  # another type, or a refusal: what counts is what came
            world.caller(name).get(url, Nothing)
        found[url] = b"".join(each.answer.body for each in world.wire.passed[before:])
    return found


def _bundles(database: Any, log: Any) -> list[str]:
    """The paths of all entry bundles of a log."""
    with database.read() as connection:
        return [tile.path for tile in tiles_of(log.size(connection)) if tile.level is None]


def assert_nothing_of(kinds: Iterable[str], climbed: Climbed, told: dict[str, bytes]) -> None:
    known = {name: values for name, values in secrets(climbed).items() if name in kinds}
    assert {url: what_shows(body, known) for url, body in told.items() if what_shows(body, known)} == {}


def test_the_search_finds_what_is_there(climbed: Climbed, world: World) -> None:
    """The honest twin: the requester's own disclosure and home have hits, points are in what holders are sent."""
    known = secrets(climbed)
    folder = climbed.folder(climbed.payload)
    told = folder.disclosure().split(".")[1]
    assert "hit" in what_shows(blob_from_text(told), known)
    opening = folder.opening()
    assert opening is not None
    assert what_shows(opening.model_dump_json().encode(), known) == ["hit", "sealed record"]


# --- legal desk and approvers ---


@pytest.mark.parametrize("name", ["desk-1", "supervisor-1", "judge-1", "auditor-1", "company-2"])
def test_nobody_but_the_requester_reads_a_token_a_hit_or_a_payload_anywhere(
    climbed: Climbed, world: World, name: str
) -> None:
    told = answers_to(climbed, name)
    assert len(told) >= 14
    assert_nothing_of(secrets(climbed), climbed, told)
    # Only the auditor is given records at all.
    records = told[f"{BROKER}/v1/audit/records?start=0&end=1000"]
    assert (b'"records"' in records) == (name == "auditor-1")
    assert not any(b"CASE-1" in body for body in told.values())


@pytest.mark.parametrize("name", ["desk-1", "supervisor-1", "judge-1", "auditor-1", "company-2"])
def test_nobody_but_the_requester_is_answered_to_its_tokens(
    climbed: Climbed, world: World, name: str
) -> None:
    """Even the very tokens, overheard, are answered to their sender alone."""
    kept = climbed.folder(climbed.payload).tokens()
    assert kept is not None
    url = f"{BROKER}/v1/requests/{climbed.payload.hex()}/tokens"
    with pytest.raises(NarrowgateError) as caught:
        world.caller(name).post(url, kept.submission, TokensAnswered)
    assert getattr(caught.value, "problem", "") in ("not-found", "unauthenticated", "not-permitted")
    again = world.caller(POLICE).post(url, kept.submission, TokensAnswered)
    assert again.opening is not None


# --- the auditor ---


def test_the_auditor_reads_every_record_and_no_identifier_token_or_payload(
    climbed: Climbed, world: World
) -> None:
    url = f"{BROKER}/v1/audit/records?start=0&end=1000"
    page = world.caller("auditor-1").get(url, RecordPage)
    bodies = {str(each.index): each.record or b"" for each in page.records}
    assert len(bodies) > 20
    # It does see the case: what a decision rests on is there to be decided again.
    assert any(b"CASE-1" in body for body in bodies.values())
    assert_nothing_of(secrets(climbed), climbed, bodies)
    # Nor in what it keeps: its mirror.
    world.auditor().verify()
    files = [path for path in (world.folder / "auditor-1").rglob("*") if path.is_file()]
    assert files
    assert_nothing_of(secrets(climbed), climbed, {str(path): path.read_bytes() for path in files})


# --- a key holder ---


def test_a_key_holder_learns_no_identifier_hash_or_hit(climbed: Climbed, world: World) -> None:
    """All that it was ever sent, answered, and keeps on disk; the points in it are blinded."""
    for x, origin in HOLDERS.items():
        seen = world.wire.seen(origin)
        assert any(each.call.path == "/v1/openings" for each in seen) or x == 3
        told = {f"call {place}": each.call.body + each.answer.body for place, each in enumerate(seen)}
        files = [path for path in (world.folder / f"holder-{x}").rglob("*") if path.is_file()]
        told |= {str(path): path.read_bytes() for path in files}
        assert_nothing_of(("identifier", "salted hash", "point", "sealed record", "payload"), climbed, told)


def test_a_key_holder_with_its_shares_alone_tests_no_guess(climbed: Climbed, world: World) -> None:
    """It is given the space's salt and the broker's records besides, and evaluates a right guess with its own share."""
    salt = world.homes[POLICE].salt(world.space)
    stored = whole_database(world)
    known = {each.token for each in stored}
    guess = tokens.salted_hash(salt, phone(3))
    holder = world.holders[1]
    with holder.database.read() as connection:
        for each in stored:
            held = held_series(holder, connection, each.declared.series_id)
            names = (each.declared.series_id, each.declared.space_id, each.declared.deposit_id)
            for members in ((1, 2), (1, 3)):
                folded = folded_key(held.shares.match, members)
                for scalar in (held.shares.match.value, folded.secret_key):
                    y = tokens.mask(scalar, None, guess).y_match
                    assert tokens.derive(y, *names) not in known


# --- the broker, in its own name ---


def test_the_broker_brings_about_no_evaluation(climbed: Climbed, world: World) -> None:
    """It has the permit, the record, the papers and the points of an honest request, and calls with its own keys."""
    given = climbing.recorded(world, climbing.papers_of(climbed))
    papers = colluding.admitted(world, [phone(3), phone(7)])
    before = (world.evaluations(), climbing.openings(world))
    for key in (world.broker_keys.signing_key, world.broker_keys.log_key):
        caller = Caller(world.wire, key, world.clock, world.random("broker calls"), pause=lambda _: None)
        colluding.assert_all_refuse(
            climbing.ask_all(world, given, caller=caller), RemoteUnauthenticated, "accepted key"
        )
        colluding.assert_all_refuse(
            colluding.ask_all(world, papers, caller=caller), RemoteUnauthenticated, "accepted key"
        )
    assert (world.evaluations(), climbing.openings(world)) == before


def test_another_member_brings_about_no_evaluation_with_the_requesters_papers(
    climbed: Climbed, world: World
) -> None:
    papers = colluding.admitted(world, [phone(3), phone(7)])
    for name in ("company-1", "judge-1"):
        for x in HOLDERS:
            with pytest.raises(NarrowgateError, match="another party's"):
                colluding.ask(world, papers, x, caller=world.caller(name))
    assert isinstance(colluding.ask(world, papers, 1), EvaluationAnswer)
