"""How many partitions what is stored has, as Redis was told when there came to be several.

A process with another number would look for pets where they are not. So it does not start.
"""

from typing import Final

from sploot_clusterd.errors import GroupMissingError, NoPermissionError, StartError, StoreUnavailableError
from sploot_clusterd.keys import Layout
from sploot_clusterd.store.gateway import Gateway

_ADVICE: Final = "set stream.partitions (CLUSTER_PARTITIONS) to {}"


class RecordedCount:
    """With one partition nothing is written down: a number that is there says that there are more."""

    def __init__(self, gateway: Gateway, layout: Layout, group: str) -> None:
        """`gateway` has the keys that all partitions share."""
        self._gateway = gateway
        self._key = layout.plain.partitions
        self._ours = len(layout.partitions)
        self._group = group
        self._found = False

    async def look(self) -> None:
        """Writes the number down where it is to be. Raises StartError as `check`; StoreUnavailableError where it was
        never found yet.
        """
        try:
            await self.check()
            if self._ours > 1:
                await self._gateway.command("upkeep", "SET", self._key, self._ours, "NX")
                await self.check()  # two that start at once may not be of one mind
        except StoreUnavailableError:
            if not self._found:
                raise
        self._found = True

    async def check(self) -> None:
        """Raises StartError where there is another number, StoreUnavailableError."""
        try:
            (recorded,) = await self._gateway.read("upkeep", "MGET", self._key)
        except NoPermissionError:
            if self._ours > 1:
                raise
            return  # rights from before there were partitions
        if recorded is None:
            if self._ours > 1 and await self._is_begun_as_one():
                raise StartError(self._text(1, "its stream has consumers", 1))
            return
        theirs = recorded.decode(errors="replace")
        if theirs != str(self._ours):
            raise StartError(self._text(theirs, self._key, theirs))

    async def _is_begun_as_one(self) -> bool:
        """Whether somebody works, or worked, on what is there without partitions."""
        keys = self._gateway.keys
        if await self._gateway.read("upkeep", "EXISTS", keys.profiles):
            return True
        try:
            await self._gateway.command("upkeep", "XPENDING", keys.stream, self._group)
        except GroupMissingError:
            return False
        return True

    def _text(self, theirs: int | str, why: str, advice: int | str) -> str:
        return (
            f"stream.partitions is {self._ours} here, and what is stored has {theirs} ({why}): "
            f"{_ADVICE.format(advice)}, or give this installation another database in redis.url, or other names by "
            "stream.key, stream.dead_letter and clusters.namespace"
        )
