"""Corrections of every op among jobs, while daemons are killed and replies get lost: each is what its pet is told."""

from pathlib import Path
from random import Random
from typing import Any, Final

from sploot_clusterd.correcting import OPS
from tests.faults.checker import verdict
from tests.faults.fleet import ROOT, Fleet
from tests.faults.harm import PETS, Outcome, Size, harmed, kill
from tests.faults.load import Load
from tests.faults.marked import FAILS_ONCE
from tests.faults.network import Losses, behind_proxies
from tests.faults.outcomes import Sent, fates
from tests.faults.talk import Talk, saw_wrongly

_JOBS_EACH: Final = 24
"""Of a pet, before another takes its place: so many that all that is told of them and was said is kept."""
_CORRECTING: Final = 2 / 3
_AGAIN: Final = 12
"""One job in so many is the last one of its pet once more."""
_FORCED: Final = 40
_ONE_REPLY_IN: Final = 50
_PATIENCE: Final = 300.0
"""Seconds: a job with corrections costs several times what one without does, so more may wait in the end."""


class Corrected(Load):
    """One image a job, and corrections with most of them; for `PETS` pets at a time."""

    def __init__(self, fleet: Fleet, seed: int, size: Size) -> None:
        super().__init__(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate, marks={FAILS_ONCE: 0.1})
        self.sent: dict[str, dict[str, Sent]] = {}
        """By pet and job."""
        self._talks: dict[str, Talk] = {}
        self._talking = Random(f"{seed} talk")
        self._turns = list[int]()

    def _job(self, number: int) -> tuple[str, str, object]:
        pet = self._next_pet(number)
        jobs = self.sent.setdefault(pet, {})
        if jobs and number % _AGAIN == 0:
            again = [*jobs.values()][-1]
            again.times += 1
            return pet, again.image, again.body
        job_id, image = f"{self._mark()}job-{number}", f"img-{number}"
        body = self._body(pet, job_id, image, forced=number % _FORCED == 1)
        jobs[job_id] = Sent(image, body, saw_wrongly=saw_wrongly(body["payload"]))
        return pet, image, jobs[job_id].body

    def _next_pet(self, number: int) -> str:
        if not self._turns:
            self._turns = [*range(PETS)] * _JOBS_EACH
            self._random.shuffle(self._turns)
        return f"pet-{number // (PETS * _JOBS_EACH)}-{self._turns.pop()}"

    def _body(self, pet: str, job_id: str, image: str, *, forced: bool) -> dict[str, Any]:
        """The first job of a pet sows it, and corrects nothing."""
        is_first = pet not in self._talks
        talk = self._talks.setdefault(pet, Talk(pet, self._talking))
        images = [*(talk.sow() if is_first else ()), talk.photo(image)]
        if is_first:
            self.ledger.unsure[pet] = {str(each["image_id"]) for each in images[:-1]}
        corrects = not is_first and self._talking.random() < _CORRECTING
        payload = {"images": images, **(talk.says(job_id) if corrects else {})}
        return {"pet_id": pet, "job_id": job_id, "force": forced, "payload": payload}


async def told_as_done(directory: Path, seed: int, size: Size, code: Path = ROOT) -> Outcome:
    """Kill -9 of daemons and lost replies under users' corrections."""
    losses = Losses(seed, _ONE_REPLY_IN)
    async with behind_proxies(directory, 2, losses, code) as (fleet, _):
        load = Corrected(fleet, seed, size)
        await harmed(load, fleet, seed, size, kill, patience=_PATIENCE)
        found = await fates(fleet, load.sent, load.ledger)
        counts = await verdict(fleet, load.ledger)
    figures = {
        "corrections applied in a run, most": found.applied.total(),
        "refused, most": found.refused.total(),
    }
    outcome = Outcome(counts, size.harms + losses.count, counts.breaches(dead_letters=counts.dead_letters), figures)
    outcome.breaches += found.breaches
    outcome.expect(all(found.applied[op] for op in OPS), f"only {found.applied} were applied")
    outcome.expect(losses.count > 0, "no reply was lost")
    return outcome
