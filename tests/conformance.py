"""Runs published test vectors, and logs that others wrote, against the product's own functions.

    python -m tests.conformance oprf FILE      RFC 9497, suite ristretto255-SHA512, modes 0 and 1
    python -m tests.conformance merkle FILE    inclusion or consistency proofs, told apart by their fields
    python -m tests.conformance tlog DIR KEY   a C2SP tlog-tiles log; KEY is its verifier key, or a file with it

Prints the name of each case that fails, then `N passed, M failed`. Exit code 0 if all passed, 4 if any failed,
2 for wrong usage, 6 for a file that cannot be read or is not of the format. A case marked `wantErr` passes by
being refused.
"""

import base64
import binascii
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.protocol import group, merkle, oprf
from broker.protocol.errors import NarrowgateError, VerificationFailed
from tests import conformance_tlog

DONE, USAGE, VERIFICATION_FAILED, BAD_INPUT = 0, 2, 4, 6


class IllFormed(Exception):
    """The file is not of the format it was given as."""


@dataclass(frozen=True)
class Case:
    """One vector: `check` raises if the product does not do what the vector says."""

    name: str
    check: Callable[[], None]


def expect(what: str, actual: object, expected: object) -> None:
    """Raises VerificationFailed, naming what differs, unless the two are equal."""
    if actual != expected:
        raise VerificationFailed(f"{what} differs from the vector's")


def field(entry: object, name: str, kind: type) -> Any:
    """Returns a member of a JSON object, or raises IllFormed if it is absent or of another type."""
    if not isinstance(entry, Mapping):
        raise IllFormed("a vector is not an object")
    value = entry.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise IllFormed(f"a vector's {name!r} is missing or not of type {kind.__name__}")
    return value


def unhex(entry: object, name: str) -> bytes:
    """Returns a hexadecimal member's bytes."""
    return unhex_list(entry, name, 1)[0]


def unhex_list(entry: object, name: str, count: int) -> list[bytes]:
    """Returns a member that lists `count` hexadecimal values with commas between."""
    try:
        values = [bytes.fromhex(each) for each in field(entry, name, str).split(",")]
    except ValueError:
        raise IllFormed(f"a vector's {name!r} is not hexadecimal") from None
    if len(values) != count:
        raise IllFormed(f"a vector's {name!r} does not hold {count} values")
    return values


# --- Merkle proofs ---


def merkle_cases(document: object) -> Iterator[Case]:
    """Yields the cases of a file of inclusion or consistency proofs."""
    if not isinstance(document, Sequence) or isinstance(document, str):
        raise IllFormed("the file is not a list of proofs")
    for number, entry in enumerate(document):
        if not isinstance(entry, Mapping):
            raise IllFormed("a vector is not an object")
        name = entry.get("case") or f"case {number}"
        proof = field(entry, "proof", list) if entry.get("proof") is not None else []
        if not all(isinstance(each, str) for each in proof):
            raise IllFormed("a proof is not a list of base64 texts")
        if "leafIdx" in entry:
            check = inclusion_check(entry, proof)
        elif "size1" in entry:
            check = consistency_check(entry, proof)
        else:
            raise IllFormed("a vector is neither an inclusion nor a consistency proof")
        refused = entry.get("wantErr", False)
        if not isinstance(refused, bool):
            raise IllFormed("a vector's 'wantErr' is not true or false")
        yield Case(str(name), refusal_of(check) if refused else check)


def inclusion_check(entry: Mapping[str, Any], proof: Sequence[str]) -> Callable[[], None]:
    """Returns the check of one inclusion proof."""
    index, size = field(entry, "leafIdx", int), field(entry, "treeSize", int)
    leaf, root = field(entry, "leafHash", str), field(entry, "root", str)
    return lambda: merkle.verify_inclusion(
        unbase64(leaf), index, size, list(map(unbase64, proof)), unbase64(root)
    )


def consistency_check(entry: Mapping[str, Any], proof: Sequence[str]) -> Callable[[], None]:
    """Returns the check of one consistency proof."""
    old_size, new_size = field(entry, "size1", int), field(entry, "size2", int)
    old, new = field(entry, "root1", str), field(entry, "root2", str)
    return lambda: merkle.verify_consistency(
        old_size, new_size, list(map(unbase64, proof)), unbase64(old), unbase64(new)
    )


def unbase64(encoded: str) -> bytes:
    """Returns the bytes; garbage is refused like any other proof that does not verify."""
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise VerificationFailed("a hash is not base64") from None


def refusal_of(check: Callable[[], None]) -> Callable[[], None]:
    """Returns a check that holds exactly if the given one refuses."""

    def refuse() -> None:
        try:
            check()
        except VerificationFailed:
            return
        raise VerificationFailed("accepted, and must be refused")

    return refuse


# --- RFC 9497 ---

SUITE = "ristretto255-SHA512"


def oprf_cases(document: object) -> Iterator[Case]:
    """Yields one case for each test vector of RFC 9497 appendix A.1, in the JSON of its working group."""
    for keys in field(document, "vectors", list):
        mode = field(keys, "mode", int)
        if field(keys, "identifier", str) != SUITE or mode not in (oprf.OPRF, oprf.VOPRF):
            raise IllFormed(f"it holds another suite than {SUITE}, or another mode than 0 and 1")
        for number, vector in enumerate(field(keys, "vectors", list), start=1):
            yield Case(f"oprf/mode-{mode}/{number}", oprf_check(keys, vector, oprf.Mode(mode)))


def oprf_check(keys: object, vector: object, mode: oprf.Mode) -> Callable[[], None]:
    """Returns the check of one vector: keys, every step between client and server, and the proof in mode 1."""
    count = field(vector, "Batch", int)
    inputs = unhex_list(vector, "Input", count)
    blinds = unhex_list(vector, "Blind", count)
    blinded = unhex_list(vector, "BlindedElement", count)
    evaluated = unhex_list(vector, "EvaluationElement", count)
    columns = (inputs, blinds, blinded, evaluated, unhex_list(vector, "Output", count))
    seed, info, secret = unhex(keys, "seed"), unhex(keys, "keyInfo"), unhex(keys, "skSm")
    group_dst = unhex(keys, "groupDST")
    public = unhex(keys, "pkSm") if mode is oprf.VOPRF else None
    given = field(vector, "Proof", Mapping) if mode is oprf.VOPRF else None
    proved = (unhex(given, "proof"), unhex(given, "r")) if given is not None else None

    def check() -> None:
        pair = oprf.derive_key_pair(seed, info, mode)
        expect("the secret key", pair.secret_key, secret)
        expect("the public key", pair.public_key, public if public is not None else pair.public_key)
        for each, blind, element, answer, output in zip(*columns, strict=True):
            expect("the hash to the group", oprf.hash_input(each, mode), group.hash_to_group(each, group_dst))
            expect("the blinded element", oprf.blind_with(each, blind, mode).blinded_element, element)
            expect("the output", oprf.finalize(each, blind, answer), output)
            expect("the output without blinding", oprf.evaluate(secret, each, mode), output)
        expect("the evaluation", oprf.blind_evaluate_unverified(secret, blinded), tuple(evaluated))
        if public is not None and proved is not None:
            proof, r = proved
            expect("the proof", oprf.generate_proof(secret, public, blinded, evaluated, lambda _: r), proof)
            oprf.verify_proof(public, blinded, evaluated, proof)

    return check


# --- the runner ---

SUITES: Mapping[str, Callable[[object], Iterator[Case]]] = {"oprf": oprf_cases, "merkle": merkle_cases}


def failures_of(cases: Sequence[Case]) -> Iterator[str]:
    """Runs the cases and yields one line for each that fails."""
    for case in cases:
        try:
            case.check()
        except NarrowgateError as refusal:
            yield f"FAILED {case.name}: {refusal.detail}"
        except Exception as fault:  # a crash is a failed case, not the end of the run
            yield f"FAILED {case.name}: {type(fault).__name__}"


def verify_log(folder: Path, key: str) -> int:
    """Verifies a log as a folder of tiles and returns the exit code."""
    if not folder.is_dir():
        print(f"{folder} is not a folder", file=sys.stderr)
        return BAD_INPUT
    told = list(conformance_tlog.failures_and_passes(folder, _key_text(key)))
    failed = [f"FAILED {name}: {problem}" for name, problem in told if problem is not None]
    print(*failed, f"{len(told) - len(failed)} passed, {len(failed)} failed", sep="\n")
    return VERIFICATION_FAILED if failed else DONE


def _key_text(key: str) -> str:
    path = Path(key)
    return path.read_text().strip() if path.is_file() else key


def main(arguments: Sequence[str]) -> int:
    """Runs one suite over one file, or over one log, and returns the exit code."""
    if len(arguments) == 3 and arguments[0] == "tlog":
        return verify_log(Path(arguments[1]), arguments[2])
    if len(arguments) != 2 or arguments[0] not in SUITES:
        print(f"usage: python -m tests.conformance {'|'.join(SUITES)} FILE, or tlog DIR KEY", file=sys.stderr)
        return USAGE
    suite, file = arguments
    try:
        cases = list(SUITES[suite](json.loads(Path(file).read_bytes())))
        if not cases:
            raise IllFormed("it holds no vectors")
    except (OSError, ValueError, RecursionError, IllFormed) as problem:
        reason = problem if isinstance(problem, IllFormed) else "it cannot be read as JSON"
        print(f"{file} is not a file of {suite} vectors: {reason}", file=sys.stderr)
        return BAD_INPUT
    failed = list(failures_of(cases))
    print(*failed, f"{len(cases) - len(failed)} passed, {len(failed)} failed", sep="\n")
    return VERIFICATION_FAILED if failed else DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
