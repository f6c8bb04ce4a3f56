"""A hole for each invariant: texts in the rules, and what stands in their place in a bundle that breaks it.

Each is a slip that an author could make: a condition left out, a word in a list, a number, a comparison turned round.
"""

from collections.abc import Mapping

Slip = tuple[str, str, str]
"""The rule, a text in it, and what is written instead wherever it stands in that rule."""
GONE = "*"
"""In place of a text: the rule is left out."""

HOLES: Mapping[str, tuple[Slip, ...]] = {
    # persons
    "never_to_prosecute_a_victim": (("L03", '"prosecute_victim", ', ""),),
    "never_for_immigration_enforcement": (("L03", '"immigration_enforcement", ', ""),),
    "never_for_sex_work_enforcement": (("L03", '"sex_work_only", ', ""),),
    "never_for_general_intelligence": (("L13", '"general_intelligence"', '"disrupt_advert"'),),
    "only_for_a_purpose_the_law_names": (("L03", ', "sex_work_enforcement"', ""),),
    "a_victims_record_leaves_only_to_protect": (
        ("L04", '"locate_missing"', '"locate_missing", "financial_trail"'),
    ),
    "a_victims_record_leaves_only_after_review": (
        ("L04", "context.people.independentReview ||", "context.people.approvers >= 2 ||"),
    ),
    "a_call_for_help_is_never_compelled": (
        ("G5", 'resource.consent == "given"', 'resource.consent != "withdrawn"'),
    ),
    "a_helpline_opens_no_more_than_the_persons_own_report": (
        ("G5", '"own_report"', '"own_report", "content"'),
        ("L01b", "context.instrument.payloadCategories.contains(resource.payloadCategory)", "true"),
        ("L14", GONE, ""),
    ),
    "withdrawn_consent_closes_the_record": (
        ("L02a", '"withdrawn"', '"withdrawn" && context.tier == "payload"'),
    ),
    # basis
    "never_without_a_legal_desks_finding": (
        ("L01a", GONE, ""),
        ("G1a", "context has verified && context.verified.basisAuthentic", "true"),
        ("G1a", "context.instrument.issuers.contains(context.verified.facts.basis.issuedBy)", "true"),
        ("G1a", "context.instrument.validators.contains(context.verified.facts.basis.validatedBy)", "true"),
        ("G1a", "principal.mandates.contains(context.verified.facts.purpose)", "true"),
    ),
    "never_on_papers_that_are_not_authentic": (
        ("L01", "context.verified.basisAuthentic &&", ""),
        ("G2", " && context.verified.basisAuthentic", ""),
    ),
    "never_outside_the_validity_of_the_basis": (
        ("L01", " && context.now < context.verified.facts.basis.validUntil", ""),
    ),
    "never_on_an_instrument_not_in_force": (("L01", " && context.instrument.inForce", ""),),
    "never_between_countries_the_instrument_does_not_join": (
        ("L01c", "context.instrument.pairNamed", "true"),
    ),
    "never_further_than_the_instrument_reaches": (
        ("L01b", "context.instrument.tiers.contains(context.tier) &&", ""),
    ),
    "never_for_data_the_instrument_does_not_reach": (
        ("L01b", "context.instrument.payloadCategories.contains(resource.payloadCategory)", "true"),
    ),
    "never_by_an_authority_that_may_not_issue": (
        ("G3", "context.instrument.issuers.contains(context.verified.facts.basis.issuedBy)", "true"),
    ),
    "never_without_the_validation_that_is_needed": (
        ("G5", "context.instrument.validators.contains(context.verified.facts.basis.validatedBy)", "true"),
    ),
    "what_is_claimed_and_what_is_found_never_differ": (
        ("L20", ".facts != ", ".facts.basis != "),
        ("L20", "context.verified.facts }", "context.verified.facts.basis }"),
    ),
    "traffic_and_content_never_without_a_court": (
        ("L14", '["court", "judge"]', '["court", "judge", "prosecutor"]'),
    ),
    "traffic_and_content_never_for_a_lesser_offence": (("L07", "context.limit.seriousOffenceMonths", "12"),),
    "a_provider_never_tells_police_without_process": (("G1a", 'context.lane.contains("G1a") &&', ""),),
    "a_provider_never_obeys_police_alone": (("G1a", 'context.lane.contains("G1a") &&', ""),),
    "the_voluntary_lane_serves_no_authority": (
        ("G4", 'context.verified.facts.basis.issuedBy == "none"', "true"),
    ),
    "nothing_crosses_a_border_for_what_is_no_crime_there": (
        ("L08", '"trafficking_minor"', '"trafficking_minor", "smuggling"'),
    ),
    # proportion
    "sources_never_before_hits": (
        ("L05", 'context.derived.priorTier == "hits"', 'context.derived.priorTier != "none"'),
    ),
    "payload_never_before_sources": (
        ("L05", 'context.derived.priorTier == "sources"', 'context.derived.priorTier != "none"'),
    ),
    "never_on_a_match_that_nobody_confirmed": (("L05", "context.derived.confirmed &&", ""),),
    "never_on_a_match_of_another_time": (("L05", "context.derived.priorDecidedAt <= context.now &&", ""),),
    "never_more_identifiers_than_the_tier_allows": (
        ("L06", "context.limit.hitsIdentifiers", "context.limit.countIdentifiers"),
    ),
    "never_more_than_ten_thousand_identifiers": (
        ("L06", "context.limit.payloadIdentifiers", "context.limit.sourcesIdentifiers"),
    ),
    "never_more_guesses_than_identifiers": (
        ("L06", "context.points > context.identifiers * context.limit.pointsPerIdentifier ||", ""),
    ),
    "never_many_identifiers_for_a_lesser_offence": (("L06", "context.limit.lesserOffenceMonths", "12"),),
    "sources_never_on_one_persons_word": (("L09", "context.people.approvers >= 1 &&", ""),),
    "payload_never_on_one_persons_word": (
        ("L09", "context.people.approvers >= 2", "context.people.approvers >= 1"),
    ),
    "payload_never_without_independent_review": (
        ("L09", "context.people.independentReview", "context.derived.confirmed"),
    ),
    "a_persons_refusal_is_final": (("L09a", "context.people.refusers > 0", "context.people.refusers > 1"),),
    "never_beyond_the_budget": (
        ("L10", "context.derived.identifiers30d + context.identifiers", "context.derived.identifiers30d"),
    ),
    "never_fishing_unseen": (("L10", "context.limit.rateQueries", "context.limit.hitsIdentifiers"),),
    "an_emergency_never_opens_a_payload": (("L01b", GONE, ""), ("G3", '"sources"]', '"sources", "payload"]')),
    "an_emergency_is_never_merely_claimed": (
        ("G3", "context.verified.threatToLife", 'context.claimed.urgency == "emergency"'),
    ),
    "no_emergency_while_a_review_is_owed": (
        ("L11", "context.derived.overdueReviews > 0", "context.derived.overdueReviews > 1"),
    ),
    "answers_are_never_kept_longer_than_a_year": (("L12", "context.limit.answerDays", "3650"),),
    "never_without_necessity": (("L13", "context.verified.necessityShown &&", ""),),
    "never_while_milder_means_remain": (("L13", " && context.verified.lessIntrusiveMeansConsidered", ""),),
    "never_outside_the_mandate": (
        ("G2", "principal.mandates.contains(context.verified.facts.purpose)", "true"),
    ),
    "a_suspended_agency_gets_nothing": (("L13", "!principal.suspended &&", ""),),
    # contributors
    "the_contributors_readers_hold": (("L02", "resource.permittedReaders.contains(principal.kind) &&", ""),),
    "the_contributors_purposes_hold": (
        ("L02", "resource.permittedPurposes.contains(context.verified.facts.purpose) &&", ""),
    ),
    "the_contributors_offences_hold": (
        ("L02", "resource.permittedOffences.contains(context.verified.facts.offence)", "true"),
    ),
    "the_contributors_recipients_hold": (
        (
            "L02",
            'context.readerInUnion && resource.permittedJurisdictions.contains("EU")',
            "context.readerInUnion",
        ),
    ),
    "the_contributors_tier_holds": (("L02", "resource.permittedTiers.contains(context.tier) &&", ""),),
    "never_after_the_deposits_retention": (("L12", "context.now >= resource.retainUntil ||", ""),),
    "never_passed_on": (("L02", "!context.claimed.onwardTransfer &&", ""),),
    "never_out_of_the_country_without_a_ground": (
        ("L17", "context.readerInUnion && context.contributorInUnion", "context.readerInUnion"),
    ),
    "nothing_of_a_suspended_contributor": (("L13", "&& !resource.contributorSuspended", ""),),
    "police_data_reaches_police_alone": (("G4", 'context.lane.contains("G4") &&', ""),),
    "civil_societys_data_reaches_no_company": (("G4", 'context.lane.contains("G4") &&', ""),),
    "helplines_ngos_and_banks_never_ask": (("G4", 'context.lane.contains("G4") &&', ""),),
    "a_closed_lane_stays_closed": (("G1b", 'context.lane.contains("G1b") &&', ""),),
    "a_banks_data_only_on_process": (("G3", 'context.lane.contains("G3") &&', ""),),
    "never_a_payload_where_there_is_none": (("L22", '"none"', '"own_report"'),),
    "civil_society_has_the_last_word_on_its_payload": (("L19", '["helpline", "ngo"]', '["helpline"]'),),
    "who_reserved_the_last_word_has_it": (("L19", "resource.releasesEachPayload ||", ""),),
    # results
    "a_count_never_points_at_one": (
        ("L15", "context.result.contributors >= context.limit.countContributors &&", ""),
    ),
    "a_crowd_never_leaves_unseen": (("L16", "context.result.hits <= context.limit.releasedHits &&", ""),),
    "a_large_share_never_leaves_unseen": (
        ("L16", "context.limit.releasedPercentFrom", "context.limit.hitsIdentifiers"),
    ),
    "two_counts_never_point_at_one": (("L15a", "context.limit.countDistanceIdentifiers", "5"),),
    "nobody_is_looked_up_again_and_again_unseen": (
        ("L10a", "context.limit.targetAsks", "context.limit.hitsIdentifiers"),
    ),
    # deposits
    "withdrawn_consent_is_never_deposited": (("D5", 'resource.consent == "withdrawn" ||', ""),),
    "consent_is_never_presumed": (("D5", 'resource.consent != "given"', 'resource.consent == "withdrawn"'),),
    "a_record_nobody_looked_at_is_never_deposited": (("D2", "resource.reviewedByPerson &&", ""),),
    "a_scrape_is_never_deposited": (("D4", "context.limit.civilRecords", "context.limit.companyRecords"),),
    "an_empty_deposit_is_never_made": (("D4", "context.records >= 1 &&", ""),),
    "a_deposit_is_never_kept_longer_than_a_year": (("D3", "context.limit.otherRetentionDays", "400"),),
    "a_telephone_is_never_kept_longer_than_its_type_allows": (("D3", '["phone", ', "["),),
    "data_for_police_never_on_a_legitimate_interest": (
        ("D1", '!resource.permittedReaders.contains("police")', "true"),
    ),
    "never_on_a_ground_the_law_does_not_know": (("D1", 'resource.lawfulGround == "public_task"', "true"),),
    "a_victims_data_never_on_an_interest_alone": (("D5", '"possible_victim", ', ""),),
    "nobody_is_sent_searching_by_police": (
        ("L18", 'principal.kind != "police"', 'principal.kind == "company"'),
    ),
    "nobody_deposits_under_another_name": (("D0", "principal.kind == resource.contributorKind &&", ""),),
    "a_suspended_member_never_deposits": (("D0", "&& !principal.suspended", ""),),
    # two requests compared
    "a_claim_never_opens": (
        (
            "L09",
            "context has verified && context.verified.threatToLife",
            'context.claimed.urgency == "emergency"',
        ),
    ),
    "more_approvals_never_refuse": (
        ("L09", "context.people.approvers >= 2", "context.people.approvers == 2"),
    ),
    "a_smaller_request_is_never_refused": (("L06", "context.identifiers < 1", "context.identifiers < 5"),),
    "fewer_hits_never_refuse": (
        ("L16", "context.result.hits <= context.limit.releasedHits", "context.result.hits >= 1"),
    ),
    "who_asked_less_is_never_refused": (
        ("L11", "context.derived.overdueReviews > 0", "context.derived.overdueReviews < 1"),
    ),
    "who_permits_less_never_gives_more": (
        ("L02", "!context.claimed.onwardTransfer", '!resource.permittedReaders.contains("bank")'),
    ),
    "no_rule_ever_errs": (
        ("L10", "context.derived.identifiers30d + context.identifiers", "context.now * 100000000"),
    ),
}
