"""The paper of a request's claims: an example to fill in, with what each field asks for.

Rule: every name and number of the example is made up. What is typed here is a claim: nothing is loosened on it until a
legal desk has signed what it found (POLICY 1).
"""

from broker.protocol.messages.requests import Claims, LegalBasis
from broker.protocol.messages.vocabulary import Authority, Offence, Purpose, Subject, Urgency

DAY_SECONDS = 86_400

REMARKS = {
    "case_reference": "Your own number of the case.",
    "officer": "Who asks: a short name in lower-case letters, digits and dashes.",
    "basis": "The order or other instrument you act on, as written on it.",
    "basis.instrument": "Its name in policies/packs: eevidence_epoc, led_national_order, uk_ipa_2016, ...",
    "basis.issued_by": f"One of {', '.join(Authority)}; basis.validated_by likewise, none if nobody did.",
    "basis.valid_from": "Unix seconds, UTC; basis.valid_until likewise.",
    "basis.document_digest": "SHA-256 of the file of the instrument, in hex: sha256sum FILE.",
    "offence": f"One of {', '.join(Offence)}.",
    "maximum_penalty_months": "The longest sentence for the offence, in months.",
    "place": "Where the offence was committed: two capital letters.",
    "purpose": f"One of {', '.join(Purpose)}.",
    "subjects": f"Whom the identifiers belong to, one or more of {', '.join(Subject)}.",
    "necessity": "Why this cannot be done without asking. The legal desk reads it.",
    "less_intrusive_means": "What was tried before.",
    "urgency": f"One of {', '.join(Urgency)}.",
    "retention_days": "How long you keep the answer.",
    "onward_transfer": "true if somebody else will get it.",
}


def example(now: int) -> Claims:
    """Claims of a made-up case, valid around `now`."""
    return Claims(
        case_reference="CASE-2026-0001",
        officer="officer-1",
        basis=LegalBasis(
            instrument="eevidence_epoc",
            article="4",
            reference="EPOC 2026/0001 (example)",
            issued_by=Authority.PROSECUTOR,
            issuing_authority="Public prosecutor, example district",
            validated_by=Authority.JUDGE,
            jurisdiction="NL",
            valid_from=now - now % DAY_SECONDS,
            valid_until=now - now % DAY_SECONDS + 30 * DAY_SECONDS,
            document_digest=bytes(32),
        ),
        offence=Offence.TRAFFICKING_ADULT,
        maximum_penalty_months=144,
        place="NL",
        purpose=Purpose.INVESTIGATE_TRAFFICKER,
        subjects=(Subject.SUSPECT,),
        necessity="Say here why the investigation needs to know who else knows these identifiers.",
        less_intrusive_means="Say here what was searched or tried before.",
        urgency=Urgency.NORMAL,
        retention_days=180,
        onward_transfer=False,
    )
