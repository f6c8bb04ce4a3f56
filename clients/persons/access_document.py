"""The answer to a person's request of access, as it is handed over: Markdown and JSON of the same content.

Rule: no identifier is repeated, only its place in the list the person gave; no case, officer or reference of a file is
in it, for those are the agency's and other people's. Where the law lets an authority neither confirm nor deny and it
does, the text is the same whatever was found. It decides nothing: see `clients.persons.access_answer`.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.protocol.messages.consent import ContestState
from clients.next_step.markdown import safe, wrapped
from clients.persons.access_search import Asked, Contested, Deposited, Held, Part
from clients.persons.access_terms import AccessTerms

_TITLES: Mapping[Part, str] = {
    Part.DEPOSITED: "What we shared with other agencies",
    Part.ASKED: "What we asked other agencies",
    Part.RECEIVED: "What other agencies told us",
    Part.OPENED: "Records of other agencies that we opened",
}
_NOTHING: Mapping[Part, str] = {
    Part.DEPOSITED: "Nothing was found that we shared about these identifiers.",
    Part.ASKED: "No question of ours was found about these identifiers.",
    Part.RECEIVED: "No answer was found that says that another agency knows these identifiers.",
    Part.OPENED: "No record of another agency about these identifiers was opened.",
}
_SEARCHED = (
    "Searched were the records that this agency keeps for comparing identifiers with other agencies, by {how}. Other "
    "files of this agency were not searched for this document. What was erased when its time was over is not held any "
    "more."
)
_COPY = "A copy of the data is for the agency to attach, once what is about other people is covered."


@dataclass(frozen=True)
class Withheld:
    """A part that is not told. `ground` names one of the terms'; `silent`: neither confirmed nor denied."""

    part: Part
    ground: str
    silent: bool


@dataclass(frozen=True)
class Section:
    """One section: a title and its paragraphs, each of one line."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class AccessDocument:
    """What is handed over."""

    agency: str
    reference: str
    answered_at: int
    law: str
    lawyer: str | None
    """Which lawyer read the articles, and when."""
    compared_on: datetime.date
    """When the articles were last compared with a source."""
    sections: tuple[Section, ...]

    def members(self) -> dict[str, Any]:
        """The document as members of JSON."""
        return {
            "agency": self.agency,
            "reference": self.reference,
            "answered_on": day(self.answered_at),
            "law": self.law,
            "lawyer": self.lawyer,
            "compared_on": self.compared_on.isoformat(),
            "sections": [{"title": each.title, "lines": list(each.lines)} for each in self.sections],
        }

    def markdown(self) -> str:
        """The document as Markdown that prints well as it stands."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield "# Answer to a request for access to personal data"
        yield ""
        for label, value in (
            ("From", self.agency),
            ("Reference", self.reference),
            ("Date", day(self.answered_at)),
            ("Law", self.law),
        ):
            yield from wrapped("- ", "  ", f"**{label}:** {safe(value)}")
        if self.lawyer is None:
            yield ""
            remark = (
                f"No lawyer has read these articles. They were compared with public copies on {self.compared_on}; a "
                "lawyer must hold them against the law before this goes out."
            )
            yield from wrapped("> ", "> ", remark)
        for number, section in enumerate(self.sections, 1):
            yield ""
            yield f"## {number}. {section.title}"
            yield ""
            for line in section.lines:
                yield from wrapped("- ", "  ", safe(line))


def compose(
    agency: str,
    reference: str,
    terms: AccessTerms,
    held: Held,
    withheld: Sequence[Withheld],
    *,
    by_reference: bool,
    now: int,
    authority: str = "",
) -> AccessDocument:
    """The document.

    Args:
        withheld: parts that are not told; a part is named once.
        authority: the supervisory authority with its contact details, in place of those of the terms.
        by_reference: that the agency's own references were looked for too."""
    by_part = {each.part: each for each in withheld}
    silent = len(by_part) == len(Part) and all(each.silent for each in withheld)
    sections = [] if silent else [_section(part, terms, held, by_part.get(part)) for part in Part]
    if silent:
        sections = [Section("The answer", _silence(terms))]
    elif not by_part:
        how = "the identifiers you gave" + (" and this agency's own references" if by_reference else "")
        sections.append(Section("What was searched", (_SEARCHED.format(how=how),)))
    return AccessDocument(
        agency=agency,
        reference=reference,
        answered_at=now,
        law=f"{terms.terms.title}, {terms.terms.access}",
        lawyer=terms.terms.lawyer,
        compared_on=terms.compared_on,
        sections=(*sections, Section("Your rights", _rights(terms, authority))),
    )


def day(at: int) -> str:
    """A time as its day in UTC, such as 2026-11-26."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).date().isoformat()


def _silence(terms: AccessTerms) -> tuple[str, ...]:
    words = terms.terms.silence or ""
    return (f"{words} ({terms.terms.restriction}; {terms.terms.told_of_restriction})",)


def _rights(terms: AccessTerms, authority: str) -> tuple[str, ...]:
    contact = authority or terms.terms.contact
    return (
        *(f"You have the right {each}." for each in terms.terms.rights),
        f"Where to complain: {terms.terms.complaint}",
        *(() if contact is None else (f"How to reach it: {contact}",)),
    )


def _section(part: Part, terms: AccessTerms, held: Held, withheld: Withheld | None) -> Section:
    if withheld is not None and withheld.silent:
        return Section(_TITLES[part], _silence(terms))
    if withheld is not None:
        ground = terms.ground[withheld.ground]
        words = (
            f"About this part nothing is told: {ground.words} ({ground.article}). It will be looked at again."
        )
        return Section(_TITLES[part], (words,))
    lines = tuple(_told(part, held))
    return Section(_TITLES[part], lines or (_NOTHING[part],))


def _told(part: Part, held: Held) -> Iterator[str]:
    match part:
        case Part.DEPOSITED:
            yield from map(_deposited, held.deposited)
            yield from map(_contested, held.contested)
        case Part.ASKED:
            yield from map(_asked, held.asked)
        case Part.RECEIVED:
            yield from (_received(each) for each in held.asked if each.known)
        case Part.OPENED:
            for each in held.asked:
                if each.opened:
                    names = ", ".join(sorted(set(each.opened)))
                    yield (
                        f"On our question of {day(each.created_at)} we opened {len(each.opened)} record(s), deposited "
                        f"by {names}. {_COPY}"
                    )


def _deposited(each: Deposited) -> str:
    said = each.conditions
    which = f"identifier {each.place} of your list" if each.place else "a record under our own reference"
    return (
        f"{which[0].upper()}{which[1:]} ({each.identifier_type}), shared on {day(each.deposited_at)} in masked form. "
        f"About: {_plain(said.subject)}. "
        f"Source: {_plain(said.collection)}; why: {said.inclusion_criterion.rstrip('.')}. "
        f"Further data: {_plain(said.payload_category)}. "
        f"Purposes: {_list(said.permitted_purposes)}. "
        f"Legal ground: {_plain(said.lawful_ground)}; consent of the person: {_plain(said.consent)}. "
        f"Who may be told: {_list(said.permitted_readers)} in {', '.join(said.permitted_jurisdictions)}, at most at "
        f"the level {_plain(said.highest_tier)}. Kept until {day(said.retain_until)}."
        + (f" {_COPY}" if said.payload_category != "none" else "")
    )


def _contested(each: Contested) -> str:
    which = _places(each.places) if each.places else "a record under our own reference"
    said = f"Contested on {day(each.contested_at)} as wrong or not yours: {which}."
    match each.state:
        case ContestState.CONTESTED:
            return f"{said} Until we decide, it is held back and compared with nothing."
        case ContestState.UPHELD:
            return (
                f"{said} On {day(each.decided_at or 0)} we decided that it is right; it may be shared again."
            )
        case ContestState.WITHDRAWN:
            return f"{said} On {day(each.decided_at or 0)} we withdrew it; it is not shared again."


def _asked(each: Asked) -> str:
    claims = each.claims
    basis = claims.basis
    return (
        f"On {day(each.created_at)} we asked whether other agencies know {_places(each.places)}. "
        f"Purpose: {_plain(claims.purpose)}, in an investigation of {_plain(claims.offence)}. "
        f"Legal basis: {basis.instrument}, article {basis.article} ({basis.jurisdiction}), issued by a "
        f"{_plain(basis.issued_by)}. Asked were the agencies of the collaboration whose conditions allow it, none of "
        f"which sees the identifier itself. Kept until {day(each.kept_until)}."
        + ("" if each.answered else " It is not answered.")
    )


def _received(each: Asked) -> str:
    who = f": {', '.join(each.sources)}" if each.sources else ", which were not named to us"
    return (
        f"On our question of {day(each.created_at)} we were told that other agencies know {_places(each.known)}{who}. "
        f"Kept until {day(each.kept_until)}."
        + (
            f" Contested at its source, and not used until that is decided: {_places(each.contested)}."
            if each.contested
            else ""
        )
    )


def _places(places: Sequence[int]) -> str:
    listed = ", ".join(map(str, places))
    return f"identifier{'s' if len(places) > 1 else ''} {listed} of your list"


def _list(words: Sequence[str]) -> str:
    return ", ".join(map(_plain, words))


def _plain(word: str) -> str:
    return word.replace("_", " ")
