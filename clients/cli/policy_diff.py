"""`narrowgate policy diff`: whether two folders of rules ever decide differently, and on which request.

Rule (POLICY 4): two bundles are equivalent only if that is proved over every request, their numbers, packs, lanes and
regions included; else a request is shown for each action and each direction, with the rules that decide on each side.
It proves nothing itself: see `broker.gate.proving.compare`. That two bundles differ is an answer and no failure: it
ends with 0.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from broker.gate.bundle import load
from clients.cli import run
from clients.cli.policy_prove import need_solver

if TYPE_CHECKING:
    from broker.gate.proving.compare import Difference


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The folder with the rules as they were.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The folder with the rules as they shall be.")],
    as_json: run.Json = False,
) -> None:
    """Show the requests that two folders of rules decide differently, or prove that there is none."""
    need_solver()
    from broker.gate.proving.compare import differences

    before, after = load(old), load(new)
    found = list(differences(before, after))
    members = {
        "old_digest": before.digest.hex(),
        "new_digest": after.digest.hex(),
        "equivalent": not found,
        "differences": [_members(each) for each in found],
    }
    lines = [line for each in found for line in _lines(each)]
    if not found:
        lines.append("Equivalent: both decide every request alike.")
    run.show(members, "\n".join(lines), as_json=as_json)


def _members(difference: "Difference") -> dict[str, Any]:
    from broker.gate.proving.witness import members_of

    return {
        "action": difference.action,
        "old": {"outcome": difference.old.outcome, "rules": difference.old.rules},
        "new": {"outcome": difference.new.outcome, "rules": difference.new.rules},
        "facts": members_of(difference.case),
    }


def _lines(difference: "Difference") -> Iterator[str]:
    from broker.gate.proving.witness import members_of

    old, new = difference.old, difference.new
    yield f"{old.outcome} to {new.outcome} ({difference.action}), such as this:"
    yield f"  old: {old.outcome} by {', '.join(old.rules)}"
    yield f"  new: {new.outcome} by {', '.join(new.rules)}"
    yield json.dumps(members_of(difference.case), indent=1)
