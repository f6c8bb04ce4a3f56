"""A JSON document of any size, read once from front to back and never held whole (RFC 8259).

Rule: the reader of a format walks to the list that it is about and takes its elements one at a time; what it does not
take is passed over. An element that is too large, too deep, has a member twice or is no JSON costs itself alone; a
document that is no JSON on the way there is refused with its line. Nothing recurses into the document, so that depth
costs nothing.

What is passed over is not checked but for its brackets and quotation marks.
"""

import io
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from broker.protocol.errors import BadInput

MAXIMUM_ELEMENT_CHARACTERS = 1024 * 1024
MAXIMUM_DEPTH = 32
MAXIMUM_NAME_CHARACTERS = 256
_CHUNK = 64 * 1024
_LONGEST_SCALAR = 100
_OUTSIDE = re.compile(r'["\[\]{}]')
_WITHIN = re.compile(r'\\.|"', re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]*")
_SCALAR = re.compile(r"[^,\]} \t\r\n]*")


class Unreadable(BadInput):
    """One value that is too large, too deep or no JSON. The stream goes on behind it."""


class JsonStream:
    """A position in a JSON document. Walk with `members` and `elements`; take a value with `load`.

    A member or element that was neither loaded nor walked is passed over. Raises BadInput where the document is no
    JSON, or not UTF-8.
    """

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="\n")
        self._buffer, self._at = "", 0
        self._lines_before = 1
        self._taken = False

    def detach(self) -> None:
        """Let go of the file without closing it."""
        self._text.detach()

    def kind(self) -> str:
        """The sign with which the next value begins: "{", "[", a quotation mark, or that of a number or word."""
        while True:
            self._at = _end(_SPACE, self._buffer, self._at)
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._refill():
                raise BadInput("The JSON breaks off: the file's end is missing. Export it again.")

    def members(self) -> Iterator[str]:
        """The names of the next object's members; at each, its value is next."""
        self._expect("{")
        if self._accept("}"):
            self._taken = True
            return
        while True:
            if self.kind() != '"':
                raise self._broken()
            name = self._name()
            self._expect(":")
            yield from self._offer(name)
            if self._accept("}"):
                break
            self._expect(",")
        self._taken = True

    def elements(self) -> Iterator[int]:
        """The numbers, from 1, of the next list's elements; at each, the element is next."""
        self._expect("[")
        number = 0
        if self._accept("]"):
            self._taken = True
            return
        while True:
            number += 1
            self.kind()
            yield from self._offer(number)
            if self._accept("]"):
                break
            self._expect(",")
        self._taken = True

    def load(self) -> Any:
        """The next value. Raises Unreadable, behind the value."""
        self._taken = True
        text = self._pass_over(MAXIMUM_ELEMENT_CHARACTERS)
        try:
            return json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise Unreadable("it is not valid JSON.") from None

    def skip(self) -> None:
        """Pass over the next value, whatever its size and depth."""
        self._taken = True
        self._pass_over(0)

    def end(self) -> None:
        """Nothing may follow but white space. Raises BadInput."""
        try:
            self.kind()
        except BadInput:
            return
        raise BadInput("Something follows behind the JSON. Give each JSON document a file of its own.")

    def _offer(self, value: Any) -> Iterator[Any]:
        self._taken = False
        yield value
        if not self._taken:
            self.skip()

    def _name(self) -> str:
        try:
            text = self._pass_over(MAXIMUM_NAME_CHARACTERS)
            return str(json.loads(text))
        except (ValueError, Unreadable):
            raise self._broken() from None

    def _expect(self, sign: str) -> None:
        if self.kind() != sign:
            raise self._broken()
        self._at += 1

    def _accept(self, sign: str) -> bool:
        found = self.kind() == sign
        self._at += found
        return found

    def _broken(self) -> BadInput:
        line = self._lines_before + self._buffer.count("\n", 0, self._at)
        return BadInput(f"The file is not valid JSON at line {line}. Export it again.")

    def _refill(self, kept: str = "") -> bool:
        """Go on to the next piece, in front of it what is kept of this one. False at the end of the file."""
        self._lines_before += self._buffer.count("\n")
        try:
            piece = self._text.read(_CHUNK)
        except UnicodeDecodeError:
            raise BadInput("The file is not UTF-8, which JSON must be. Export it again.") from None
        self._buffer, self._at = kept + piece, 0
        return bool(piece)

    def _pass_over(self, maximum: int) -> str:
        """The next value's text, behind which it then stands. Above 0, `maximum` bounds it: Unreadable is raised."""
        if self.kind() not in '{["':
            return self._scalar(maximum)
        parts: list[str] = []
        length = depth = deepest = 0
        within = done = False
        while True:
            start = self._at
            while not done and (found := (_WITHIN if within else _OUTSIDE).search(self._buffer, self._at)):
                self._at, sign = found.end(), found[0]
                within ^= sign == '"'
                depth += (sign in "{[") - (sign in "]}")
                deepest = max(deepest, depth)
                done = not within and depth <= 0
            # A backslash at the end of a piece belongs to the sign after it.
            kept = "\\" if within and self._at < len(self._buffer) and self._buffer.endswith("\\") else ""
            stop = self._at if done else len(self._buffer) - len(kept)
            length += stop - start
            parts = [*parts, self._buffer[start:stop]] if length <= maximum else []
            if done:
                break
            if not self._refill(kept):
                raise BadInput("The JSON breaks off: the file's end is missing. Export it again.")
        if maximum and length > maximum:
            raise Unreadable(f"it is longer than {maximum:,} characters.")
        if maximum and deepest > MAXIMUM_DEPTH:
            raise Unreadable(f"it is nested deeper than {MAXIMUM_DEPTH} levels.")
        return "".join(parts)

    def _scalar(self, maximum: int) -> str:
        """A number or a word."""
        text = ""
        while True:
            stop = _end(_SCALAR, self._buffer, self._at)
            text, self._at = (text + self._buffer[self._at : stop])[: _LONGEST_SCALAR + 1], stop
            if stop < len(self._buffer) or not self._refill():
                break
        if maximum and len(text) > _LONGEST_SCALAR:
            raise Unreadable(f"it is a number of more than {_LONGEST_SCALAR} digits, or no JSON.")
        return text


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where a pattern that may match nothing ends."""
    found = pattern.match(text, at)
    return at if found is None else found.end()


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _no_constant(name: str) -> None:
    raise ValueError
