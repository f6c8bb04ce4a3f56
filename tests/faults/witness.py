"""A real witness in a process of its own, served as the command `witness serve` does, that a broker's log is pinned to.

Rule: it may be stopped where it is, killed, and started again on its folder. It judges nothing.
"""

import os
import signal
import sqlite3
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

from broker.folder import read_keys
from broker.protocol.checkpoint import ED25519, VerifierKey
from clients.demo.processes import free_ports
from clients.witness import api, cli
from clients.witness.context import DATABASE_FILE, open_witness
from clients.witness.cosigning import pin_log
from clients.witness.keys import create_keys
from tests.exchange_story import LOG_ORIGIN
from tests.faults.writer import PATIENCE_SECONDS, processes

__all__ = ["WitnessProcess", "api"]


class WitnessProcess:
    """One witness of the story's log."""

    def __init__(self, folder: Path, broker: Path) -> None:
        """Its `folder` is made; `broker` is a folder with the log's key."""
        self.folder, [self.port] = folder, free_ports(1)
        self.key = create_keys(folder, "w1.example.org", os.urandom).verifier_keys[0]
        witness = open_witness(folder, lambda: int(time.time()))
        pin_log(witness, VerifierKey(LOG_ORIGIN, ED25519, read_keys(broker).log_public))
        witness.close()
        self.start()

    @property
    def settings(self) -> tuple[str, ...]:
        """Lines for the settings of a broker that it is a witness of."""
        address = f'{{ key = "{self.key}", url = "http://127.0.0.1:{self.port}" }}'
        return (f"witnesses = [{address}]", "witness_quorum = 1", "witness_timeout_seconds = 2")

    def start(self) -> None:
        """Serve, until it answers."""
        arguments = (self.folder, self.port)
        self.process: Any = processes().Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5).close()
            except urllib.error.HTTPError as error:
                error.close()
                return
            except OSError:
                assert time.monotonic() < deadline, "the witness does not answer"
                time.sleep(0.02)

    def seen(self) -> int:
        """The size of the newest checkpoint that it cosigned."""
        with closing(sqlite3.connect(f"file:{self.folder / DATABASE_FILE}?mode=ro", uri=True)) as connection:
            found = connection.execute("SELECT size FROM cosigned").fetchone()
        return 0 if found is None else int(found[0])

    def freeze(self) -> None:
        """Stop it where it is."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()
        self.process.join()


def _serve(folder: Path, port: int) -> None:
    output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    cli.serve(folder, port, "127.0.0.1", True)
