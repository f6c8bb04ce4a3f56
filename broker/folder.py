"""The broker's folder: its keys, the operator's key, and the settings file.

    keys.json        signing key, log key and count key of the broker     mode 0600
    log-keys.json    once the log's key was changed: the proof for everybody who pinned an old one
    operator.key     the operator's private key: move it to the operator  mode 0600
    settings.toml    what an operator chooses; no secret in it
    broker.sqlite3   the database, unless settings name another
    officers/        whose signatures put rules in force: `broker.gate.officers`
    bundles/         the rules in force, and earlier ones: `broker.gate.shelf`

Rule: a file that exists is never written over, but for a change of the log's key, whose files are replaced whole and
durably; and a key file that others may read is refused. It opens no database.
"""

import json
import os
import re
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.gate.durability import sync
from broker.keys import BrokerKeys, carry_key_document
from broker.protocol.checkpoint import verifier_key
from broker.protocol.documents import key_identifier, public_bytes
from broker.protocol.errors import BadInput, Conflict, NotPermitted
from broker.protocol.log_keys import read_chain
from broker.protocol.messages.base import Bytes32, Message, Name, RandomBytes, decode, encode, read
from broker.protocol.messages.log_keys import LogKeyChain, LogKeyLink, LogKeyRecord
from broker.protocol.messages.parties import Origin, WitnessKey
from broker.settings import DATABASE_URL, SETTINGS_FILE, Settings, load
from broker.translog.key_change import with_link

KEYS_FILE = "keys.json"
LOG_KEYS_FILE = "log-keys.json"
OPERATOR_FILE = "operator.key"
DATABASE_FILE = "broker.sqlite3"
_SEED_BYTES = 32


class KeyFile(Message):
    """The broker's secrets as they lie in its folder: 32 random bytes each."""

    signing_seed: Bytes32
    log_seed: Bytes32
    count_key: Bytes32
    next_log_seed: Bytes32 | None = None
    """While the log's key is changed: that of the new one."""

    def __repr__(self) -> str:
        return "KeyFile(secret)"


class OperatorFile(Message):
    """The operator's private key: 32 random bytes."""

    operator_seed: Bytes32

    def __repr__(self) -> str:
        return "OperatorFile(secret)"


class Description(Message):
    """What founders of a space need to know of this broker."""

    v: Literal[1] = 1
    origin: Origin
    signing_key: Bytes32
    log_origin: Name
    log_key: Bytes32
    log_verifier_key: str
    """The log's key as one line, for witnesses (C2SP signed-note)."""
    witnesses: tuple[WitnessKey, ...] = ()
    """Who is asked to cosign the log. A founder gets the keys from the witnesses themselves, and compares."""
    witness_quorum: int = 0
    trial: bool


def create(
    directory: Path, public_origin: str, random_bytes: RandomBytes, database_url: str | None = None
) -> None:
    """Make a broker's folder with fresh keys; without a database_url its database will lie in the folder.

    Raises Conflict if it holds a broker already, or BadInput for a URL that is none or holds a password: the settings
    file is no place for it."""
    if database_url is not None:
        check_url(database_url)
    if any((directory / name).exists() for name in (KEYS_FILE, OPERATOR_FILE, SETTINGS_FILE)):
        raise Conflict("This folder holds a broker already. Choose another, or use the one that is there.")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    seeds = [random_bytes(_SEED_BYTES) for _ in range(3)]
    operator_seed = random_bytes(_SEED_BYTES)
    operator_key = public_bytes(Ed25519PrivateKey.from_private_bytes(operator_seed))
    settings = Settings(
        public_origin=public_origin,
        database_url=database_url or f"sqlite:///{directory / DATABASE_FILE}",
        log_origin=f"{public_origin.partition('://')[2]}/log",
        operator_kid=key_identifier(operator_key),
        operator_key=operator_key.hex(),
    )
    keys = KeyFile(signing_seed=seeds[0], log_seed=seeds[1], count_key=seeds[2])
    _write_secret(directory / KEYS_FILE, encode(keys))
    _write_secret(directory / OPERATOR_FILE, encode(OperatorFile(operator_seed=operator_seed)))
    lines = [
        "# The broker's settings; docs/settings.md lists them all. Keys lie in files of their own.",
        f'public_origin = "{settings.public_origin}"',
        f'log_origin = "{settings.log_origin}"',
        f'operator_kid = "{settings.operator_kid}"',
        f'operator_key = "{settings.operator_key}"',
        '# database_url = "postgresql+psycopg://broker@/narrowgate"'
        if database_url is None
        else f"database_url = {json.dumps(database_url)}",
        '# witnesses = [{ key = "name+id+base64", url = "https://witness.example.org" }]',
        "# witness_quorum = 1",
    ]
    (directory / SETTINGS_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_settings(directory: Path, *, trial: bool | None = None) -> Settings:
    """The settings of a folder; without a database_url the database lies in the folder. Raises BadInput."""
    overrides = {} if trial is None else {"trial": trial}
    try:
        return load(directory, f"sqlite:///{directory.resolve() / DATABASE_FILE}", **overrides)
    except FileNotFoundError as error:
        raise BadInput("This folder holds no broker. Make one with `narrowgate broker init`.") from error


def read_keys(directory: Path) -> BrokerKeys:
    """The broker's keys. Raises BadInput or NotPermitted (others may read the file)."""
    keys = _key_file(directory)
    following = keys.next_log_seed
    return BrokerKeys(
        Ed25519PrivateKey.from_private_bytes(keys.signing_seed),
        Ed25519PrivateKey.from_private_bytes(keys.log_seed),
        keys.count_key,
        None if following is None else Ed25519PrivateKey.from_private_bytes(following),
    )


def prepare_log_key(directory: Path, random_bytes: RandomBytes) -> BrokerKeys:
    """The broker's keys with a next log key, drawn and on the disk; one that was drawn before stays."""
    keys = _key_file(directory)
    if keys.next_log_seed is None:
        drawn = keys.model_copy(update={"next_log_seed": random_bytes(_SEED_BYTES)})
        _replace(directory / KEYS_FILE, encode(drawn), 0o600)
    return read_keys(directory)


def keep_log_key_link(directory: Path, log_origin: str, link: LogKeyLink) -> LogKeyChain:
    """The file of log keys with this link as the last; the same change proved anew takes the place of its link.

    Raises BadInput or VerificationFailed when the link does not go on from the last change in the file."""
    chain = with_link(log_key_chain(directory), log_origin, link)
    _replace(directory / LOG_KEYS_FILE, encode(chain), 0o644)
    return chain


def log_key_chain(directory: Path) -> LogKeyChain | None:
    """The file of log keys, or None while the log has its first key."""
    try:
        return read_chain((directory / LOG_KEYS_FILE).read_bytes())
    except FileNotFoundError:
        return None


def drop_old_log_key(directory: Path) -> BrokerKeys:
    """Let the next log key be the only one, and overwrite the file that had the old one. Raises Conflict."""
    keys = _key_file(directory)
    if keys.next_log_seed is None:
        raise Conflict("The log's key is not being changed, so there is no old one to drop.")
    with (directory / KEYS_FILE).open("r+b") as old:
        only = keys.model_copy(update={"log_seed": keys.next_log_seed, "next_log_seed": None})
        _replace(directory / KEYS_FILE, encode(only), 0o600)
        # The name is the new file's by now; what it was before is only reached through this descriptor.
        old.write(bytes(os.fstat(old.fileno()).st_size))
        old.flush()
        os.fsync(old.fileno())
    return read_keys(directory)


def read_operator_key(directory: Path) -> Ed25519PrivateKey:
    """The operator's key. Raises BadInput or NotPermitted (others may read the file)."""
    operator = decode(OperatorFile, _read_secret(directory / OPERATOR_FILE))
    return Ed25519PrivateKey.from_private_bytes(operator.operator_seed)


def describe(directory: Path) -> Description:
    """The broker's public names and keys. Raises BadInput or NotPermitted."""
    settings, keys, chain = read_settings(directory), read_keys(directory), log_key_chain(directory)
    trial = settings.trial or not settings.witness_quorum
    log_key = keys.log_public
    if chain is not None:
        # While both keys sign, new spaces and witnesses begin with the new one.
        log_key = decode(LogKeyRecord, chain.links[-1].record).new_key
    return Description(
        origin=settings.public_origin,
        signing_key=keys.signing_public,
        log_origin=settings.log_origin,
        log_key=log_key,
        log_verifier_key=verifier_key(settings.log_origin, log_key),
        witnesses=() if trial else tuple(each.key for each in settings.witnesses),
        witness_quorum=0 if trial else settings.witness_quorum,
        trial=trial,
    )


def carry_key(directory: Path) -> str:
    """The signed document with the key that bundles are sealed to. Raises BadInput or NotPermitted."""
    return carry_key_document(read_settings(directory).public_origin, read_keys(directory))


def check_url(url: str) -> None:
    """Raises BadInput for a database URL that is none, or holds a password."""
    parts = urlsplit(url)
    if not re.fullmatch(DATABASE_URL, url):
        raise BadInput("A database URL is sqlite:///PATH or postgresql+psycopg://USER@HOST:PORT/DATABASE.")
    if parts.password is not None or "password" in parse_qs(parts.query):
        raise BadInput(
            "Leave the password out: command lines are kept in histories. PostgreSQL reads it from its own password "
            "file (~/.pgpass), or give the whole URL in NARROWGATE_BROKER_DATABASE_URL."
        )


def _write_secret(path: Path, data: bytes) -> None:
    # The mode is given at creation: set afterwards, there would be a moment in which others could read it.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _key_file(directory: Path) -> KeyFile:
    # Not `decode`: a file of an earlier release has no next_log_seed.
    return read(KeyFile, _read_secret(directory / KEYS_FILE))


def _replace(path: Path, data: bytes, mode: int) -> None:
    """Put `data` at `path` in place of what is there: whole, and on the disk when this returns."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync(path.parent)


def _read_secret(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise NotPermitted("A key file may be read by others on this machine. Set its mode to 0600.")
            return file.read()
    except FileNotFoundError as error:
        raise BadInput("A key file is missing from the broker's folder.") from error
