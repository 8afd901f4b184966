"""Entries in, jobs by pet out; what can never be a job is set aside at once."""

from collections.abc import Sequence
from operator import attrgetter

from sploot_clusterd.checks import Limits
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.ingest import policy
from sploot_clusterd.ingest.compute import Compute
from sploot_clusterd.ingest.outcomes import Failure, Outcomes
from sploot_clusterd.ingest.plan import Work
from sploot_clusterd.store import Entry
from sploot_clusterd.wire import decode_entry


class Intake:
    """Decodes batches, within the limits of a job."""

    def __init__(self, compute: Compute, outcomes: Outcomes, limits: Limits) -> None:
        self._computing = compute
        self._outcomes = outcomes
        self._limits = limits

    async def by_pet(self, consumer: str, entries: Sequence[Entry]) -> dict[str, list[Work]]:
        """The jobs of each pet, in the order of the stream. Raises StoreUnavailableError."""
        ordered = sorted(entries, key=attrgetter("id"))
        size = sum(len(value) for entry in ordered for value in entry.fields.values())
        in_thread = policy.decode_in_thread(size, busy=self._computing.busy)
        decoded = await self._computing.each(self._decoded, ordered, in_thread=in_thread)
        works: dict[str, list[Work]] = {}
        for each in decoded:
            if isinstance(each, Work):
                works.setdefault(each.job.pet_id, []).append(each)
        await self._outcomes.failed(consumer, [each for each in decoded if isinstance(each, Failure)])
        return works

    def _decoded(self, entry: Entry) -> Work | Failure:
        try:
            return Work(entry, decode_entry(entry.id, entry.fields, self._limits))
        except BadJobError as error:
            return Failure(entry, error)
