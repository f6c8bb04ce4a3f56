"""The other lanes: police to police, a national order, companies among themselves, an emergency, a survivor's report.

Rule: each lane opens on its own ground, shown once with it and once without. Where fewer than three contributors could
answer, hits are decided as sources (L21), so that two people stand behind them.
"""

import time

from clients.demo import papers
from clients.demo.asking import Asked, approve, ask, check_hits, climb, confirm, find, record, refused, send
from clients.demo.data import ContributorFile, known
from clients.demo.opening import answer_release, open_records, submit_again
from clients.demo.parties import (
    BORDER,
    COMPANY,
    COMPLIANCE,
    HELPLINE,
    JUDGE,
    PAYMENTS,
    POLICE,
    PROSECUTOR,
    REVIEWER,
    SUPERVISOR,
    TRUST_LEAD,
    Party,
)
from clients.demo.processes import DemoFailed
from clients.demo.story import REFUSED, Story

_NO = (REFUSED,)


def police_to_police(story: Story) -> None:
    """G1a: a police unit asks another."""
    story.narrator.act("Police ask police of another country (G1a)")
    case = "CASE-2026-108-police"
    claims = papers.claims(case, int(time.time()), "directive_2023_977", purpose="investigate_trafficker")
    asked, result = ask(story, POLICE, case, story.data.police, "hits", claims, by=(SUPERVISOR, PROSECUTOR))
    _few(story, asked, result, story.data.police, {BORDER: story.data.border})


def national_order(story: Story) -> None:
    """G1b: an order reaches the companies of its own country."""
    story.narrator.act("A national order reaches a company of the same country (G1b), and ends at the border")
    case = "CASE-2026-109-national"
    claims = papers.claims(case, int(time.time()), "led_national_order")
    asked, result = ask(story, POLICE, case, story.data.police, "hits", claims, by=(SUPERVISOR, PROSECUTOR))
    # The border police are of another country, so they are not asked on it (L01c).
    _few(story, asked, result, story.data.police, {PAYMENTS: story.data.payments})


def companies_among_themselves(story: Story) -> None:
    """G4: companies tell one another, up to sources."""
    narrator, now = story.narrator, int(time.time())
    narrator.act("One company asks another, voluntarily, to take adverts down (G4)")
    case, file = "CASE-2026-110", story.data.trust_desk
    stated = {"purpose": "disrupt_advert", "officer": "trust-officer-3", "subjects": ["suspect"]}
    claims = papers.claims(case, now, "voluntary_referral", **stated)
    people = (TRUST_LEAD, COMPLIANCE)
    asked, result = ask(story, PAYMENTS, f"{case}-voluntary", file, "hits", claims, by=people)
    _few(story, asked, result, file, {COMPANY: story.data.company})
    narrator.act("The same company wants the records, too: this lane ends at sources")
    confirm(story, asked, "trust-officer-3")
    further = climb(story, asked, f"{case}-records", "payload", claims, None)
    find(story, further)
    refused(story, further, send(story, further, expect=_NO))


def authority_in_the_voluntary_lane(story: Story) -> None:
    """G4 without its ground: one side is the police."""
    story.narrator.act("The police unit calls its question a voluntary referral")
    case = "CASE-2026-111-authority"
    claims = papers.claims(case, int(time.time()), "voluntary_referral")
    asked = ask(story, POLICE, case, story.data.selected, "hits", claims, expect=_NO)
    refused(story, *asked, lane="G2")


def emergency(story: Story) -> None:
    """G3: a threat to life that the desk verified, one approver; a judge reviews it afterwards."""
    narrator, case = story.narrator, "CASE-2026-112"
    narrator.act("An emergency: a threat to life that the legal desk could not verify")
    stated = {"purpose": "locate_missing", "urgency": "emergency", "subjects": ["possible_victim"]}
    claims = papers.claims(case, int(time.time()), "eevidence_epoc_emergency", **stated)
    file, unseen = story.data.selected, {"threat_to_life": False}
    asked = ask(story, POLICE, f"{case}-unverified", file, "hits", claims, answers=unseen, expect=_NO)
    refused(story, *asked, lane="G3")
    narrator.act("The same, verified: one approver will do, for hits and sources (G3)")
    request, result = ask(story, POLICE, f"{case}-emergency", file, "hits", claims, by=(SUPERVISOR,))
    _few(story, request, result, file, {COMPANY: story.data.company})
    arguments = (request.request, "--finding", request.finding, "--justified", "--json")
    reason = ("--reason", "The threat was real and could not wait for a court")
    reviewed = story.run(JUDGE, "review", "emergency", story.home(JUDGE), *arguments, *reason).json()
    narrator.command(f"review emergency {JUDGE.party_id} request.jws --finding finding.jws --justified")
    narrator.says(
        JUDGE.name,
        f"reviewed it afterwards: justified. It is entry {reviewed['log_index']} of the log; a review "
        "that stays out for 14 days closes this route.",
    )


def no_consent(story: Story) -> None:
    """G5 without its ground: nobody asked the persons."""
    story.narrator.act("The police unit names consent, and asks about reports whose persons gave none")
    case = "CASE-2026-113-no-consent"
    claims = papers.claims(case, int(time.time()), "consent_of_the_person")
    asked = ask(story, POLICE, case, story.data.police_emails, "hits", claims, expect=_NO)
    refused(story, *asked, lane="G5")


def survivors_report(story: Story) -> None:
    """G5: a helpline hands a survivor's own report over, on that person's consent and on its own word."""
    narrator, data, case = story.narrator, story.data, "CASE-2026-114"
    narrator.act("A survivor agreed that the police be told: the helpline's lane (G5)")
    claims = papers.claims(case, int(time.time()), "consent_of_the_person", subjects=["victim"])
    people = (SUPERVISOR, PROSECUTOR)
    hits, result = ask(story, POLICE, f"{case}-consent", data.police, "hits", claims, by=people)
    _few(story, hits, result, data.police, {HELPLINE: data.helpline})
    narrator.act(
        "The survivor's own report: two approve, an independent reviewer looks, the helpline decides"
    )
    confirm(story, hits, "officer-17")
    asked = climb(story, hits, f"{case}-report", "payload", claims, None)
    find(story, asked)
    waiting = send(story, asked, approve(story, asked, *people, REVIEWER)).get("waiting")
    if waiting is None:
        raise DemoFailed("The helpline was to be waited for.")
    answer_release(story, HELPLINE, asked)
    released = submit_again(story, asked)
    payloads = open_records(story, asked, "own_report", {HELPLINE: data.helpline})
    record(story, asked.name, "payload", released, payloads=payloads)


def _few(
    story: Story,
    asked: Asked,
    result: dict[str, object],
    file: ContributorFile,
    holders: dict[Party, ContributorFile],
) -> None:
    """An answer that few could give: told with its sources, and held against the files."""
    expected = known(file, *holders.values())
    check_hits(result, expected)
    record(story, asked.name, "hits", result, len(expected))
    told = story.requests[-1]
    if told["told"] != "sources" or set(told["sources"]) != {party.party_id for party in holders}:
        raise DemoFailed(f"The request {asked.name} was to be answered with its sources.")
    names = " and ".join(party.name for party in holders)
    story.narrator.result(
        f"{len(expected)} of {len(file.identifiers)} are known to the {names}. So few could answer that the "
        "answer names them, and was decided as such"
    )
