"""Decisions are taken again from their facts and the bundle alone; the recorded verdict is never read."""

import json
import shutil
from pathlib import Path

import pytest
import rfc8785

from broker.gate.bundle import Bundle, load
from broker.gate.decide import (
    Decision,
    decide_admission,
    decide_deposit,
    decide_release,
    decide_text,
    replay,
)
from broker.protocol.errors import BadInput, VerificationFailed
from broker.protocol.messages.base import encode
from broker.protocol.messages.vocabulary import Outcome, Tier
from clients.replay import replay_all
from tests.gate_world import BUNDLE, admit_facts, deposit_facts, release_facts


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(BUNDLE)


def decisions(bundle: Bundle) -> list[Decision]:
    return [
        decide_deposit(bundle, deposit_facts()),
        decide_admission(bundle, admit_facts()),
        decide_admission(bundle, admit_facts(identifiers=501, points=501)),
        decide_release(bundle, release_facts(), Tier.HITS),
        decide_release(bundle, release_facts(hits=30), Tier.HITS),
    ]


def tampered(decision: Decision, change: dict[str, object]) -> str:
    return rfc8785.dumps(json.loads(decision.text) | change).decode()


def test_every_kind_of_decision_replays_to_the_same_digest(bundle: Bundle) -> None:
    for decision in decisions(bundle):
        assert replay(load(BUNDLE), decision.text).digest == decision.digest


def test_a_refusal_rewritten_to_an_allow_does_not_replay(bundle: Bundle) -> None:
    refused = decide_admission(bundle, admit_facts(identifiers=501, points=501))
    allowed = decide_admission(bundle, admit_facts())
    series = json.loads(allowed.text)["series"]
    rules = {"rules": ["G2"], "reasons": list(allowed.reasons), "law": list(allowed.law)}
    text = tampered(refused, {"outcome": "ALLOW", "series": series, "missed": [], **rules})
    with pytest.raises(VerificationFailed):
        replay(bundle, text)


def test_one_altered_fact_changes_the_digest_and_where_it_must_the_outcome(bundle: Bundle) -> None:
    before, after = (decide_admission(bundle, admit_facts(identifiers=n, points=n)) for n in (500, 501))
    assert before.digest != after.digest
    assert (before.outcome, after.outcome) == (Outcome.ALLOW, Outcome.DENY)


def test_a_decision_under_another_bundle_is_not_replayed_under_this_one(
    bundle: Bundle, tmp_path: Path
) -> None:
    copy = tmp_path / "policies"
    shutil.copytree(BUNDLE, copy)
    file = copy / "limits.toml"
    file.write_text(file.read_text().replace("hits_identifiers = 500", "hits_identifiers = 5000"))
    loose = decide_admission(load(copy), admit_facts(identifiers=501, points=501))
    assert loose.outcome is Outcome.ALLOW
    with pytest.raises(BadInput, match="another bundle"):
        replay(bundle, loose.text)
    relabelled = tampered(loose, {"bundle_digest": bundle.digest.hex()})
    with pytest.raises(VerificationFailed):
        replay(bundle, relabelled)


def test_the_auditors_replay_names_each_decision_that_differs(bundle: Bundle) -> None:
    good = decisions(bundle)
    bad = tampered(good[1], {"notes": ["added later"]})
    logged = [(index, one.text) for index, one in enumerate(good)] + [(7, bad), (8, "{}")]
    report = replay_all({bundle.digest: bundle}, logged)
    assert (report.decisions, report.same) == (7, 5)
    assert [one.index for one in report.different] == [7, 8]
    assert replay_all({}, logged[:1]).same == 0


def test_a_person_can_have_facts_decided_from_a_file(bundle: Bundle) -> None:
    text = b'{"admit":' + encode(admit_facts()) + b"}"
    assert decide_text(bundle, text).outcome is Outcome.ALLOW
    release = b'{"release":' + encode(release_facts()) + b',"tier":"hits"}'
    assert decide_text(bundle, release).outcome is Outcome.ALLOW
    with pytest.raises(BadInput):
        decide_text(bundle, b"{}")
    with pytest.raises(BadInput):
        decide_text(bundle, b'{"admit": {"now": "+447700900123"}}')
