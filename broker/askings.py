"""That a series was asked, and on what grounds: one row a series, for what its contributor is told later.

Rule (decision 0010): a row is written in the transaction that admits or refuses the request, bears the month and no
finer time, and names no request, case or officer. The requester's name is there to count agencies by, until the month
is published (`broker.statistics`), and then the row is deleted. Grounds count only as a legal desk verified them.
"""

from typing import Literal

from broker.gate.decision import Decision, SeriesVerdict
from broker.gate.facts import AdmitFacts
from broker.months import month_of
from broker.protocol.messages.vocabulary import Outcome
from broker.store import statistics as rows
from broker.store.database import Connection

Verdict = Literal["admitted", "left_out", "refused"]


def note(connection: Connection, decision: Decision) -> None:
    """Note what a decision about a request says of each series, in the transaction that records the decision.

    Raises ValueError for a decision about something else."""
    facts = decision.facts
    if not isinstance(facts, AdmitFacts):
        raise ValueError("only a decision about a request asks series")
    verified = facts.verified
    rows.add_askings(
        connection,
        [
            rows.Asking(
                month=month_of(facts.now),
                series_id=each.series_id,
                requester=facts.requester.agency_id,
                verdict=_verdict(decision, each),
                tier=(decision.tier or facts.tier).value,
                rules=" ".join(each.rules),
                instrument=None if verified is None else verified.basis.instrument,
                purpose=None if verified is None else verified.purpose.value,
                offence=None if verified is None else verified.offence.value,
            )
            for each in decision.series
        ],
    )


def _verdict(decision: Decision, series: SeriesVerdict) -> Verdict:
    if not decision.allowed:
        return "refused"
    # Of a request that others may answer, a series is left out by its own conditions alone.
    return "admitted" if series.outcome is Outcome.ALLOW else "left_out"
