"""The broker's application: the routers of all parties behind one border.

Rule: no documentation route, no redirect (a redirect repeats the path), no answer of the framework's own
(`broker.api.problems`). It starts nothing: `broker.startup` gives it a broker that is ready to serve.
"""

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from broker.api import (
    approvals,
    audit,
    carried,
    deposits,
    health,
    log,
    operator,
    outcomes,
    problems,
    releases,
    requests,
    retractions,
    series,
    spaces,
)
from broker.api.border import Border
from broker.context import Broker


def create_app(broker: Broker) -> Border:
    """The ASGI application of one broker."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    registry = CollectorRegistry()
    app.state.broker = broker
    app.state.registry = registry
    problems.install(app, broker.clock)
    for module in (
        health,
        operator,
        spaces,
        series,
        deposits,
        requests,
        outcomes,
        approvals,
        releases,
        retractions,
        log,
        audit,
        carried,
    ):
        app.include_router(module.router)
    return Border(app, registry)
