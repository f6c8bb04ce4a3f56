"""Is the broker there, what time does it have, and how much does it do: unsigned, and nothing about anybody."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from broker.api.answers import reply
from broker.api.authentication import BrokerInUse
from broker.protocol.messages.base import Message
from broker.protocol.messages.envelopes import ServerTime

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
    """Prometheus text: calls by route and status, and the size of the log."""
    with broker.database.read() as connection:
        size = broker.audit.size(connection)
    of_log = CollectorRegistry()
    Gauge("narrowgate_log_entries", "Entries of the audit log.", registry=of_log).set(size)
    text = generate_latest(request.app.state.registry) + generate_latest(of_log)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
