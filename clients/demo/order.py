"""The ladder on a judge's order (G2): hits, sources, payload; an NGO's veto; and the same without a judge, refused.

Rule: at each step the people who must stand behind it read the papers and sign; what one contributor refuses does not
hold up the others.
"""

import time

from clients.demo import papers
from clients.demo.asking import Asked, approve, ask, check_hits, climb, confirm, find, record, refused, send
from clients.demo.opening import answer_release, open_records, submit_again
from clients.demo.parties import COMPANY, NGO, PAYMENTS, POLICE, PROSECUTOR, SUPERVISOR
from clients.demo.processes import DemoFailed
from clients.demo.story import REFUSED, Story

_CASE = "CASE-2026-104"
_OFFICER = "officer-17"


def production_order(story: Story) -> None:
    """From hits to sources to payload on a production order that a judge validated."""
    hits = _hits(story)
    sources = _sources(story, hits)
    _payload(story, sources)
    _without_a_judge(story, sources)


def _hits(story: Story) -> Asked:
    narrator, data = story.narrator, story.data
    narrator.act("The police unit asks: which of them? A judge validated its production order")
    claims = papers.claims(_CASE, int(time.time()))
    asked, result = ask(story, POLICE, f"{_CASE}-hits", data.police, "hits", claims)
    expected = data.hits(data.company, data.payments, data.payments_disputed, data.ngo)
    check_hits(result, expected)
    record(story, asked.name, "hits", result, len(expected))
    narrator.result(
        f"{result['hits']} of 40 are known; a plain comparison of the files gives {len(expected)}"
    )
    narrator.saw(
        (
            ("the unit", "which of its own identifiers are known; not to whom, and nothing of the rest"),
            ("the contributors", "nothing of who was asked about"),
        )
    )
    return asked


def _sources(story: Story, hits: Asked) -> Asked:
    narrator, data = story.narrator, story.data
    narrator.act("Who holds the two that matter? A person confirms them, two approve")
    confirm(story, hits, _OFFICER, data.selected)
    claims = papers.claims(_CASE, int(time.time()))
    asked = climb(story, hits, f"{_CASE}-sources", "sources", claims, data.selected)
    find(story, asked)
    result = send(story, asked, approve(story, asked, SUPERVISOR, PROSECUTOR))
    record(story, asked.name, "sources", result, len(data.selected.identifiers))
    for name, number in story.requests[-1]["sources"].items():
        source = next(each for each in result["sources"] if each["contributor"] == name)
        kind = source["conditions"]["payload_category"].replace("_", " ")
        narrator.result(
            f"{source['name']} knows {number} of them, and holds {kind} data; follow up: {source['contact']}"
        )
    return asked


def _payload(story: Story, sources: Asked) -> None:
    narrator, data = story.narrator, story.data
    narrator.act("What is in the records? The same two approve, the judge's order is the review")
    confirm(story, sources, _OFFICER)
    claims = papers.claims(_CASE, int(time.time()))
    asked = climb(story, sources, f"{_CASE}-payload", "payload", claims, None)
    find(story, asked)
    waiting = send(story, asked, approve(story, asked, SUPERVISOR, PROSECUTOR))["waiting"]
    if waiting["contributors"] != 1:
        raise DemoFailed("The NGO was to be waited for.")
    narrator.says("Police unit", "waits: an NGO has the last word on its own records.")
    answer_release(story, NGO, asked, "The person we shelter asked us not to")
    result = submit_again(story, asked)
    for note in result["reasons"][len(result["rules"]) :]:
        narrator.says("Police unit", f"is told: {note}")
    payloads = open_records(story, asked, "subscriber", {COMPANY: data.company, PAYMENTS: data.payments})
    record(story, asked.name, "payload", result, payloads=payloads)
    narrator.saw(
        (
            ("the unit", "these records and no others of the same deposits"),
            ("the broker", "sealed records, and that the holders were asked to open them"),
            ("the NGO", "its own reference, who asked, on what ground; no identifier"),
        )
    )


def _without_a_judge(story: Story, sources: Asked) -> None:
    story.narrator.act("The same records on a prosecutor's order that no judge has seen")
    claims = papers.claims(_CASE, int(time.time()), basis_validated_by="none")
    asked = climb(story, sources, f"{_CASE}-no-judge", "payload", claims, None)
    find(story, asked)
    approvals = approve(story, asked, SUPERVISOR, PROSECUTOR)
    refused(story, asked, send(story, asked, approvals, expect=(REFUSED,)))
