"""Dead letters by a filter, a part at a time: what is asked for in one go holds up nobody."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from sploot_clusterd.dead_letters import DeadLetter, LetterFilter, Part, Replayed, Selected, WholeLetter, moment
from sploot_clusterd.entry_ids import LetterId
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.keys import Layout
from sploot_clusterd.store.fleet_letters import FleetLetters
from sploot_clusterd.store.letters import Bound, LetterSummary, bounds

STEPS: Final = 10
"""Pages of one search, each of a hundred letters, or of those that are within 4 MiB of payloads."""
_LONG_NUMBER: Final = 10
_PLACE: Final = re.compile(r"(\d{1,5})_(\d{1,20}-\d{1,20})?_(\d{1,20}-\d{1,20})?\Z", re.ASCII)


class _Place(NamedTuple):
    """In which partition; behind which letter there, "" for from the first on; up to which one, "" where that is still
    to be found: what comes in while others are put back is not meant.
    """

    partition: int
    behind: str
    last: str

    def __str__(self) -> str:
        return "_".join(map(str, self))

    @classmethod
    def parse(cls, text: str) -> "_Place":
        match = _PLACE.match(text)
        if not match or (match[2] and not match[3]):
            raise BadJobError("invalid", "after: expected what an answer had for `next`")
        return cls(int(match[1]), match[2] or "", match[3] or "")


class LetterSearch:
    """Every method raises StoreUnavailableError."""

    def __init__(self, letters: FleetLetters, layout: Layout, follow: Callable[[], Awaitable[None]]) -> None:
        """`follow` has the layout go by what is recorded of it."""
        self._letters = letters
        self._layout = layout
        self._follow = follow

    async def search(self, wanted: LetterFilter, after: str, most: int) -> Part:
        """At most so many that are meant, behind the place `after` ("" at first). Raises BadJobError for what is no
        place.
        """
        place: _Place | None = _Place.parse(after) if after else _Place(0, "", "")
        if not self._layout.is_known:
            await self._follow()
        found: list[Selected] = []
        for _ in range(STEPS):
            if place is None or place.partition >= len(self._layout.partitions):
                return Part(found, "")
            page, left = await self._letters.part(place.partition, _bound(place, wanted))
            for letter in page:
                if _takes(wanted, letter):
                    found.append(Selected(_told(letter), str(place._replace(behind=str(letter.id), last=left.last))))
                    if len(found) == most:
                        return Part(found, found[-1].place)
            place = place._replace(behind=left.begin.removeprefix("("), last=left.last)
            if not left.begin:
                place = _Place(place.partition + 1, "", "")
        return Part(found, str(place))

    async def whole(self, letter: LetterId) -> tuple[WholeLetter, bytes] | None:
        """One, with its payload's bytes beside it; None if there is no such letter. Its fault is still to be found."""
        if not self._layout.is_known:
            await self._follow()
        summary = next(iter(await self._letters.summaries(letter)), None)
        fields = await self._letters.whole(summary.letter_id) if summary else None
        if summary is None or fields is None:
            return None
        payload = fields.get(b"payload", b"")
        text = payload.decode(errors="backslashreplace")
        return WholeLetter(_told(summary), summary.fields.get("first_id", ""), text, None), payload

    async def replay(self, letter: LetterId, payload: bytes = b"") -> Replayed:
        """Puts the job back in one step, with another payload if one is given."""
        return await self._letters.replay(letter, payload)

    async def drop(self, letters: Sequence[LetterId]) -> int:
        """Deletes them for good; how many of them there were."""
        return await self._letters.drop(letters)


def _bound(place: _Place, wanted: LetterFilter) -> Bound:
    bound = bounds(wanted.since_ms, wanted.until_ms)
    return Bound(f"({place.behind}" if place.behind else bound.begin, place.last or bound.last)


def _takes(wanted: LetterFilter, letter: LetterSummary) -> bool:
    fields = letter.fields
    return wanted.reason in (None, fields.get("reason")) and (
        wanted.pet is None or wanted.pet in (fields.get("pet_id"), fields.get("other_pet_id"))
    )


def _told(letter: LetterSummary) -> DeadLetter:
    fields = letter.fields
    attempts = fields.get("attempts", "")
    return DeadLetter(
        id=str(letter.letter_id),
        at=moment(letter.id.ms),
        reason=fields.get("reason", ""),
        error=fields.get("error", ""),
        pet_id=fields.get("pet_id", ""),
        other_pet_id=fields.get("other_pet_id", ""),
        job_id=fields.get("job_id", ""),
        attempts=int(attempts) if attempts.isdecimal() and len(attempts) < _LONG_NUMBER else None,
        payload_bytes=letter.payload_bytes,
    )
