"""The two applications: what callers talk to, and the metrics port."""

from collections.abc import Iterable
from typing import Any, Final, Protocol

from sploot_clusterd.config import LimitsSettings, Settings
from sploot_clusterd.health import Health
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.spans import OFF, Tracer
from sploot_clusterd.web.auth import Tokens
from sploot_clusterd.web.backend import Behind
from sploot_clusterd.web.feed import Feeding
from sploot_clusterd.web.handlers import Handlers
from sploot_clusterd.web.jobs import AboutJobs
from sploot_clusterd.web.letter_routes import LETTERS
from sploot_clusterd.web.letters import AboutLetters
from sploot_clusterd.web.looks import Looking
from sploot_clusterd.web.lookups import JOBS, LOOKS, MEMBERS
from sploot_clusterd.web.members import Members
from sploot_clusterd.web.openapi import Document
from sploot_clusterd.web.operating import Operating
from sploot_clusterd.web.operator_routes import OPERATING
from sploot_clusterd.web.ops import MetricsPage, Probes
from sploot_clusterd.web.past import LookingBack
from sploot_clusterd.web.past_routes import PAST, RESTORE
from sploot_clusterd.web.proxies import Proxies
from sploot_clusterd.web.quality import QUALITY, AboutQuality
from sploot_clusterd.web.questions import Asking
from sploot_clusterd.web.restoring import Restoring
from sploot_clusterd.web.route import Route
from sploot_clusterd.web.routes import DOCUMENT, FEED, INTERNAL, METRICS, PROBES, QUESTIONS, ROUTES
from sploot_clusterd.web.routing import App, Router, Sessions

_PROBED: Final = frozenset(route.path for route in PROBES)


class Page(Protocol):
    """What is there for people: routes whose handlers are its own methods, and sessions that let them in."""

    @property
    def routes(self) -> Iterable[Route[Any]]: ...

    @property
    def sessions(self) -> Sessions: ...


def build_app(
    behind: Behind,
    tokens: Tokens,
    settings: Settings,
    metrics: Metrics,
    health: Health,
    *,
    in_flight: InFlight,
    page: Page | None = None,
    tracer: Tracer = OFF,
) -> App:
    """Everything of the HTTP contract, and the page. `tokens` may be replaced while it runs."""
    http, base = settings.http, settings.http.base_path or ""
    proxies = Proxies(http.trusted_proxies or (), http.identity_header)
    router = Router(
        *(tokens, settings.limits, metrics, in_flight),
        proxies=proxies,
        base_path=base,
        auditor=behind.auditor,
        sessions=page.sessions if page else None,
        tracer=tracer,
    )
    router.add(PROBES, Probes(health))
    router.add(DOCUMENT, Document(ROUTES, settings.limits, base))
    router.add(
        INTERNAL,
        Handlers(
            *(behind.store, behind.expired, http, settings.limits, in_flight),
            looks=behind.looks,
            remembers=behind.past is not None,
        ),
    )
    router.add(QUESTIONS, Asking(behind.questions))
    router.add(MEMBERS, Members(behind.listing))
    router.add(OPERATING, Operating(behind.halting, behind.trail, http, in_flight))
    router.add(JOBS, AboutJobs(behind.jobs, behind.finder, behind.past))
    router.add(LETTERS, AboutLetters(behind.letters, http, settings.limits, in_flight))
    router.add(QUALITY, AboutQuality(behind.reports, in_flight))
    router.add(LOOKS, Looking(behind.looks))
    router.add(FEED, Feeding(behind.changes, in_flight))
    router.add(PAST, LookingBack(behind.past))
    router.add(RESTORE, Restoring(behind.store, behind.past, http, settings.limits, in_flight))
    if page:
        router.add(page.routes, page)
    return App(router, http.max_body_bytes, _PROBED | {base + path for path in _PROBED})


def build_ops_app(metrics: Metrics, health: Health, scrapers: Tokens) -> App:
    """The metrics port's: one per process, also where processes share an HTTP port or serve none.

    Without tokens in `scrapers` the metrics are open to all; they may be replaced while it runs.
    """
    router = Router(None, LimitsSettings(), metrics, InFlight())
    router.add(PROBES, Probes(health))
    router.add(METRICS, MetricsPage(metrics, scrapers))
    return App(router, probes=_PROBED)
