"""`narrowgate audit receipt` and `request receipts`: proofs that a step stands in the broker's log, as files.

Rule (C2SP tlog-proof): a receipt is verified with public keys alone, so that a defence lawyer can, without an account,
a home or a network. What a receipt shows is that the entry stands in the log that this key signed; without witnesses
the broker could show another log to somebody else, and that is said every time no cosignature was verified. The time in
a leaf is the broker's word, and the leaf names no request: what a receipt does not prove is said beside what it does.
Where the requester may see the entry's record it is written beside the receipt, and names the request and the answer.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.protocol import checkpoint, documents, tlog_proof
from broker.protocol.errors import BadInput, Conflict
from broker.protocol.log_keys import WitnessQuorum, follow
from broker.protocol.messages.base import encode
from broker.protocol.messages.log import LogProof, OpenedEntry
from broker.protocol.messages.requests import Disclosure, OpenedRecord, Permit
from broker.protocol.messages.vocabulary import RecordKind
from clients.cli import run
from clients.cli.answer_words import utc
from clients.cli.log_key_options import AcceptLost, LogKeysIfChanged, log_key_change
from clients.cli.receipt_record import SUFFIX as RECORD_SUFFIX
from clients.cli.receipt_record import open_record
from clients.requesting.request_folder import RequestFolder

SUFFIX = ".tlog-proof"
_NO_WITNESS = (
    "No witness's cosignature was verified: the broker could show another log to somebody else. Ask for the witnesses' "
    "keys."
)
_NAMES_NOBODY = (
    "Whose entry it is, the receipt alone does not say: the paper that bears this proof does, on the broker's word, "
    "and the entry's record, which whoever has it can open against the digest {digest} by --record."
)
_DECIDED_ONLY = "It says that the release of a result was decided, and not whether it was allowed."

Key = Annotated[
    str,
    typer.Option(
        "--log-key",
        metavar="KEY",
        help="The log's public key, name+id+base64 as the space document has it, or a file with it. Get it from "
        "somebody you trust, not with the receipt.",
    ),
]
WitnessKeys = Annotated[
    list[str] | None,
    typer.Option(
        "--witness-key", metavar="KEY", help="A witness's public key, or a file with it; repeat for more."
    ),
]


def receipt(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The receipt, FILE.tlog-proof.")],
    log_key: Key,
    log_keys: LogKeysIfChanged = None,
    accept_lost: AcceptLost = False,
    witness_key: WitnessKeys = None,
    quorum: Annotated[
        int | None,
        typer.Option("--quorum", help="How many of the witnesses must have cosigned; all, if not said."),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record", metavar="FILE", help="The entry's record: FILE.record.json beside the receipt."
        ),
    ] = None,
    paper: Annotated[
        list[Path] | None,
        typer.Option(
            "--paper",
            metavar="FILE",
            help="A signed paper that the record must name by its SHA-256; repeat for more.",
        ),
    ] = None,
    as_json: run.Json = False,
) -> None:
    """Verify one receipt offline, with public keys alone, and say what it proves.

    If the log's key was changed, the file of log keys leads from the key you have to the receipt's, or back to it.
    """
    if paper and record is None:
        raise BadInput("--paper needs --record: the leaf alone names no paper.")
    witnesses = [run.verifier_key(each) for each in witness_key or ()]
    wanted = len(witnesses) if quorum is None else quorum
    if not 0 <= wanted <= len(witnesses):
        raise BadInput("--quorum is at most the number of witness keys given.")
    text = run.read_input(file, "the receipt")
    try:
        read = tlog_proof.read(text.decode("utf-8"))
    except UnicodeDecodeError:
        raise BadInput("The receipt is not a text file. Check that it is the right one.") from None
    key = run.verifier_key(log_key)
    change = log_key_change(log_keys, accept_lost)
    if change.chain is not None:
        quorum_of = WitnessQuorum(tuple(witnesses), wanted)
        followed = follow(change.chain, key, (quorum_of,), accept_lost=change.accept_lost)
        key = followed.key_for(read.checkpoint)
    entry = tlog_proof.verify(read, key, witnesses, wanted)
    told: dict[str, Any] = {
        "verified": True,
        "origin": entry.checkpoint.origin,
        "index": entry.index,
        "kind": entry.content.kind,
        "recorded_at": entry.content.recorded_at,
        "digest": entry.content.digest.hex(),
        "size": entry.checkpoint.size,
        "log_key": str(key),
        "cosigned": {each.witness: each.cosigned_at for each in entry.checkpoint.cosignatures},
    }
    opened = None if record is None else open_record(read.leaf, record, paper or ())
    if opened is not None:
        told |= {"record": opened.members, "papers": opened.papers}
    whose = (_NAMES_NOBODY.format(digest=entry.content.digest.hex()),) if opened is None else opened.words
    lines = [
        f"Entry {entry.index} of the log {entry.checkpoint.origin} is {entry.content.kind}, recorded on "
        f"{utc(entry.content.recorded_at)} by the log's own clock, which nobody vouches for. The log had "
        f"{entry.checkpoint.size} entries when it signed this.",
        *([_DECIDED_ONLY] if entry.content.kind == RecordKind.RELEASE else []),
        *whose,
        *(
            f"Witness {each.witness} cosigned the log on {utc(each.cosigned_at)} by its own clock: the entry is no "
            "younger."
            for each in entry.checkpoint.cosignatures
        ),
    ]
    if not entry.checkpoint.cosignatures:
        lines.append(_NO_WITNESS)
    run.show(told, "\n".join(lines), as_json=as_json)


def receipts(
    directory: run.HomeFolder,
    request_id: Annotated[
        str, typer.Argument(metavar="REQUEST_ID", help="As `narrowgate request list` has it.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A folder for the receipts.")],
    as_json: run.Json = False,
) -> None:
    """Write the receipts of a request as files that anybody can verify: its refusal, its permit, its answer."""
    home = run.open_home(directory)
    folder = RequestFolder(home.vault, run.identifier(request_id, 16, "REQUEST_ID"))
    space = home.space(*folder.roster()).payload
    entries = _entries(folder, space.broker_signing_key)
    if not entries:
        raise Conflict("Nothing of this request is recorded yet, as far as this home knows. File it first.")
    try:
        out.mkdir(exist_ok=True)
    except OSError as error:
        raise BadInput("The folder for the receipts cannot be made. Choose another place.") from error
    written = []
    for name, entry in entries.items():
        path = out / f"{name}{SUFFIX}"
        run.write_output(path, tlog_proof.write(entry.proof))
        written.append(str(path))
        if isinstance(entry, OpenedEntry):
            path = out / f"{name}{RECORD_SUFFIX}"
            opened = OpenedRecord(record=entry.record, salt=entry.salt)
            run.write_output(path, encode(opened).decode())
            written.append(str(path))
    key = checkpoint.verifier_key(space.log_origin, space.log_key)
    lines = [
        *written,
        "Whoever has the log's key verifies one by: narrowgate audit receipt FILE --log-key KEY",
        "and with --record what is recorded, where a record lies beside it.",
        key,
    ]
    if space.witnesses:
        lines += ["and these of its witnesses, each by --witness-key KEY:", *space.witnesses]
    value = {"files": written, "log_key": key, "witness_keys": list(space.witnesses)}
    run.show(value, "\n".join(lines), as_json=as_json)


@dataclass(frozen=True)
class _Closed:
    """An entry whose record its requester may not open."""

    proof: LogProof


def _entries(folder: RequestFolder, broker_key: bytes) -> dict[str, OpenedEntry | _Closed]:
    """What the folder has of the log, each under the name of its step. Raises VerificationFailed."""
    entries: dict[str, OpenedEntry | _Closed] = {}
    refusal, admission = folder.refusal(), folder.admission()
    if refusal is not None and refusal.proof is not None:
        entries["refused"] = refusal.recorded or _Closed(refusal.proof)
    if admission is not None:
        entries["admitted"] = _Closed(documents.verify(Permit, admission.permit, broker_key).payload.proof)
    if folder.state == "answered":
        told = documents.verify(Disclosure, folder.disclosure(), broker_key).payload
        entries |= {"decided": _Closed(told.proof), "released": folder.released()}
    return entries
