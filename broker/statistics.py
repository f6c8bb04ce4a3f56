"""What contributors are told: how often each of their series was asked, on what grounds, and what came of it.

Rule (decision 0010): never who asked, about what, in which case, or when within a month. A month is published once,
`statistics_delay_days` after its end, from rows that are deleted in the same transaction; so no number changes while
somebody watches, and no other setting can be tried on the same rows. A month in which fewer than
`statistics_agencies` agencies asked, or in which no more than that could have, is told as one in which nobody did. How
a number is made tellable is `broker.suppression`'s.
"""

from collections.abc import Sequence

from broker.context import Broker
from broker.gate.computed import COMPUTED
from broker.months import between, end_of, later, month_of
from broker.protocol.documents import unverified_payload
from broker.protocol.errors import NotFound, NotPermitted
from broker.protocol.messages.base import decode, encode
from broker.protocol.messages.outcomes import Cell, SeriesMonth, Statistics
from broker.protocol.messages.series import SeriesManifest
from broker.protocol.messages.vocabulary import Role
from broker.registry import Caller, load_space
from broker.store import series as series_rows
from broker.store import statistics as rows
from broker.store.database import Connection
from broker.suppression import Suppression, noise_of

DAY_SECONDS = 86_400


def statistics_for(broker: Broker, caller: Caller) -> Statistics:
    """All that is published of a contributor's series. Months without a number are there too.

    Raises NotPermitted unless an agency calls, or Unavailable."""
    if caller.role is not Role.AGENCY:
        raise NotPermitted("Statistics are for the agency that deposited.")
    publish_due(broker)
    last, first = _last_published(broker), _first_kept(broker)
    with broker.database.read() as connection:
        own = rows.series_of(connection, caller.party_id)
        told = rows.published(connection, [each.series_id for each in own])
    months = []
    for each in own:
        begin = max(first, month_of(each.opened_at))
        for month in between(begin, min(last, month_of(each.retain_until))):
            text = told.get((each.series_id, month))
            blank = SeriesMonth(series_id=each.series_id, month=month)
            months.append(blank if text is None else decode(SeriesMonth, text.encode()))
    return Statistics(
        least=broker.settings.statistics_least,
        epsilon_millis=broker.settings.statistics_epsilon_millis,
        months=tuple(months),
    )


def publish_due(broker: Broker) -> None:
    """Publish the months whose time has come, each once, and delete their rows. Raises Unavailable."""
    with broker.database.read() as connection:
        due = [month for month in rows.months_with_rows(connection) if month <= _last_published(broker)]
    for month in due:
        with broker.database.write() as connection:
            taken = rows.take(connection, month)
            named = {each.series_id for each in taken.askings} | {each.series_id for each in taken.outcomes}
            for series_id in sorted(named):
                series = series_rows.find(connection, series_id)
                if series is not None:
                    told = _series_month(broker, connection, series, month, taken)
                    rows.publish(connection, series_id, month, encode(told).decode())


def forget(broker: Broker, connection: Connection) -> None:
    """Delete what was published longer ago than `statistics_months`."""
    rows.forget(connection, _first_kept(broker))


def _last_published(broker: Broker) -> str:
    """The newest month that is over, and whose delay is."""
    now = broker.clock()
    month = month_of(now)
    while end_of(month) + broker.settings.statistics_delay_days * DAY_SECONDS > now:
        month = later(month, -1)
    return month


def _first_kept(broker: Broker) -> str:
    return later(month_of(broker.clock()), -broker.settings.statistics_months)


def _series_month(
    broker: Broker, connection: Connection, series: series_rows.StoredSeries, month: str, taken: rows.Taken
) -> SeriesMonth:
    asked = [each for each in taken.askings if each.series_id == series.series_id]
    told = [each for each in taken.outcomes if each.series_id == series.series_id]
    could_ask, least = _could_ask(connection, series), broker.settings.statistics_agencies

    def enough(agencies: Sequence[str]) -> bool:
        return least <= len(set(agencies)) and least < could_ask

    noise = noise_of(
        broker.keys.count_key,
        broker.settings.statistics_epsilon_millis,
        series.space_id,
        series.series_id,
        month,
    )
    suppression = Suppression(broker.settings.statistics_least, noise)
    asked = asked if enough([each.requester for each in asked]) else []
    told = told if enough([each.requester for each in told]) else []
    return SeriesMonth(
        series_id=series.series_id,
        month=month,
        asked=suppression.number("asked", "", len(asked)),
        verdicts=_cells(suppression, "verdicts", [each.verdict for each in asked]),
        tiers=_cells(suppression, "tiers", [each.tier for each in asked]),
        rules=_rules(broker, suppression, [rule for each in asked for rule in each.rules.split()]),
        instruments=_cells(suppression, "instruments", [each.instrument for each in asked]),
        purposes=_cells(suppression, "purposes", [each.purpose for each in asked]),
        offences=_cells(suppression, "offences", [each.offence for each in asked]),
        outcomes=_cells(suppression, "outcomes", [kind for each in told for kind in each.told.split()]),
    )


def _could_ask(connection: Connection, series: series_rows.StoredSeries) -> int:
    """How many agencies of the newest roster are of a kind that the series' conditions let ask."""
    # The manifest was verified when the series was opened.
    conditions = unverified_payload(SeriesManifest, series.manifest).conditions
    try:
        members = load_space(connection, series.space_id).payload.members
    except NotFound:
        return 0
    return sum(
        member.kind in conditions.permitted_readers and member.agency_id != series.contributor
        for member in members
    )


def _cells(suppression: Suppression, heading: str, names: Sequence[str | None]) -> tuple[Cell, ...]:
    told = suppression.cells(heading, [name for name in names if name is not None])
    return tuple(Cell(name=name, requests=number) for name, number in told.items())


def _rules(broker: Broker, suppression: Suppression, names: Sequence[str]) -> tuple[Cell, ...]:
    cells = _cells(suppression, "rules", names)
    laws = {name: rule.law for name, rule in broker.bundle.rules.items()}
    laws |= {name: law for name, (_, law) in COMPUTED.items()}
    return tuple(cell.model_copy(update={"law": laws.get(cell.name)}) for cell in cells)
