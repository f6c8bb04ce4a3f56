"""The page for key holders, docs/how-to-be-a-key-holder.md, as written: its commands in order, and what they print.

The other parties do between the steps what the page says of them: a space is founded, officers sign, witnesses make
keys, and a disk dies.
"""

import os
import shutil
from pathlib import Path

import pytest

from clients.cli.run import ExitCode
from clients.keyholder.keys import HolderKeys, open_keys
from clients.witness.keys import create_keys
from tests import rules
from tests.keyholder_world import HOLDER_IDS, POLICIES, World
from tests.page_case import called, check_printed, steps

PAGE = "how-to-be-a-key-holder.md"
OF_OTHERS = ("service", "copy")
FOLDER = Path("var/court")
BACKUP = Path("backups/court")


class AroundTheHolder(World):
    """Everybody but the holder of the page, whose keys its own command made."""

    def _make_holder(self, name: str) -> HolderKeys:
        return open_keys(FOLDER.resolve()) if name == HOLDER_IDS[0] else super()._make_holder(name)

    def hand_over(self) -> None:
        """The files that the holder's operator is given."""
        Path("space.jws").write_text(self.space.document)
        Path("founder-enrolment.jws").write_text(self.enrolment())
        shutil.copytree(POLICIES, "policies")
        rules.sign_rules(Path("policies"))
        for name, file in zip(rules.OFFICERS, ("legal-officer", "data-protection-officer"), strict=True):
            Path(f"{file}.jws").write_text(rules.officer_document(name))
        for name in ("w1", "w2"):
            keys = create_keys(Path("witnesses") / name, f"{name}.example.org", os.urandom)
            Path(f"{name}.key").write_text(f"{keys.verifier_keys[0]}\n")


def test_the_page_is_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = steps(PAGE, OF_OTHERS)
    for number, step in enumerate(ran, start=1):
        if number == 2:
            AroundTheHolder(tmp_path / "others", holders=()).hand_over()
        if number == 4:
            shutil.copytree(FOLDER, BACKUP)  # before the first entry of the log
        if step.exit_code is ExitCode.VERIFICATION_FAILED:
            shutil.rmtree(FOLDER)
            shutil.copytree(BACKUP, FOLDER)
        text = "".join(called(command, exit_code=step.exit_code) for command in step.commands)
        check_printed(step, text)
        assert step.printed, "the page shows what is printed"
    assert len(ran) == 9
