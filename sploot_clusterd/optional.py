"""Parts that a setting turns on. Each is imported only then, so that it costs nothing while it is off."""

# ruff: noqa: PLC0415 - that is what this is for

import asyncio
from typing import TYPE_CHECKING

from sploot_clusterd.config import Settings
from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.spans import Tracer

if TYPE_CHECKING:
    from sploot_clusterd.history.history import History
    from sploot_clusterd.insights.insights import Insights
    from sploot_clusterd.tracing.recorder import Recorder


def insights_of(
    settings: Settings, *, metrics: Metrics, health: Health, stopping: asyncio.Event, tracer: Tracer
) -> "Insights | None":
    """Fetched where jobs are applied: a process that only serves speaks to nobody but callers and Redis.

    Raises ConfigError for an adapter that is not there.
    """
    if settings.insights.url is None or not settings.stream.consumers:
        return None
    from sploot_clusterd.insights.insights import Insights

    return Insights(settings, metrics=metrics, health=health, stopping=stopping, tracer=tracer)


def history_of(settings: Settings, *, metrics: Metrics, health: Health, stopping: asyncio.Event) -> "History | None":
    """Raises ConfigError where what it needs is not installed."""
    if settings.history.url is None:
        return None
    from sploot_clusterd import history

    history.require_extra()
    from sploot_clusterd.history.history import History

    return History(settings.history, metrics=metrics, health=health, stopping=stopping)


def recorder_of(settings: Settings, metrics: Metrics, stopping: asyncio.Event) -> "Recorder | None":
    """Raises ConfigError where what it needs is not installed."""
    if settings.tracing.endpoint is None:
        return None
    from sploot_clusterd import tracing

    tracing.require_extra()
    from sploot_clusterd.tracing.recorder import Recorder

    return Recorder(settings, metrics, stopping)
