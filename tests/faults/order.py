"""Whether a pet's jobs take effect in the order in which they were accepted, while daemons are killed."""

from pathlib import Path

import msgspec

from tests.faults.checker import verdict
from tests.faults.fleet import Fleet
from tests.faults.harm import PETS, Outcome, Size, harmed, kill
from tests.faults.load import STREAM, Load

_AGAIN = 8
"""One job in so many is the last one of its pet once more."""
_SEEDS = [{"image_id": f"seed-{n}", "embedding": [1.0] * 16} for n in range(4)]


class Names(Load):
    """Each job names its pet's first cluster by the job's number, besides the image that it brings.

    A name that is older than the present one is refused. So whatever is applied after a later one is a dead letter.
    """

    def __init__(self, fleet: Fleet, seed: int, *, jobs: int, rate: float, over_http: float = 0.5) -> None:
        super().__init__(fleet, seed, pets=PETS, jobs=jobs, rate=rate, over_http=over_http)
        self._last: dict[str, tuple[str, dict[str, object]]] = {}
        self._names: dict[str, str] = {}
        """The one that came with each image."""

    async def sow(self) -> None:
        """Gives each pet the cluster that will be named."""
        for pet in (f"pet-{n}" for n in range(PETS)):
            job = {"pet_id": pet, "job_id": "seed", "payload": {"images": _SEEDS}}
            await self._fleet.redis.xadd(STREAM, {"payload": msgspec.json.encode(job)})
            self.ledger.unsure[pet] = {str(each["image_id"]) for each in _SEEDS}
        await self._fleet.settled()

    def _job(self, number: int) -> tuple[str, str, object]:
        pet, image, job = super()._job(number)
        if number % _AGAIN == 0 and pet in self._last:
            return pet, *self._last[pet]
        name = {"op": "rename", "cluster": f"{pet}-cluster-0", "label": f"name {number}"}
        job = {**job, "force": False, "payload": {**job["payload"], "corrections": [name]}}
        self._last[pet] = (image, job)
        self._names[image] = f"name {number}"
        return pet, image, job

    def may_stand(self, pet: str) -> set[str]:
        """The last name that was accepted, and later ones of which nobody knows."""
        names = list(self._names.values())
        accepted = [self._names[image] for image in self.ledger.accepted[pet]]
        last = max(accepted, key=names.index)
        unsure = {self._names[image] for image in self.ledger.unsure[pet] if image in self._names}
        return {last, *(name for name in unsure if names.index(name) > names.index(last))}


async def inversions(directory: Path, seed: int, size: Size, code: Path | None = None) -> Outcome:
    """Kill -9 of a daemon while every job's effect shows whether a later one had been applied."""
    async with Fleet(directory, **({"code": code} if code else {})) as fleet:
        load = Names(fleet, seed, jobs=size.jobs, rate=size.rate)
        await load.sow()
        await harmed(load, fleet, seed, size, kill)
        return await outcome_of(fleet, load, size)


async def outcome_of(fleet: Fleet, load: Names, size: Size) -> Outcome:
    """What came of it, and whether the names came in their order."""
    counts = await verdict(fleet, load.ledger)
    errors = [fields[b"error"].decode() for fields in await fleet.letters()]
    wrong = [pet for pet in load.ledger.accepted if await _name(fleet, pet) not in load.may_stand(pet)]
    late = sum("too late" in error for error in errors)
    outcome = Outcome(counts, size.harms, counts.breaches(), {"applied after a later one": late})
    outcome.expect(not errors, f"dead letters: {errors}")
    outcome.expect(not wrong, f"the last name does not stand: {wrong}")
    return outcome


async def _name(fleet: Fleet, pet: str) -> str:
    view = msgspec.json.decode(await fleet.redis.get(fleet.layout.of(pet).view(pet)))
    (name,) = [cluster["label"] for cluster in view["clusters"] if cluster["id"] == f"{pet}-cluster-0"]
    return str(name)
