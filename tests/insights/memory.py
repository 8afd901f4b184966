"""A storage service in memory, in the place of the upstream client."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from sploot_clusterd.insights.source import Fetched
from sploot_clusterd.model import ImageInsight, PackedVector


def found(image_id: str, length: int = 8, model: str = "m@1") -> Fetched:
    return Fetched(ImageInsight(image_id, embedding=PackedVector("f32", "A" * length)), model)


@dataclass
class Memory:
    """Stands for the upstream client. `answers` is what asking for an image comes to, next first, the last for ever."""

    answers: dict[str, list[object]] = field(default_factory=dict)
    lists: dict[str, list[list[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    may_be_asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while the service may be asked."""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    in_hand: int = 0
    most_in_hand: int = 0

    async def insight(self, image_id: str) -> Fetched | None:
        self.asked.append(image_id)
        self.in_hand += 1
        self.most_in_hand = max(self.most_in_hand, self.in_hand)
        try:
            await self.gate.wait()
        finally:
            self.in_hand -= 1
        answers = self.answers.get(image_id, [None])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def images_of(self, pet_id: str) -> AsyncIterator[list[str]]:
        for page in self.lists.get(pet_id, []):
            await self.gate.wait()
            yield page

    @property
    def is_open(self) -> bool:
        return not self.may_be_asked.is_set()

    @property
    def in_doubt(self) -> bool:
        return self.is_open

    async def ready(self) -> None:
        await self.may_be_asked.wait()
