"""Is the broker there, what time does it have, and how much does it do: unsigned, and nothing about anybody."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, generate_latest

from broker.api.answers import reply
from broker.api.authentication import BrokerInUse
from broker.protocol.messages.base import Message
from broker.protocol.messages.envelopes import ServerTime
from broker.translog.cosigning import Cosigning

router = APIRouter()


class Health(Message):
    """The broker is up and its database answers."""

    status: str


@router.get("/healthz")
def healthz(broker: BrokerInUse) -> Response:
    """200 while the log can be read and is the one that witnesses saw, 503 otherwise."""
    with broker.database.read() as connection:
        broker.audit.size(connection)
    broker.audit.check_not_refused()
    return reply(Health(status="ok"))


@router.get("/v1/time")
def server_time(broker: BrokerInUse) -> Response:
    """The broker's clock."""
    return reply(ServerTime(now=broker.clock()))


@router.get("/metrics")
def metrics(request: Request, broker: BrokerInUse) -> Response:
    """Prometheus text: calls by route and status, the size of the log, and how its witnesses' cosigning goes."""
    with broker.database.read() as connection:
        size = broker.audit.size(connection)
    of_log = CollectorRegistry()
    Gauge("narrowgate_log_entries", "Entries of the audit log.", registry=of_log).set(size)
    cosigning = broker.witnesses.cosigning
    if cosigning is not None:
        _of_cosigning(cosigning, of_log)
    text = generate_latest(request.app.state.registry) + generate_latest(of_log)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _of_cosigning(found: Cosigning, registry: CollectorRegistry) -> None:
    """What this process saw of its witnesses; in a trial there is none of it."""
    failed = Counter(
        "narrowgate_cosigning_failed", "Rounds in which too few witnesses cosigned.", registry=registry
    )
    failed.inc(found.failed_rounds)
    of_witness = Counter(
        "narrowgate_witness_failed",
        "Calls without a cosignature, by witness.",
        ("witness",),
        registry=registry,
    )
    for name, number in found.failed_calls.items():
        of_witness.labels(name).inc(number)
    if found.size is not None and found.seconds_ago is not None:
        size = "Entries of the log as enough witnesses cosigned it last."
        Gauge("narrowgate_cosigned_entries", size, registry=registry).set(found.size)
        age = "Seconds since enough witnesses cosigned the log last."
        Gauge("narrowgate_cosigned_age_seconds", age, registry=registry).set(found.seconds_ago)
