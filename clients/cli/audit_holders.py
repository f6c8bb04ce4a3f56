"""`narrowgate audit verify-holders` and `reconcile`: mirror key holders' own logs, and hold them against the broker's.

Rule: keys come from the pinned space document. `reconcile` is offline and reads mirrors alone, which are verified again
as they are read; an alarm exits with 4. What is not judged is said: mirrors missing or too old, erased records.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from broker.protocol import checkpoint
from broker.protocol.errors import NarrowgateError, NotFound
from broker.protocol.messages.parties import Holder, Space
from clients.auditing.holder_logs import MirroredHolderLog
from clients.auditing.mirrored import MirroredLog
from clients.auditing.reconcile import Discrepancy, Reconciled, Unanswered
from clients.auditing.reconcile import reconcile as compare
from clients.auditor import AuditFailed, Auditor
from clients.cli import run
from clients.cli.audit_log import stale_words
from clients.home import Home
from clients.mirrors.watched_log import holder_log

_Holders = Annotated[
    list[str] | None,
    typer.Option("--holder", metavar="NAME", help="Only this key holder's log; may be repeated."),
]


def verify_holders(
    directory: run.HomeFolder,
    holder: _Holders = None,
    space_id: run.SpaceId = None,
    as_json: run.Json = False,
) -> None:
    """Mirror what is new in the key holders' own logs and verify all of it, records too.

    Each holder records that you read its records. A holder that cannot be reached is named; the others are mirrored.
    """
    home = run.open_home(directory)
    space = home.space(run.space_id(space_id)).payload
    told, failed = [], list[NarrowgateError]()
    for each in _named(space, holder):
        try:
            told.append(_verified(home, space, each))
        except NarrowgateError as error:
            failed.append(error)
            told.append(_failed(each, error))
    run.show({"holders": told}, "\n".join(_line(each) for each in told), as_json=as_json)
    if failed:
        # What does not verify weighs more than who does not answer.
        worst = next((error for error in failed if isinstance(error, AuditFailed)), failed[0])
        raise typer.Exit(int(run.exit_code(worst)))


def reconcile(directory: run.HomeFolder, space_id: run.SpaceId = None, as_json: run.Json = False) -> None:
    """Hold the mirrored logs of the key holders against the broker's: was every evaluation admitted, as it was done?

    Nothing is asked of anybody: use `audit verify` and `audit verify-holders` first. Exit code 4 if there is an alarm.
    """
    home = run.open_home(directory)
    space = home.space(run.space_id(space_id)).payload
    broker, mirrored = MirroredLog(home, space), []
    for each in space.holders:
        try:
            mirrored.append(MirroredHolderLog(home, space, each))
        except NotFound:
            continue  # it is named among those that are not mirrored
    found = compare(broker, mirrored, space, run.clock())
    run.show(_members(found), _words(found, space), as_json=as_json)
    if found.alarms:
        raise typer.Exit(int(run.ExitCode.VERIFICATION_FAILED))


def auditor_of_holder(home: Home, space_id: bytes | None, name: str) -> Auditor:
    """The auditor of a key holder's own log. Raises NotFound or BadInput."""
    space = home.space(space_id).payload
    (holder,) = _named(space, [name])
    return Auditor(home.vault, holder_log(space, holder), run.caller(home), run.clock)


def _named(space: Space, names: Sequence[str] | None) -> tuple[Holder, ...]:
    """The holders of these names; all of the space's, if none is named. Raises NotFound."""
    by_name = {each.holder_id: each for each in space.holders}
    for name in names or ():
        if name not in by_name:
            raise NotFound(
                "The space has no key holder of that name. Its document lists them: narrowgate space show"
            )
    return tuple(by_name[name] for name in dict.fromkeys(names)) if names else space.holders


def _verified(home: Home, space: Space, holder: Holder) -> dict[str, Any]:
    log = holder_log(space, holder)
    with run.progress(f"Mirroring {holder.holder_id}") as update:
        auditor = Auditor(home.vault, log, run.caller(home), run.clock)
        report = auditor.verify(update)
    return {
        "holder": holder.holder_id,
        "origin": report.origin,
        "size": report.size,
        "root": None if report.root is None else report.root.hex(),
        "verified": True,
        "kinds": dict(report.kinds),
        "erased": report.erased,
        "stale": report.stale,
        "cosigned_by": list(report.witnesses),
        "log_key_changes": [
            {
                "entry": each.index,
                "new_verifier_key": checkpoint.verifier_key(log.origin, each.new_key),
                "reason": each.reason,
                "lost": each.lost,
            }
            for each in auditor.changed_keys
        ],
    }


def _failed(holder: Holder, error: NarrowgateError) -> dict[str, Any]:
    evidence = error.evidence if isinstance(error, AuditFailed) else None
    return {
        "holder": holder.holder_id,
        "verified": False,
        "problem": error.problem,
        "detail": error.detail,
        "evidence": evidence,
    }


def _line(told: dict[str, Any]) -> str:
    if not told["verified"]:
        evidence = f" Evidence: {told['evidence']}" if told["evidence"] else ""
        return f"{told['holder']}: not verified. {told['detail']}{evidence}"
    kinds = ", ".join(f"{kind}: {number}" for kind, number in told["kinds"].items())
    erased = f" {told['erased']} records were erased there." if told["erased"] else ""
    stale = "" if told["stale"] is None else f"\n  {stale_words(told['stale'], 'key holder')}"
    changed = "".join(f"\n  {_changed(each)}" for each in told["log_key_changes"])
    return (
        f"{told['holder']}: {told['size']} entries give the signed root. {kinds}.{erased}\n"
        f"  {_cosigned(told['cosigned_by'])}{stale}{changed}"
    )


def _changed(told: dict[str, Any]) -> str:
    said = f"Entry {told['entry']} changed the log's key to {told['new_verifier_key']}"
    if told["lost"]:
        return (
            f"{said}, and the old key did not hand it on: it is said to be lost. Whoever can append to the log can do "
            "so: ask the holder's operator and its witnesses whether they know of it."
        )
    return f"{said}; the old key signed that."


def _cosigned(names: Sequence[str]) -> str:
    if names:
        return f"Cosigned by {', '.join(names)}."
    return (
        "TRIAL: no witness of the space cosigned it, so the holder could show another log to somebody else."
    )


def _members(found: Reconciled) -> dict[str, Any]:
    return {
        "size": found.size,
        "holders": [asdict(each) | {"cosigned_by": list(each.cosigned_by)} for each in found.holders],
        "not_mirrored": list(found.not_mirrored),
        "evaluations": found.evaluations,
        "openings": found.openings,
        "alarms": [
            asdict(each) | {"alarm": each.alarm.value, "meaning": each.meaning} for each in found.alarms
        ],
        "not_evaluated": list(map(asdict, found.not_evaluated)),
        "not_opened": list(map(asdict, found.not_opened)),
        "unfinished": list(map(asdict, found.unfinished)),
        "too_new": found.too_new,
        "other_spaces": found.other_spaces,
        "left_out": found.left_out,
    }


def _words(found: Reconciled, space: Space) -> str:
    names = ", ".join(each.holder for each in found.holders) or "nobody"
    lines = [
        f"{found.evaluations} evaluations and {found.openings} openings, by {names}, against {found.size} entries of "
        "the broker's log.",
        f"Alarms: {len(found.alarms)}.",
    ]
    for each in found.alarms:
        lines += [f"  {each.alarm}, {_where(each)}: {each.detail}", f"    {each.meaning}"]
    for title, unanswered in (
        ("Admitted and not evaluated (the requester may not have asked)", found.not_evaluated),
        ("Released and not opened (the requester may not have asked)", found.not_opened),
        (f"Evaluated by fewer than {space.threshold}, and nothing came of it", found.unfinished),
    ):
        if unanswered:
            lines.append(f"{title}: {_listed(unanswered)}.")
    if found.too_new:
        lines.append(
            f"Not judged, since the mirrors end too early: {found.too_new}. Use audit verify-holders and audit verify "
            "some minutes later."
        )
    if found.other_spaces:
        lines.append(f"Passed over, since they name other spaces: {found.other_spaces} evaluations.")
    if found.not_mirrored:
        lines.append(f"Not mirrored, so not looked at: {', '.join(found.not_mirrored)}.")
    lines += [f"Left out: {each}" for each in found.left_out]
    unwitnessed = [each.holder for each in found.holders if not each.cosigned_by]
    if unwitnessed:
        lines.append(
            f"TRIAL: no witness of the space cosigned the log of {', '.join(unwitnessed)}, so another one could have "
            "been shown to somebody else."
        )
    return "\n".join(lines)


def _where(found: Discrepancy) -> str:
    places = []
    if found.holder is not None:
        places.append(f"entry {found.holder_entry} of {found.holder}")
    if found.broker_entry is not None:
        places.append(f"entry {found.broker_entry} of the broker")
    return ", ".join(places)


def _listed(unanswered: Sequence[Unanswered]) -> str:
    return ", ".join(f"entry {each.broker_entry} ({each.requester})" for each in unanswered)
