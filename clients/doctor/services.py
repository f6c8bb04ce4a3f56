"""The doctor's look at the services of a space, and at a service's peers: do they answer, and do clocks agree?

Rule: it asks only what anybody may ask (`/healthz`, `/v1/time`, `/checkpoint`), unsigned, so that
no log gets an entry by it.

Of what it is told it believes clocks, and a checkpoint once it verifies. Witnesses are seen by their cosignatures.
"""

import email.utils
import json
from collections.abc import Iterator

from broker.protocol.errors import NarrowgateError
from broker.protocol.messages.base import read
from broker.protocol.messages.envelopes import ServerTime
from broker.protocol.messages.parties import Space
from clients.doctor.finding import Finding, broken, look, ok
from clients.mirrors.watched_log import broker_log
from clients.remote import Answer, Unreachable, readable
from clients.transport import Clock, Transport

WINDOW_SECONDS = 60
"""A service refuses a call that was signed further than this from its own time."""
UNEASY_SECONDS = 20
LATE_SECONDS = 7 * 86_400
CALL_OPERATOR = "Check this computer's network; then call its operator."
START_IT = "Start it; if it runs, check that its address leads to it."
_CLOCK = "Set this computer's clock by the network (NTP), or ask them about theirs."


def look_at_services(space: Space, transport: Transport, clock: Clock) -> Iterator[Finding]:
    """The broker, its witnesses and the key holders of a space."""
    yield from look_at_broker(space.broker_origin, transport, clock)
    if not space.trial:
        yield _witnesses(space, transport, clock)
    reached = 0
    for holder in space.holders:
        about = f"key holder {readable(holder.name)}"
        found = list(look_at_service(about, holder.origin, transport, clock))
        reached += bool(found) and found[0].state == "ok"
        yield from found
    if reached < space.threshold:
        yield broken(
            "key holders",
            f"{reached} of {len(space.holders)} answer; {space.threshold} are needed for each request.",
            "Wait for them, or call those above who do not answer.",
        )
    else:
        yield ok("key holders", f"{reached} of {len(space.holders)} answer; {space.threshold} are needed.")


def look_at_broker(
    origin: str, transport: Transport, clock: Clock, if_silent: str = CALL_OPERATOR
) -> Iterator[Finding]:
    """A broker, and its clock by its own word. `if_silent` is what to do when it does not answer, here and below."""
    yield from look_at_service("broker", origin, transport, clock, if_silent)
    try:
        answer = transport.send("GET", f"{origin}/v1/time", {"accept": "application/json"}, b"")
        yield _clocks("broker's clock", read(ServerTime, answer.body).now - clock())
    except NarrowgateError:
        return  # said above


def _witnesses(space: Space, transport: Transport, clock: Clock) -> Finding:
    about = "witnesses"
    wait = "Wait, and look again; if it stays so, call the witnesses' operators and the founder."
    try:
        note = transport.send("GET", f"{space.broker_origin}/checkpoint", {"accept": "*/*"}, b"")
        seen = broker_log(space).verify_checkpoint(note.body.decode("utf-8")).cosignatures
    except Unreachable:
        return look(about, "Not known while the broker does not answer.", wait)
    except (NarrowgateError, UnicodeDecodeError):
        return broken(
            about,
            "The newest checkpoint of the broker's log is not signed by the log and enough witnesses of the space.",
            "Send nothing more until it is: run narrowgate space join if the roster changed, then call the broker.",
        )
    oldest = min(each.cosigned_at for each in seen)
    words = (
        f"{len(seen)} of {len(space.witnesses)} cosigned the newest checkpoint; {space.witness_quorum} must."
    )
    if clock() - oldest > LATE_SECONDS:
        return look(about, words + " That was more than a week ago.", wait)
    return ok(about, words)


def look_at_service(
    about: str, origin: str, transport: Transport, clock: Clock, if_silent: str = CALL_OPERATOR
) -> Iterator[Finding]:
    """Whether a service answers and says that it is well, and its clock by the header of its answer."""
    try:
        answer = _asked(origin, transport)
    except NarrowgateError as error:
        yield _not_asked(about, error, if_silent)
        return
    if not _healthy(answer):
        yield broken(
            about,
            "Answers that it is not well: its log cannot be read, or a witness saw another one.",
            "Send nothing more, and call its operator.",
        )
        return
    yield ok(about, "Answers, and says that it is well.")
    if about != "broker":  # which is asked for its time
        yield from _by_header(about, answer, clock)


def look_at_witness(about: str, origin: str, transport: Transport, clock: Clock) -> Iterator[Finding]:
    """Whether a witness answers at all: another's program need not say that it is well. Its clock as above."""
    try:
        answer = _asked(origin, transport)
    except NarrowgateError as error:
        yield _not_asked(about, error, CALL_OPERATOR)
        return
    yield ok(about, "Answers.")
    yield from _by_header(about, answer, clock)


def _asked(origin: str, transport: Transport) -> Answer:
    return transport.send("GET", f"{origin}/healthz", {"accept": "application/json"}, b"")


def _not_asked(about: str, error: NarrowgateError, if_silent: str) -> Finding:
    if isinstance(error, Unreachable):
        return broken(about, "Does not answer.", if_silent)
    return broken(about, "Cannot be asked.", error.detail)


def _by_header(about: str, answer: Answer, clock: Clock) -> Iterator[Finding]:
    try:
        stated = email.utils.parsedate_to_datetime(answer.header("date") or "")
    except ValueError:
        return  # a service need not say it
    yield _clocks(f"clock of {about}", int(stated.timestamp()) - clock())


def _healthy(answer: Answer) -> bool:
    try:
        return answer.status == 200 and json.loads(answer.body).get("status") == "ok"
    except (ValueError, AttributeError):
        return False


def _clocks(about: str, ahead: int) -> Finding:
    words = f"It is {abs(ahead):,} seconds {'ahead of' if ahead > 0 else 'behind'} this computer's."
    if abs(ahead) > WINDOW_SECONDS:
        return broken(about, words + " Calls are refused from 60 seconds on.", _CLOCK)
    if abs(ahead) > UNEASY_SECONDS:
        return look(about, words, _CLOCK)
    return ok(about, "It agrees with this computer's." if abs(ahead) < 2 else words)
