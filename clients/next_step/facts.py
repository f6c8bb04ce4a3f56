"""What the papers of a matching request say, fact by fact, for one contributor that holds a match.

Rule: a fact is told as the papers have it, claims as claims; what they do not say is None and becomes a blank. The
identifiers are the requester's own, from its sealed folder. It takes no decision.
"""

import datetime
from collections.abc import Mapping, Sequence

from broker.protocol.messages.vocabulary import Purpose
from clients.next_step.carrier import Carrier, deadlines
from clients.next_step.disclosed import Disclosed, Holding
from clients.next_step.form import Fact

Facts = Mapping[Fact, tuple[str, ...]]
"""Each fact as one or more lines; empty where the papers do not say."""


def facts_of(
    disclosed: Disclosed,
    holding: Holding,
    carriers: Sequence[Carrier],
    purpose_terms: Mapping[Purpose, str],
    now: int,
) -> Facts:
    """All facts for one contributor.

    Args:
        carriers: the instruments that carry the form, none where no pack names the pair.
        purpose_terms: terms of the Data Privacy Vocabulary by purpose."""
    found, member = disclosed.finding, disclosed.member
    claims, basis = disclosed.request.claims, found.basis
    source = holding.sources[0].source
    asked = disclosed.request.request_id.hex()
    return {
        Fact.REQUESTER: (f"{member.name} ({member.agency_id}){_contact(member.contact)}",),
        Fact.REQUESTER_JURISDICTION: (member.jurisdiction,),
        Fact.OFFICER: (claims.officer,),
        Fact.CASE_REFERENCE: (claims.case_reference,),
        Fact.ISSUING_AUTHORITY: (basis.issuing_authority,),
        Fact.ISSUED_BY: (basis.issued_by.value,),
        Fact.VALIDATED_BY: (basis.validated_by.value,),
        Fact.BASIS: (f"{basis.instrument}, article {basis.article}, reference {basis.reference}",),
        Fact.OFFENCE: (found.offence.value,),
        Fact.MAXIMUM_PENALTY: (f"{found.maximum_penalty_months} months",),
        Fact.PLACE: (claims.place,),
        Fact.PURPOSE: (f"{found.purpose.value} ({purpose_terms[found.purpose]})",),
        Fact.SUBJECTS: tuple(subject.value for subject in found.subjects),
        Fact.NECESSITY: _stated(claims.necessity),
        Fact.LESS_INTRUSIVE_MEANS: _stated(claims.less_intrusive_means),
        Fact.URGENCY: (claims.urgency.value,),
        Fact.DUAL_CRIMINALITY: ("yes, as the legal desk found",) if found.dual_criminality else (),
        Fact.MATCHING: (
            f"request {asked}, on {basis.instrument} {basis.reference}; entry {disclosed.log_index} of the "
            f"broker's log; told {_day(disclosed.released_at)}",
        ),
        Fact.CONFIRMED_BY: () if disclosed.confirmed_by is None else (disclosed.confirmed_by,),
        Fact.CONTRIBUTOR: (f"{source.name} ({source.contributor}), {source.kind.value}",),
        Fact.CONTRIBUTOR_JURISDICTION: (holding.established_in,),
        Fact.CONTRIBUTOR_CONTACT: _stated(source.contact),
        Fact.IDENTIFIERS: _identifiers(holding),
        Fact.HOLDINGS: _holdings(holding),
        Fact.INSTRUMENTS: tuple(f"{each.law} (article {', '.join(each.articles)})" for each in carriers),
        Fact.DEADLINES: tuple(line for each in carriers for line in deadlines(each, now)),
        Fact.NOTIFY_PERSON: tuple(each.notify_person for each in carriers),
    }


def _contact(contact: str) -> str:
    return f", {contact}" if contact else ""


def _stated(text: str) -> tuple[str, ...]:
    return (text,) if text.strip() else ()


def _identifiers(holding: Holding) -> tuple[str, ...]:
    texts = {text for each in holding.sources for text in each.identifiers}
    return tuple(_as_read(text) for text in sorted(texts))


def _as_read(canonical: str) -> str:
    """`phone/1|+447700900123` as `phone +447700900123`."""
    head, _, value = canonical.partition("|")
    return f"{head.partition('/')[0]} {value}"


def _holdings(holding: Holding) -> tuple[str, ...]:
    lines = []
    for each in holding.sources:
        conditions = each.source.conditions
        say = "; releases each record itself" if conditions.releases_each_payload else ""
        notice = "; it has a duty of notice" if conditions.notice_duty else ""
        lines.append(
            f"{conditions.payload_category.value} data about {len(each.identifiers)} identifier(s), deposited "
            f"until {_day(conditions.retain_until)}{say}{notice}"
        )
    return tuple(dict.fromkeys(lines))


def _day(at: int) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).date().isoformat()
