"""Dead letters in memory, for the web's tests."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sploot_clusterd.dead_letters import DeadLetter, LetterFilter, Part, Replayed, Selected, WholeLetter, moment
from sploot_clusterd.entry_ids import LetterId
from sploot_clusterd.errors import BadJobError

BAD = b'{"pet_id":"pet_123","payload":{"image_ids":["img_001"],"quality_score":85}}'


@dataclass
class FakeLetters:
    """`error` is raised by whatever is called next; `outcomes` are those of letters that are put back, by id."""

    error: Exception | None = None
    letters: dict[str, bytes] = field(default_factory=lambda: {"5000-0": BAD})
    outcomes: dict[str, Replayed] = field(default_factory=lambda: {"7000-0": Replayed.EMPTY, "8000-0": Replayed.FULL})
    put_back: list[tuple[str, bytes]] = field(default_factory=list)

    async def search(self, wanted: LetterFilter, after: str, most: int) -> Part:
        """The place behind a letter is its id."""
        self._fail()
        if after == "nowhere":
            raise BadJobError("invalid", "after: expected what an answer had for `next`")
        ids = [each for each in self.letters if each > after] if wanted.pet in (None, "pet_123") else []
        found = [Selected(self._letter(each), each) for each in ids[:most]]
        return Part(found, ids[most - 1] if len(ids) > most else "")

    async def whole(self, letter: LetterId) -> tuple[WholeLetter, bytes] | None:
        self._fail()
        payload = self.letters.get(str(letter))
        if payload is None:
            return None
        return WholeLetter(self._letter(str(letter)), "4000-0", payload.decode(), None), payload

    async def replay(self, letter: LetterId, payload: bytes = b"") -> Replayed:
        self._fail()
        outcome = self.outcomes.get(str(letter), Replayed.DONE if str(letter) in self.letters else Replayed.GONE)
        if outcome is Replayed.DONE:
            self.put_back.append((str(letter), payload or self.letters[str(letter)]))  # the letter stays, for the next
        return outcome

    async def drop(self, letters: Sequence[LetterId]) -> int:
        self._fail()
        return sum(self.letters.pop(str(each), None) is not None for each in letters)

    def _letter(self, letter_id: str) -> DeadLetter:
        size = len(self.letters[letter_id])
        named = re.search(rb'"job_id":"([\w-]+)"', self.letters[letter_id])
        job_id = named[1].decode() if named else ""
        at, error = moment(int(letter_id.partition("-")[0])), "payload.quality_score: expected `float` <= 1.0"
        return DeadLetter(letter_id, at, "invalid", error, "pet_123", "", job_id, 0, size)

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error
