"""Dead letters: which there are, one whole, back into the stream, as they are or put right, or away."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Final

from aiohttp import web
from msgspec import Meta, structs

from sploot_clusterd import wire
from sploot_clusterd.config import HttpSettings, LimitsSettings
from sploot_clusterd.dead_letters import (
    LetterFilter,
    LettersChanged,
    LettersCounted,
    LettersPage,
    Replayed,
    Selected,
    WholeLetter,
)
from sploot_clusterd.entry_ids import LetterId
from sploot_clusterd.errors import BacklogFullError, BadJobError
from sploot_clusterd.inflight import InFlight
from sploot_clusterd.web.answers import RefusedError, Response, answer
from sploot_clusterd.web.auth import may, missing
from sploot_clusterd.web.backend import DeadLetters
from sploot_clusterd.web.bodies import read_body

_COUNTED: Final = 1000
"""Letters of one call."""
_GONE: Final = "there is no such dead letter: it was never there, or was put back or dropped"
_REFUSED: Final = {
    Replayed.EMPTY: "the payload was lost, so there is nothing to put back: drop the letter",
    Replayed.ERASED: "the pet was erased after the job was accepted: drop the letter",
}


class AskedLetters(LetterFilter, frozen=True, kw_only=True):
    """The query."""

    after: Annotated[str, Meta(max_length=96)] = ""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100


class CountedLetters(LetterFilter, frozen=True, kw_only=True):
    """The query."""

    after: Annotated[str, Meta(max_length=96)] = ""


class AboutLetters:
    """Those that need the dead letters."""

    def __init__(self, letters: DeadLetters, http: HttpSettings, limits: LimitsSettings, in_flight: InFlight) -> None:
        self._letters = letters
        self._http = http
        self._limits = limits
        self._in_flight = in_flight
        self._turn = asyncio.Lock()
        """Payloads are looked into one at a time, in a thread: they may be large."""

    async def list_letters(self, _request: web.BaseRequest, asked: AskedLetters) -> Response:
        """Some of those that are meant, without payloads."""
        part = await self._letters.search(asked, asked.after, asked.limit)
        return answer(LettersPage([each.letter for each in part.letters], part.next or None))

    async def count_letters(self, _request: web.BaseRequest, asked: CountedLetters) -> Response:
        """How many are meant, in a part of all."""
        part = await self._letters.search(asked, asked.after, _COUNTED)
        letters = [each.letter for each in part.letters]
        newest = max((each.at for each in letters), default=None)
        empty = sum(not each.payload_bytes for each in letters)
        reasons = Counter(each.reason for each in letters)
        return answer(LettersCounted(len(letters), empty, reasons, newest, part.next or None))

    async def letter(self, _request: web.BaseRequest, letter_id: str) -> Response:
        """One whole, with the place of its fault."""
        found, _ = await self._whole(_parsed(letter_id))
        async with self._turn:
            return await asyncio.to_thread(_explained, found)

    async def replay_letter(self, request: web.BaseRequest, letter_id: str) -> Response:
        """Puts one back, at its first place in the order; with a payload of the caller's where that would be taken."""
        asked = wire.decode_replay(await read_body(request, self._http, self._in_flight))
        letter, payload = _parsed(letter_id), b""
        if asked.payload is not None:
            payload = await self._edited(request, letter, asked.payload)
        elif asked.dry_run:
            raise BadJobError("invalid", "payload: a dry run checks one")
        if asked.dry_run:
            return answer({"status": "checked"})
        outcome = await self._letters.replay(letter, payload)
        if outcome is Replayed.GONE:
            raise RefusedError(404, _GONE)
        if outcome is Replayed.FULL:
            raise BacklogFullError("the backlog is full: replay the letter when consumers have caught up")
        if why := _REFUSED.get(outcome):
            raise RefusedError(409, why)
        return answer({"status": "replayed"}, 202)

    async def drop_letter(self, _request: web.BaseRequest, letter_id: str) -> Response:
        """Deletes one for good."""
        dropped = await self._letters.drop([_parsed(letter_id)])
        return answer({"status": "dropped" if dropped else "noop"})

    async def replay_letters(self, request: web.BaseRequest) -> Response:
        """Puts some of those that are meant back. To ask again after a lost answer puts none back twice."""
        asked = wire.decode_letters_change(await read_body(request, self._http, self._in_flight))
        part = await self._letters.search(asked, asked.after, asked.most)
        tally: Counter[Replayed] = Counter()
        place = asked.after
        for each in part.letters:
            outcome = await self._letters.replay(LetterId.parse(each.letter.id))
            if outcome is Replayed.FULL:
                return _changed("full", tally, place)
            tally[outcome] += 1
            place = each.place
        return _changed("replayed", tally, part.next or None)

    async def drop_letters(self, request: web.BaseRequest) -> Response:
        """Deletes some of those that are meant for good."""
        asked = wire.decode_letters_change(await read_body(request, self._http, self._in_flight))
        part = await self._letters.search(asked, asked.after, asked.most)
        dropped = await self._letters.drop(_ids(part.letters)) if part.letters else 0
        return answer(LettersChanged("dropped" if dropped else "noop", dropped, {}, part.next or None))

    async def _edited(self, request: web.BaseRequest, letter: LetterId, text: str) -> bytes:
        """Raises BadJobError for what no entry may have; RefusedError where the caller may not send it."""
        if not may(request, "submit"):
            raise missing("submit", " (the payload is another one)")
        found, was = await self._whole(letter)
        edited = text.encode()
        async with self._turn:
            job = await asyncio.to_thread(wire.check_edited, found, was, edited, self._limits)
        if job.corrections and not may(request, "correct"):
            raise missing("correct", " (the job has corrections)")
        return edited

    async def _whole(self, letter: LetterId) -> tuple[WholeLetter, bytes]:
        found = await self._letters.whole(letter)
        if found is None:
            raise RefusedError(404, _GONE)
        return found


def _explained(found: WholeLetter) -> Response:
    return answer(structs.replace(found, fault=wire.fault_in(found.payload, found.letter.error)))


def _parsed(text: str) -> LetterId:
    try:
        return LetterId.parse(text)
    except ValueError:
        raise BadJobError("invalid", "letter_id: expected an id like 1761827696789-0 or 3:1761827696789-0") from None


def _ids(letters: Sequence[Selected]) -> list[LetterId]:
    return [LetterId.parse(each.letter.id) for each in letters]


def _changed(status: str, tally: Counter[Replayed], following: str | None) -> Response:
    done = tally[Replayed.DONE]
    refused = {each.value: tally[each] for each in _REFUSED if tally[each]}
    return answer(LettersChanged("noop" if status == "replayed" and not done else status, done, refused, following))
