"""What a next step is made from: a disclosure of sources, and nothing else."""

import pytest

from broker.protocol import documents
from broker.protocol.errors import Conflict, NotFound, VerificationFailed
from broker.protocol.messages.vocabulary import Tier
from clients.next_step.disclosed import read_disclosed
from clients.requesting.request_folder import RequestFolder
from tests.unit.clients.next_step.conftest import Told
from tests.world import POLICE, phone


def test_it_has_each_contributor_with_what_it_holds_and_who_looked(told: Told) -> None:
    held = {
        (each.contributor, each.established_in): {
            text for found in each.sources for text in found.identifiers
        }
        for each in told.disclosed.holdings
    }
    assert held == {("company-1", "IE"): {phone(3), phone(7)}, ("company-2", "NL"): {phone(7)}}
    assert told.disclosed.confirmed_by == "officer-1"
    assert told.disclosed.finding.dual_criminality
    assert told.disclosed.member.agency_id == POLICE


@pytest.mark.parametrize(
    ("tier", "says"),
    [(Tier.COUNT, "names nobody"), (Tier.HITS, "request climb"), (Tier.PAYLOAD, "released already")],
)
def test_any_other_answer_is_refused_in_plain_words(told: Told, tier: Tier, says: str) -> None:
    with pytest.raises(Conflict, match=says):
        read_disclosed(told.world.homes[POLICE], told.world.space, told.requests[tier])


def test_a_request_that_is_not_answered_or_unknown_is_refused(told: Told) -> None:
    home = told.world.homes[POLICE]
    prepared = told.world.prepare([phone(1)])
    with pytest.raises(Conflict, match="not answered yet"):
        read_disclosed(home, told.world.space, prepared.request_id)
    with pytest.raises(NotFound):
        read_disclosed(home, told.world.space, bytes(16))


def test_a_finding_that_another_hand_signed_is_not_told(told: Told) -> None:
    home, asked = told.world.homes[POLICE], told.requests[Tier.SOURCES]
    folder = RequestFolder(home.vault, asked)
    kept = folder.findings()
    signed = documents.sign(told.disclosed.finding, told.world.homes["company-1"].signing_key)
    folder.keep_findings((signed.document,))
    try:
        with pytest.raises(VerificationFailed):
            read_disclosed(home, told.world.space, asked)
        folder.keep_findings(())
        with pytest.raises(VerificationFailed, match="No finding"):
            read_disclosed(home, told.world.space, asked)
    finally:
        folder.keep_findings(kept)
    assert read_disclosed(home, told.world.space, asked) == told.disclosed
