"""A daemon's life: what it needs to start, signals, and processes that only serve or only consume."""

import signal
import time
from pathlib import Path

import psutil

from tests.faults.fleet import TOKEN, Daemon, Fleet
from tests.support.api import SEED, Api
from tests.support.paused import taken
from tests.support.waiting import eventually


async def test_sigterm_drains_and_ends_with_zero(fleet: Fleet, api: Api):
    await api.submit(SEED)

    async def in_hand() -> bool:
        return bool(await taken(fleet)) or await fleet.is_empty()

    await eventually(in_hand, what="the job to be read")
    began = time.monotonic()
    assert [daemon.stop() for daemon in fleet.daemons] == [0, 0]
    assert time.monotonic() - began < 10
    messages = [line["message"] for line in fleet.daemons[0].log()]
    assert messages[-1] == "stopped"
    assert await fleet.redis.xlen("streams:media.cluster") == 0
    connections = [c for c in await fleet.redis.client_list() if c["name"].startswith("clusterd|")]
    assert connections == []


async def test_a_second_process_of_the_same_name_is_refused_and_the_name_is_free_after_a_crash(
    directory: Path, fleet: Fleet
):
    first = fleet.daemons[0]
    (directory / "twin").mkdir()
    twin = Daemon(directory / "twin", fleet.redis_url, first.instance, Path(__file__).parents[2], {})
    await twin.start()
    await eventually(lambda: not twin.alive(), what="the twin to end", timeout=30)
    assert twin.exit_code == 1
    assert "give each process on this host a service.instance" in twin.output()
    assert first.alive()

    first.kill()
    await twin.start()
    await eventually(lambda: _ready(fleet, twin), what="the twin to be ready")
    twin.kill()


async def _ready(fleet: Fleet, daemon: Daemon) -> bool:
    return (await fleet.readiness(daemon))[0] == 200


async def test_a_process_without_consumers_serves_and_one_without_http_consumes(directory: Path):
    async with Fleet(directory, daemons=0) as fleet:
        serving = fleet.add_daemon({"CLUSTER_CONSUMERS": "0"})
        consuming = fleet.add_daemon({"HTTP_ENABLED": "false"})
        await serving.start()
        status, body = await Api(fleet, serving).ask("GET", "/internal/health/redis")
        assert status == 503
        assert "consumer group media-clustering-workers is missing" in str(body)
        await consuming.start()
        assert consuming.ports.keys() == {"metrics"}
        await fleet.ready()
        api = Api(fleet, serving)
        await api.submit(SEED)
        assert (await api.seen("pet_123"))["version"] == 1
        names = {
            c["name"] for c in await fleet.redis.xinfo_consumers("streams:media.cluster", "media-clustering-workers")
        }
        assert all(f"-{consuming.instance}-".encode() in name for name in names)


async def test_sighup_rotates_tokens_and_the_log_level(directory: Path):
    token_file, old, new = directory / "token", "the-old-token-of-the-test", "the-new-token-of-the-test"
    token_file.write_text(old)
    async with Fleet(directory, daemons=0) as fleet:
        daemon = fleet.add_daemon({"INTERNAL_TOKEN": "", "INTERNAL_TOKEN_FILE": str(token_file)})
        await daemon.start()

        async def status_with(token: str) -> int:
            headers = {"X-Internal-Token": token}
            async with fleet.http.get(daemon.url + "/internal/pets/p/clusters", headers=headers) as answer:
                return answer.status

        assert [await status_with(old), await status_with(new), await status_with(TOKEN)] == [404, 401, 401]
        token_file.write_text(new)
        daemon.signal(signal.SIGHUP)

        async def rotated() -> bool:
            return [await status_with(new), await status_with(old)] == [404, 401]

        await eventually(rotated, what="the new token")
        token_file.unlink()
        daemon.signal(signal.SIGHUP)
        await eventually(lambda: "not reloaded" in daemon.output(), what="a refusal")
        assert await status_with(new) == 404
        assert old not in daemon.output()
        assert new not in daemon.output()


async def test_without_redis_it_stays_up_and_says_so(directory: Path):
    async with Fleet(directory, daemons=0) as fleet:
        daemon = fleet.add_daemon({"REDIS_URL": f"unix://{directory}/none.sock"})
        await daemon.start()

        async def says_so() -> bool:
            status, reasons = await fleet.readiness(daemon)
            return status == 503 and "redis unavailable" in reasons

        await eventually(says_so, what="readiness to name Redis")
        api = Api(fleet, daemon)
        for method, path, more in (
            ("GET", "/internal/pets/p/clusters", {}),
            ("POST", "/internal/cluster-jobs", {"json": SEED}),
            ("DELETE", "/internal/pets/p", {}),
        ):
            assert await api.ask(method, path, **more) == (503, {"detail": "redis unavailable"})
        assert daemon.stop() == 0


async def test_an_idle_daemon_is_small(fleet: Fleet):
    resident = psutil.Process(fleet.daemons[0].pid).memory_info().rss / 2**20
    assert resident < 120, f"{resident:.0f} MB"


async def test_starts_and_stops_leave_no_trace(directory: Path):
    async with Fleet(directory, daemons=0) as fleet:
        daemon = fleet.add_daemon({"CLUSTER_CONSUMERS": "1"})
        for _ in range(4):
            await daemon.start()
            assert daemon.stop() == 0
        await daemon.start()
        await fleet.ready()
        assert daemon.stop() == 0
        output = daemon.output()
        assert "Task was destroyed" not in output
        assert "never retrieved" not in output
        consumers = await fleet.redis.xinfo_consumers("streams:media.cluster", "media-clustering-workers")
        assert len(consumers) <= 2
