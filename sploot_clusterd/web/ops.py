"""For those who run the daemon: probes without a token, metrics with one where one is set; none shows a secret."""

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry, exposition
from prometheus_client.openmetrics import exposition as openmetrics

from sploot_clusterd.health import Health
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.web.answers import RefusedError, Reply, answer
from sploot_clusterd.web.auth import Tokens, scraper_token
from sploot_clusterd.web.keys import HEALTH, METRICS
from sploot_clusterd.web.routing import App, Route, Router

_OPENMETRICS: Final = "application/openmetrics-text"


async def healthz(_request: web.BaseRequest) -> Reply:
    """The process is alive: its loop answers. Nothing else is asked, so that an outage of Redis restarts nobody."""
    return answer({"status": "ok"})


async def readyz(request: web.BaseRequest) -> Reply:
    """Whether the daemon does its work, and if not, why. It only reads what was found elsewhere."""
    health = request[HEALTH]
    reasons, warnings = health.reasons(), health.warnings()
    if reasons:
        refused = {"status": "not ready", "detail": "not ready", "reasons": reasons, "warnings": warnings}
        return answer(refused, 503)
    return answer({"status": "ready", "reasons": reasons, "warnings": warnings})


async def metrics_page(request: web.BaseRequest) -> Reply:
    """Every metric, as OpenMetrics where the scraper asks for it, else in Prometheus' text form."""
    scrapers = request[SCRAPERS]
    if scrapers and scrapers.slot(scraper_token(request.headers)) is None:
        raise RefusedError(401, "invalid metrics token", {hdrs.WWW_AUTHENTICATE: "Bearer"})
    encode, content_type = _form(request.headers.get(hdrs.ACCEPT, ""))
    # Milliseconds of work: on the loop every reader would wait for it.
    page = await asyncio.to_thread(encode, request[METRICS].registry)
    return Reply(200, page, f"Content-Type: {content_type}\r\n")


def _form(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    """Ours and not the client library's choice, which copies parts of the header into the answer."""
    if _OPENMETRICS in accept:
        return openmetrics.generate_latest, openmetrics.CONTENT_TYPE_LATEST
    return exposition.generate_latest, exposition.CONTENT_TYPE_PLAIN_0_0_4


PROBES: Final = (
    Route("/healthz", {"GET": healthz}, guarded=False),
    Route("/readyz", {"GET": readyz}, guarded=False),
)
METRICS_PAGE: Final = Route("/metrics", {"GET": metrics_page}, guarded=False)
NOWHERE: Final = Route("", {}, guarded=False, label="(unknown)")
"""Any other path, under one label: a label a path would be a series that every scrape carries for ever."""


SCRAPERS: Final = web.RequestKey("scrapers", Tokens)


def build_ops_app(metrics: Metrics, health: Health, scrapers: Tokens) -> App:
    """The application of the metrics port: one per process, also where processes share an HTTP port or serve none.

    Without tokens in `scrapers` the metrics are open to all; they may be replaced while it runs.
    """
    router = Router((*PROBES, METRICS_PAGE, NOWHERE), None, metrics, InFlight())
    return App(router, {SCRAPERS: scrapers, HEALTH: health, METRICS: metrics})
