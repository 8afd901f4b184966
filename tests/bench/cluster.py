"""The way to a Redis Cluster: what it adds to plain pipelines, one for each node, and to reads from one server."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from sploot_clusterd.store import Store, scripts
from sploot_clusterd.store.address import address_of
from sploot_clusterd.store.connection import Connection
from sploot_clusterd.store.gateway import Call
from tests.bench.figure import Figure, Size
from tests.bench.primaries import primaries
from tests.cluster.contract import opened
from tests.support.cluster import Cluster
from tests.support.nodes import Node
from tests.support.stores import settings

_CALLS: Final = 64
_READERS: Final = 32
_SHARE: Final = 20
"""Of the seconds of HTTP load, for each of the four."""


def cluster(size: Size) -> list[Figure]:
    return [*asyncio.run(_way(size)), *asyncio.run(primaries(size))]


async def _way(size: Size) -> list[Figure]:
    ours, plain, apart, together = list[float](), list[float](), list[float](), list[float]()
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        node = Node(Path(path) / "one")
        try:
            async with (
                Cluster(Path(path) / "cluster") as servers,
                opened(servers.url, cluster=True) as spread,
                opened(f"redis://127.0.0.1:{node.port}") as one,
            ):
                calls = _calls(spread)
                await spread.gateway.run_for_pets(scripts.LOAD, calls)  # the nodes know the script from now on
                pipelines = [await _pipeline(servers, calls, to.port) for to in await servers.primaries()]
                pets = [f"pet_{n}" for n in range(_READERS)]
                for _ in range(size.repeats):
                    a_share = size.seconds / _SHARE
                    ours.append(await _timed(lambda: spread.gateway.run_for_pets(scripts.LOAD, calls), a_share))
                    plain.append(await _timed(lambda: asyncio.gather(*(send() for send in pipelines)), a_share))
                    apart.append(await _timed(lambda: asyncio.gather(*map(spread.views.view, pets)), a_share))
                    together.append(await _timed(lambda: asyncio.gather(*map(one.views.view, pets)), a_share))
        finally:
            await node.close()
    return [
        Figure(f"{_CALLS} calls of a script over three nodes, beside plain pipelines", "us", ours, plain),
        Figure(f"{_READERS} views read at once from three nodes, beside one server", "us", apart, together),
    ]


def _calls(store: Store) -> list[Call]:
    pets = [f"pet_{n}" for n in range(_CALLS)]
    return [Call({"pet_id": pet, "token": b"", "wanted": []}, keys=store.layout.of(pet)) for pet in pets]


async def _pipeline(servers: Cluster, calls: Sequence[Call], port: int) -> Callable[[], Awaitable[list[object]]]:
    """Sends those of the calls that the node at the port answers, over a connection of their own."""
    ours = [(call, call.keys) for call in calls if call.keys]
    there = [(call, keys) for call, keys in ours if (await servers.primary_of(keys.stream)).port == port]
    connection = await _connection(servers.url, port)

    async def send() -> list[object]:
        named = [(scripts.LOAD.named_keys(keys, (), call.values), call.values) for call, keys in there]
        packed = [scripts.LOAD.packed(keys, values) for keys, values in named]
        return await connection.exchange(b"".join(packed), len(packed))

    return send


async def _connection(url: str, port: int) -> Connection:
    address = replace(address_of(settings(url, cluster=True).redis), host="127.0.0.1", port=port)
    return await address.connect(5.0)


async def _timed(do: Callable[[], Awaitable[object]], seconds: float) -> float:
    """Microseconds of one, on the average."""
    await do()
    began, times = time.perf_counter(), 0
    while (took := time.perf_counter() - began) < seconds:
        await do()
        times += 1
    return took / times * 1e6
