"""What a command does at Redis and is done with: connect, work, close, and say where we asked if nobody answered."""

from collections.abc import Awaitable, Callable

from sploot_clusterd import running
from sploot_clusterd.config import Settings
from sploot_clusterd.errors import ClusterdError, PartitionMovedError, StoreRefusesError, StoreUnavailableError
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store.store import Store


def run(settings: Settings, work: Callable[[Store], Awaitable[int]], *, checks: bool = True) -> int:
    """The exit code that `work` gives; `checks`: after a look at how many partitions there are. Raises ClusterdError,
    where Redis cannot be reached too.
    """

    async def connected() -> int:
        store = Store.open(settings, Metrics())
        try:
            if checks:
                await store.check_partitions()
            return await work(store)
        finally:
            await store.close()

    try:
        return running.run(connected())
    except (StoreRefusesError, PartitionMovedError):
        raise  # it says what is wrong: nothing is wrong with where we asked
    except StoreUnavailableError as error:
        where = f"redis.url is {settings.redis.url!r}, from {settings.sources.get('redis.url', 'the default')}"
        advice = "is Redis running there, and may this user in? A daemon's own settings: --config FILE or its variables"
        raise ClusterdError(f"{error.detail} ({where}): {advice}") from error
