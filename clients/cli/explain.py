"""`narrowgate explain`: what a word, a problem, an exit code or a rule means, in plain English."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from broker.protocol.errors import NotFound
from clients.cli import run
from clients.glossary.find import RuleWords, find
from clients.glossary.terms import TERMS


def explain(
    word: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TERM]", help="A word, a code such as L06, or a problem's title."),
    ] = None,
    bundle: Annotated[
        Path, typer.Option("--bundle", metavar="DIR", help="The folder with the rules, for their codes.")
    ] = Path("policies"),
    as_json: run.Json = False,
) -> None:
    """Say in plain English what a word of this program means; without a word, list all of them."""
    if not word:
        names = [term.name for term in TERMS]
        run.show({"terms": names}, "\n".join(names), as_json=as_json)
        return
    found = find(" ".join(word), _rules(bundle))
    if found.words is None:
        near = f" Near it: {', '.join(found.near)}." if found.near else " narrowgate explain lists all words."
        raise NotFound(f"That word is not in the glossary.{near} Codes of rules need --bundle DIR.")
    run.show({"term": found.name, "words": found.words}, f"{found.name}: {found.words}", as_json=as_json)


def _rules(bundle: Path) -> dict[str, RuleWords]:
    if not bundle.is_dir() or importlib.util.find_spec("cedarpy") is None:
        return {}
    # Imported on use: loading the rules takes longer than looking a word up.
    from broker.gate.bundle import load

    return dict(load(bundle).rules)
