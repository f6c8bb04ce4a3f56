"""The vector runner as a program: it passes the published files and fails a tampered copy."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.protocol import checkpoint
from broker.protocol.documents import public_bytes
from broker.protocol.tiles import tiles_of
from broker.translog import log
from broker.translog.memory import MemoryStorage
from broker.translog.tiles import read_tile

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"
FILES = {
    "inclusion": ("merkle", VECTORS / "merkle" / "inclusion.json"),
    "consistency": ("merkle", VECTORS / "merkle" / "consistency.json"),
    "oprf": ("oprf", VECTORS / "rfc9497.json"),
}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.conformance", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout.splitlines()[-1]


def flip(encoded: str) -> str:
    raw = bytearray(base64.b64decode(encoded))
    raw[0] ^= 1
    return base64.b64encode(bytes(raw)).decode()


def flip_hex(encoded: str) -> str:
    return f"{int(encoded[0], 16) ^ 1:x}{encoded[1:]}"


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        ("inclusion", "46 passed, 0 failed"),
        ("consistency", "45 passed, 0 failed"),
        ("oprf", "5 passed, 0 failed"),
    ],
)
def test_the_published_vectors_pass(name: str, summary: str) -> None:
    suite, file = FILES[name]
    done = run(suite, str(file))
    assert (last_line(done), done.returncode) == (summary, 0)


def tamper_inclusion_root(cases: Any) -> None:
    case = next(each for each in cases if each["case"] == "inclusion/1/happy-path")
    case["root"] = flip(case["root"])


def mark_a_good_proof_as_bad(cases: Any) -> None:
    next(each for each in cases if each["case"] == "inclusion/1/happy-path")["wantErr"] = True


def mark_a_bad_proof_as_good(cases: Any) -> None:
    next(each for each in cases if each["case"] == "inclusion/1/preceding-garbage")["wantErr"] = False


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (tamper_inclusion_root, "inclusion/1/happy-path"),
        (mark_a_good_proof_as_bad, "inclusion/1/happy-path"),
        (mark_a_bad_proof_as_good, "inclusion/1/preceding-garbage"),
    ],
)
def test_a_tampered_merkle_vector_is_reported_by_name(
    tmp_path: Path, tamper: Callable[[Any], None], named: str
) -> None:
    cases = json.loads(FILES["inclusion"][1].read_text())
    tamper(cases)
    (copy := tmp_path / "copy.json").write_text(json.dumps(cases))
    done = run("merkle", str(copy))
    assert (last_line(done), done.returncode) == ("45 passed, 1 failed", 4)
    assert named in done.stdout


def tampered_oprf(change: Callable[[Any, Any], None], file: Path) -> subprocess.CompletedProcess[str]:
    document = json.loads(FILES["oprf"][1].read_text())
    keys = document["vectors"][1]
    change(keys, keys["vectors"][1])
    file.write_text(json.dumps(document))
    return run("oprf", str(file))


@pytest.mark.parametrize("name", ["Output", "Blind", "BlindedElement", "EvaluationElement", "Input"])
def test_a_flipped_value_of_one_oprf_vector_is_reported_by_name(tmp_path: Path, name: str) -> None:
    def change(_: Any, vector: Any) -> None:
        vector[name] = flip_hex(vector[name])

    done = tampered_oprf(change, tmp_path / "copy.json")
    assert (last_line(done), done.returncode) == ("4 passed, 1 failed", 4)
    assert "oprf/mode-1/2" in done.stdout


@pytest.mark.parametrize("name", ["proof", "r"])
def test_a_flipped_proof_is_reported(tmp_path: Path, name: str) -> None:
    def change(_: Any, vector: Any) -> None:
        vector["Proof"][name] = flip_hex(vector["Proof"][name])

    assert tampered_oprf(change, tmp_path / "copy.json").returncode == 4


@pytest.mark.parametrize("name", ["seed", "skSm", "pkSm", "keyInfo", "groupDST"])
def test_a_flipped_key_fails_every_vector_under_it(tmp_path: Path, name: str) -> None:
    def change(keys: Any, _: Any) -> None:
        keys[name] = flip_hex(keys[name])

    assert last_line(tampered_oprf(change, tmp_path / "copy.json")) == "2 passed, 3 failed"


def test_vectors_of_another_mode_are_bad_input(tmp_path: Path) -> None:
    def change(keys: Any, _: Any) -> None:
        keys["mode"] = 2

    assert tampered_oprf(change, tmp_path / "copy.json").returncode == 6


def test_garbage_in_place_of_base64_is_a_refused_proof(tmp_path: Path) -> None:
    cases = json.loads(FILES["consistency"][1].read_text())[:2]
    assert [each["wantErr"] for each in cases] == [False, True]
    cases[1]["proof"] = ["", "not base64!"]
    (copy := tmp_path / "copy.json").write_text(json.dumps(cases))
    assert run("merkle", str(copy)).returncode == 0
    cases[1]["wantErr"] = False
    copy.write_text(json.dumps(cases))
    assert run("merkle", str(copy)).returncode == 4


@pytest.mark.parametrize(
    "content", ["", "{", "null", "[]", "{}", "[1]", '[{"leafIdx": 0}]', '[{"case": "x"}]']
)
@pytest.mark.parametrize("suite", ["merkle", "oprf"])
def test_a_file_of_another_format_is_bad_input(tmp_path: Path, suite: str, content: str) -> None:
    (file := tmp_path / "other.json").write_text(content)
    done = run(suite, str(file))
    assert (done.returncode, done.stdout) == (6, "")
    assert f"is not a file of {suite} vectors" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file_is_bad_input_and_wrong_words_are_usage(tmp_path: Path) -> None:
    assert run("merkle", str(tmp_path / "missing.json")).returncode == 6
    assert run("merkle", str(tmp_path)).returncode == 6
    for words in [(), ("merkle",), ("other", "file"), ("merkle", "a", "b")]:
        done = run(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert "usage:" in done.stderr


# --- a log as tiles ---


def written_log(folder: Path, size: int) -> str:
    """A log of `size` leaves as a folder of tiles; returns its verifier key."""
    storage = MemoryStorage()
    log.append(storage, [b"leaf %d" % number for number in range(size)])
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    head, origin = storage.head(), "log.example.org"
    folder.mkdir()
    (folder / "checkpoint").write_bytes(checkpoint.sign(origin, head.size, head.root, key, origin))
    for tile in tiles_of(size):
        path = folder / "tile" / tile.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(read_tile(storage, tile))
    return checkpoint.verifier_key(origin, public_bytes(key))


def test_a_log_as_tiles_is_verified(tmp_path: Path) -> None:
    key = written_log(tmp_path / "log", 600)
    done = run("tlog", str(tmp_path / "log"), key)
    assert (done.returncode, last_line(done)) == (0, "8 passed, 0 failed")
    (tmp_path / "key").write_text(key + "\n")
    assert run("tlog", str(tmp_path / "log"), str(tmp_path / "key")).returncode == 0


@pytest.mark.parametrize("changed", ["checkpoint", "tile/entries/001", "tile/0/000", "tile/1/000.p/2"])
def test_a_log_with_one_changed_file_fails(tmp_path: Path, changed: str) -> None:
    key = written_log(tmp_path / "log", 600)
    path = tmp_path / "log" / changed
    path.write_bytes(path.read_bytes()[:-3] + b"?" + path.read_bytes()[-2:])
    done = run("tlog", str(tmp_path / "log"), key)
    assert done.returncode == 4
    assert not last_line(done).endswith(" 0 failed")
    path.unlink()
    assert "it is not there" in run("tlog", str(tmp_path / "log"), key).stdout


def test_a_log_under_another_key_or_no_log_at_all_fails(tmp_path: Path) -> None:
    key = written_log(tmp_path / "log", 3)
    other = checkpoint.verifier_key("log.example.org", bytes(range(32, 64)))
    assert run("tlog", str(tmp_path / "log"), other).returncode == 4
    assert run("tlog", str(tmp_path / "log"), "no key").returncode == 4
    assert run("tlog", str(tmp_path / "nothing"), key).returncode == 6
