"""What the demo's acts share: the parties' commands, the report that grows, and acts that run at the same time.

Rule: an act runs the parties' commands and returns what they printed; nothing is computed that a party could not
know, but for the truth of the generated files, against which the results are held.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clients.demo.data import DemoData
from clients.demo.narration import Narrator
from clients.demo.parties import Party, Places
from clients.demo.processes import Finished, Processes

REFUSED, VERIFICATION_FAILED, UNREACHABLE = 3, 4, 5
_AT_A_TIME = 2


@dataclass
class Story:
    """The processes, the places, the data, and the report that grows."""

    processes: Processes
    places: Places
    data: DemoData
    narrator: Narrator
    deposits: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    count: dict[str, int] = field(default_factory=dict)
    log: dict[str, Any] = field(default_factory=dict)

    def run(self, party: Party, *arguments: str | Path, expect: tuple[int, ...] = (0,)) -> Finished:
        """Run a command as `party`."""
        return self.processes.run(party.party_id, arguments, expect)

    def home(self, party: Party) -> Path:
        """The party's folder."""
        return self.places.home(party)


Act = Callable[[Story], None]


def tell_together(story: Story, acts: Sequence[Act]) -> None:
    """Run acts that do not wait for one another, two at a time, and tell and report them in the order given."""
    asides = [
        replace(story, narrator=story.narrator.aside(), deposits=[], requests=[], count={}) for _ in acts
    ]
    with ThreadPoolExecutor(max_workers=_AT_A_TIME) as pool:
        running = [pool.submit(act, aside) for act, aside in zip(acts, asides, strict=True)]
        try:
            for aside, act in zip(asides, running, strict=True):
                aside.narrator.speak()
                act.result()
                story.deposits += aside.deposits
                story.requests += aside.requests
                story.count |= aside.count
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
