"""A how-to page as written: its commands in order, what is typed into them, and what the page says they print.

A block marked `sh` is run line by line where the page's files lie; one marked `cron` likewise, from `narrowgate` on;
one marked `sh refused` must be refused by the gate, `sh damaged` for what is stored. A block marked `typed` right after
it is typed into it. A block without a mark is printed by it, in that order, among other lines; `...` stands for what is
left out.
"""

import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from broker.protocol.messages.vocabulary import AgencyKind, Role
from clients.cli import run
from clients.cli.main import app
from clients.home import Home
from tests import world as world_module
from tests.world import POLICIES, World

DOCS = Path(__file__).parents[1] / "docs"
_EXIT_CODES = {
    "sh": run.ExitCode.DONE,
    "sh refused": run.ExitCode.REFUSED,
    "sh damaged": run.ExitCode.VERIFICATION_FAILED,
}


@dataclass
class Step:
    """Commands of one block, what is typed into the last of them, and lines that they print."""

    commands: list[str]
    exit_code: run.ExitCode = run.ExitCode.DONE
    typed: str = ""
    printed: list[str] = field(default_factory=list)


def steps(page: str, of_others: Collection[str] = ()) -> list[Step]:
    """The steps of a page of docs/. Blocks with a mark in `of_others` are other programs', and left out."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found: list[Step] = []
    for mark, block in re.findall(r"^```([\w ]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if mark in of_others:
            continue
        if mark in _EXIT_CODES:
            found.append(Step(block.splitlines(), _EXIT_CODES[mark]))
        elif mark == "cron":
            found.append(Step([line[line.index("narrowgate") :] for line in block.splitlines()]))
        elif mark == "typed":
            found[-1].typed += block
        else:
            assert mark == "", f"a block is marked {mark}, so nobody would run it"
            found[-1].printed.extend(block.splitlines())
    return found


def called(command: str, typed: str = "", exit_code: run.ExitCode = run.ExitCode.DONE) -> str:
    """What a command of a page prints, remarks on standard error among it."""
    program, *arguments = shlex.split(command)
    assert program == "narrowgate"
    result = CliRunner().invoke(app, arguments, input=typed)
    assert result.exit_code == exit_code, f"{command}\n{result.output}\n{result.stderr}"
    return result.output


def check_printed(step: Step, text: str) -> None:
    """Each line that the page shows was printed, in that order, among others; `...` is what is left out of it."""
    printed = text.splitlines()
    for shown in step.printed:
        pattern = ".*".join(map(re.escape, shown.strip().split("...")))
        place = next((at for at, line in enumerate(printed) if re.match(pattern, line.strip())), None)
        assert place is not None, f"not printed: {shown}\n{text}"
        printed = printed[place + 1 :]


class PageWorld(World):
    """A world in which one party makes its home and enrols by the first commands of a page."""

    def __init__(
        self,
        folder: Path,
        patched: pytest.MonkeyPatch,
        page: str,
        party: str,
        kind: AgencyKind | None,
        home: str | None = None,
    ) -> None:
        """An agency of that kind, or the party of the world that has the name; its home is `homes/PARTY` or `home`."""
        self.page, self.party, self.ids = steps(page), party, dict[str, str]()
        self._page_home = folder / (home or f"homes/{party}")
        patched.chdir(folder)
        patched.setattr(run, "clock", self.clock)
        patched.setattr(run, "new_transport", lambda: self.wire)
        if kind is not None:
            patched.setitem(world_module._AGENCIES, party, (kind, "NL"))
        # In life the broker is another process, whose log is not on the party's standard output.
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
        (folder / "policies").symlink_to(POLICIES)
        super().__init__(folder)
        (folder / "space.jws").write_text(self.signed_space.document)
        (folder / "founder-enrolment.jws").write_text(self.homes["company-1"].enrolment)

    def close(self) -> None:
        """Stop the services, and let logs be as they were."""
        super().close()
        structlog.reset_defaults()

    def _home(self, name: str, role: Role, kind: AgencyKind | None = None, place: str = "NL") -> Home:
        if name != self.party:
            return super()._home(name, role, kind, place)
        for command in self.page[0].commands:
            self.called(command)
        return Home.open(self._page_home, self.random(name), None)

    def called(self, command: str, typed: str = "", exit_code: run.ExitCode = run.ExitCode.DONE) -> str:
        """What a command of the page prints, with the ids of this world where the page names them."""
        named = shlex.join(self.ids.get(word, word) for word in shlex.split(command))
        return called(named, typed, exit_code)

    def done(self, step: Step) -> str:
        """Take a step, and hold what it prints to what the page says. Returns all that was printed."""
        *before, last = step.commands
        text = "".join(map(self.called, before)) + self.called(last, step.typed, step.exit_code)
        check_printed(step, text)
        return text
