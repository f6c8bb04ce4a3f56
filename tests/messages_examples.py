"""One example of each wire type, of fixed values in reserved ranges: what the byte-exact vectors are made from."""

from broker.protocol.messages import deposits, envelopes, evaluation, log, parties, requests, series
from broker.protocol.messages.base import Message
from broker.protocol.messages.vocabulary import (
    AgencyKind,
    Authority,
    Collection,
    Consent,
    Offence,
    Outcome,
    PayloadCategory,
    Purpose,
    Role,
    Subject,
    Tier,
    Urgency,
)

NOW = 1_790_000_000
ID = bytes(range(16))
DIGEST = bytes(range(32))
KEY = bytes(range(32, 64))
DOCUMENT = "aGVhZGVy.cGF5bG9hZA.c2lnbmF0dXJl"
KID = "A" * 43
ELEMENTS = (bytes([1]) * 32, bytes([2]) * 32)

CONDITIONS = series.Conditions(
    contributor_kind=AgencyKind.COMPANY,
    established_in="IE",
    lawful_ground="gdpr_6_1_f",
    collection=Collection.OWN_DETECTION,
    inclusion_criterion="Account closed for advertising another person",
    reviewed_by_person=True,
    subject=Subject.SUSPECT,
    consent=Consent.NOT_RELIED_ON,
    special_category=False,
    payload_category=PayloadCategory.NONE,
    confidence_percent=80,
    permitted_readers=(AgencyKind.POLICE,),
    permitted_purposes=(Purpose.IDENTIFY_VICTIM, Purpose.INVESTIGATE_TRAFFICKER),
    permitted_jurisdictions=("NL", "IE"),
    permitted_offences=(Offence.TRAFFICKING_ADULT,),
    highest_tier=Tier.HITS,
    transfer_ground="none_needed",
    retain_until=NOW + 90 * 86_400,
    notice_duty=False,
    releases_each_payload=False,
)
BASIS = requests.LegalBasis(
    instrument="eevidence_epoc",
    article="4",
    reference="EPOC-2026-0001",
    issued_by=Authority.PROSECUTOR,
    issuing_authority="Public Prosecutor, example",
    validated_by=Authority.NONE,
    jurisdiction="NL",
    valid_from=NOW - 86_400,
    valid_until=NOW + 30 * 86_400,
    document_digest=DIGEST,
)
CLAIMS = requests.Claims(
    case_reference="CASE-1",
    officer="officer-1",
    basis=BASIS,
    offence=Offence.TRAFFICKING_ADULT,
    maximum_penalty_months=144,
    place="NL",
    purpose=Purpose.INVESTIGATE_TRAFFICKER,
    subjects=(Subject.SUSPECT,),
    necessity="The numbers were found on the suspect's phone.",
    less_intrusive_means="Open sources were searched first.",
    urgency=Urgency.NORMAL,
    retention_days=180,
    onward_transfer=False,
)
BATCH = requests.Batch(
    identifier_type="phone", identifiers=2, points=2, batch_root=requests.batch_root(ELEMENTS)
)
PROOF = log.LogProof(index=7, leaf=b"leaf", path=(DIGEST,), checkpoint="example.org/log\n8\n\n")
TERMS = requests.PermitTerms(
    permit_id=ID,
    space_id=ID,
    roster_version=1,
    requester="unit-1",
    request_digest=DIGEST,
    tier=Tier.HITS,
    batches=(BATCH,),
    series=(
        requests.PermitSeries(
            handle=ID, series_id=DIGEST, identifier_type="phone", key_digest=DIGEST, deposits=(DIGEST,)
        ),
    ),
    decision_digest=DIGEST,
    bundle_digest=DIGEST,
    not_before_at=NOW,
    expires_at=NOW + 86_400,
    trial=True,
)
TOKENS = requests.TokenList(handle=ID, deposit_id=DIGEST, tokens=bytes(16) + bytes([255]) * 16)


def _holder(x: int) -> parties.Holder:
    return parties.Holder(
        holder_id=f"holder-{x}",
        name=f"Holder {x}",
        x=x,
        signing_key=bytes([x]) * 32,
        wrapping_key=b"wrapping key",
        origin=f"http://holder-{x}.example.org:8000",
    )


SPACE = parties.Space(
    space_id=ID,
    name="Example space",
    roster_version=1,
    members=(
        parties.Member(
            agency_id="unit-1",
            name="Police unit",
            kind=AgencyKind.POLICE,
            jurisdiction="NL",
            mandates=(Purpose.INVESTIGATE_TRAFFICKER,),
            signing_key=bytes([9]) * 32,
            wrapping_key=b"wrapping key",
        ),
    ),
    holders=(_holder(1), _holder(2), _holder(3)),
    threshold=2,
    legal_desks=(parties.Reviewer(party_id="desk-1", name="Legal desk", signing_key=bytes([10]) * 32),),
    auditors=(),
    broker_origin="http://broker.example.org:8000",
    broker_signing_key=bytes([11]) * 32,
    log_origin="broker.example.org/log",
    log_key=bytes([12]) * 32,
    identifier_types=("email", "phone"),
    size_class=512,
    salt_id=DIGEST,
    bundle_digest=DIGEST,
    witnesses_needed=0,
    trial=True,
    count_epsilon_millis=500,
    count_budget_millis=10_000,
    founded_at=NOW,
)
CHUNK = evaluation.Chunk(elements=b"".join(ELEMENTS), proof=bytes(64))

EXAMPLES: tuple[Message, ...] = (
    parties.Enrolment(
        party_id="company-1",
        name="Company",
        role=Role.AGENCY,
        kind=AgencyKind.COMPANY,
        jurisdiction="IE",
        signing_key=KEY,
        wrapping_key=b"wrapping key",
        created_at=NOW,
    ),
    SPACE,
    parties.SaltWrap(space_id=ID, salt_id=DIGEST, recipient_kid=KID, wrapped=b"wrapped"),
    CONDITIONS,
    series.SeriesManifest(
        space_id=ID,
        roster_version=1,
        contributor="company-1",
        identifier_type="phone",
        salt_id=DIGEST,
        conditions=CONDITIONS,
        threshold=2,
        holders=("holder-1", "holder-2", "holder-3"),
        commitments_match=ELEMENTS,
        commitments_open=ELEMENTS,
        nonce=ID,
    ),
    series.PrekeyPack(
        holder_id="holder-1",
        prekeys=(series.Prekey(prekey_id=ID, public_key=b"public"),),
        issued_at=NOW,
        expires_at=NOW + 1,
    ),
    series.ShareDelivery(manifest=DOCUMENT, prekey_id=ID, wrapped=b"wrapped"),
    series.Acceptance(series_id=DIGEST, holder_id="holder-1", x=1, key_digest=DIGEST, accepted_at=NOW),
    series.SeriesOpening(manifest=DOCUMENT, acceptances=(DOCUMENT, DOCUMENT)),
    series.SeriesClosing(series_id=DIGEST, closed_at=NOW),
    series.Withdrawal(series_id=DIGEST, reason="Example", withdrawn_at=NOW),
    series.DestructionReceipt(
        series_id=DIGEST, holder_id="holder-1", x=1, withdrawal_digest=DIGEST, destroyed_at=NOW
    ),
    series.SeriesSheet(
        handle=ID,
        series_id=DIGEST,
        identifier_type="phone",
        threshold=2,
        holders=3,
        commitments_match=ELEMENTS,
        commitments_open=ELEMENTS,
        acceptances=(DOCUMENT, DOCUMENT),
        deposits=(DIGEST,),
    ),
    deposits.DepositDeclaration(
        deposit_id=DIGEST,
        series_id=DIGEST,
        space_id=ID,
        contributor="company-1",
        salt_id=DIGEST,
        size_class=512,
        records=3,
        root=DIGEST,
        self_test_token=ID,
        period_from=NOW - 1,
        period_until=NOW,
        declared_at=NOW,
    ),
    deposits.SelfTest(
        series_id=DIGEST, deposit_id=DIGEST, quorum=(1, 2), sealed_digest=DIGEST, tested_at=NOW
    ),
    deposits.DepositState(deposit_id=DIGEST, state="admitted", next_batch=1, records_stored=3),
    requests.Request(
        request_id=ID,
        space_id=ID,
        roster_version=1,
        requester="unit-1",
        tier=Tier.HITS,
        batches=(BATCH,),
        claims=CLAIMS,
        created_at=NOW,
    ),
    requests.Finding(
        finding_id=ID,
        space_id=ID,
        request_digest=DIGEST,
        desk="desk-1",
        basis=BASIS,
        basis_authentic=True,
        offence=Offence.TRAFFICKING_ADULT,
        maximum_penalty_months=144,
        purpose=Purpose.INVESTIGATE_TRAFFICKER,
        subjects=(Subject.SUSPECT,),
        dual_criminality=True,
        threat_to_life=False,
        necessity_shown=True,
        less_intrusive_means_considered=True,
        found_at=NOW,
        expires_at=NOW + 1,
    ),
    requests.RequestSubmission(request=DOCUMENT, findings=(DOCUMENT,)),
    TERMS,
    requests.Permit(terms=TERMS, proof=PROOF),
    requests.AdmissionRecord(terms=TERMS, decision="{}"),
    requests.OpenedRecord(record=b"record", salt=DIGEST),
    requests.Admission(
        permit=DOCUMENT,
        series=(),
        sealed_records=(requests.SealedRecord(holder_id="holder-1", wrapped=b"w"),),
    ),
    requests.TokenSubmission(permit_id=ID, nonce=DIGEST, lists=(TOKENS,)),
    requests.Disclosure(
        request_id=ID,
        permit_id=ID,
        requester="unit-1",
        asked_tier=Tier.HITS,
        tier=Tier.HITS,
        token_root=DIGEST,
        matched=(ID,),
        outcome=Outcome.ALLOW,
        rules=("G2",),
        reasons=("Because",),
        law=("Law",),
        decision_digest=DIGEST,
        released_at=NOW,
        trial=True,
        proof=PROOF,
    ),
    evaluation.EvaluationCall(
        permit=DOCUMENT,
        request=DOCUMENT,
        findings=(DOCUMENT,),
        sealed_record=b"wrapped",
        handle=ID,
        quorum=(1, 2),
        points=b"".join(ELEMENTS),
        consistency=evaluation.Consistency(old_size=3, path=(DIGEST,)),
    ),
    evaluation.EvaluationStatement(
        permit_id=ID,
        series_id=DIGEST,
        quorum=(1, 2),
        holder_id="holder-1",
        x=1,
        batch_root=DIGEST,
        answer_digest=evaluation.answer_digest((CHUNK,)),
        evaluated_at=NOW,
    ),
    evaluation.EvaluationAnswer(statement=DOCUMENT, chunks=(CHUNK,)),
    evaluation.SelfTestCall(quorum=(1, 2)),
    evaluation.SelfTestAnswer(match=CHUNK, open=CHUNK),
    log.ReceiptMessage(proof=PROOF, trial=True),
    log.LeafPage(start=0, leaves=(b"leaf",)),
    log.RecordPage(start=0, records=(log.LoggedRecord(index=0, record=None, salt=None),)),
    log.ConsistencyPath(old_size=1, new_size=2, path=(DIGEST,)),
    envelopes.DocumentMessage(document=DOCUMENT),
    envelopes.DocumentsMessage(documents=(DOCUMENT,)),
    envelopes.Nothing(),
    envelopes.TokenQuery(token=ID),
    envelopes.SealedAnswer(record_version=1, sealed=b"sealed"),
    envelopes.ServerTime(now=NOW),
    envelopes.SeenCheckpoint(size=1, root=DIGEST),
)
