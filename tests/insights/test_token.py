"""A daemon whose token the storage service refuses, and that gets a new one."""

import json
import signal
from pathlib import Path

import aiohttp
from redis.asyncio import Redis

from tests.docs.pages import ROOT
from tests.faults.fleet import Daemon
from tests.insights.storage_service import TOKEN, StorageService
from tests.support.waiting import eventually

VIEW = "sploot.media.clusters:state:pet-0"


async def test_a_new_token_is_tried_at_once(storage: StorageService, redis: Redis, redis_url: str, tmp_path: Path):
    file = tmp_path / "storage-token"
    file.write_text("an-old-one\n")
    file.chmod(0o600)
    env = {"STORAGE_SERVICE_URL": storage.url, "STORAGE_SERVICE_TOKEN_FILE": str(file)}
    await redis.xadd("streams:media.cluster", {"pet_id": "pet-0", "image_ids": '["pet-0_0"]'})
    daemon = Daemon(tmp_path, redis_url, 0, ROOT, env)

    async def readiness() -> tuple[int, str]:
        async with aiohttp.ClientSession() as http, http.get(f"{daemon.ops_url}/readyz") as answer:
            return answer.status, await answer.text()

    async def warned() -> bool:
        status, text = await readiness()
        return status == 200 and "the storage service refuses insights.token (it answers 401)" in text

    async def fetched() -> bool:
        view = json.loads(await redis.get(VIEW) or "{}")
        return view.get("metrics", {}).get("num_images") == len(storage.pets["pet-0"])

    try:
        await daemon.start()
        await eventually(warned, what="the warning, and readiness all the same")
        file.write_text(f"{TOKEN}\n")
        daemon.signal(signal.SIGHUP)
        await eventually(fetched, what="the pet's images")
        assert "insights" not in (await readiness())[1]
        assert daemon.stop() == 0
        assert TOKEN not in daemon.output()
    finally:
        daemon.kill()
