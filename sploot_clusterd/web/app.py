"""The application that internal callers talk to: its routes, in one list."""

import asyncio
from typing import Final

from sploot_clusterd.config import Settings
from sploot_clusterd.health import Health
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.web import handlers
from sploot_clusterd.web.auth import Tokens
from sploot_clusterd.web.batch import submit_batch
from sploot_clusterd.web.etags import Etags
from sploot_clusterd.web.keys import DECODING, ETAGS, HEALTH, HTTP, LIMITS, METRICS, STORE, Found, Views
from sploot_clusterd.web.openapi import DOCUMENT, Document, openapi
from sploot_clusterd.web.ops import METRICS_PAGE, NOWHERE, PROBES
from sploot_clusterd.web.routing import App, Route, Router

ROUTES: Final = (
    *PROBES,
    Route("/openapi.json", {"GET": openapi}, guarded=False),
    Route("/internal/cluster-jobs", {"POST": handlers.submit}),
    Route("/internal/cluster-jobs/batch", {"POST": submit_batch}),
    Route("/internal/pets/{pet_id}/clusters", {"GET": handlers.view}),
    Route("/internal/pets/{pet_id}/corrections", {"POST": handlers.correct}),
    Route("/internal/pets/{pet_id}/invalidate", {"POST": handlers.invalidate}),
    Route("/internal/pets/{pet_id}", {"DELETE": handlers.erase}),
    Route("/internal/health/redis", {"GET": handlers.redis_health}),
    # Strangers do not learn which paths exist: without the token every one of them is a 401.
    Route("/internal", {}, label=NOWHERE.label),
    NOWHERE,
)


def build_app(
    store: Views, tokens: Tokens, settings: Settings, metrics: Metrics, health: Health, *, in_flight: InFlight
) -> App:
    """Everything of the HTTP contract. `tokens` may be replaced while it runs."""
    found: Found = {
        STORE: store,
        HTTP: settings.http,
        LIMITS: settings.limits,
        HEALTH: health,
        DECODING: asyncio.Lock(),
        METRICS: metrics,
        ETAGS: Etags(),
        DOCUMENT: Document((*ROUTES, METRICS_PAGE), settings.limits),
    }
    return App(Router(ROUTES, tokens, metrics, in_flight), found, settings.http.max_body_bytes)
