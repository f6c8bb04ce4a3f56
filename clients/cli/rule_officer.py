"""`narrowgate policy officer` and `narrowgate policy sign`: an officer makes its key, and signs a bundle of rules.

Rule: what is signed is shown: the digest, what it follows, from when, and which files differ from what it follows.
Nothing is put in force here; broker and key holders each do that, by their operators.
"""

import datetime
from pathlib import Path
from typing import Annotated

import typer

from broker.gate.bundle import Bundle, load
from broker.protocol.documents import key_identifier
from broker.protocol.errors import BadInput
from clients.cli import run
from clients.rule_officer import Officer, lay_beside

OfficerFolder = Annotated[
    Path, typer.Argument(metavar="DIR", help="The officer's folder: its key lives there, and nothing else.")
]


def officer(
    directory: OfficerFolder,
    officer_id: Annotated[str, typer.Option("--id", help="Short name, such as legal-officer.")],
    name: Annotated[str, typer.Option(help="Name as people know it.")],
    office: Annotated[str, typer.Option(help="Such as data-protection officer, or chief legal officer.")],
    as_json: run.Json = False,
) -> None:
    """Make an officer's key, and the file to hand to every operator.

    Operators pin the file; two pinned officers sign rules before they are put in force. With NARROWGATE_PASSPHRASE set,
    the key is locked by it.
    """
    made = Officer.create(
        directory,
        officer_id,
        name,
        office,
        now=run.clock(),
        random_bytes=run.random_bytes,
        passphrase=run.passphrase(),
    )
    kid = key_identifier(made.public.signing_key)
    file = directory / "officer.jws"
    run.show(
        {"officer_id": made.public.officer_id, "kid": kid, "file": str(file)},
        f"Made. Hand {file} to the operators of broker and key holders, and read them the thumbprint:\n{kid}",
        as_json=as_json,
    )


def sign(
    directory: OfficerFolder,
    bundle: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the rules to put in force.")],
    valid_from: Annotated[
        str, typer.Option(metavar="DATE", help="From when: YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SS; UTC.")
    ],
    changes: Annotated[str, typer.Option(help="What changes, in plain words. It is kept in each log.")],
    replaces: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder of the rules now in force; none for the first."),
    ] = None,
    as_json: run.Json = False,
) -> None:
    """Sign that rules are put in force, after those they replace, from a time on. Read them first.

    The signature is laid into signatures/ beside the rules. Both officers name the same time and predecessor.
    """
    signing = Officer.open(directory, run.random_bytes, run.passphrase())
    rules, previous = load(bundle), None if replaces is None else load(replaces)
    since = _seconds(valid_from)
    signed = signing.approve(rules, previous, since, changes, run.clock())
    path = lay_beside(bundle, signed)
    difference = _difference(previous, rules)
    review = sum(rule.review for rule in rules.rules.values())
    lines = [
        f"In force from {datetime.datetime.fromtimestamp(since, datetime.UTC):%Y-%m-%d %H:%M:%S} UTC:",
        f"  rules {rules.digest.hex()}: {len(rules.rules)} rules, {review} of them for a lawyer to review",
        "  after " + ("none, as the first" if previous is None else previous.digest.hex()),
        *(f"  {kind}: {', '.join(names)}" for kind, names in difference.items() if names and previous),
        f"Signed as {signing.public.office}: {path}",
    ]
    run.show(
        {
            "bundle_digest": rules.digest.hex(),
            "previous_digest": None if previous is None else previous.digest.hex(),
            "valid_from": since,
            "rules": len(rules.rules),
            "rules_for_review": review,
            **difference,
            "file": str(path),
        },
        "\n".join(lines),
        as_json=as_json,
    )


def _difference(previous: Bundle | None, rules: Bundle) -> dict[str, list[str]]:
    """Rules by name, as a person reads them: an officer compares the texts themselves besides."""
    before = {} if previous is None else previous.rules
    both = [name for name in rules.rules if name in before]
    return {
        "new_rules": sorted(set(rules.rules) - set(before)),
        "rules_gone": sorted(set(before) - set(rules.rules)),
        "rules_reworded": sorted(name for name in both if rules.rules[name] != before[name]),
    }


def _seconds(text: str) -> int:
    try:
        moment = datetime.datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None:
        raise BadInput("--valid-from is a day, YYYY-MM-DD, or a time, YYYY-MM-DDTHH:MM:SS, in UTC.")
    return int(moment.replace(tzinfo=datetime.UTC).timestamp())
