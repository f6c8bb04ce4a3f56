"""One case for all tests of case folders: it takes seconds to tell, and they only read it."""

from collections.abc import Iterator

import pytest

from tests.case_story import CaseStory


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CaseStory]:
    """A case from hits to opened records."""
    story = CaseStory(tmp_path_factory.mktemp("case"))
    yield story
    story.close()
