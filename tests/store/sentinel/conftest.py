"""Two servers that Sentinels may name, each as new."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sploot_clusterd.store import sentinel as module
from tests.support.nodes import Node


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of a busy machine."""
    for name in ("_PATIENCE", "_ROLE_PATIENCE"):
        monkeypatch.setattr(module, name, 30.0)


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[Node]]:
    with TemporaryDirectory(prefix="nodes-") as directory:  # short, for sockets lie in it
        started = [Node(Path(directory) / name) for name in "ab"]
        yield started
        for node in started:
            node.kill()


@pytest.fixture
async def one(nodes: list[Node]) -> AsyncIterator[Node]:
    async with _as_new(nodes[0]) as node:
        yield node


@pytest.fixture
async def other(nodes: list[Node]) -> AsyncIterator[Node]:
    async with _as_new(nodes[1]) as node:
        yield node


@asynccontextmanager
async def _as_new(node: Node) -> AsyncIterator[Node]:
    node.connect()
    yield node
    await node.client.replicaof("NO", "ONE")
    await node.client.config_set("requirepass", "")
    await node.client.flushall()
    await node.client.aclose()
