"""History of one process: its database, and who asks it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sploot_clusterd.config import HistorySettings
from sploot_clusterd.health import Health
from sploot_clusterd.history.database import Database
from sploot_clusterd.history.lookups import Lookups
from sploot_clusterd.history.pruner import Pruner
from sploot_clusterd.history.writer import Writer
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Store


class History:
    """Connects when something is asked: a database that is away keeps no daemon from starting."""

    def __init__(self, settings: HistorySettings, *, metrics: Metrics, health: Health, stopping: asyncio.Event) -> None:
        """Raises ConfigError for a URL by which nothing could be reached."""
        self.database = Database.open(settings)
        self._metrics, self._health, self._stopping = metrics, health, stopping
        self._days = settings.retention_days
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="history")
        self.lookups = Lookups(self.database, settings.lookups_per_second, metrics)

    def root_tasks(self, store: Store) -> Iterator[tuple[str, Callable[[], Coroutine[Any, Any, None]]]]:
        """Each loop with its name, for the supervisor. To be called once."""
        if store.feed is None:
            raise ValueError("history is written from the feed, which is off")
        writer = Writer(
            store,
            store.feed,
            self.database,
            self._in_thread,
            metrics=self._metrics,
            health=self._health,
            stopping=self._stopping,
        )
        yield writer.name, writer.run
        pruner = Pruner(self.database, self._days, health=self._health, stopping=self._stopping)
        yield pruner.name, pruner.run

    async def _in_thread(self, work: Callable[..., Any], *arguments: object) -> Any:
        """What writes is never cut off: who is cancelled meanwhile leaves it to its end."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def close(self) -> None:
        """What the thread still does goes on to its end, or to that of the process."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self.lookups.close()
        self.database.close()
