"""A person's case: number and PIN open it, guessing does not, and whoever forgot them is helped."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from broker.protocol.errors import BadInput, Conflict, NotFound, NotPermitted
from broker.protocol.messages.vocabulary import AgencyKind, Role
from clients.home import Home, Persona
from clients.persons.consent_case import FREE_TRIES, WAITS_SECONDS, Cases, NewCase
from clients.persons.consent_status import KEPT_AFTER_END_SECONDS, forget_ended
from clients.vault import Vault

NOW = 1_790_000_000
COST = 10
"""scrypt's lowest here, so that a test may guess."""

Desk = Callable[[int], Cases]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    persona = Persona("helpline-1", "Helpline", Role.AGENCY, "NL", AgencyKind.HELPLINE)
    return Home.create(tmp_path / "home", persona, now=NOW, random_bytes=os.urandom)


@pytest.fixture
def desk(home: Home) -> Desk:
    return lambda now: Cases(home, now, os.urandom, COST)


@pytest.fixture
def given(desk: Desk) -> NewCase:
    return desk(NOW).open_case("H-17", tells_asked=True)


def _wrong(pin: str) -> str:
    return f"{(int(pin) + 1) % 1_000_000:06d}"


def test_number_and_pin_open_the_case_and_lie_nowhere_in_the_home(
    home: Home, desk: Desk, given: NewCase
) -> None:
    opened = desk(NOW).enter(given.number.lower(), f"{given.pin[:3]} {given.pin[3:]}")
    assert (opened.case.reference, opened.wrong_before) == ("H-17", 0)
    for path in home.vault.directory.rglob("*"):
        assert given.number not in path.name
        if path.is_file():
            data = path.read_bytes()
            assert given.number.encode() not in data
            assert given.pin.encode() not in data
            assert b"H-17" not in data


def test_what_is_noted_late_brings_no_old_pin_back(desk: Desk, given: NewCase) -> None:
    """A withdrawal's calls take a while; meanwhile the agency gives a new PIN."""
    opened = desk(NOW).enter(given.number, given.pin)
    new = desk(NOW + 1).new_number_and_pin("H-17", "Called back on the number she left; Ada")
    desk(NOW + 2).note(opened, "withdrawn")
    with pytest.raises(NotPermitted, match="do not belong together"):
        desk(NOW + 3).enter(given.number, given.pin)
    case = desk(NOW + 4).enter(new.number, new.pin).case
    assert case.withdrawn_at == NOW + 2
    assert [each.step for each in case.steps] == ["opened", "new_pin", "withdrawn"]


def test_what_is_noted_late_makes_no_case_that_was_erased(home: Home, desk: Desk, given: NewCase) -> None:
    opened = desk(NOW).enter(given.number, given.pin)
    desk(NOW).erase(opened)
    desk(NOW).note(opened, "followed")
    assert home.vault.names("submissions") == ()


def test_wrong_pins_that_were_counted_meanwhile_stay_counted(desk: Desk, given: NewCase) -> None:
    opened = desk(NOW).enter(given.number, given.pin)
    for _ in range(FREE_TRIES):
        with pytest.raises(NotPermitted):
            desk(NOW).enter(given.number, _wrong(given.pin))
    assert desk(NOW).note(opened, "followed").case.wrong == FREE_TRIES
    with pytest.raises(NotPermitted, match="Too many wrong PINs"):
        desk(NOW).enter(given.number, given.pin)


def test_a_wrong_pin_and_a_number_that_is_nobodys_read_the_same(desk: Desk, given: NewCase) -> None:
    other = desk(NOW).open_case("H-18", tells_asked=False)
    desk(NOW).new_number_and_pin("H-18", "Known to us; Ada")
    said = []
    for number, pin in ((given.number, _wrong(given.pin)), (other.number, other.pin)):
        with pytest.raises(NotPermitted) as refused:
            desk(NOW).enter(number, pin)
        said.append(refused.value.detail)
    assert len(set(said)) == 1
    assert given.number not in said[0]


def test_guessing_waits_longer_and_longer_and_the_right_pin_waits_too(desk: Desk, given: NewCase) -> None:
    now, waits = NOW, []
    for guess in range(FREE_TRIES + len(WAITS_SECONDS) + 1):
        with pytest.raises(NotPermitted, match="do not belong"):
            desk(now).enter(given.number, _wrong(given.pin))
        if guess < FREE_TRIES - 1:
            continue
        for pin in (given.pin, _wrong(given.pin)):
            with pytest.raises(NotPermitted, match="Too many wrong PINs"):
                desk(now).enter(given.number, pin)
        wait = desk(now).by_agency("H-17").case.wait_until - now
        waits.append(wait)
        now += wait
    assert tuple(waits) == (*WAITS_SECONDS, WAITS_SECONDS[-1], WAITS_SECONDS[-1])
    # A year of guesses at a desk that never sleeps finds one PIN in a million with a chance of 0.04 %.
    assert 365 * 86_400 / WAITS_SECONDS[-1] < 400
    opened = desk(now).enter(given.number, given.pin)
    assert opened.wrong_before == FREE_TRIES + len(WAITS_SECONDS) + 1, "the person is told of the guesses"
    assert desk(now).enter(given.number, given.pin).wrong_before == 0


def test_a_guess_is_counted_even_if_the_program_is_killed_while_it_is_tried(
    desk: Desk, given: NewCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("clients.persons.consent_case._hash", killed)
        for _ in range(FREE_TRIES):
            with pytest.raises(KeyboardInterrupt):
                desk(NOW).enter(given.number, _wrong(given.pin))
    with pytest.raises(NotPermitted, match="Too many"):
        desk(NOW).enter(given.number, given.pin)


def test_guesses_side_by_side_are_counted_one_by_one(home: Home, given: NewCase) -> None:
    def guess(_: int) -> str:
        cases = Cases(Home.open(home.vault.directory, os.urandom), NOW, os.urandom, COST)
        try:
            cases.enter(given.number, _wrong(given.pin))
        except NotPermitted as refused:
            return refused.detail[:8]
        return "opened"

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(guess, range(16)))
    assert said.count("Number a") == FREE_TRIES
    assert said.count("Too many") == 16 - FREE_TRIES


def test_putting_the_clock_back_does_not_shorten_the_wait(desk: Desk, given: NewCase) -> None:
    for _ in range(FREE_TRIES):
        with pytest.raises(NotPermitted):
            desk(NOW).enter(given.number, _wrong(given.pin))
    with pytest.raises(NotPermitted, match="Too many"):
        desk(NOW - 86_400).enter(given.number, given.pin)


def test_whoever_forgot_gets_a_new_number_and_pin_and_the_old_ones_are_dead(
    desk: Desk, given: NewCase
) -> None:
    with pytest.raises(BadInput, match="how you made sure"):
        desk(NOW).new_number_and_pin("H-17", " ")
    fresh = desk(NOW + 5).new_number_and_pin("H-17", "Called back on the number she left; Ada")
    with pytest.raises(NotPermitted):
        desk(NOW + 5).enter(given.number, given.pin)
    with pytest.raises(NotPermitted):
        desk(NOW + 5).enter(fresh.number, given.pin if given.pin != fresh.pin else _wrong(given.pin))
    opened = desk(NOW + 5).enter(fresh.number, fresh.pin)
    assert [(each.step, each.at) for each in opened.case.steps] == [("opened", NOW), ("new_pin", NOW + 5)]
    assert "Ada" in opened.case.steps[-1].remark


def test_a_reference_has_one_case_and_one_that_has_none_is_said_so(desk: Desk, given: NewCase) -> None:
    with pytest.raises(Conflict, match="new-pin"):
        desk(NOW).open_case(" H-17 ", tells_asked=False)
    with pytest.raises(BadInput):
        desk(NOW).open_case("H-17; H-18", tells_asked=False)
    with pytest.raises(NotFound):
        desk(NOW).new_number_and_pin("H-99", "Known")
    with pytest.raises(NotFound):
        desk(NOW).by_agency("H-99")


def test_a_case_with_nothing_left_goes_a_year_after_it_was_used(
    home: Home, desk: Desk, given: NewCase
) -> None:
    later = NOW + KEPT_AFTER_END_SECONDS
    cases = desk(NOW + 10)
    cases.note(cases.enter(given.number, given.pin), "followed")
    assert forget_ended(home, desk(later), later) == 0
    assert forget_ended(home, desk(later + 10), later + 10) == 1
    assert home.vault.names("submissions") == ()
    assert forget_ended(home, desk(later + 10), later + 10) == 0


def test_a_case_of_another_person_cannot_stand_in_for_ones_own(
    home: Home, desk: Desk, given: NewCase
) -> None:
    """Whoever can write the folder, but has no home key, swaps two files."""
    other = desk(NOW).open_case("H-18", tells_asked=False)
    vault: Vault = home.vault
    first, second = (vault.path(f"submissions/{name}") for name in vault.names("submissions"))
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    for case in (given, other):
        with pytest.raises(Exception, match="damaged"):
            desk(NOW).enter(case.number, case.pin)
