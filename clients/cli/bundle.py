"""`narrowgate bundle ...`: where there is no network, steps travel as files on a stick.

Rule: after `begin`, the other commands of this home write their calls down instead of opening a socket. `export` puts
what waits into a file for each receiver, sealed to it; whoever has a network hands a file in with `deliver`, and needs
no key for that; `import` reads what came back; then the same command is run again and goes on. `show` tells what
everybody may read of a file, never contents.

It decides nothing: the receiver takes the calls through the same steps as over the network.
"""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from broker.protocol import carried
from broker.protocol.carried import CarriedHeader
from broker.protocol.documents import Signed
from broker.protocol.errors import BadInput, NarrowgateError
from broker.protocol.messages.base import encode
from broker.protocol.messages.envelopes import DocumentMessage
from broker.protocol.messages.parties import Enrolment
from clients.agency import read_enrolment
from clients.carry.bundles import Bundles
from clients.carry.outbox import Outbox
from clients.cli import run
from clients.cli.answer_words import utc
from clients.cli.run import HomeFolder, Json, application
from clients.cli.stick_file import read_file, write_file
from clients.remote import Answer, problem_of, readable

app = application("No network? Carry your steps as sealed files on a stick.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="The bundle's file.")]


@app.command()
def begin(
    directory: HomeFolder,
    carry_key: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="The broker's carry key, as its operator hands it out."),
    ] = None,
    json: Json = False,
) -> None:
    """From now on this home opens no socket: what its commands would send waits for `bundle export`."""
    home = run.open_home(directory)
    keys = [run.read_document(path, "the broker's carry key") for path in carry_key or ()]
    Bundles(home, run.random_bytes).begin(keys)
    run.show(
        {"carrying": True, "carry_keys": len(keys)},
        "From now on this home's steps are carried. Run your commands as usual; each says when to export.",
        as_json=json,
    )


@app.command()
def end(directory: HomeFolder, json: Json = False) -> None:
    """From now on this home's commands use the network again."""
    outbox = Outbox(run.open_home(directory).vault)
    outbox.end()
    left = outbox.waiting()
    run.show(
        {"carrying": False, "waiting": left},
        "From now on this home's commands use the network."
        + (f" {left} calls still wait; run their commands again to send them." if left else ""),
        as_json=json,
    )


@app.command()
def export(
    directory: HomeFolder,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the files, such as the stick.")],
    days: Annotated[int, typer.Option(min=1, max=60, help="For how many days the files count.")] = 30,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Also what is on its way: for a stick that was lost. Nothing is done twice."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Write a file for each receiver that something waits for. Only that receiver can open it."""
    home = run.open_home(directory)
    written = Bundles(home, run.random_bytes).export(run.clock(), seconds=days * 86_400, again=again)
    for bundle in written:
        write_file(out / bundle.name, bundle.data)
    lines = [f"{bundle.name}: {_what(bundle.header)}, {len(bundle.data):,} bytes" for bundle in written]
    run.show(
        {
            "bundles": [
                {"file": bundle.name, "bytes": len(bundle.data), **_members(bundle.header)}
                for bundle in written
            ]
        },
        "\n".join(lines) or "Nothing waits. What is on its way and was lost is written again with --again.",
        as_json=json,
    )


@app.command("import")
def read_in(directory: HomeFolder, file: File, json: Json = False) -> None:
    """Read in the answers that came back. Then run the command that waits for them again."""
    home = run.open_home(directory)
    found = Bundles(home, run.random_bytes).read_in(read_file(file), run.clock())
    sender = readable(found.sender)
    run.show(
        {
            "sender": sender,
            "number": found.number,
            "answers": found.answers,
            "repeated": found.repeated,
        },
        f"These answers of {sender} were read in before. Nothing changed."
        if found.repeated
        else f"{found.answers} answers of {sender} are read in. Run the command that waits for them again.",
        as_json=json,
    )


@app.command()
def show(file: File, json: Json = False) -> None:
    """What everybody may read of a file: who, to whom, which steps, how large, until when. No keys are needed.

    The signature is checked where the file is read in, not here."""
    data = read_file(file)
    header = carried.unpack(data).claimed
    kind = "steps" if header.kind == "calls" else "answers to steps"
    after = f"\nreads in after: bundle {header.number - 1}" if header.after is not None else ""
    lines = [f"  {each.step}: {each.calls} calls, {each.size:,} bytes" for each in header.steps]
    words = (
        f"{kind}, bundle {header.number}, {len(data):,} bytes\nfrom: {readable(header.sender)}\n"
        f"to: {readable(header.recipient)}\nmade: {utc(header.created_at)}\n"
        f"counts until: {utc(header.expires_at)}{after}"
    )
    run.show({"bytes": len(data), **_members(header)}, "\n".join([words, *lines]), as_json=json)


@app.command()
def deliver(
    file: File,
    at: Annotated[
        str,
        typer.Option(metavar="ORIGIN", help="The receiver's address, such as https://broker.example.org"),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the sealed answers to a bundle there, to bring back."),
    ] = None,
    json: Json = False,
) -> None:
    """Hand a file in at its receiver, from any computer that reaches it; bring the file of answers back.

    Operators of brokers and key holders use it for files that come to their desk. It needs no key and opens nothing. An
    enrolment file is handed in at a broker in the same way; there is nothing to bring back.
    """
    data = read_file(file)
    if (enrolment := _enrolment_in(data)) is not None:
        _send(at, "/v1/enrolments", "application/json", encode(DocumentMessage(document=enrolment.document)))
        name = readable(enrolment.payload.name)
        run.show(
            {"kid": enrolment.kid, "state": "pending"},
            f"Handed in. {name} reads out this thumbprint to the broker's operator, who then accepts it:\n"
            f"  {enrolment.kid}",
            as_json=json,
        )
        return
    header = carried.unpack(data).claimed
    if out is None:
        raise BadInput("Say with --out where the file of answers is to be written.")
    answer = _send(at, "/v1/carried", "application/octet-stream", data)
    carried.unpack(answer.body)
    write_file(out, answer.body)
    run.show(
        {"answers": str(out), "bytes": len(answer.body), "number": header.number},
        f"Handed in. Bring {out} back to {readable(header.sender)}, who alone can open it.",
        as_json=json,
    )


@app.command("forget-refusals")
def forget_refusals(directory: HomeFolder, json: Json = False) -> None:
    """Forget what services refused, so that the same steps can be asked again once the reason is mended."""
    forgotten = Outbox(run.open_home(directory).vault).forget_refusals()
    run.show(
        {"forgotten": forgotten},
        f"{forgotten} refused steps are forgotten. Run their commands again.",
        as_json=json,
    )


def _enrolment_in(data: bytes) -> Signed[Enrolment] | None:
    """The enrolment that a file holds; None if it holds something else."""
    try:
        return read_enrolment(data.decode("ascii").strip())
    except (UnicodeDecodeError, NarrowgateError):
        return None


def _send(at: str, path: str, content_type: str, body: bytes) -> Answer:
    parts = urlsplit(at)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise BadInput("--at is the receiver's address: scheme, host and port.")
    url = f"{parts.scheme}://{parts.netloc}{path}"
    answer = run.new_transport().send("POST", url, {"content-type": content_type}, body)
    if answer.status not in (200, 202):
        raise problem_of(answer, run.clock())
    return answer


def _what(header: CarriedHeader) -> str:
    return ", ".join(f"{each.step} ({each.calls})" for each in header.steps)


def _members(header: CarriedHeader) -> dict[str, Any]:
    return {
        name: value
        for name, value in header.model_dump(mode="json", exclude={"v", "sealed_digest"}).items()
        if value is not None
    }
