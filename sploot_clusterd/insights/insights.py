"""The insights side of one process: its parts, and the loops that run on them."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from sploot_clusterd.config import Secret, Settings
from sploot_clusterd.health import Health
from sploot_clusterd.insights.fetcher import Fetcher
from sploot_clusterd.insights.teller import Teller
from sploot_clusterd.insights.upstream import Upstream
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.spans import OFF, Tracer
from sploot_clusterd.store import Store


class Insights:
    """Where `insights.url` is set."""

    def __init__(
        self, settings: Settings, *, metrics: Metrics, health: Health, stopping: asyncio.Event, tracer: Tracer = OFF
    ) -> None:
        """Raises ConfigError for an adapter that is not there."""
        self.left = asyncio.Event()
        """Set where commits of this process left word of wants."""
        self._settings = settings.without_tokens()
        self._upstream = Upstream.of(settings, metrics, health)
        self._metrics, self._health, self._stopping = metrics, health, stopping
        self._tracer = tracer

    def root_tasks(self, store: Store) -> Iterator[tuple[str, Callable[[], Coroutine[Any, Any, None]]]]:
        """Each loop with its name, for the supervisor. To be called once."""
        fetcher = Fetcher(
            wants=store.wants,
            upstream=self._upstream,
            settings=self._settings,
            left=self.left,
            metrics=self._metrics,
            health=self._health,
            stopping=self._stopping,
            tracer=self._tracer,
        )
        yield fetcher.name, fetcher.run
        if self._settings.insights.write_back:
            teller = Teller(
                untold=store.untold,
                upstream=self._upstream,
                metrics=self._metrics,
                health=self._health,
                stopping=self._stopping,
            )
            yield teller.name, teller.run

    def replace_token(self, token: Secret | None) -> None:
        """What the service is sent from now on."""
        self._upstream.replace_token(token)

    async def close(self) -> None:
        """Ends the connections."""
        await self._upstream.close()
