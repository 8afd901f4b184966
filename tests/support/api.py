"""Callers and producers of real daemons."""

import asyncio

import msgspec

from tests.faults.fleet import Daemon, Fleet
from tests.support.waiting import eventually

SEED = {
    "pet_id": "pet_123",
    "job_id": "job_456",
    "reason": "insights_ready",
    "force": False,
    "payload": {
        "image_ids": ["img_001", "img_002", "img_003"],
        "labels": ["Portraits", "Action Shots"],
        "coverage": {"portrait": 0.6, "action": 0.4},
        "quality_score": 0.85,
    },
    "metadata": {"triggered_by": "insight-service"},
}
"""The sample job of the service before this one."""


class Api:
    """An internal caller of one daemon."""

    def __init__(self, fleet: Fleet, daemon: Daemon) -> None:
        self._fleet = fleet
        self._daemon = daemon

    async def ask(self, method: str, path: str, **more: object) -> tuple[int, object]:
        async with self._fleet.http.request(method, self._daemon.url + path, **more) as answer:
            return answer.status, await answer.json()

    async def submit(self, job: dict) -> None:
        assert await self.ask("POST", "/internal/cluster-jobs", json=job) == (202, {"status": "accepted"})

    async def view(self, pet: str) -> dict | None:
        status, body = await self.ask("GET", f"/internal/pets/{pet}/clusters")
        assert status in {200, 404}, body
        return body if status == 200 else None

    async def seen(self, pet: str, *, version: int = 1, timeout: float = 30.0) -> dict:
        """The view, as soon as it has that version."""
        found: dict = {}

        async def there() -> bool:
            found.clear()
            found.update(await self.view(pet) or {"version": 0})
            return found["version"] >= version

        await eventually(there, what=f"version {version} of {pet}", timeout=timeout)
        return found


async def add(fleet: Fleet, fields: dict) -> None:
    """As a producer of its own adds an entry."""
    encoded = {k: v if isinstance(v, str) else msgspec.json.encode(v).decode() for k, v in fields.items()}
    await asyncio.wait_for(fleet.redis.xadd("streams:media.cluster", encoded), 30)
