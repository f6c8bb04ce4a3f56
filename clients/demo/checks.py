"""The demo's last acts: the auditor checks everything; a dishonest broker meets holders, auditor and witnesses.

Rule: the dishonest broker is the real program on a copy of the broker's own folder, keys included: its operator deleted
a rule, pinned officers of its own who signed that, and took out of the program the check that the space's members
agreed to the rules. Holders and witnesses are the same processes as before. It cannot hide: without the witnesses no
permit is valid, and what they cosigned can be neither undone nor taken back.
"""

import re
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from clients.demo import parties, rules
from clients.demo.asking import ask, record
from clients.demo.parties import AUDITOR, POLICE
from clients.demo.processes import DemoFailed
from clients.demo.story import REFUSED, UNREACHABLE, VERIFICATION_FAILED, Story

_ACCOMPLICES = ("accomplice-one", "accomplice-two")
_PATCHED_PROGRAM = """
import broker.rules
from clients.cli.main import main
broker.rules.agreed = lambda broker, connection, space: broker.bundle
main()
"""
_DELETED_RULE = re.compile(r'^@id\("L06"\)\n.*?^\};\n', re.MULTILINE | re.DOTALL)


def audit(story: Story) -> None:
    """The auditor mirrors the log, re-derives its root and replays every decision."""
    narrator = story.narrator
    narrator.act("The auditor verifies the log and takes every decision again")
    home = story.home(AUDITOR)
    verified = story.run(AUDITOR, "audit", "verify", home, "--json").json()
    replay = ("audit", "replay", home, "--bundle", story.places.rules, "--json")
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
    if verified["trial"]:
        raise DemoFailed("The log is a trial's: no witness cosigned it.")
    narrator.says("Both witnesses", "cosigned that root: everybody is shown the same log, and it only grows.")
    _hold_the_holders_logs_against_it(story)


def _hold_the_holders_logs_against_it(story: Story) -> None:
    """What the holders say they evaluated is what the broker's log says was admitted."""
    home = story.home(AUDITOR)
    logs = story.run(AUDITOR, "audit", "verify-holders", home, "--json").json()["holders"]
    if any(len(each["cosigned_by"]) != len(parties.WITNESSES) for each in logs):
        raise DemoFailed("A key holder's log is not cosigned by both witnesses.")
    found = story.run(AUDITOR, "audit", "reconcile", home, "--json").json()
    story.log["evaluations_reconciled"] = found["evaluations"]
    story.narrator.says(
        "The key holders' own logs",
        f"are cosigned too. Their {found['evaluations']} evaluations are those that the broker's log admitted.",
    )


def dishonest_broker(story: Story) -> None:
    """A broker without one rule admits the fishing that was refused: no holder evaluates it, and none can undo it."""
    narrator, processes, places = story.narrator, story.processes, story.places
    narrator.act("Somebody runs the broker with the limit on batches deleted, on a copy of its data and keys")
    processes.stop("broker")
    copy, doctored = places.root / "broker-copy", places.root / "doctored-policies"
    shutil.copytree(places.home("broker"), copy)
    shutil.copytree(places.rules, doctored)
    if sum(_delete_rule(path) for path in doctored.rglob("*.cedar")) != 1:
        raise DemoFailed("The rule to delete is not in the bundle.")
    _activate_alone(story, copy, doctored)
    serve = parties.serve_broker(places, copy)
    program = (sys.executable, "-c", _PATCHED_PROGRAM)
    processes.serve("dishonest-broker", serve, places.broker_origin, program)
    case = "CASE-2026-116-let-through"
    _, result = ask(story, POLICE, case, story.data.fishing, "hits", expect=(REFUSED,))
    narrator.says(
        "Its operator", "had two friends sign the rules without the limit, and patched the program."
    )
    narrator.says("The broker", "said ALLOW and signed a permit.")
    narrator.says("Each holder", f"asked its own operator's rules and refused: {result['reasons'][0]}")
    record(story, case, "hits", result)
    _seen_by_the_auditor(story)
    processes.stop("dishonest-broker")
    _not_to_be_undone(story)


def _seen_by_the_auditor(story: Story) -> None:
    """The dishonest broker had to record what it did, else no witness would have cosigned and no permit been valid."""
    home = story.home(AUDITOR)
    verified = story.run(AUDITOR, "audit", "verify", home, "--json").json()
    replay = ("audit", "replay", home, "--bundle", story.places.rules, "--json")
    replayed = story.run(AUDITOR, *replay, expect=(VERIFICATION_FAILED,)).json()
    [other] = replayed["different"]
    story.narrator.says(
        "The auditor",
        f"verified the log as far as {verified['entries']} entries. Entry {other['index']} is an {other['recorded']} "
        "under rules that no officer she knows has signed. All of it is on record.",
    )
    story.log |= {"entries_after": verified["entries"], "unknown_rules_at": other["index"]}


def _not_to_be_undone(story: Story) -> None:
    """The broker as it was before: its own folder, which never saw what the copy did."""
    serve = parties.serve_broker(story.places, story.places.home("broker"))
    refused = story.processes.run("broker", serve, expect=(UNREACHABLE,))
    said = " ".join(line for line in refused.errors.splitlines() if not line.startswith("{"))
    story.narrator.says(
        "Its operator", "stops it and puts the database of before in its place, so that nothing was."
    )
    story.narrator.says("The broker", f"does not start: {said}")
    story.log["put_back"] = said


def _activate_alone(story: Story, copy: Path, doctored: Path) -> None:
    """The operator's own officers sign what no officer did whom the holders pinned."""
    accomplices = [story.places.home(name) for name in _ACCOMPLICES]
    rules.make_officers(story.processes, accomplices)
    now = datetime.now(UTC).isoformat(timespec="seconds").removesuffix("+00:00")
    for each in accomplices:
        rules.sign(story.processes, each, doctored, now, "A limit less", story.places.rules)
    rules.activate(
        story.processes, "broker", "dishonest-broker", copy, doctored, accomplices, story.places.trial
    )


def _delete_rule(path: Path) -> int:
    text, deleted = _DELETED_RULE.subn("", path.read_text())
    path.write_text(text)
    return deleted
