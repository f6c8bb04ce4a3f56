"""The demo's last acts: a dishonest broker meets the holders, and the auditor checks everything.

Rule: the dishonest broker is the real program with two rules deleted from a copy of the policies, run on a copy of
the broker's own folder, keys included; the holders are the same processes as before.
"""

import re
import shutil
from typing import Any

from clients.demo import parties
from clients.demo.parties import AUDITOR, POLICE
from clients.demo.processes import DemoFailed
from clients.demo.story import REFUSED, Story, ask, record

_DELETED_RULES = ("L03", "L20")


def dishonest_broker(story: Story) -> None:
    """A broker without two rules admits what was refused; no holder evaluates it."""
    narrator, processes, places = story.narrator, story.processes, story.places
    narrator.act(8, "Somebody runs the broker with two rules deleted, on a copy of its data and keys")
    processes.stop("broker")
    copy, rules = places.root / "broker-copy", places.root / "doctored-policies"
    shutil.copytree(places.home("broker"), copy)
    shutil.copytree(places.policies, rules)
    deleted = sum(_delete_rules(path) for path in rules.rglob("*.cedar"))
    if deleted < len(_DELETED_RULES):
        raise DemoFailed("The rules to delete are not in the bundle.")
    port = places.broker_origin.rpartition(":")[2]
    arguments = ("broker", "serve", copy, "--port", port, "--bundle", rules, "--trial")
    processes.serve("dishonest-broker", arguments, places.broker_origin)
    case = "CASE-2026-108-let-through"
    found = {"purpose": "immigration_enforcement", "offence": "immigration_only"}
    result = ask(story, POLICE, case, story.data.police, "hits", answers=found, expect=(REFUSED, 4))
    processes.stop("dishonest-broker")
    parties.start_broker(processes, places)
    narrator.says("The broker", "said ALLOW and signed a permit.")
    narrator.says("Each holder", f"decided again under its own rules and refused: {result['reasons'][0]}")
    record(story, case, "hits", result, None)


def audit(story: Story) -> None:
    """The auditor mirrors the log, re-derives its root and replays every decision."""
    narrator = story.narrator
    narrator.act(10, "The auditor verifies the log and takes every decision again")
    home = story.home(AUDITOR)
    verified = story.run(AUDITOR, "audit", "verify", home, "--json").json()
    replay = ("audit", "replay", home, "--bundle", story.places.policies, "--json")
    replayed = story.run(AUDITOR, *replay).json()
    if not verified["verified"] or replayed["same"] != replayed["decisions"]:
        raise DemoFailed("The log does not verify, or a decision does not replay.")
    story.log = {
        "origin": verified["origin"],
        "entries": verified["entries"],
        "root": verified["root"],
        "verified": verified["verified"],
        "decisions": replayed["decisions"],
        "replayed": replayed["same"],
    }
    narrator.result(
        f"{verified['entries']} entries re-derived to the signed root; "
        f"{replayed['same']} of {replayed['decisions']} decisions replayed to the same digest"
    )
    narrator.saw((("the auditor", "every decision with its facts, rules and law; no identifier and no hit"),))
    if verified.get("trial"):
        narrator.says(
            "Mind", "this is a trial: no witness cosigned the log, so the broker could show two of them."
        )


def _delete_rules(path: Any) -> int:
    text = path.read_text()
    statements = re.split(r"(?<=;)\s*\n(?=\s*(?:@|//|permit|forbid|$))", text)
    kept = [one for one in statements if not any(f'@id("{rule}' in one for rule in _DELETED_RULES)]
    path.write_text("\n".join(kept))
    return len(statements) - len(kept)
