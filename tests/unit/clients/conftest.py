"""One case for all tests of case folders, which takes seconds to tell and is only read; and commands run in process."""

from collections.abc import Callable, Iterator

import pytest
import structlog

from clients.cli import run
from tests.case_story import CaseStory
from tests.contributor_case import ContributorCase
from tests.world import World


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CaseStory]:
    """A case from hits to opened records."""
    story = CaseStory(tmp_path_factory.mktemp("case"))
    yield story
    story.close()


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
