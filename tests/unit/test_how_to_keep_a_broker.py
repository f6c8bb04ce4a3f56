"""The page for operators, docs/how-to-keep-a-broker.md, as written: its commands in order, and what they print.

It is run in a folder with a broker that was just made. Where the page shows what a command prints, it shows all of it.
"""

from pathlib import Path

import pytest

from broker.recovery import commands, sealed_file
from tests import rules
from tests.page_case import called, check_printed, steps
from tests.recovery_case import PASSPHRASE

PAGE = "how-to-keep-a-broker.md"
OF_OTHERS = ("cron",)


def test_the_page_is_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sealed_file, "_LOG2_N", 1)
    monkeypatch.setenv(commands.LOCK_VARIABLE, PASSPHRASE)
    called("narrowgate broker init var/broker")
    rules.activate_in_folder(Path("var/broker"))
    ran = steps(PAGE, OF_OTHERS)
    for step in ran:
        text = "".join(map(called, step.commands))
        check_printed(step, text)
        assert not step.printed or len(step.printed) == len(text.splitlines()), (
            "the page shows all that is printed"
        )
    assert len(ran) == 4
