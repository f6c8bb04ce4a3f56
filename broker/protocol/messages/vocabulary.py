"""The closed vocabularies of facts: kinds of agency, tiers, purposes, offences, subjects.

Rule: forbidden purposes and offences are in the lists, so that a request for them is refused by name and not as a
spelling mistake. The law behind each word is in policies/; this module only fixes the spelling.
"""

from enum import StrEnum


class AgencyKind(StrEnum):
    """Who a party is in life; a lane runs from one kind to another."""

    POLICE = "police"
    COMPANY = "company"
    BANK = "bank"
    HOTLINE = "hotline"
    HELPLINE = "helpline"
    NGO = "ngo"


class Role(StrEnum):
    """What a party does here."""

    AGENCY = "agency"
    KEY_HOLDER = "key_holder"
    LEGAL_DESK = "legal_desk"
    APPROVER = "approver"
    AUDITOR = "auditor"
    WITNESS = "witness"


class Tier(StrEnum):
    """How much an answer may tell, from least to most (DESIGN 2.7)."""

    COUNT = "count"
    HITS = "hits"
    SOURCES = "sources"
    PAYLOAD = "payload"


NAMES_CONTRIBUTORS = (Tier.SOURCES, Tier.PAYLOAD)
"""From here on an answer says who holds a match; below, contributors hide among one another."""


class Purpose(StrEnum):
    """What the answer is for. The last four are named so that they can be refused."""

    IDENTIFY_VICTIM = "identify_victim"
    LOCATE_MISSING = "locate_missing"
    INVESTIGATE_TRAFFICKER = "investigate_trafficker"
    DISRUPT_ADVERT = "disrupt_advert"
    FINANCIAL_TRAIL = "financial_trail"
    PROSECUTE_VICTIM = "prosecute_victim"
    IMMIGRATION_ENFORCEMENT = "immigration_enforcement"
    SEX_WORK_ENFORCEMENT = "sex_work_enforcement"
    GENERAL_INTELLIGENCE = "general_intelligence"


class Offence(StrEnum):
    """The offence under investigation. The last two are named so that they can be refused."""

    TRAFFICKING_MINOR = "trafficking_minor"
    TRAFFICKING_ADULT = "trafficking_adult"
    CHILD_SEXUAL_EXPLOITATION = "child_sexual_exploitation"
    FORCED_LABOUR = "forced_labour"
    SMUGGLING = "smuggling"
    MONEY_LAUNDERING = "money_laundering"
    SEX_WORK_ONLY = "sex_work_only"
    IMMIGRATION_ONLY = "immigration_only"


class Subject(StrEnum):
    """Whom the data is about (LED article 6's categories, and minors)."""

    SUSPECT = "suspect"
    CONVICTED = "convicted"
    VICTIM = "victim"
    POSSIBLE_VICTIM = "possible_victim"
    MINOR = "minor"
    WITNESS = "witness"
    OTHER = "other"


class Authority(StrEnum):
    """The kind of authority that issued or validated a legal instrument."""

    COURT = "court"
    JUDGE = "judge"
    INDEPENDENT_AUTHORITY = "independent_authority"
    PROSECUTOR = "prosecutor"
    POLICE = "police"
    NONE = "none"


class Capacity(StrEnum):
    """In what capacity a person approves. Supervisors and prosecutors approve; the other two review independently."""

    SUPERVISOR = "supervisor"
    PROSECUTOR = "prosecutor"
    JUDGE = "judge"
    INDEPENDENT_REVIEWER = "independent_reviewer"


REVIEWING_CAPACITIES = (Capacity.JUDGE, Capacity.INDEPENDENT_REVIEWER)
"""Whose signature is the prior independent review, and never one of the approvals (CJEU C-746/18)."""


class ContributorAnswer(StrEnum):
    """What a contributor said when the release of its own records was asked."""

    NOT_ASKED = "not_asked"
    GIVEN = "given"
    REFUSED = "refused"
    SILENT = "silent"


class PayloadCategory(StrEnum):
    """What a sealed record holds beyond the identifier itself."""

    NONE = "none"
    OWN_REPORT = "own_report"
    SUBSCRIBER = "subscriber"
    TRAFFIC = "traffic"
    CONTENT = "content"


class Collection(StrEnum):
    """How the contributor came by the data. General monitoring has no word here: it is never lawful."""

    OWN_DETECTION = "own_detection"
    USER_REPORT = "user_report"
    NGO_REPORT = "ngo_report"
    INVESTIGATION = "investigation"


class Consent(StrEnum):
    """The consent of the person a record is about."""

    NOT_RELIED_ON = "not_relied_on"
    GIVEN = "given"
    WITHDRAWN = "withdrawn"


class Urgency(StrEnum):
    """How soon an answer is needed."""

    NORMAL = "normal"
    URGENT = "urgent"
    EMERGENCY = "emergency"


class Outcome(StrEnum):
    """What a decision comes to."""

    ALLOW = "ALLOW"
    DENY = "DENY"


class MatchOutcome(StrEnum):
    """What became of a match, as the requester reports it."""

    USEFUL = "useful"
    FALSE_MATCH = "false_match"
    VICTIM_IDENTIFIED = "victim_identified"
    NOT_YET_KNOWN = "not_yet_known"


class RecordKind(StrEnum):
    """The kinds of log entries; docs/data-model.md lists the fields of each."""

    ENROLMENT_ACCEPTED = "ENROLMENT_ACCEPTED"
    SPACE_FOUNDED = "SPACE_FOUNDED"
    BUNDLE_ACTIVATED = "BUNDLE_ACTIVATED"
    LOG_KEY_ROTATED = "LOG_KEY_ROTATED"
    SERIES_OPENED = "SERIES_OPENED"
    SERIES_WITHDRAWN = "SERIES_WITHDRAWN"
    SERIES_DESTROYED = "SERIES_DESTROYED"
    SERIES_EXPIRED = "SERIES_EXPIRED"
    DEPOSIT_ADMITTED = "DEPOSIT_ADMITTED"
    DEPOSIT_REFUSED = "DEPOSIT_REFUSED"
    DEPOSIT_COMPLETED = "DEPOSIT_COMPLETED"
    DEPOSIT_SERVING = "DEPOSIT_SERVING"
    DEPOSIT_WITHDRAWN = "DEPOSIT_WITHDRAWN"
    DEPOSIT_EXPIRED = "DEPOSIT_EXPIRED"
    RECORDS_WITHDRAWN = "RECORDS_WITHDRAWN"
    RECORDS_REPLACED = "RECORDS_REPLACED"
    ADMITTED = "ADMITTED"
    REFUSED = "REFUSED"
    TOKENS = "TOKENS"
    RELEASE_ASKED = "RELEASE_ASKED"
    RELEASE_SHOWN = "RELEASE_SHOWN"
    RELEASE_ANSWERED = "RELEASE_ANSWERED"
    APPROVAL_REFUSED = "APPROVAL_REFUSED"
    APPROVAL_WITHDRAWN = "APPROVAL_WITHDRAWN"
    EMERGENCY_REVIEWED = "EMERGENCY_REVIEWED"
    RELEASE = "RELEASE"
    RELEASED = "RELEASED"
    FAILED = "FAILED"
    OUTCOME_REPORTED = "OUTCOME_REPORTED"
    CONTEST_STATED = "CONTEST_STATED"
    RETRACTION_NOTICED = "RETRACTION_NOTICED"
    RETRACTION_SHOWN = "RETRACTION_SHOWN"
    RETRACTION_ACKNOWLEDGED = "RETRACTION_ACKNOWLEDGED"
    RECORDS_READ = "RECORDS_READ"
    DISCLOSURE_READ = "DISCLOSURE_READ"
    CLOCK_WENT_BACK = "CLOCK_WENT_BACK"
    RECORD_ERASED = "RECORD_ERASED"
    SERIES_ACCEPTED = "SERIES_ACCEPTED"
    EVALUATED = "EVALUATED"
    OPENED = "OPENED"
    APPROVAL_VOIDED = "APPROVAL_VOIDED"
    SHARE_DESTROYED = "SHARE_DESTROYED"
    SHARE_EXPIRED = "SHARE_EXPIRED"
    RESTORE_ACCEPTED = "RESTORE_ACCEPTED"
