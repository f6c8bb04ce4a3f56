"""`narrowgate ...` as a process that ends with SIGKILL at a named point: `python -m tests.integration.dying POINT ...`

Rule: POINT is `module:function`, with `@after` for right after it returned; all else is the program as it is. The kill
is the kernel's, so nothing is closed, flushed or answered. It judges nothing.
"""

import importlib
import itertools
import os
import signal
import sys
from typing import Any


def arm(point: str, at_call: int = 1) -> None:
    """Let the process die at its n-th call of that function from now. A name that is not there is an error."""
    place, _, moment = point.partition("@")
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    original, calls = getattr(owner, name), itertools.count(1)

    def dying(*arguments: Any, **named: Any) -> Any:
        # A call that ends in an error did not come to the point after it, so it does not count there.
        if moment != "after" and next(calls) == at_call:
            os.kill(os.getpid(), signal.SIGKILL)
        returned = original(*arguments, **named)
        if moment == "after" and next(calls) == at_call:
            os.kill(os.getpid(), signal.SIGKILL)
        return returned

    setattr(owner, name, dying)


if __name__ == "__main__":
    arm(sys.argv[1])
    sys.argv = ["narrowgate", *sys.argv[2:]]
    from clients.cli.main import main

    main()
