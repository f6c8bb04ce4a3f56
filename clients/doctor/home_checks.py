"""The doctor's look at a home: keys, spaces, salts, and what is left to do.

Rule: it opens what every command opens and changes nothing. It says how many, and never which.
"""

from collections.abc import Iterator

from broker.protocol.errors import NarrowgateError
from broker.protocol.messages.vocabulary import Role
from clients.depositing.deposit_folder import all_deposits
from clients.depositing.series_folder import SeriesState, all_series
from clients.doctor.finding import Finding, broken, look, ok
from clients.home import Home
from clients.requesting.request_folder import RequestFolder, request_ids
from clients.vault import KEY_FILE

DAY_SECONDS = 86_400
SOON_SECONDS = 14 * DAY_SECONDS
_BACKUP = "Restore the home from a backup."


def look_at_home(home: Home) -> Iterator[Finding]:
    """The keys of an open home, and each space it has joined."""
    identity = home.identity
    yield ok("home", f"The home of {identity.name} ({identity.role}); its signing key fits its identity.")
    try:
        home.vault.read_secret("secrets/wrapping")
        yield ok("wrapping key", "What is sealed for you can be opened.")
    except NarrowgateError:
        yield broken("wrapping key", "The key that opens what is sealed for you is gone or damaged.", _BACKUP)
    if b'"none"' in (home.vault.directory / KEY_FILE).read_bytes():
        yield look(
            "passphrase",
            "The keys are locked by no passphrase: whoever copies the folder has them.",
            "Keep the disk encrypted; or make the next home with NARROWGATE_PASSPHRASE set.",
        )
    else:
        yield ok("passphrase", "The keys are locked by a passphrase.")
    if not home.space_ids():
        yield look("space", "This home has joined no space yet.", "Run: narrowgate space join")
    for space_id in home.space_ids():
        yield from _space(home, space_id)


def _space(home: Home, space_id: bytes) -> Iterator[Finding]:
    try:
        space = home.space(space_id).payload
    except NarrowgateError:
        yield broken(
            "space", "A space document in the home is damaged or not signed by its founder.", _BACKUP
        )
        return
    about = f"space {space.name}"
    if space.trial:
        yield look(about, "It is a trial: nobody cosigns the broker's log.", "Use no real case in a trial.")
    else:
        yield ok(about, f"Its document verifies; {space.witness_quorum} witnesses must cosign the log.")
    if home.identity.role is Role.AGENCY:
        try:
            home.membership(space)
            yield ok(about, "You are a member of it, under the key that is in this home.")
        except NarrowgateError:
            yield look(
                about,
                "The newest roster here does not name you as a member under the key that is in this home.",
                "If you still take part, ask the founder, and give your enrolment file anew.",
            )
        if home.has_salt(space):
            yield ok(about, "Its salt is here: identifiers can be masked.")
        else:
            yield broken(
                about, "Its salt is not here: nothing can be masked.", "Run again: narrowgate space join"
            )


def look_at_deposits(home: Home, now: int) -> Iterator[Finding]:
    """Deposits that broke off, and series whose time is over or nearly."""
    stages = [item.entry.stage for item in all_deposits(home)]
    unfinished = stages.count("masked")
    if unfinished:
        yield look("deposits", f"{unfinished:,} deposits broke off.", "Run: narrowgate deposit resume")
    elif stages:
        yield ok("deposits", f"{stages.count('serving'):,} deposits serve; none broke off.")
    ends = [
        one.manifest.payload.conditions.retain_until
        for one in all_series(home)
        if one.state in (SeriesState.OPEN, SeriesState.CLOSED)
    ]
    over, soon = sum(end < now for end in ends), sum(now <= end < now + SOON_SECONDS for end in ends)
    if over:
        yield look("retention", f"The time of {over:,} series is over.", "Run: narrowgate deposit list")
    if soon:
        yield look(
            "retention",
            f"The time of {soon:,} series ends within 14 days.",
            "Deposit again what you may still share, on new conditions.",
        )


def look_at_requests(home: Home) -> Iterator[Finding]:
    """Requests that wait for a step, and answers of which nobody said what became."""
    waiting = unreported = 0
    for request_id in request_ids(home.vault):
        folder = RequestFolder(home.vault, request_id)
        waiting += folder.state in ("admitted", "evaluated")
        if folder.state == "answered" and not home.vault.exists(f"requests/{request_id.hex()}/outcome"):
            answer = folder.answer()
            unreported += answer is not None and bool(answer.hits)
    if waiting:
        yield look(
            "requests",
            f"{waiting:,} requests stopped on their way.",
            "Run: narrowgate request list, then send",
        )
    if unreported:
        yield look(
            "outcomes",
            f"Of {unreported:,} answers with hits nobody told what became of them.",
            "Run: narrowgate request report",
        )
