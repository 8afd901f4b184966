"""Jobs that only name images, while daemons, the storage service or Redis are done harm: each has its effect once."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from tests.faults.checker import NAMESPACE, verdict
from tests.faults.fleet import Fleet
from tests.faults.harm import PETS, Harm, Outcome, Size, harmed, wait_for_harm
from tests.faults.load import STREAM, Load
from tests.insights.storage_service import TOKEN, Faults, StorageService
from tests.support.nodes import free_port
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from aiohttp import web

_DIMENSIONS = 16
_ANSWERS_TAKE = 0.05
"""Seconds, so that a harm finds some on the wire."""
_TIMEOUT = 1.0
"""Seconds. Twice as long, and a little, what a dead process had asked for is nobody's."""


class Service:
    """A storage service that can be killed: connections are reset, and its port is closed."""

    def __init__(self) -> None:
        self.storage = StorageService(port=free_port())
        self._vectors = np.random.default_rng(1)

    async def start(self) -> None:
        """On the same port each time."""
        self._runner: web.AppRunner = await self.storage.start(self.storage.port)

    async def kill(self) -> None:
        for connection in [*getattr(self._runner.server, "connections", ())]:
            connection.force_close()
        await self._runner.cleanup()

    def keep(self, pet: str, image: str) -> None:
        """From now on it has an insight of the image."""
        embedding = self._vectors.normal(size=_DIMENSIONS).tolist()
        self.storage.keep(pet, image, {"has_embedding": True, "embedding": embedding, "processor_version": "m@1"})

    def env(self, **asked: object) -> dict[str, str]:
        """Of daemons that ask it."""
        given = {"timeout_seconds": _TIMEOUT, "rate": 0, "concurrency": 64, **asked}
        settings = {f"CLUSTERD_INSIGHTS_{name.upper()}": str(value) for name, value in given.items()}
        return {"STORAGE_SERVICE_URL": self.storage.url, "STORAGE_SERVICE_TOKEN": TOKEN, **settings}


class BareLoad(Load):
    """Names an image a job, whose insight the service has."""

    def __init__(self, fleet: Fleet, seed: int, service: Service, *, jobs: int, rate: float, **more: Any) -> None:
        super().__init__(fleet, seed, pets=PETS, jobs=jobs, rate=rate, **more)
        self._service = service
        self.ledger.numbered = False  # a pet's list brings any of its images

    def _job(self, number: int) -> tuple[str, str, object]:
        pet, image, job = super()._job(number)
        self._service.keep(pet, image)
        assert isinstance(job, dict)
        return pet, image, {**job, "payload": {"image_ids": [image]}}


@asynccontextmanager
async def _serving(faults: Faults) -> AsyncIterator[Service]:
    service = Service()
    service.storage.faults = faults
    await service.start()
    try:
        yield service
    finally:
        await service.kill()


async def _fetched_once(
    directory: Path,
    seed: int,
    size: Size,
    harm_of: Callable[[Service], Harm],
    *,
    faults: Faults = Faults(seconds=_ANSWERS_TAKE),  # noqa: B008 - immutable
    daemons: int = 2,
    redis: tuple[str, ...] = (),
    **asked: object,
) -> Outcome:
    """Each image is there once, with its vectors, and nothing is wanted any more."""
    async with (
        _serving(faults) as service,
        Fleet(directory, daemons=daemons, env=service.env(**asked), redis=redis) as fleet,
    ):
        load = BareLoad(fleet, seed, service, jobs=size.jobs, rate=size.rate)
        await harmed(load, fleet, seed, size, harm_of(service), done=lambda: _nothing_is_out(fleet))
        counts = await verdict(fleet, load.ledger)
        asked_for = sum(service.storage.asked.values())
        images = len(service.storage.insights)
    outcome = Outcome(counts, size.harms, counts.breaches())
    outcome.figures["questions for an image"] = asked_for / images
    return outcome


async def _nothing_is_out(fleet: Fleet) -> bool:
    """The stream is asked first: what its jobs want is wanted when they have left it, and until answers have."""
    return not (await fleet.redis.xlen(STREAM) or await fleet.redis.zcard(f"{NAMESPACE}:wants"))


async def daemon_killed(directory: Path, seed: int, size: Size) -> Outcome:
    """Kill -9 of a daemon while answers for it are on the wire."""

    def harm_of(service: Service) -> Harm:
        async def kill(fleet: Fleet, n: int) -> None:
            victim = fleet.daemons[n % 2]
            await eventually(lambda: service.storage.at_once > 0, what="answers on the wire")
            victim.kill()
            await victim.start()

        return kill

    return await _fetched_once(directory, seed, size, harm_of)


async def service_killed(directory: Path, seed: int, size: Size) -> Outcome:
    """The service is gone for a second, with answers on the wire."""

    def harm_of(service: Service) -> Harm:
        async def kill(fleet: Fleet, n: int) -> None:
            await service.kill()
            await wait_for_harm(1.0)
            await service.start()

        return kill

    return await _fetched_once(directory, seed, size, harm_of)


async def redis_killed(directory: Path, seed: int, size: Size) -> Outcome:
    """Kill -9 of Redis while answers are on the wire: they are handed over when it is back."""

    def harm_of(service: Service) -> Harm:
        async def kill(fleet: Fleet, n: int) -> None:
            await eventually(lambda: service.storage.at_once > 0, what="answers on the wire")
            fleet.kill_redis()
            await wait_for_harm(0.5)
            fleet.server.start()
            await fleet.ready()

        return kill

    return await _fetched_once(directory, seed, size, harm_of, redis=("--appendfsync", "always"))


async def _with_faults(directory: Path, seed: int, size: Size, faults: Faults, **asked: object) -> Outcome:
    """The service has these faults all the time."""

    def harm_of(service: Service) -> Harm:
        async def nothing(fleet: Fleet, n: int) -> None:
            pass

        return nothing

    return await _fetched_once(directory, seed, size, harm_of, faults=faults, **asked)


slow = partial(_with_faults, faults=Faults(seconds=2.0), timeout_seconds=5.0)
failing = partial(_with_faults, faults=Faults(failing=0.1))
missing = partial(_with_faults, faults=Faults(missing_first=2))
lost = partial(_with_faults, faults=Faults(lost=0.1, resets=0.05))


async def erased(directory: Path, seed: int, size: Size) -> Outcome:
    """DELETE of pets whose insights are out: nothing of them comes back, and nothing of them is left."""
    draw = random.Random(seed)

    def harm_of(service: Service) -> Harm:
        async def erase(fleet: Fleet, n: int) -> None:
            pet = f"doomed-{n}"
            images = [f"{pet}-{at}" for at in range(20)]
            for image in images:
                service.keep(pet, image)
                job = {"pet_id": pet, "payload": {"image_ids": [image]}}
                await fleet.redis.xadd(STREAM, {"payload": msgspec.json.encode(job)})
            await eventually(lambda: service.storage.asked.keys() & set(images), what="a question of the pet")
            await wait_for_harm(draw.uniform(0.0, 4 * _ANSWERS_TAKE))
            url = f"{fleet.daemons[n % 2].url}/internal/pets/{pet}"
            async with fleet.http.delete(url) as answer:
                assert answer.status == 200

        return erase

    left: list[str] = []
    async with (
        _serving(Faults(seconds=_ANSWERS_TAKE)) as service,
        Fleet(directory, env=service.env(write_back=1)) as fleet,
    ):
        load = BareLoad(fleet, seed, service, jobs=size.jobs, rate=size.rate)
        await harmed(load, fleet, seed, size, harm_of(service), done=lambda: _nothing_is_out(fleet))
        counts = await verdict(fleet, load.ledger)
        left += [key for key in await _mentions(fleet, b"doomed-") if key != f"{NAMESPACE}:erased"]
    outcome = Outcome(counts, size.harms, counts.breaches())
    outcome.expect(not left, f"of erased pets there is something left in {left}")
    return outcome


async def _mentions(fleet: Fleet, text: bytes) -> list[str]:
    """Keys of Redis that have the text in their names or in what they hold."""
    redis, found = fleet.redis, list[str]()
    for key in await redis.keys():
        match await redis.type(key):
            case b"string":
                held = await redis.get(key)
            case b"hash":
                held = repr(await redis.hgetall(key)).encode()
            case b"zset":
                held = repr(await redis.zrange(key, 0, -1)).encode()
            case b"list":
                held = repr(await redis.lrange(key, 0, -1)).encode()
            case _:
                held = repr(await redis.xrange(key)).encode()
        if text in key or text in held:
            found.append(key.decode())
    return found
