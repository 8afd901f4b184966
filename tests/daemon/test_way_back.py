"""The way back, with a daemon that keeps history: to a former version, out of a lost Redis, and none for the erased."""

import asyncio
import json
from pathlib import Path

import pytest

from sploot_clusterd.cli import main
from sploot_clusterd.config import HistorySettings, SecretUrl
from sploot_clusterd.history.migrating import migrate
from tests.faults.fleet import Fleet
from tests.support.api import Api
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults

PET = "pet_123"
CLUSTERS = f"/internal/pets/{PET}/clusters"


def job(number: int, *images: str, **payload: object) -> dict:
    insights = [{"image_id": name, "embedding": [1.0, n % 2, 0.1 * n]} for n, name in enumerate(images)]
    return {"pet_id": PET, "job_id": f"job-{number}", "payload": {"images": insights, **payload}}


async def test_back_to_a_version_out_of_a_lost_redis_and_not_after_a_delete(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    url = f"sqlite:///{directory}/history.sqlite3"
    migrate(HistorySettings(url=SecretUrl(url)))
    async with Fleet(directory, 1, env={"DATABASE_URL": url}) as fleet:
        (daemon,), api = fleet.daemons, Api(fleet, fleet.daemons[0])
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.setenv("REDIS_URL", fleet.redis_url)

        async def lost_and_restored() -> str:
            assert daemon.stop() == 0
            await fleet.redis.flushall()
            assert await asyncio.to_thread(main, ["history", "restore", "--json"]) == 0
            await daemon.start()
            return capsys.readouterr().out

        await api.submit(job(1, "a", "b", "c", "d"))
        await api.seen(PET)
        await eventually(lambda: _is_kept(api, 1), what="the first version to be kept", timeout=20)
        await api.submit(job(2, "e", removed_image_ids=["a", "b"]))
        assert (await api.seen(PET, version=2))["metrics"]["num_images"] == 3
        status, refused = await api.ask("POST", f"/internal/pets/{PET}/restore", json={"version": 99})
        assert (status, "no album of version 99" in refused["detail"]) == (404, True)
        assert (await api.ask("POST", f"/internal/pets/{PET}/restore", json={"version": 1}))[0] == 202
        view = await api.seen(PET, version=3)
        assert view["metrics"]["num_images"] == 5
        await eventually(lambda: _is_kept(api, 3), what="the last version to be kept", timeout=20)
        restored = json.loads(await lost_and_restored())
        assert restored == {"restored": 1, "there": 0, "erased": 0, "missing": []}
        assert await api.view(PET) == view
        await api.submit(job(3, "f"))
        assert (await api.seen(PET, version=4))["metrics"]["num_images"] == 6

        await eventually(lambda: _is_erased(api), what="the pet to be erased, history too", timeout=20)
        assert json.loads(await lost_and_restored())["restored"] == 0
        assert await api.view(PET) is None
        assert [key async for key in fleet.redis.scan_iter(f"*{PET}*")] == []
    assert not any(b"job-1" in file.read_bytes() for file in directory.glob("history.sqlite3*"))  # noqa: ASYNC240 - as no loop waits


async def _is_kept(api: Api, version: int) -> bool:
    """Whether history has the album: asked for one above it, it names the last one that it has."""
    _, refused = await api.ask("POST", f"/internal/pets/{PET}/restore", json={"version": 10**6})
    return refused["detail"].endswith(f"of version {version}")


async def _is_erased(api: Api) -> bool:
    """Says so again as long as history does not answer: its process has just been started."""
    return await api.ask("DELETE", f"/internal/pets/{PET}") == (200, {"status": "erased"})
