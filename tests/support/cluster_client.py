"""A client of a Redis Cluster for the tests' own producers and checkers."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import AskError, ConnectionError, MovedError, RedisError  # noqa: A004 - theirs

from sploot_clusterd.partitioning import slot_of
from tests.support.cluster import Cluster, ClusterNode

_MOST_STEPS: Final = 5


class ClusterClient(Redis):
    """Commands about one key go to who has it. A redirected one was not carried out, and is sent on;
    whatever else goes wrong is raised, and nothing is sent twice.
    """

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(unix_socket_path="/nowhere")
        self._cluster = cluster
        self._homes: dict[int, ClusterNode] = {}

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        slot = slot_of(_key(args))
        for _ in range(_MOST_STEPS):
            home = self._homes[slot] = self._homes.get(slot) or await self._look_up(slot)
            try:
                return await home.client.execute_command(*args, **options)
            except MovedError as error:
                self._homes[slot] = self._cluster.node_at(error.port)
            except AskError as error:
                asked = self._cluster.node_at(error.port).client.pipeline(transaction=False)
                return (await asked.execute_command("ASKING").execute_command(*args, **options).execute())[-1]
            except RedisError:
                self._homes.pop(slot, None)
                raise
        raise ConnectionError(f"slot {slot} is moved without end")

    async def scan_iter(self, match: Any = None, **options: Any) -> AsyncIterator[Any]:
        """Of all primaries; keys that move meanwhile may be missed."""
        for node in await self._cluster.primaries():
            async for key in node.client.scan_iter(match, **options):
                yield key

    async def _look_up(self, slot: int) -> ClusterNode:
        try:
            return await self._cluster.primary_of(slot)
        except LookupError:
            raise ConnectionError(f"nobody has slot {slot}") from None


def _key(command: Sequence[Any]) -> str:
    """The first argument, but for reads of streams."""
    key = command[command.index(b"STREAMS") + 1] if b"STREAMS" in command else command[1]
    return key if isinstance(key, str) else str(key, "utf-8")
