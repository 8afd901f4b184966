"""The dead letters, for those who run the daemon: reading them a page at a time, putting jobs back, deleting."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, NamedTuple

from sploot_clusterd.dead_letters import Replayed
from sploot_clusterd.entry_ids import EntryId, LetterId
from sploot_clusterd.store import scripts
from sploot_clusterd.store.gateway import Gateway, pairs
from sploot_clusterd.store.told import can_tell

_A_PAGE: Final = 100
_BYTES_A_PAGE: Final = 4 * 2**20
_LAST_SEQ: Final = 2**64 - 1


class LetterSummary(NamedTuple):
    """A dead letter without its payload. What is no UTF-8 in it is shown by escapes."""

    id: EntryId
    payload_bytes: int
    fields: Mapping[str, str]
    partition: int | None = None

    @property
    def letter_id(self) -> LetterId:
        """What it is called by."""
        return LetterId(self.id, self.partition)


class Bound(NamedTuple):
    """Letters from an id on, or behind one where it has a "(" before it, up to another one ("": the newest of now)."""

    begin: str
    last: str

    def behind(self, letter: EntryId) -> "Bound":
        """What is left of it behind this letter."""
        return self._replace(begin=f"({letter}")


def bounds(since_ms: int | None, until_ms: int | None) -> Bound:
    """What was set aside between the two times, both included."""
    begin = "-" if since_ms is None else f"{since_ms}-0"
    return Bound(begin, "" if until_ms is None else f"{until_ms}-{_LAST_SEQ}")


class Letters:
    """The dead letters of one partition. Every method raises StoreUnavailableError when Redis does not answer."""

    def __init__(self, gateway: Gateway, *, most_jobs: int, jobs_life: int = 0) -> None:
        """`most_jobs` is how many unsettled entries the stream may hold; `jobs_life` as a `Stream` takes it."""
        self._jobs_life = jobs_life
        self._gateway = gateway
        self._key = gateway.keys.dead_letters
        self._most_jobs = most_jobs

    async def pages(
        self, since_ms: int | None = None, until_ms: int | None = None
    ) -> AsyncIterator[list[LetterSummary]]:
        """Those set aside between the two times (both included, by Redis' clock), the oldest first, without payloads.

        What is set aside from now on is not among them: or putting back what fails again would never end.
        """
        bound = bounds(since_ms, until_ms)
        while bound.begin:
            page, bound = await self.part(bound)
            yield page

    async def part(self, bound: "Bound") -> tuple[list[LetterSummary], "Bound"]:
        """Some that are within, and what is left: it begins with "" at the end, and ends before what came meanwhile."""
        page, begin, last = await self._page(bound.begin.encode(), bound.last.encode(), _A_PAGE)
        return page, Bound(begin.decode(), last.decode())

    async def page(self, begin: str) -> tuple[list[LetterSummary], str]:
        """Some behind an id, and behind which one the next are, "" at the end."""
        page, following, _ = await self._page(b"(" + begin.encode(), b"", _A_PAGE)
        return page, following.decode().removeprefix("(")

    async def summary(self, letter: EntryId) -> LetterSummary | None:
        """One, without its payload; None if there is no such letter."""
        page, *_ = await self._page(str(letter).encode(), str(letter).encode(), 1)
        return page[0] if page else None

    async def _page(self, begin: bytes, last: bytes, most: int) -> tuple[list[LetterSummary], bytes, bytes]:
        following, last, *page = await self._gateway.run(
            scripts.LIST_LETTERS, from_id=begin, last_id=last, most=most, most_bytes=_BYTES_A_PAGE
        )
        letters = [LetterSummary(EntryId.parse(_text(key)), size, _fields(flat)) for key, size, flat in page]
        return letters, following, last

    async def whole(self, letter: EntryId) -> dict[bytes, bytes] | None:
        """All fields of one, its payload too; None if there is no such letter."""
        entries = await self._gateway.command("upkeep", "XRANGE", self._key, str(letter), str(letter))
        return pairs(entries[0][1]) if entries else None

    async def replay(self, letter: EntryId, payload: bytes = b"") -> Replayed:
        """Puts the job back in one step, with another payload if one is given. After a lost reply it may have happened;
        to ask again is harmless.
        """
        pet_id, job_id = await self._told(letter) if self._jobs_life else ("", "")
        reply = await self._gateway.run(
            scripts.REPLAY_LETTER,
            letter_id=str(letter),
            most_jobs=self._most_jobs,
            pet_id=pet_id,
            told_job=job_id,
            jobs_life=self._jobs_life,
            instead=payload,
        )
        return Replayed(_text(reply))

    async def _told(self, letter: EntryId) -> tuple[str, str]:
        """The pet that is told, and the job; empty where none is."""
        summary = await self.summary(letter)
        fields = summary.fields if summary else {}
        pet_id, job_id, first_id = (fields.get(name, "") for name in ("pet_id", "job_id", "first_id"))
        can = not fields.get("other_pet_id") and can_tell(pet_id, job_id or first_id)
        return (pet_id, job_id or first_id) if can else ("", "")

    async def drop(self, letters: Sequence[EntryId]) -> int:
        """Deletes them for good; how many of them there were."""
        return int(await self._gateway.run(scripts.DROP_LETTERS, ids=list(map(str, letters))))


def _text(value: bytes) -> str:
    return value.decode(errors="backslashreplace")


def _fields(flat: Sequence[bytes]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in pairs(flat).items()}
