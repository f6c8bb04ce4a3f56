"""`narrowgate ...` as a process that ends with SIGKILL at a named point: `python -m tests.integration.dying POINT ...`

Rule: POINT is `module:function`, with `@after` for right after it returned; all else is the program as it is. The kill
is the kernel's, so nothing is closed, flushed or answered. It judges nothing.
"""

import importlib
import os
import signal
import sys
from typing import Any


def arm(point: str) -> None:
    """Let the process die at its first call of that function. A name that is not there is an error."""
    place, _, moment = point.partition("@")
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    original = getattr(owner, name)

    def dying(*arguments: Any, **named: Any) -> None:
        if moment == "after":
            original(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, dying)


if __name__ == "__main__":
    arm(sys.argv[1])
    sys.argv = ["narrowgate", *sys.argv[2:]]
    from clients.cli.main import main

    main()
