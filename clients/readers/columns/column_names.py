"""When two names of columns are one.

Rule: letter case, accents, spaces and punctuation in a name do not count: "E-Mail" is "email", "Prénom" is "prenom".

It does not know what a name means: see `clients.readers.columns.mapping` and `clients.readers.columns.person_columns`.
"""

import unicodedata
from collections.abc import Sequence
from functools import cache


def plain_name(name: str) -> str:
    """Letters and digits only, without accents and case; a name of signs alone is itself."""
    decomposed = unicodedata.normalize("NFKD", name).casefold()
    return "".join(character for character in decomposed if character.isalnum()) or decomposed


def same_column(name: str, other: str) -> bool:
    """Whether two names are one to a mapping."""
    return plain_name(name) == plain_name(other)


def first_called(names: Sequence[str], words: str) -> str | None:
    """The first of the names that is one of the words, which have spaces between them."""
    wanted = _plain_words(words)
    return next((name for name in names if plain_name(name) in wanted), None)


@cache
def _plain_words(words: str) -> frozenset[str]:
    return frozenset(map(plain_name, words.split()))
