"""A stage for scenes with a supervisor on a simulated clock, and the ways in which its actors end."""

import asyncio

from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.supervisor import Supervisor
from sploot_clusterd.waiting import pause


def now():
    return asyncio.get_running_loop().time()


class Stage:
    """A supervisor, what it reports to, and the lives of its root tasks as (name, start time)."""

    def __init__(self, **kwargs):
        self.metrics = Metrics()
        self.health = Health(stale_after=1e9)
        self.supervisor = Supervisor(self.metrics, self.health, **kwargs)
        self.stopping = asyncio.Event()
        self.lives = []

    def add(self, name, *endings):
        """A root task whose n-th life does `endings[n]` after a second; further lives last until the stop."""
        script = iter(endings)

        async def life():
            self.lives.append((name, now()))
            ending = next(script, None)
            if ending is None:
                await self.stopping.wait()
                return
            await asyncio.sleep(1)
            await ending()

        self.supervisor.add(name, life)

    def run(self, seconds):
        """Runs for so many simulated seconds at most."""

        async def stop():
            await pause(self.stopping, seconds)
            self.stopping.set()

        async def both():
            stopper = asyncio.create_task(stop())
            try:
                return await self.supervisor.run(self.stopping)
            finally:
                await stopper

        return both()

    def restarts(self, name):
        return self.metrics.registry.get_sample_value("media_cluster_component_restarts_total", {"component": name})

    def ready(self):
        return self.metrics.registry.get_sample_value("media_cluster_ready")


async def returns():
    pass


async def raises():
    raise KeyError("boom")


async def cancels_itself():
    raise asyncio.CancelledError


async def is_cancelled_by_a_stranger():
    asyncio.current_task().cancel()
    await asyncio.sleep(0)
