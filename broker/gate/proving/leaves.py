"""Single facts as Z3 variables: one class for each type of fact, with what the type's own bounds make true of it.

Rule: bounds, members and patterns are those of the pydantic type, so that the proof is over exactly the values that can
be put to the gate; a fact of a type that is not known here is an error, never left out.

A leaf does not know what its fact means. A set of strings that are no enumeration ranges over a closed list: the words
that occur and a few more, which is enough, since rules only ask whether strings are equal.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import z3
from pydantic import TypeAdapter, ValidationError

from broker.gate.proving.values import (
    TRUE,
    Long,
    Many,
    Record,
    Truth,
    Value,
    Vocabulary,
    Word,
    same_term,
    some,
)

Assignment = Callable[[Any], Any]
"""From a Z3 term to its value in one request."""


class Fact(Protocol):
    """One fact, or a group of them, of a request that is not known."""

    @property
    def value(self) -> Value:
        """What a rule sees."""

    def well_formed(self) -> Iterable[z3.BoolRef]:
        """What is true of it in every request."""

    def concrete(self, assigned: Assignment) -> Any:
        """Its value in one request, as it stands in JSON."""


@dataclass(frozen=True, eq=False)
class TruthFact:
    """A boolean."""

    term: z3.BoolRef

    @property
    def value(self) -> Truth:
        """The boolean."""
        return Truth(self.term)

    def well_formed(self) -> Iterable[z3.BoolRef]:
        """Nothing."""
        return ()

    def concrete(self, assigned: Assignment) -> bool:
        """True or false."""
        return bool(z3.is_true(assigned(self.term)))


@dataclass(frozen=True, eq=False)
class StatedFact:
    """A text of which rules only see whether anything is said in it. `unstated` is how nothing is said."""

    term: z3.BoolRef
    unstated: str

    @property
    def value(self) -> Truth:
        """Whether it says anything."""
        return Truth(self.term)

    def well_formed(self) -> Iterable[z3.BoolRef]:
        """Nothing."""
        return ()

    def concrete(self, assigned: Assignment) -> str:
        """A text."""
        return "Stated." if z3.is_true(assigned(self.term)) else self.unstated


@dataclass(frozen=True, eq=False)
class LongFact:
    """A number within the bounds of its type, both included."""

    term: z3.ArithRef
    least: int
    greatest: int

    @property
    def value(self) -> Long:
        """The number."""
        return Long(self.term)

    def well_formed(self) -> Iterable[z3.BoolRef]:
        """Its bounds."""
        return (self.term >= self.least, self.term <= self.greatest)

    def concrete(self, assigned: Assignment) -> int:
        """The number."""
        return int(assigned(self.term).as_long())


@dataclass(frozen=True, eq=False)
class CountedFact:
    """A list of people of which rules only see the number; `each` names the next."""

    number: LongFact
    called: str

    @property
    def value(self) -> Long:
        """How many."""
        return self.number.value

    def well_formed(self) -> Iterable[z3.BoolRef]:
        """Its bounds."""
        return self.number.well_formed()

    def concrete(self, assigned: Assignment) -> list[str]:
        """So many names, sorted."""
        return [f"{self.called}-{place:04}" for place in range(1, self.number.concrete(assigned) + 1)]


@dataclass(frozen=True, eq=False)
class ChoiceFact:
    """One of a closed list of strings."""

    term: z3.BitVecRef
    choices: Sequence[str]
    vocabulary: Vocabulary

    @property
    def value(self) -> Word:
        """The string."""
        return Word(self.term)

    def well_formed(self) -> Iterable[z3.BoolRef]:
        """It is one of them."""
        yield some(same_term(self.term, self.vocabulary.word(each)) for each in self.choices)

    def concrete(self, assigned: Assignment) -> str:
        """The string."""
        return str(self.vocabulary.text(assigned(self.term).as_long()))


@dataclass(frozen=True, eq=False)
class TextFact:
    """Any string of a type: one that rules or catalogue write out, or another. Bytes are their hexadecimal digits."""

    term: z3.BitVecRef
    kind: TypeAdapter[Any]
    size_bytes: int
    """0 for a text."""
    vocabulary: Vocabulary

    @property
    def value(self) -> Word:
        """The string."""
        return Word(self.term)

    def well_formed(self) -> Iterable[z3.BoolRef]:
        """Nothing; `excluded` says which known strings it is not."""
        return ()

    def excluded(self, words: Iterable[str]) -> Iterable[z3.BoolRef]:
        """It is none of these words that its type does not allow."""
        for word in words:
            if not accepts(self.kind, word):
                yield self.term != self.vocabulary.word(word)

    def other(self, code: int) -> str:
        """What a code stands for that is no known string's."""
        return code.to_bytes(self.size_bytes, "big").hex() if self.size_bytes else f"other-{code}"

    def concrete(self, assigned: Assignment) -> str:
        """The string; for one that is not written out, a name by its code."""
        code = assigned(self.term).as_long()
        text = self.vocabulary.text(code)
        return self.other(code) if text is None else text


@dataclass(frozen=True, eq=False)
class SetFact:
    """A set of strings out of a closed list. `filled` says that its type has no empty one."""

    members: dict[str, z3.BoolRef]
    filled: bool
    vocabulary: Vocabulary

    @property
    def value(self) -> Many:
        """The set."""
        return Many(tuple((term, Word(self.vocabulary.word(text))) for text, term in self.members.items()))

    def well_formed(self) -> Iterable[z3.BoolRef]:
        """It is not empty, where its type says so."""
        if self.filled:
            yield some(self.members.values())

    def concrete(self, assigned: Assignment) -> list[str]:
        """Its members."""
        return [text for text, term in self.members.items() if z3.is_true(assigned(term))]


@dataclass(frozen=True, eq=False)
class Group:
    """Facts by name."""

    facts: dict[str, Fact]

    @property
    def value(self) -> Record:
        """All of them, by the names they have in pydantic."""
        return Record({name: (TRUE, fact.value) for name, fact in self.facts.items()})

    def well_formed(self) -> Iterable[z3.BoolRef]:
        """What is true of each."""
        for fact in self.facts.values():
            yield from fact.well_formed()

    def concrete(self, assigned: Assignment) -> dict[str, Any]:
        """Each by name."""
        return {name: fact.concrete(assigned) for name, fact in self.facts.items()}

    def optional(self) -> Iterable[z3.BoolRef]:
        """The conditions under which those are there that may be missing."""
        for fact in self.facts.values():
            if isinstance(fact, Maybe):
                yield fact.present
            inner = fact.fact if isinstance(fact, Maybe) else fact
            if isinstance(inner, Group):
                yield from inner.optional()

    def texts(self) -> Iterable[TextFact]:
        """Those among them that may be any string."""
        for fact in self.facts.values():
            inner = fact.fact if isinstance(fact, Maybe) else fact
            if isinstance(inner, Group):
                yield from inner.texts()
            elif isinstance(inner, TextFact):
                yield inner


@dataclass(frozen=True, eq=False)
class Maybe:
    """A fact that may be missing."""

    present: z3.BoolRef
    fact: Fact

    @property
    def value(self) -> Value:
        """The fact as if it were there; `present` says whether it is."""
        return self.fact.value

    def well_formed(self) -> Iterable[z3.BoolRef]:
        """What is true of it if it is there; that it is also said if not loses nothing."""
        return self.fact.well_formed()

    def concrete(self, assigned: Assignment) -> Any:
        """The fact, or None."""
        return self.fact.concrete(assigned) if z3.is_true(assigned(self.present)) else None


def accepts(kind: TypeAdapter[Any], text: str) -> bool:
    """Whether a string is of a type."""
    try:
        kind.validate_python(text)
    except ValidationError:
        return False
    return True
