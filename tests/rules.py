"""Two officers, and rules that they signed: what the worlds of the tests put in force.

Rule: nothing is activated here but by officers' signatures, as an operator does it. One signed copy of the project's
rules, and one shelf of loaded rules, serve the whole run of the tests; a test that changes rules makes its own.
"""

import atexit
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker import folder, startup
from broker.activation import Activation, activate, in_force
from broker.context import Broker, BrokerKeys, Clock
from broker.gate.activation import SIGNATURES_FOLDER
from broker.gate.bundle import load
from broker.gate.officers import PinnedOfficers
from broker.gate.shelf import BundleShelf
from broker.protocol.documents import public_bytes, sign
from broker.protocol.messages.base import RandomBytes
from broker.protocol.messages.bundles import BundleApproval, RuleOfficer
from broker.settings import Settings
from broker.translog.cosigning import Ask
from clients.keyholder import activation
from clients.keyholder.context import KeyHolder

POLICIES = Path(__file__).parent.parent / "policies"
OFFICERS = ("officer-1", "officer-2")
FORBIDDEN = "L98"
FIRST_VALID_FROM = 1_700_000_000


def officer_key(name: str) -> Ed25519PrivateKey:
    """An officer's key, by name."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"rules {name}".encode()).digest())


def officer_document(name: str) -> str:
    """An officer's public file."""
    officer = RuleOfficer(
        officer_id=name,
        name=name.replace("-", " ").capitalize(),
        office="chief legal officer",
        signing_key=public_bytes(officer_key(name)),
        created_at=FIRST_VALID_FROM,
    )
    return sign(officer, officer_key(name)).document


def approval(source: Path, name: str, valid_from: int, previous: bytes | None, **changes: object) -> str:
    """What an officer signs about the rules in a folder; a test may have it sign something else."""
    said = BundleApproval(
        bundle_digest=load(source).digest,
        previous_digest=previous,
        valid_from=valid_from,
        officer_id=name,
        office="chief legal officer",
        changes="As the test says.",
        signed_at=valid_from,
    )
    return sign(said.model_copy(update=changes), officer_key(name)).document


def sign_rules(
    source: Path,
    valid_from: int = FIRST_VALID_FROM,
    previous: bytes | None = None,
    officers: Sequence[str] = OFFICERS,
) -> Path:
    """Lay officers' approvals beside the rules in a folder."""
    signatures = source / SIGNATURES_FOLDER
    signatures.mkdir(exist_ok=True)
    for name in officers:
        document = approval(source, name, valid_from, previous)
        (signatures / f"{valid_from}-{name}.jws").write_text(document + "\n")
    return source


def forbidding(made: Path, action: str, when: str) -> Path:
    """A copy of the project's rules with one more, `FORBIDDEN`, in a new folder."""
    rule = (
        f'\n@id("{FORBIDDEN}")\n@reason("A rule of the test.")\n@law("Narrowgate rule: of the test")\n'
        f'forbid (principal, action == Narrowgate::Action::"{action}", resource)\nwhen {{ {when} }};\n'
    )
    return changed_rules(made, lambda text: text + rule, "limits/release.cedar")


def changed_rules(made: Path, change: Callable[[str], str], file: str = "limits.toml") -> Path:
    """A copy of the project's rules, in a new folder, with the text of one file changed."""
    shutil.copytree(POLICIES, made)
    before = (made / file).read_text()
    after = change(before)
    assert after != before, "the change changes nothing"
    (made / file).write_text(after)
    return made


@cache
def signed_policies() -> Path:
    """The project's rules, signed as the first by both officers."""
    root = Path(tempfile.mkdtemp(prefix="narrowgate-rules-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    shutil.copytree(POLICIES, root / "policies")
    return sign_rules(root / "policies")


@cache
def shared_shelf() -> BundleShelf:
    """One shelf for all brokers of the tests, so that the same rules are loaded once."""
    return BundleShelf(signed_policies().parent)


@cache
def pinned_officers() -> PinnedOfficers:
    """Both officers, pinned by the brokers' operators."""
    officers = PinnedOfficers(signed_policies().parent)
    for name in OFFICERS:
        officers.pin(officer_document(name))
    return officers


def activate_at_broker(broker: Broker, source: Path) -> Activation:
    """The operator, who pinned both officers, puts rules in force; the broker goes on with those it started under."""
    shelf, officers = shared_shelf(), pinned_officers()
    return activate(broker.database, broker.audit, shelf, officers, source, broker.clock())


def start_broker(
    settings: Settings,
    keys: BrokerKeys,
    clock: Clock,
    random_bytes: RandomBytes,
    first: Path | None = None,
    ask: Ask | None = None,
) -> Broker:
    """A broker by the rules in force; if none are, `first` or else the project's are put in force before.

    `ask` carries its calls to witnesses."""
    opened, shelf = startup.open_checked(settings, keys, random_bytes), shared_shelf()
    with opened.database.read() as connection:
        current = in_force(connection, opened.audit)
    source = first or signed_policies()
    if current is None:
        activate(opened.database, opened.audit, shelf, pinned_officers(), source, clock())
    else:
        # Another process of the tests put them in force: each has a shelf of its own.
        shelf.keep(source, load(source))
    return startup.ready(opened, settings, keys, shelf, clock, random_bytes, ask)


def activate_at_holder(holder: KeyHolder, source: Path | None = None) -> None:
    """A key holder's operator pins both officers and puts rules in force, the project's unless others are named."""
    for name in OFFICERS:
        holder.officers.pin(officer_document(name))
    activation.activate(holder, source or signed_policies())


def activate_in_folder(directory: Path, source: Path | None = None) -> None:
    """A broker's operator pins both officers in the broker's own folder, and puts rules in force from there."""
    officers = PinnedOfficers(directory)
    for name in OFFICERS:
        officers.pin(officer_document(name))
    settings, keys = folder.read_settings(directory, trial=True), folder.read_keys(directory)
    shelf, signed = BundleShelf(directory), source or signed_policies()
    startup.activate(settings, keys, shelf, officers, signed, lambda: int(time.time()), os.urandom)
