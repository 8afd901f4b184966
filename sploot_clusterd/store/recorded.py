"""How pets are spread over partitions, as Redis was told when there came to be several, and as it changes.

A process with another number would look for pets where they are not. So it does not start, but with the number from
before the last change, or that of a change under way: then it goes by what is recorded.
"""

from typing import Final

from sploot_clusterd.errors import (
    ClusterdError,
    GroupMissingError,
    NoPermissionError,
    StartError,
    StoreUnavailableError,
)
from sploot_clusterd.keys import Layout
from sploot_clusterd.partitioning import Placing
from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Call, Gateway

_PATIENCE: Final = 1.0
"""Seconds that one of several servers has to tell: every process asks again and again."""
_ADVICE: Final = "set stream.partitions (CLUSTER_PARTITIONS) to {}"


class Recorded:
    """With one partition nothing is written down: a number that is there says that there are more."""

    def __init__(self, gateway: Gateway, layout: Layout, group: str) -> None:
        """`gateway` has the keys that all partitions share."""
        self._gateway = gateway
        self._key = layout.plain.partitions
        self._ours = layout.placing.count
        """As it is set."""
        self._group = group
        self._accepted = False
        self._found: Placing | None = None
        """As it was last."""

    async def look(self) -> Placing:
        """As `check`, for who works on it; writes the number down where it is to be. Where that cannot be asked for, it
        is as it was last.
        """
        try:
            return await self._look()
        except StoreUnavailableError:
            if self._found is None:
                raise
            return self._found

    async def _look(self) -> Placing:
        found = await self.check()
        if _leaves_one(found):
            raise StartError(f"partitions are being moved: {found.progress}")
        if self._ours == 1:
            return found
        await self._gateway.command("upkeep", "SET", self._key, self._ours, "NX")
        return await self.check()  # two that start at once may not be of one mind

    async def check(self) -> Placing:
        """What pets are placed by. Raises StartError for another number than is set, unless this process was there
        before it changed; StoreUnavailableError.
        """
        self._found = await self._check()
        return self._found

    async def _check(self) -> Placing:
        try:
            found = await self.placing()
        except NoPermissionError:
            if self._ours > 1:
                raise
            return Placing(1)  # rights from before there were partitions
        if found is None and self._ours > 1 and await self._is_begun_as_one():
            found = await self.placing()  # another one may have begun meanwhile, with several
            if found is None:
                raise StartError(self._text(1, "its stream has consumers", 1))
        if found is None:
            return Placing(self._ours)
        fits = self._accepted or self._ours in (found.count, found.former, found.target)
        if not fits or (1 in (self._ours, found.count) and not _leaves_one(found)):
            raise StartError(self._text(found.count, self._key, found.target or found.count))
        self._accepted = True
        return found

    async def placing(self) -> Placing | None:
        """What is recorded; None where nothing is. Raises StartError for what is no record, StoreUnavailableError."""
        command = self._gateway.keys, ("MGET", self._key)
        (reply,) = await self._gateway.read_each("upkeep", [command], patience=_PATIENCE)
        if isinstance(reply, Exception):
            raise reply
        (recorded,) = reply
        if recorded is None:
            return None
        try:
            return Placing.parse(recorded.decode(errors="replace"))
        except ValueError:
            text = f"{self._key} holds {recorded[:64]!r}, which is no record of partitions: is it another version's?"
            raise StartError(text) from None

    async def record(self, before: Placing, now: Placing) -> None:
        """For who changes it. Raises ClusterdError where another one did so meanwhile, StoreUnavailableError."""
        expected = "" if before == Placing(1) else str(before)
        values = {"expected": expected, "new": str(now)}
        (done,) = await self._gateway.run_each(scripts.RECORD, [Call(values, [self._key])])
        if not done:
            raise ClusterdError("another clusterd partitions move was at work meanwhile: look at partitions show")

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


def _leaves_one(placing: Placing) -> bool:
    """Whether there was one partition, and part of it has been moved: nothing but the move is to go on."""
    return placing.count == 1 and placing.target > 0
