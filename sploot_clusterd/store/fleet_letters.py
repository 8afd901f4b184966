"""The dead letters of all partitions as one list, the oldest first."""

import heapq
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Final

from sploot_clusterd.dead_letters import Replayed
from sploot_clusterd.entry_ids import EntryId, LetterId
from sploot_clusterd.keys import Layout
from sploot_clusterd.store.gateway import Gateway
from sploot_clusterd.store.letters import Bound, Letters, LetterSummary

_A_PAGE: Final = 100


class FleetLetters:
    """Every method raises StoreUnavailableError when Redis does not answer."""

    def __init__(self, gateway: Gateway, layout: Layout, *, most_jobs: int, jobs_life: int = 0) -> None:
        """`most_jobs` is how many unsettled entries a partition may hold; `jobs_life` as a `Stream` takes it."""
        self._gateway, self._layout = gateway, layout
        self._most_jobs, self._jobs_life = most_jobs, jobs_life

    @property
    def _each(self) -> Sequence[Letters]:
        return [
            Letters(self._gateway.at(keys), most_jobs=self._most_jobs, jobs_life=self._jobs_life)
            for keys in self._layout.partitions
        ]

    async def pages(
        self, since_ms: int | None = None, until_ms: int | None = None
    ) -> AsyncIterator[list[LetterSummary]]:
        """As those of a partition, in the order in which they were set aside."""
        if len(self._each) == 1:
            async for page in self._each[0].pages(since_ms, until_ms):
                yield page
            return
        page = []
        async with AsyncExitStack() as stack:
            lists = [self._one_by_one(number, since_ms, until_ms) for number in range(len(self._each))]
            for each in lists:
                await stack.enter_async_context(aclosing(each))
            async for letter in _merged(lists):
                page.append(letter)
                if len(page) == _A_PAGE:
                    yield page
                    page = []
        yield page

    async def page(self, partition: int, begin: str) -> tuple[list[LetterSummary], str]:
        """Some of a partition's behind an id, without payloads; and behind which one the next are, "" at the end."""
        page, following = await self._each[partition].page(begin)
        return [self._placed(each, partition) for each in page], following

    async def part(self, partition: int, bound: Bound) -> tuple[list[LetterSummary], Bound]:
        """Some of a partition's that are within, without payloads; and what is left: as `Letters.part`."""
        page, left = await self._each[partition].part(bound)
        return [self._placed(each, partition) for each in page], left

    async def summaries(self, letter: LetterId) -> list[LetterSummary]:
        """The letter, without its payload; of several partitions, one in each that has one of that id."""
        numbers = range(len(self._each))
        meant = [number for number in numbers if letter.partition in (None, number)]
        found = [(number, await self._each[number].summary(letter.entry)) for number in meant]
        return [self._placed(summary, number) for number, summary in found if summary]

    def _placed(self, summary: LetterSummary, partition: int) -> LetterSummary:
        return summary if len(self._each) == 1 else summary._replace(partition=partition)

    async def whole(self, letter: LetterId) -> dict[bytes, bytes] | None:
        """All fields of one, its payload too; None if there is no such letter."""
        for each in self._meant(letter):
            if fields := await each.whole(letter.entry):
                return fields
        return None

    async def replay(self, letter: LetterId, payload: bytes = b"") -> Replayed:
        """Puts the job back in one step, with another payload if one is given. After a lost reply it may have happened;
        to ask again is harmless.
        """
        for each in self._meant(letter):
            if (outcome := await each.replay(letter.entry, payload)) is not Replayed.GONE:
                return outcome
        return Replayed.GONE

    async def drop(self, letters: Sequence[LetterId]) -> int:
        """Deletes them for good; how many of them there were."""
        dropped, by_place = 0, dict[int, list[EntryId]]()
        for letter in letters:
            place = await self._place(letter)
            if place is not None and place < len(self._each):
                by_place.setdefault(place, []).append(letter.entry)
        for place, entries in by_place.items():
            dropped += await self._each[place].drop(entries)
        return dropped

    async def _place(self, letter: LetterId) -> int | None:
        """The partition that it is said to be in, or else the first that has one of that id."""
        if len(self._each) == 1 or letter.partition is not None:
            return letter.partition or 0
        for number, each in enumerate(self._each):
            if await each.whole(letter.entry):
                return number
        return None

    def _meant(self, letter: LetterId) -> Sequence[Letters]:
        """Where it may be."""
        return self._each if letter.partition is None else self._each[letter.partition : letter.partition + 1]

    async def _one_by_one(
        self, number: int, since_ms: int | None, until_ms: int | None
    ) -> AsyncGenerator[LetterSummary, None]:
        async for page in self._each[number].pages(since_ms, until_ms):
            for letter in page:
                yield letter._replace(partition=number)


async def _merged(lists: Sequence[AsyncIterator[LetterSummary]]) -> AsyncIterator[LetterSummary]:
    """What lists in the order of their ids hold, in that order."""
    heads: list[tuple[EntryId, int, LetterSummary]] = []
    waiting = list(range(len(lists)))
    while waiting or heads:
        for number in waiting:
            async for letter in lists[number]:
                heapq.heappush(heads, (letter.id, number, letter))
                break
        if not heads:
            return
        _, number, letter = heapq.heappop(heads)
        waiting = [number]
        yield letter
