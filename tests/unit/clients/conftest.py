"""One story for all tests of case folders, which takes seconds to tell and is only read; a founded space for one test
alone; and commands run in process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from broker.protocol.messages.parties import Space
from clients.cli import run
from tests.case_story import CaseStory
from tests.contributor_case import ContributorCase
from tests.world import World


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CaseStory]:
    """A case from hits to opened records."""
    told = CaseStory(tmp_path_factory.mktemp("story"))
    yield told
    told.close()


@pytest.fixture
def case(tmp_path: Path) -> Iterator[ContributorCase]:
    """A broker, key holders and two companies, with a space that was founded."""
    made = ContributorCase(tmp_path)
    made.found()
    yield made
    made.close()


@pytest.fixture
def space(case: ContributorCase) -> Space:
    """The case's space."""
    return case.company.space().payload


@pytest.fixture
def commands_reach(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[World | ContributorCase], None]]:
    """Call it with a world, and commands run in this process reach its services, at its time."""

    def reach(made: World | ContributorCase) -> None:
        monkeypatch.setattr(run, "new_transport", lambda: made.wire)
        monkeypatch.setattr(run, "clock", made.clock)

    # In life services are other processes, whose logs are not on a command's standard output.
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield reach
    structlog.configure(**before)
