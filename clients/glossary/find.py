"""Looking a word up: the glossary, the problems of services, and the rules of a bundle; near words if none fits.

It opens no file: the rules come in as they were loaded.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from broker.protocol.problems import PROBLEMS
from clients.glossary.terms import TERMS, Term


class RuleWords(Protocol):
    """What is said of a rule: `broker.gate.bundle.Rule`."""

    @property
    def reason(self) -> str:
        """The rule in a sentence."""

    @property
    def law(self) -> str:
        """The law behind it."""

    @property
    def needs(self) -> tuple[str, ...]:
        """What each clause asks for."""


@dataclass(frozen=True)
class Explained:
    """A word and what it means; `near` has words like it where it is not known."""

    name: str
    words: str | None
    near: tuple[str, ...] = ()


def find(word: str, rules: Mapping[str, RuleWords]) -> Explained:
    """What a word means. Letter case, dashes, underscores and a plural s do not count."""
    terms = [*TERMS, *_problems(), *_rules(rules)]
    known = {_plain(name): term for term in terms for name in (*term.also, term.name)}
    wanted = _plain(word)
    found = known.get(wanted) or known.get(wanted.removesuffix("s"))
    if found is not None:
        return Explained(found.name, found.words)
    near = difflib.get_close_matches(wanted, known, n=5, cutoff=0.6)
    inside = [each for each in known if len(wanted) > 2 and wanted in each]
    return Explained(word, None, tuple(dict.fromkeys(known[each].name for each in (*near, *inside)))[:8])


def _problems() -> Iterable[Term]:
    for each in PROBLEMS.values():
        yield Term(each.slug, f"{each.title}. {each.what_to_do}", (each.title,))


def _rules(rules: Mapping[str, RuleWords]) -> Iterable[Term]:
    for name, rule in rules.items():
        needs = f" It needs: {'; '.join(rule.needs)}." if rule.needs else ""
        yield Term(name, f"A rule. {rule.reason}{needs} Law: {rule.law}.")


def _plain(word: str) -> str:
    return " ".join(word.casefold().replace("-", " ").replace("_", " ").split()).rstrip(".")
