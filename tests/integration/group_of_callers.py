"""Callers who share one commit, as a process to be traced: `python -m tests.integration.group_of_callers PATH`

Rule: the database is there already. Each caller queues up while the first has its turn; what is told to it goes to
standard output the moment it is told, one write each: `answer INDEX`, `refused` or `failed`. It judges nothing.
"""

import os
import sys
import threading
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.audit.log import AuditLog
from broker.audit.records import BundleActivated
from broker.protocol.errors import NotFound, Unavailable
from broker.protocol.messages.vocabulary import RecordKind
from broker.store.database import Database

CALLERS = 6
REFUSED = 3
"""The place in the queue of the one whose step raises."""
RECORD = BundleActivated(
    bundle_digest=bytes(32), previous_digest=None, valid_from=1, approvals=("a.b.c", "d.e.f")
)


def main(path: str) -> None:
    """Open the database, and let the callers come."""
    database = Database(f"sqlite:///{path}")
    audit = AuditLog("broker.example.org/log", Ed25519PrivateKey.generate(), os.urandom, trial=True)
    with database.read() as connection:
        audit.start(connection)
    assert database._steps is not None
    queue, begun = database._steps._queue, threading.Event()

    def call(place: int) -> None:
        try:
            with database.write() as connection:
                receipt = audit.append(connection, RecordKind.BUNDLE_ACTIVATED, RECORD, 1)
                begun.set()
                while place == 0 and len(queue) < CALLERS - 1:
                    time.sleep(0.001)
                if place == REFUSED:
                    raise NotFound("Stop.")
            told = f"answer {receipt.proof.index}"
        except NotFound:
            told = "refused"
        except Unavailable:
            told = "failed"
        os.write(1, f"{told}\n".encode())

    threads = [threading.Thread(target=call, args=(place,)) for place in range(CALLERS)]
    for place, thread in enumerate(threads):
        thread.start()
        begun.wait()
        while place and len(queue) < place and threads[0].is_alive():
            time.sleep(0.001)
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1])
