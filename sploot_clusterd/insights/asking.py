"""One pet's taken wants through the storage service, and what becomes of each: found, asked for again, or given up."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Final, NamedTuple

from sploot_clusterd.insights.answers import alike, job_of_answers, job_of_list, job_without_answers
from sploot_clusterd.insights.settling import Settling
from sploot_clusterd.insights.source import BadAnswerError, Fetched, Source, SourceError, SourceUnavailableError
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import LIST, Settlement, Taken, TakenImage
from sploot_clusterd.waiting import backoff

log = logging.getLogger(__name__)

_FIRST_PAUSE_MS: Final = 1000
_LONGEST_PAUSE_MS: Final = 3_600_000
_UNAVAILABLE_MS: Final = 1000


class Missing(NamedTuple):
    """Nothing that can be used is known of the image."""


class Later(NamedTuple):
    """The service could not say."""

    delay_ms: int


Answer = Fetched | Missing | Later


class Asker:
    """Takes what was taken to its outcome."""

    def __init__(
        self,
        source: Source,
        settling: Settling,
        metrics: Metrics,
        *,
        give_up_after_ms: int,
        most_listed: int,
        most_wanted: int,
    ) -> None:
        """A job announces at most `most_listed` images of a list, and none while the pet wants more than `most_wanted`
        insights: the list may be longer than an album allows.
        """
        self._source = source
        self._settling = settling
        self._settled = metrics.insights_settled
        self._give_up_after_ms = give_up_after_ms
        self._most_listed = most_listed
        self._most_wanted = most_wanted

    async def images(self, taken: Taken) -> None:
        """Asks for all of them side by side, and settles them."""
        answers = await asyncio.gather(*(self._insight(image.image_id) for image in taken.images))
        found = {each.image_id: answer for each, answer in _zip(taken, answers) if isinstance(answer, Fetched)}
        for number, part in enumerate(alike(found)):
            await self._hand_over(taken, f"insights-{taken.lease}-{number}", part)
        await self._settle_others(taken, [pair for pair in _zip(taken, answers) if not isinstance(pair[1], Fetched)])

    async def whole_list(self, taken: Taken) -> None:
        """Fetches a pet's list and announces its images, some at a time, with growing numbers of wants out."""
        (wanted,) = taken.images
        lease = taken.lease
        held: Sequence[str] = ()
        try:
            async with aclosing(self._parts(taken.pet_id)) as parts:
                async for part in parts:
                    if held and not (lease := await self._announce(taken, lease, held)):
                        return
                    held = part
        except SourceError as error:
            await self._settle_others(taken._replace(lease=lease), [(wanted, _answer_of(error))])
            return
        await self._announce(taken, lease, held, last=True)

    async def give_up(self, taken: Taken, outcome: str) -> None:
        """They are wanted no more; the view is to tell that."""
        images = [image.image_id for image in taken.images]
        fields = {"pet_id": taken.pet_id, "image_ids": images[:8], "outcome": outcome}
        log.warning("images are asked for no more", extra={"data": fields})
        payload = job_without_answers(taken.pet_id, f"insights-{taken.lease}-end")
        settlement = Settlement(taken.pet_id, taken.lease, done=images)
        _, lost = await self._settling.settle(settlement, lambda _: payload)
        self._count(outcome, len(images), len(lost))

    async def _insight(self, image_id: str) -> Answer:
        try:
            return await self._source.insight(image_id) or Missing()
        except SourceError as error:
            return _answer_of(error)

    async def _hand_over(self, taken: Taken, job_id: str, answers: dict[str, Fetched]) -> None:
        _, lost = await self._settling.settle(
            Settlement(taken.pet_id, taken.lease, list(answers)),
            lambda ours: job_of_answers(taken.pet_id, job_id, [answers[image_id] for image_id in ours]),
        )
        self._count("fetched", len(answers), len(lost))

    async def _announce(self, taken: Taken, lease: int, image_ids: Sequence[str], *, last: bool = False) -> int:
        """The list's new lease; 0 if it is not ours any more, or done."""
        settlement = Settlement(taken.pet_id, lease, most_wanted=self._most_wanted)
        settlement = settlement._replace(**{"handed": [LIST]} if last else {"later": {LIST: self._settling.lease_ms}})
        payload = job_of_list(taken.pet_id, f"insights-{lease}-list", image_ids, last=last)
        new_lease, lost = await self._settling.settle(settlement, lambda _: payload)
        if last or lost:
            self._count("fetched", 1, len(lost))
        return 0 if lost else new_lease

    async def _parts(self, pet_id: str) -> AsyncGenerator[Sequence[str], None]:
        async for page in self._source.images_of(pet_id):
            for at in range(0, len(page), self._most_listed):
                yield page[at : at + self._most_listed]

    async def _settle_others(self, taken: Taken, answers: Sequence[tuple[TakenImage, Answer]]) -> None:
        late = [image for image, answer in answers if isinstance(answer, Missing) and self._is_over(image)]
        missing = {
            image.image_id: _pause_ms(image)
            for image, answer in answers
            if isinstance(answer, Missing) and not self._is_over(image)
        }
        later = {image.image_id: answer.delay_ms for image, answer in answers if isinstance(answer, Later)}
        if missing or later:
            await self._settling.settle(Settlement(taken.pet_id, taken.lease, missing=missing, later=later))
            self._count("missing", len(missing), 0)
            self._count("put_off", len(later), 0)
        if late:
            await self.give_up(taken._replace(images=late), "given_up")

    def _is_over(self, image: TakenImage) -> bool:
        return image.missed_ms >= self._give_up_after_ms

    def _count(self, outcome: str, settled: int, lost: int) -> None:
        self._settled.labels(outcome).inc(settled - lost)
        self._settled.labels("lost").inc(lost)


def _zip(taken: Taken, answers: Iterable[Answer]) -> list[tuple[TakenImage, Answer]]:
    return list(zip(taken.images, answers, strict=True))


def _answer_of(error: SourceError) -> Answer:
    """A bad answer counts as none, and may be better next time."""
    if isinstance(error, BadAnswerError):
        return Missing()
    retry_after = error.retry_after if isinstance(error, SourceUnavailableError) else None
    return Later(round(1000 * retry_after) if retry_after else round(backoff(1, _UNAVAILABLE_MS, _UNAVAILABLE_MS)))


def _pause_ms(image: TakenImage) -> int:
    """As long again as it has been asked for: so pauses double, and nothing has to count them."""
    return round(backoff(1, min(max(image.missed_ms, _FIRST_PAUSE_MS), _LONGEST_PAUSE_MS), _LONGEST_PAUSE_MS))
