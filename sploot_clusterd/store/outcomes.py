"""How runs end that did not take effect: a later try or a dead letter, and what the pet is told of it."""

from collections.abc import Sequence
from typing import NamedTuple

from sploot_clusterd.errors import Reason
from sploot_clusterd.keys import Keys
from sploot_clusterd.store import told
from sploot_clusterd.store.connection import Argument
from sploot_clusterd.store.scripts import RETRY


class FailedRun(NamedTuple):
    """What a pet is told of a run. `first_id` is the job's place in the order."""

    pet_id: str
    job_id: str
    first_id: str
    error: str


class Retry(NamedTuple):
    """An entry that stays pending, and when to take it up again. `attempts` includes the failure that led here, which
    the pet is told of where it was one.
    """

    entry: bytes
    attempts: int
    delay_ms: int
    failed: FailedRun | None = None


class Letter(NamedTuple):
    """A job to set aside, as its dead letter tells it."""

    entry: bytes
    payload: bytes
    reason: Reason
    error: str
    attempts: int
    first_id: str
    pet_id: str
    job_id: str
    failed_at: str
    other_pet_id: str = ""
    """A second pet that the entry names, as where its envelope and its body differ."""
    fed: bytes | None = None
    """What the feed is told, as JSON; None where the entry does not name its pet and its job by ids."""

    def fields(self) -> list[Argument]:
        """As they are stored: names and values."""
        return [
            *("payload", self.payload),
            *("error", self.error),
            *("reason", self.reason),
            *("attempts", self.attempts),
            *("entry_id", self.entry),
            *("first_id", self.first_id),
            *("pet_id", self.pet_id),
            *("job_id", self.job_id),
            *("failed_at", self.failed_at),
            *(("other_pet_id", self.other_pet_id) if self.other_pet_id else ()),
        ]

    def told(self) -> str:
        """What the pet is told; nothing where it is not sure whose it is: a pet that another one's list names would not
        be erased from it.
        """
        job_id = self.job_id or self.first_id
        is_sure = self.reason != "mismatch" and not self.other_pet_id
        if not (is_sure and told.can_tell(self.pet_id, job_id)):
            return ""
        return told.dead(job_id, self.reason, self.attempts, self.error)


def retries_told(keys: Keys, retries: Sequence[Retry], *, jobs_life: int) -> tuple[list[str], list[Argument]]:
    """The lists of what is told that these add to, and the retries as the script takes them."""
    lists: list[str] = []
    flat: list[Argument] = []
    for entry, attempts, delay_ms, failed in retries:
        place = 0
        if failed and jobs_life and told.can_tell(failed.pet_id, failed.job_id):
            lists.append(keys.jobs(failed.pet_id))
            place = len(RETRY.keys) + len(lists)
        about = (failed.pet_id, failed.first_id, failed.job_id, told.short(failed.error)) if failed else ("",) * 4
        flat += (entry, attempts, delay_ms, place, *about)
    return lists, flat
