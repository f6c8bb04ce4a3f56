"""A thousand logged decisions come to the same digests in another process, from records and bundle alone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import rfc8785

from broker.gate.bundle import load
from broker.gate.decide import decide_admission, decide_again, replay
from broker.gate.decision import Decision
from broker.protocol import leaves
from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.base import read
from broker.protocol.messages.vocabulary import Outcome, RecordKind
from tests.gate_facts import decisions
from tests.gate_world import BUNDLE, NOW, admit_facts

ELSEWHERE = """
import sys
from pathlib import Path
from broker.gate.bundle import load
from broker.gate.decide import replay
from broker.protocol import leaves

bundle = load(Path(sys.argv[1]))
for line in Path(sys.argv[2]).read_bytes().splitlines():
    leaf, salt, record = (bytes.fromhex(part) for part in line.decode().split())
    leaves.verify_record(leaf, record, salt)
    print(replay(bundle, record.decode()).digest.hex())
"""
"""What another machine does: open each record against its leaf, and decide again."""


def elsewhere(tmp_path: Path, records: list[Decision]) -> subprocess.CompletedProcess[str]:
    """Replay in a process of another hash seed, locale, time zone and folder, from copies of the files."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    bundle = shutil.copytree(BUNDLE, folder / "rules", ignore=shutil.ignore_patterns("scenarios"))
    lines = []
    for decision in records:
        entry = leaves.compose(RecordKind.ADMITTED, NOW, decision.text.encode(), os.urandom(32))
        lines.append(f"{entry.leaf.hex()} {entry.salt.hex()} {decision.text.encode().hex()}")
    (folder / "records").write_text("\n".join(lines))
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONHASHSEED": "20260818",
        "LC_ALL": "tr_TR.ISO-8859-9",
        "LANG": "tr_TR.ISO-8859-9",
        "TZ": "Pacific/Kiritimati",
    }
    return subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(bundle), "records"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("number", [120, pytest.param(1_000, marks=pytest.mark.all_only)])
def test_logged_decisions_come_to_the_same_digests_in_another_process(tmp_path: Path, number: int) -> None:
    bundle = load(BUNDLE)
    logged = list(decisions(bundle, number, seed=4))
    assert {each.action for each in logged} == {"deposit", "admit", "release"}
    for outcome in Outcome:
        assert sum(each.outcome is outcome for each in logged) > number / 20
    assert len({rule for each in logged for rule in each.rules}) > 20
    result = elsewhere(tmp_path, logged)
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.split() == [each.digest.hex() for each in logged]


def test_a_record_that_was_rewritten_does_not_come_out_the_same_elsewhere_either(tmp_path: Path) -> None:
    refused = decide_admission(load(BUNDLE), admit_facts(identifiers=501, points=501))
    told = refused.model_copy(update={"outcome": Outcome.ALLOW})
    result = elsewhere(tmp_path, [told])
    assert result.returncode != 0
    assert "VerificationFailed" in result.stderr
    assert result.stdout == ""


def rewritten(decision: Decision, **members: object) -> Decision:
    return read(Decision, rfc8785.dumps(json.loads(decision.text) | members))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_replay_never_reads_the_stored_verdict(seed: int) -> None:
    bundle = load(BUNDLE)
    for decision in decisions(bundle, 12, seed):
        turned = Outcome.DENY if decision.allowed else Outcome.ALLOW
        lied = rewritten(
            decision,
            outcome=turned,
            rules=["X1"],
            reasons=["r"],
            law=["l"],
            missed=[],
            series=[],
            notes=["n"],
        )
        assert lied.digest != decision.digest
        assert decide_again(bundle, lied).digest == decision.digest
        with pytest.raises(VerificationFailed):
            replay(bundle, lied.text)


def test_one_altered_fact_in_a_record_changes_digest_and_outcome() -> None:
    bundle = load(BUNDLE)
    decision = decide_admission(bundle, admit_facts(identifiers=500, points=500))
    facts = json.loads(decision.text)["facts"]
    altered = rewritten(decision, facts=facts | {"identifiers": 501, "points": 501})
    again = decide_again(bundle, altered)
    assert decision.allowed
    assert not again.allowed
    assert again.digest != decision.digest
    with pytest.raises(VerificationFailed):
        replay(bundle, altered.text)


def test_one_altered_rule_changes_digest_and_outcome_and_a_reworded_one_the_digest_alone(
    tmp_path: Path,
) -> None:
    decision = decide_admission(load(BUNDLE), admit_facts(identifiers=500, points=500))
    copy = Path(shutil.copytree(BUNDLE, tmp_path / "policies"))
    rule = copy / "limits" / "proportion.cedar"
    text = rule.read_text()
    rule.write_text(text.replace("Too many identifiers", "More identifiers"))
    assert rule.read_text() != text
    reworded = decide_again(load(copy), decision)
    assert reworded.allowed
    assert reworded.digest != decision.digest
    altered = text.replace("context.identifiers > context.limit.hitsIdentifiers", "context.identifiers > 499")
    assert altered != text
    rule.write_text(altered)
    again = decide_again(load(copy), decision)
    assert (again.outcome, again.rules) == (Outcome.DENY, ("L06",))
    assert again.digest not in (decision.digest, reworded.digest)
