"""Every query of the dashboard, in a real Prometheus that scrapes daemons under load."""

import asyncio
import contextlib
import math
import re
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from sploot_clusterd.dashboards.panels import ROWS
from tests.docs.tables import recorded_expressions
from tests.faults.fleet import Fleet
from tests.insights.service_process import ServiceProcess
from tests.support.prometheus import Prometheus
from tests.support.waiting import eventually

QUERIES = {
    (panel.title, query.legend): query.expression for row in ROWS for panel in row.panels for query in panel.queries
}
BUSY = (
    "Runs by result",
    "Deliveries",
    "Time of a job",
    "Requests by route",
    "Settled, by outcome",
    "Commands to Redis",
)
"""Panels that show more than nothing while there is something to do."""


def as_grafana_asks(expression: str) -> str:
    return expression.replace("$job", "clusterd").replace("$instance", ".*").replace("$__rate_interval", "30s")


async def load(fleet: Fleet, pets: int, ends: asyncio.Event) -> None:
    """Jobs with vectors, jobs that name images, wrong jobs and readers.

    Told to end, not cancelled: the test's Redis client waits with `asyncio.wait_for`, which in Python 3.11 swallows a
    cancellation that meets its result.
    """
    for number in count():
        if ends.is_set():
            return
        pet = f"pet-{number % pets}"
        insight = {"image_id": f"img-{number}", "embedding": [math.sin(number + n) for n in range(8)]}
        payload = {"image_ids": [insight["image_id"]], "insights": [insight]}
        jobs = [
            {"pet_id": f"other-{number % 7}", "job_id": f"v{number}", "reason": "test", "payload": payload},
            {"pet_id": pet, "job_id": f"n{number}", "reason": "test", "payload": {"image_ids": [f"{pet}-img-0"]}},
            {"pet_id": ""},
        ]
        url = fleet.daemons[number % 2].url
        for job in jobs:
            async with fleet.http.post(f"{url}/internal/cluster-jobs", json=job):
                pass
        async with fleet.http.get(f"{url}/internal/pets/{pet}/clusters"):
            pass
        await fleet.redis.xadd("streams:media.cluster", {"job": "no JSON"})
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def under_load(directory: Path) -> AsyncIterator[Fleet]:
    """Two daemons with all that can be turned on, and somebody who keeps them busy."""
    async with ServiceProcess(directory, pets=5) as service:
        env = {**service.env(), "FEED_ENABLED": "true"}
        async with Fleet(directory, daemons=2, env=env, partitions=2) as fleet:
            await fleet.ready()
            ends = asyncio.Event()
            busy = asyncio.create_task(load(fleet, 5, ends))
            try:
                yield fleet
                assert not busy.done()
            finally:
                ends.set()
                await busy


@pytest.mark.system
async def test_every_query_gives_data(directory):
    lacking: list[tuple[str, str]] = []
    async with under_load(directory) as fleet:
        targets = [daemon.ops_url.removeprefix("http://") for daemon in fleet.daemons]
        with Prometheus(directory, targets) as prometheus:

            def all_there() -> bool:
                lacking[:] = missing(prometheus)
                return not lacking

            with contextlib.suppress(AssertionError):  # what is lacking says more
                await eventually(all_there, what="data of every query", timeout=60)
            assert lacking == []
            for name, expression in recorded_expressions().items():
                [(_, share)] = prometheus.query(expression)
                assert 0 <= share <= 1, name  # and no NaN
            assert prometheus.values("job", "media_cluster_build_info") == ["clusterd"]
            chosen = 'media_cluster_build_info{job=~"clusterd"}'
            assert sorted(prometheus.values("instance", chosen)) == sorted(targets)


def missing(prometheus: Prometheus) -> list[tuple[str, str]]:
    """The queries that give no series; of busy panels, no more than nothing."""
    lacking = []
    for (panel, legend), expression in QUERIES.items():
        found = prometheus.query(as_grafana_asks(expression))
        labels = set(re.findall(r"{{(\w+)}}", legend))
        held = found and all(labels <= metric.keys() for metric, _ in found)
        if not held or (panel in BUSY and not any(value > 0 for _, value in found)):
            lacking.append((panel, legend))
    return lacking
