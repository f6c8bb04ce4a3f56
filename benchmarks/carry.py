"""How many bytes a stick carries for 1,000 identifiers: a deposit, a request, and the answers that come back.

Run: python -m benchmarks.carry

A contributor without a network opens a series and deposits 1,000 identifiers in records of the smallest size class; a
unit without a network asks about 500, the most that the rules allow in one request, of which 50 are known, from papers
to answer, over one series of each of three contributors. Every file is one that the program makes, and counts whole.
The ratio is to tokens of 16 bytes for as many identifiers, the least that anybody could send.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import structlog

from clients.contributor import Contributor
from clients.requester import Requester
from clients.transport import Awaited
from tests.carry_case import Carrying
from tests.world import PLAINTEXT, POLICE, World

IDENTIFIERS = 1_000
ASKED = 500
KNOWN = 50
TOKEN_BYTES = 16


def address(number: int) -> str:
    """A canonical address of a domain reserved for examples."""
    return f"email/1|person{number}@example.org"


def carry(name: str, identifiers: int, stick: Carrying, step: Callable[[], object]) -> None:
    """Take a step over a stick and print, for each trip, what went out and came back."""
    total_out = total_back = trips = 0
    while True:
        try:
            step()
        except Awaited:
            trips += 1
            out = back = 0
            steps: dict[str, None] = {}
            for bundle in stick.export():
                answers = stick.deliver(bundle)
                stick.read_in(answers)
                out, back = out + len(bundle.data), back + len(answers)
                steps |= dict.fromkeys(each.step for each in bundle.header.steps)
            total_out, total_back = total_out + out, total_back + back
            print(f"  trip {trips}: {out:>9,} out {back:>9,} back  {', '.join(steps)}")
            continue
        thousand = (total_out + total_back) * 1_000 // max(identifiers, 1)
        of_them = f", {thousand:,} per 1,000 identifiers, ratio {thousand / TOKEN_BYTES / 1_000:.1f}"
        told = of_them if identifiers else ""
        print(f"{name}: {trips} trips, {total_out:,} bytes out, {total_back:,} back{told}\n")
        return


def main() -> None:
    """Print the figures."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        try:
            measure(world)
        finally:
            world.close()


def measure(world: World) -> None:
    """A contributor opens and deposits, then a unit asks."""
    for name in ("company-2", "ngo-1"):
        world.deposit(name, (), range(10))
    stick = Carrying(world, "company-1")
    acts = Contributor(world.homes["company-1"], stick.caller(), world.clock, world.random("company-1"))
    agreed = world.conditions("company-1")
    carry("open a series", 0, stick, lambda: acts.open_series(world.space, "email", agreed))
    series = acts.find_series(world.space, "email", agreed)
    assert series is not None
    records = [(address(number), PLAINTEXT) for number in range(IDENTIFIERS)]
    carry(f"deposit of {IDENTIFIERS:,}", IDENTIFIERS, stick, lambda: acts.deposit(series, records))

    unit = Carrying(world, POLICE)
    requester = Requester(world.homes[POLICE], world.space, unit.caller(), world.clock, world.random(POLICE))
    first = IDENTIFIERS - KNOWN
    prepared = world.prepare([address(number) for number in range(first, first + ASKED)])
    finding = world.finding(prepared)
    carry(f"request about {ASKED:,}", ASKED, unit, lambda: requester.run(prepared.request_id, [finding]))


if __name__ == "__main__":
    main()
