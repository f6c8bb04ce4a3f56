"""The folder of a real broker in which much may be asked, and the papers of those who ask: what each fault begins with.

Rule: the folder is as an operator's, with keys, settings, rules and database, and is copied for each test. The space,
its deposits and all papers are those of `tests.exchange_story`; tokens are drawn, since the broker cannot tell. Each
request is about one identifier that nobody asked about before, so that no budget is used up.
"""

import hashlib
import itertools
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

from broker.folder import DATABASE_FILE, KEYS_FILE, KeyFile
from broker.gate.bundle import load
from broker.gate.shelf import BundleShelf
from broker.protocol.documents import key_identifier, public_bytes
from broker.protocol.messages.base import encode
from broker.protocol.messages.requests import Admission
from broker.settings import SETTINGS_FILE
from tests.exchange_story import COMPANIES, LOG_ORIGIN, ORIGIN, Story, key_of, named, token
from tests.rules import POLICIES, signed_policies

KNOWN = 400
"""Identifiers that three companies hold."""
TOO_MANY = 600
"""More identifiers than the rules let anybody ask about at once: a request that is refused."""
REQUESTER = "unit-1"


@dataclass(frozen=True)
class Step:
    """One call of the requester, which may be made any number of times."""

    name: str
    path: str
    body: bytes
    admits: bytes | None
    """The request that it files, if it files one."""


class Ground:
    """The stopped broker, and the desk at which requests are written."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        """Its database is a file in the folder unless a URL is given."""
        self.folder = folder
        folder.mkdir(mode=0o700)
        url = database_url or f"sqlite:///{folder / DATABASE_FILE}"
        self.story = Story(folder, load(POLICIES), database_url=url)
        for company in COMPANIES[:3]:
            self.story.deposit(company, [token(index) for index in range(KNOWN)])
        self.story.stop()
        BundleShelf(folder).keep(signed_policies(), load(POLICIES))
        seeds = [hashlib.sha256(name.encode()).digest() for name in ("broker", "log")]
        keys = KeyFile(signing_seed=seeds[0], log_seed=seeds[1], count_key=named("count key", 32))
        (folder / KEYS_FILE).write_bytes(encode(keys))
        (folder / KEYS_FILE).chmod(0o600)
        self._desk = threading.Lock()
        self._numbers = itertools.count()

    @property
    def now(self) -> int:
        """The time at which all papers are signed: Unix seconds."""
        return self.story.now

    def copy(self, to: Path, *settings: str) -> Path:
        """A broker's folder of its own; `settings` are lines of its settings file."""
        shutil.copytree(self.folder, to)
        operator = public_bytes(key_of("operator"))
        lines = [
            f'public_origin = "{ORIGIN}"',
            f'log_origin = "{LOG_ORIGIN}"',
            f'operator_kid = "{key_identifier(operator)}"',
            f'operator_key = "{operator.hex()}"',
            *settings,
        ]
        (to / SETTINGS_FILE).write_text("\n".join(lines) + "\n")
        return to

    def filing(self) -> Step:
        """A new request. One in six asks for too much."""
        with self._desk:
            number = next(self._numbers)
            signed = self.story.request(TOO_MANY if number % 6 == 5 else 1, requester=REQUESTER)
            body = encode(self.story.submission(signed))
        return Step(f"request {number}", "/v1/requests", body, signed.payload.request_id)

    def sending(self, filed: Step, admission: Admission) -> Step:
        """The tokens of an admitted request: of an identifier that three companies hold."""
        assert filed.admits is not None
        with self._desk:
            number = int(filed.name.split()[-1]) % KNOWN
            body = encode(self.story.tokens(admission, [token(number)]))
        return Step(f"tokens of {filed.name}", f"/v1/requests/{filed.admits.hex()}/tokens", body, None)
