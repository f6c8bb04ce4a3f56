"""Whom the operator chose to witness this holder's log, in DIR/witnesses.json: their keys, addresses, and how many.

Rule: only the operator chooses, by a command on this machine; no document and no call changes it. With none needed the
holder runs as a trial, and says so wherever its log is shown. Who trusts these witnesses, each reader decides alone.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from broker.protocol.errors import BadInput, Conflict, NotFound, VerificationFailed
from broker.protocol.messages.base import Message, encode, read
from broker.protocol.messages.parties import WitnessKey, WitnessUrl, in_clear, read_witness_key
from clients.keyholder.durable_file import write_durably

CHOICE_FILE = "witnesses.json"
TRIAL = (
    "TRIAL: no witness cosigns this holder's log, so it could be rolled back, or another be shown to somebody else. "
    "Choose some: narrowgate keyholder witnesses DIR --add KEY --url ADDRESS --quorum K"
)


_IN_CLEAR = "a witness's address is http:// to another machine: use https://, or --plain-http on a network of your own"


class ChosenWitness(Message):
    """A witness and where it is called."""

    key: WitnessKey
    url: WitnessUrl

    @property
    def name(self) -> str:
        """Its name in cosignatures."""
        return read_witness_key(self.key).name


class WitnessChoice(Message):
    """The file. `quorum` of the witnesses must have cosigned an entry before what it records is answered."""

    v: Literal[1] = 1
    witnesses: Annotated[tuple[ChosenWitness, ...], Field(max_length=20)] = ()
    quorum: Annotated[int, Field(ge=0, le=20)] = 0
    timeout_seconds: Annotated[int, Field(ge=1, le=60)] = 5
    """How long their cosignatures are waited for; then nothing is answered."""
    plain_http: bool = False
    """Also call witnesses on other machines over http://, where the network between is the operator's own."""

    @model_validator(mode="after")
    def _rules(self) -> "WitnessChoice":
        keys = [read_witness_key(each.key) for each in self.witnesses]
        if len({key.name for key in keys}) != len(keys) or len({key.public_key for key in keys}) != len(keys):
            raise ValueError("two witnesses share a name or a key")
        if self.quorum > len(keys):
            raise ValueError("more witnesses are needed than there are")
        # Else two halves of honest witnesses, shown two logs, would each be enough.
        if 0 < 2 * self.quorum <= len(keys):
            raise ValueError("the quorum must be more than half of the witnesses")
        # Cosignatures cannot be forged on the way, but they can be kept from arriving.
        if not self.plain_http and any(in_clear(each.url) for each in self.witnesses):
            raise ValueError(_IN_CLEAR)
        return self

    @property
    def trial(self) -> bool:
        """Whether nobody needs to cosign."""
        return self.quorum == 0


def read_choice(directory: Path) -> WitnessChoice:
    """What the operator chose; none needed, before that. Raises VerificationFailed for a damaged file."""
    try:
        return read(WitnessChoice, (directory / CHOICE_FILE).read_bytes())
    except FileNotFoundError:
        return WitnessChoice()
    except BadInput as error:
        raise VerificationFailed(
            f"The key holder's file of witnesses is not usable, so nothing is served. {error.detail}"
        ) from error


def choose(
    directory: Path,
    add: tuple[tuple[str, str], ...] = (),
    remove: tuple[str, ...] = (),
    quorum: int | None = None,
    timeout_seconds: int | None = None,
    plain_http: bool | None = None,
) -> WitnessChoice:
    """Change and keep the choice; a service that runs goes by it when it is started anew.

    Args:
        add: pairs of a witness's key, as one line, and its address.
        remove: names of witnesses.
        plain_http: whether an address may be http:// though it is not this machine's.

    Raises BadInput (not a witness's key or address, in clear, or more needed than there are), Conflict (a name that is
    chosen already) or NotFound (a name that is not)."""
    before = read_choice(directory)
    kept = list(before.witnesses)
    for name in remove:
        if name not in {each.name for each in kept}:
            raise NotFound("No witness of that name is chosen here. Look at the list without options.")
        kept = [each for each in kept if each.name != name]
    for key, url in add:
        named = read_witness_key(key).name
        if named in {each.name for each in kept}:
            raise Conflict("A witness of that name is chosen already. Remove it first to change it.")
        kept.append(_chosen(key, url))
    allowed = before.plain_http if plain_http is None else plain_http
    if not allowed and any(in_clear(each.url) for each in kept):
        raise BadInput(f"{_IN_CLEAR[0].upper()}{_IN_CLEAR[1:]}.")
    try:
        choice = WitnessChoice(
            witnesses=tuple(kept),
            quorum=before.quorum if quorum is None else quorum,
            timeout_seconds=before.timeout_seconds if timeout_seconds is None else timeout_seconds,
            plain_http=allowed,
        )
    except ValueError:
        raise BadInput(
            "Choose witnesses with a name and key each of its own, and need more than half of them, or none in a "
            "trial. Waiting takes 1 to 60 seconds."
        ) from None
    write_durably(directory / CHOICE_FILE, encode(choice))
    return choice


def _chosen(key: str, url: str) -> ChosenWitness:
    try:
        return ChosenWitness(key=key, url=url)
    except ValueError:
        raise BadInput(
            "A witness's address is http:// or https://, host and port, without a / at its end."
        ) from None
