"""For those who run the daemon: probes without a token, metrics with one where one is set; none shows a secret."""

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry, exposition
from prometheus_client.openmetrics import exposition as openmetrics

from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.web.answers import RefusedError, Response, answer
from sploot_clusterd.web.auth import Tokens, scraper_token

_OPENMETRICS: Final = "application/openmetrics-text"


class Probes:
    def __init__(self, health: Health) -> None:
        self._health = health

    async def healthz(self, _request: web.BaseRequest) -> Response:
        """The process is alive: its loop answers. Nothing else is asked, so that an outage of Redis restarts nobody."""
        return answer({"status": "ok"})

    async def readyz(self, _request: web.BaseRequest) -> Response:
        """Whether the daemon does its work, and if not, why. It only reads what was found elsewhere."""
        reasons, warnings = self._health.reasons(), self._health.warnings()
        if reasons:
            refused = {"status": "not ready", "detail": "not ready", "reasons": reasons, "warnings": warnings}
            return answer(refused, 503)
        return answer({"status": "ready", "reasons": reasons, "warnings": warnings})


class MetricsPage:
    def __init__(self, metrics: Metrics, scrapers: Tokens) -> None:
        self._metrics = metrics
        self._scrapers = scrapers

    async def metrics(self, request: web.BaseRequest) -> Response:
        """Every metric, as OpenMetrics where the scraper asks for it, else in Prometheus' text form."""
        if self._scrapers and self._scrapers.caller(scraper_token(request.headers)) is None:
            raise RefusedError(401, "invalid metrics token", {hdrs.WWW_AUTHENTICATE: "Bearer"})
        encode, content_type = _form(request.headers.get(hdrs.ACCEPT, ""))
        # Milliseconds of work: on the loop every reader would wait for it.
        page = await asyncio.to_thread(encode, self._metrics.registry)
        return Response(200, page, f"Content-Type: {content_type}\r\n")


def _form(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    """Ours and not the client library's choice, which copies parts of the header into the answer."""
    if _OPENMETRICS in accept:
        return openmetrics.generate_latest, openmetrics.CONTENT_TYPE_LATEST
    return exposition.generate_latest, exposition.CONTENT_TYPE_PLAIN_0_0_4
