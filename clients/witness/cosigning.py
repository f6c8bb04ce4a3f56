"""The one thing a witness does: cosign a checkpoint that continues the newest one it cosigned (C2SP tlog-witness).

    1 the call is well formed        4 the old size is not above the new      7 the proof verifies
    2 the log is pinned              5 it is the size cosigned last           8 remembered, durably
    3 a pinned key signed the note   6 one size has one root                  9 cosigned

Rule: 1 to 4 are made before the one writer's turn is taken, so that nobody without a pinned key holds up those who
have one. Checks 5 to 8 are one transaction, and the cosignature leaves only once it is on the disk: two calls at once,
or a crash, can never make this key cosign two histories. A second root at the size it cosigned is evidence that the
log forked: both signed notes are kept. It judges no entry and sees none.
"""

from broker.protocol import checkpoint, log_keys, witnessing
from broker.protocol.checkpoint import Checkpoint, VerifierKey, parse_verifier_key
from broker.protocol.errors import BadInput, NarrowgateError, NotFound, NotPermitted, VerificationFailed
from broker.protocol.log_keys import FollowedKeys, WitnessQuorum
from broker.protocol.merkle import EMPTY_ROOT
from broker.protocol.messages.log_keys import LogKeyChain
from broker.protocol.note_algorithms import SIGNS_LOGS
from broker.protocol.witnessing import AddCheckpoint
from clients.witness.context import Witness
from clients.witness.store import logs
from clients.witness.store.logs import Cosigned, Fork


class OtherSize(NarrowgateError):
    """The witness cosigned another size than the call says, or another root at it. `size` is the one it cosigned."""

    problem = "conflict"

    def __init__(self, size: int) -> None:
        super().__init__("The witness saw another checkpoint of this log last.")
        self.size = size


def pin_log(witness: Witness, key: VerifierKey) -> VerifierKey:
    """Pin a log by its verifier key, on the operator's word. The key's name is the log's origin.

    Raises BadInput for what is no log's key."""
    _check_logs_key(key)
    with witness.database.write() as connection:
        logs.add_key(connection, key.name, str(key), witness.clock())
    return key


def follow_log(witness: Witness, chain: LogKeyChain) -> FollowedKeys:
    """Take a log's newest key in place of the pinned one, by the file of log keys that the operator was handed.

    Each change must be in a log that this very witness cosigned: its own signature is on the proof. The old key's
    signature counts no more. Raises NotFound (no such log), VerificationFailed or BadInput."""
    own = WitnessQuorum(witness.keys.verifier_keys, 1)
    with witness.database.write() as connection:
        pinned = logs.keys_of(connection, chain.log_origin)
        if not pinned:
            raise NotFound("This witness does not watch that log. Its operator pins logs by hand.")
        key = parse_verifier_key(pinned[-1])
        log_keys.follow(chain, key, (WitnessQuorum(),))
        try:
            followed = log_keys.follow(chain, key, (own,))
        except VerificationFailed as error:
            raise VerificationFailed(
                "This witness did not cosign the checkpoint in the file, so it cannot tell whether it is of the log "
                "that it watches. Start the service, and ask the log's operator to make the file anew by the same "
                "command."
            ) from error
        logs.replace_keys(connection, chain.log_origin, str(followed.newest), witness.clock())
    return followed


def replace_log_key(witness: Witness, key: VerifierKey) -> VerifierKey:
    """Pin a key in place of all that are pinned for its log, on the operator's word alone: the old one was lost.

    The newest checkpoint cosigned stays: the log has to go on from there. Raises BadInput or NotFound."""
    _check_logs_key(key)
    with witness.database.write() as connection:
        if not logs.keys_of(connection, key.name):
            raise NotFound("This witness does not watch that log. Its operator pins logs by hand.")
        logs.replace_keys(connection, key.name, str(key), witness.clock())
    return key


def add_checkpoint(witness: Witness, body: bytes) -> str:
    """Cosign the checkpoint of a call, and return a signature line of each of the witness's keys.

    Raises BadInput (400), NotPermitted (403), NotFound (404), OtherSize (409), VerificationFailed (422) or
    Unavailable (503)."""
    # 1.
    call = witnessing.read_call(body)
    try:
        origin = checkpoint.read_origin(call.note.encode())
    except VerificationFailed as error:
        raise BadInput(error.detail) from error
    # 2. and 3.
    with witness.database.read() as connection:
        pinned = logs.keys_of(connection, origin)
    shown = _signed(call, origin, pinned)
    # 4.
    if call.old_size > shown.size:
        raise BadInput("The old size is larger than the checkpoint's.")
    now = witness.clock()
    forked: OtherSize | None = None
    with witness.database.write() as connection:
        # The operator may have put another key in its place while this call waited for its turn.
        keys = logs.keys_of(connection, origin)
        if keys != pinned:
            shown = _signed(call, origin, keys)
        newest = logs.newest(connection, origin)
        if newest is not None and newest.size == shown.size and newest.root != shown.root:
            # 6. before 5., because evidence is kept whatever old size the call names; committed, then refused.
            logs.keep_fork(
                connection, Fork(origin, shown.size, shown.root, newest.note, call.note, found_at=now)
            )
            forked = OtherSize(newest.size)
        else:
            _check_continues(call, shown, newest)
            # 8.
            logs.remember(connection, Cosigned(origin, shown.size, shown.root, call.note, cosigned_at=now))
    if forked is not None:
        raise forked
    # 9.
    lines = (checkpoint.cosign(shown.text, now, key, witness.keys.name) for key in witness.keys.private_keys)
    return b"".join(lines).decode()


def _check_logs_key(key: VerifierKey) -> None:
    if key.algorithm not in SIGNS_LOGS:
        raise BadInput("This is not a log's key: it is of another kind. Ask the log's operator for it.")


def _signed(call: AddCheckpoint, origin: str, keys: tuple[str, ...]) -> Checkpoint:
    if not keys:
        raise NotFound("This witness does not watch that log. Its operator pins logs by hand.")
    for key in keys:
        try:
            return checkpoint.parse_and_verify(call.note.encode(), origin, parse_verifier_key(key))
        except VerificationFailed:
            continue
    raise NotPermitted(
        "No key that this witness pinned for the log signed the checkpoint. If the log's key was changed, this "
        "witness's operator follows it: narrowgate witness follow-log"
    )


def _check_continues(call: AddCheckpoint, shown: Checkpoint, newest: Cosigned | None) -> None:
    # 5.
    seen_size, seen_root = (0, EMPTY_ROOT) if newest is None else (newest.size, newest.root)
    if call.old_size != seen_size:
        raise OtherSize(seen_size)
    # 7.
    witnessing.check_continues(call, shown.size, shown.root, seen_root)
