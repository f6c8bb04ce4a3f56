"""The doctor's look at a broker's folder, done by the broker's own part, which is installed where a broker runs.

Rule (DESIGN 4): clients do not import the broker; its look is found by the entry-point group `narrowgate.doctor`.
"""

import importlib.metadata
from pathlib import Path

from clients.doctor.finding import Finding, State, broken
from clients.doctor.peers import Looked, Peer

ENTRY_POINT_GROUP = "narrowgate.doctor"


def look_at_broker_folder(directory: Path, now: int) -> Looked:
    """All of the folder and its database; `now` is this computer's time in Unix seconds."""
    known = {each.name: each for each in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)}
    try:
        look_over = known["broker"].load()
    except (KeyError, ModuleNotFoundError):
        missing = "The broker's part of the program is not installed here, so its folder was not looked at."
        return Looked((broken("broker's part", missing, "Install narrowgate[broker]."),))
    lines, peers = look_over(directory, now)
    findings = tuple(
        Finding(about, State(state), words, what_to_do) for about, state, words, what_to_do in lines
    )
    # Its own service is the one broker that a broker's folder names.
    found = (Peer(kind, name, origin, own=kind == "broker") for kind, name, origin in peers)
    return Looked(findings, tuple(found))
