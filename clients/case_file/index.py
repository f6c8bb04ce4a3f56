"""INDEX.txt: what a case folder says, in plain English, for a judge or a lawyer.

Rule: it is made from the papers alone, and the same papers always give the same text; so `clients.case_file.checks` can
make it again, and a text that says something else than the papers is found. A change of wording is a new version of the
folder. It has the identifiers that the folder shows, and of the records where they lie, not what is in them.

It verifies nothing: it is written of papers that are checked before anybody signs them.
"""

import textwrap
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from broker.protocol import documents
from broker.protocol.leaves import parse_leaf
from broker.protocol.messages.approvals import Approval
from broker.protocol.messages.ladder import MatchConfirmation
from broker.protocol.messages.log import LogProof
from broker.protocol.messages.parties import Enrolment, Space
from broker.protocol.messages.requests import Disclosure, Finding, LegalBasis, Permit, Request
from broker.protocol.messages.vocabulary import Tier
from clients.case_file.index_notes import FILES, LIMITS, VERIFY
from clients.case_file.layout import record_folder, step_folder
from clients.case_file.papers import CasePapers, StepPapers
from clients.remote import readable

_WIDTH = 100
_TIERS = {
    Tier.COUNT: "how many of the identifiers others know",
    Tier.HITS: "which of the identifiers others know",
    Tier.SOURCES: "who knows them",
    Tier.PAYLOAD: "what is in the records",
}


def render(papers: CasePapers) -> str:
    """The text of INDEX.txt. Raises BadInput for papers that are malformed."""
    spaces = [documents.unverified_payload(Space, each) for each in papers.rosters]
    asked = [documents.unverified_payload(Request, each.request) for each in papers.steps]
    told = [documents.unverified_payload(Disclosure, each.disclosure) for each in papers.steps]
    lines = [
        *_opening(papers, spaces, asked, told),
        *_heading("1. WHAT WAS ASKED, ON WHAT LAW, AND WHO APPROVED IT"),
    ]
    for number, step in enumerate(papers.steps, 1):
        space = next(each for each in spaces if each.roster_version == asked[number - 1].roster_version)
        lines += _step(number, step, asked[number - 1], told[number - 1], space)
    lines += [*_heading("2. WHAT WAS FOUND"), *_found(papers, asked, told)]
    lines += [*_heading("3. WHAT EACH FILE IS"), *_notes(FILES)]
    lines += [*_heading("4. HOW TO VERIFY THIS FOLDER"), *_notes(VERIFY)]
    lines += [*_heading("5. WHAT IT PROVES, AND WHAT IT DOES NOT"), *_notes(LIMITS)]
    return "\n".join(lines) + "\n"


def _opening(
    papers: CasePapers, spaces: list[Space], asked: list[Request], told: list[Disclosure]
) -> Iterator[str]:
    space, last = spaces[-1], asked[-1]
    founder = documents.unverified_payload(Enrolment, papers.founder)
    requester = next((each.name for each in space.members if each.agency_id == last.requester), "")
    title = f"CASE FOLDER: {_plain(last.claims.case_reference)}"
    yield title
    yield "=" * len(title)
    yield ""
    yield from _fact("Requester", f"{requester} ({last.requester})")
    yield from _fact("Officer", last.claims.officer)
    yield from _fact("Collaboration", f"{space.name}, founded by {founder.name} ({founder.party_id})")
    yield from _fact("In short", _summary(papers, asked, told))
    if any(each.trial for each in spaces):
        yield ""
        yield from _words(
            "TRIAL: the log of this collaboration has no witness. Its entries prove what the operator of the log "
            "signed, and not that everybody was shown the same log."
        )


def _summary(papers: CasePapers, asked: list[Request], told: list[Disclosure]) -> str:
    first = sum(batch.identifiers for batch in asked[0].batches)
    parts = [f"{first:,} identifier(s) asked about, in {len(asked)} step(s)."]
    if told[-1].tier is Tier.COUNT:
        parts.append("The answer was a number with noise.")
    else:
        parts.append(f"Known to others and gone on with: {len(papers.steps[-1].found.found)}.")
    contributors = {source.contributor for source in told[-1].sources}
    if contributors:
        parts.append(f"Contributors that know them: {len(contributors)}.")
    if told[-1].records:
        opened = "all opened" if papers.records else "none opened"
        parts.append(f"Records released: {len(told[-1].records)}, {opened}.")
    return " ".join(parts)


def _step(number: int, step: StepPapers, asked: Request, told: Disclosure, space: Space) -> Iterator[str]:
    claims = asked.claims
    yield ""
    yield f"Step {number}: {_TIERS[asked.tier]}  [{step_folder(number, asked.tier)}/]"
    yield ""
    numbers = ", ".join(f"{batch.identifiers:,} of type {batch.identifier_type}" for batch in asked.batches)
    yield from _fact(
        "Asked", f"on {written_time(asked.created_at)}, about {numbers}, by officer {claims.officer}"
    )
    yield from _fact("Purpose", _word(claims.purpose))
    yield from _fact(
        "Offence", f"{_word(claims.offence)}, up to {claims.maximum_penalty_months} months, {claims.place}"
    )
    yield from _fact("Data about", ", ".join(map(_word, claims.subjects)))
    yield from _fact("Law relied on", _basis(claims.basis))
    yield from _fact("Necessity", claims.necessity)
    yield from _fact("Less intrusive", claims.less_intrusive_means)
    yield from _fact("Urgency", _word(claims.urgency))
    for place, document in enumerate(step.findings, 1):
        found = documents.unverified_payload(Finding, document)
        yield from _fact(f"Finding {place}", _finding(found, claims.basis, space))
    for document in step.approvals:
        approval = documents.unverified_payload(Approval, document)
        name = next((each.name for each in space.approvers if each.party_id == approval.approver), "")
        capacity = _word(approval.capacity)
        yield from _fact(
            "Approved by",
            f"{name} ({approval.approver}), {capacity}, on {written_time(approval.approved_at)}, "
            f"until {written_time(approval.expires_at)}",
        )
    permit = documents.unverified_payload(Permit, step.admission.permit)
    yield from _fact(
        "Permitted", f"{_entry(permit.proof)}; valid until {written_time(permit.terms.expires_at)}"
    )
    evaluated = f"{len(step.statements)} signed statements that they evaluated under this"
    yield from _fact("Key holders", evaluated if step.statements else "not asked anew: matches were selected")
    yield from _fact("Told", f"{_told(told)}; decided as {_entry(told.proof)}")
    yield from _fact("Recorded", f"this very answer to this very request, as {_entry(step.released.proof)}")
    yield from _fact("Decided under", _decided(told))
    if step.confirmation is not None:
        looked = documents.unverified_payload(MatchConfirmation, step.confirmation)
        number_of = sum(len(each.indices) for each in looked.confirmed)
        yield from _fact(
            "Confirmed",
            f"{number_of} match(es) looked at by {looked.officer} on {written_time(looked.confirmed_at)}",
        )


def _basis(basis: LegalBasis) -> str:
    validated = "" if basis.validated_by == "none" else f", validated by a {_word(basis.validated_by)}"
    return (
        f"{basis.instrument}, article {basis.article}, reference {basis.reference}; issued by "
        f"{basis.issuing_authority} ({_word(basis.issued_by)}, {basis.jurisdiction}){validated}; valid from "
        f"{written_time(basis.valid_from)} until {written_time(basis.valid_until)}; SHA-256 of the paper "
        f"{basis.document_digest.hex()}"
    )


def _finding(found: Finding, stated: LegalBasis, space: Space) -> str:
    desk = next((each.name for each in space.legal_desks if each.party_id == found.desk), "")
    checked = {
        "the instrument is authentic": found.basis_authentic,
        "dual criminality": found.dual_criminality,
        "threat to life": found.threat_to_life,
        "necessity shown": found.necessity_shown,
        "less intrusive means considered": found.less_intrusive_means_considered,
    }
    answers = ", ".join(f"{name}: {'yes' if answer else 'no'}" for name, answer in checked.items())
    law = "as stated" if found.basis == stated else _basis(found.basis)
    return (
        f"by {desk} ({found.desk}) on {written_time(found.found_at)}: {answers}; offence {_word(found.offence)}, "
        f"purpose {_word(found.purpose)}; law {law}"
    )


def _told(told: Disclosure) -> str:
    if told.tier is Tier.COUNT:
        return f"a number with noise, {told.noised_count}"
    text = f"{len(told.matched)} match(es)"
    if told.sources:
        text += f" with {len({each.contributor for each in told.sources})} contributor(s)"
    return text + (f", {len(told.records)} record(s)" if told.records else "")


def _decided(told: Disclosure) -> str:
    return "; ".join(
        f"{rule}: {told.reasons[place] if place < len(told.reasons) else ''}"
        + (f" ({told.law[place]})" if place < len(told.law) else "")
        for place, rule in enumerate(told.rules)
    )


def _found(papers: CasePapers, asked: list[Request], told: list[Disclosure]) -> Iterator[str]:
    step, sources = papers.steps[-1], told[-1].sources
    yield ""
    if not step.found.found:
        yield from _words(f"No identifier is shown: the answer was {_told(told[-1])}.")
    for each in step.found.found:
        tokens = {match.token for match in each.matches}
        who = [
            f"{source.name} ({source.contributor}, {_word(source.kind)}"
            + (f", {source.contact}" if source.contact else "")
            + ")"
            for source in sources
            if tokens & {source.tokens[at : at + 16] for at in range(0, len(source.tokens), 16)}
        ]
        known = f"known to {', '.join(sorted(set(who)))}" if who else f"{len(each.matches)} match(es)"
        yield from _fact(each.identifier, known)
    if told[-1].records and not papers.records:
        yield ""
        yield from _words("The records were released, and not opened before this folder was made.")
    for number, paper in enumerate(papers.records, 1):
        shown = paper.opened
        yield from _fact(
            f"Record {number}",
            f"of {shown.contributor} about {shown.identifier}, version {shown.record_version}: "
            f"{len(paper.plaintext)} bytes in {record_folder(number)}/plaintext",
        )
    if len(asked) > 1:
        yield ""
        yield from _words(
            "Identifiers that hit nothing, or that nobody went on with, are not in this folder; the numbers are above."
        )


# --- words ---


def _heading(text: str) -> tuple[str, ...]:
    return ("", text, "-" * len(text))


def _fact(name: str, text: str) -> Iterator[str]:
    begin = f"  {name + ':':<16} "
    wrapped = textwrap.wrap(
        _plain(text) or "-",
        _WIDTH,
        initial_indent=begin,
        subsequent_indent=" " * 19,
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield from wrapped


def _notes(notes: Iterable[str]) -> Iterator[str]:
    for note in notes:
        yield ""
        yield from (note.splitlines() if note.startswith("  ") else _words(note))


def _words(text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _plain(text: str) -> str:
    """One line of somebody's free text: it can begin no line of its own, and so pass for a part of the index."""
    return " ".join(readable(text).split())


def _word(value: str) -> str:
    return value.replace("_", " ")


def written_time(seconds: int) -> str:
    """Unix seconds as people read them, in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _entry(proof: LogProof) -> str:
    recorded = parse_leaf(proof.leaf).recorded_at
    return f"entry {proof.index} of the log, recorded on {written_time(recorded)}"
