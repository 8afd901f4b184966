"""The feed of real daemons, read as docs/feed.md says: by both readers that it shows, and by requests that wait."""

import asyncio
import json
import shlex
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis as SyncRedis

from tests.docs.pages import ROOT, only_block
from tests.faults.fed import FED
from tests.faults.fleet import TOKEN, Fleet
from tests.support.api import SEED, Api
from tests.support.replaying import Replayed

PAGE = ROOT / "docs/feed.md"
PET = "pet_123"
NAMES = ("id", "at", "previous", "incarnation", "before", "after", "next", "newest")


@pytest.fixture
async def fleet(directory: Path) -> AsyncIterator[Fleet]:
    async with Fleet(directory, daemons=1, env=FED) as fleet:
        await fleet.ready()
        yield fleet


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """The names that a reader of the page defines."""
    monkeypatch.setenv("INTERNAL_TOKEN", TOKEN)

    def run(mark: str) -> dict[str, Any]:
        names: dict[str, Any] = {}
        exec(compile(only_block(PAGE, mark).text, f"{PAGE.name}, {mark}", "exec"), names)
        return names

    return run


class Reader:
    """A service that keeps what the feed tells."""

    def __init__(self) -> None:
        self.place = ""
        self.known: dict[str, Replayed] = {}
        self.handled: list[str] = []
        self.begun_anew = 0

    def handle(self, event: dict[str, Any]) -> None:
        pet = event["pet_id"]
        self.handled.append(event["kind"])
        if event["kind"] == "erased":
            self.known.pop(pet, None)
        else:
            self.known.setdefault(pet, Replayed()).apply(event["change"])

    def begin_anew(self) -> None:
        self.begun_anew += 1


def normal(value: Any) -> Any:
    """Without what is different each time."""
    if isinstance(value, dict):
        return {name: "" if name in NAMES else normal(each) for name, each in value.items()}
    return [normal(each) for each in value] if isinstance(value, list) else value


def test_the_event_on_the_page_is_one():
    event = json.loads(only_block(PAGE, "event").text)
    known = Replayed(
        {
            "pet_123-cluster-0": {"images": {"img_001"}},
            "pet_123-cluster-2": {"images": {"img_004"}},
        },
        {"img_004"},
    )
    known.apply(event["change"])
    assert known.clusters["pet_123-cluster-0"]["images"] == {"img_001", "img_009"}


async def test_readers_of_the_page_know_what_views_show(fleet: Fleet, api: Api, shown: Callable[[str], dict[str, Any]]):
    over_http, over_redis = Reader(), Reader()
    http, stream = shown("consumer http"), shown("consumer redis")
    http["BASE"] = fleet.daemons[0].url
    client = SyncRedis(unix_socket_path=str(fleet.server.socket), decode_responses=True)

    async def read_all() -> None:
        over_http.place = await asyncio.to_thread(
            http["read"], over_http.place or "0", over_http.handle, over_http.begin_anew, wait=0
        )
        over_redis.place = await asyncio.to_thread(
            stream["read"],
            client,
            over_redis.place,
            lambda _, event: over_redis.handle(event),
            over_redis.begin_anew,
            wait_ms=10,
        )

    await api.submit(SEED)
    await api.seen(PET)
    *_, url = shlex.split(only_block(PAGE, "feed run").text)
    status, page = await api.ask("GET", url.removeprefix("http://127.0.0.1:9007"))
    assert (status, normal(page)) == (200, normal(json.loads(only_block(PAGE, "feed answer").text)))
    await read_all()
    vectors = [{"image_id": f"img_{n}", "embedding": [1.0, n / 9, 0.2], "quality": 0.5} for n in range(5)]
    await api.submit({"pet_id": PET, "payload": {"images": vectors, "removed_image_ids": ["img_001"]}})
    await api.submit({"pet_id": "other", "payload": {"image_ids": ["a"]}})
    view = await api.seen(PET, version=2)
    await api.seen("other")
    await read_all()
    for reader in (over_http, over_redis):
        assert reader.known[PET] == Replayed.of(view)
        assert reader.begun_anew == 0

    assert await api.ask("DELETE", f"/internal/pets/{PET}") == (200, {"status": "erased"})
    await read_all()
    for reader in (over_http, over_redis):
        assert reader.known.keys() == {"other"}
        assert reader.begun_anew == 0

    for number in range(3):
        await api.submit({"pet_id": "other", "payload": {"image_ids": [f"b{number}"]}})
        await api.seen("other", version=number + 2)
    await fleet.redis.xtrim("sploot.media.clusters:feed", maxlen=1, approximate=False)
    await read_all()
    await read_all()
    for reader in (over_http, over_redis):
        assert reader.begun_anew == 1
        assert (await api.ask("GET", f"/internal/feed?after={reader.place}"))[0] == 200
    client.close()


async def test_a_request_waits_for_news_and_not_for_the_daemon_to_stop(fleet: Fleet, api: Api):
    waiting = asyncio.create_task(api.ask("GET", "/internal/feed?after=0&wait=30"))
    await api.submit(SEED)
    status, page = await asyncio.wait_for(waiting, 10)
    assert (status, [event["pet_id"] for event in page["events"]]) == (200, [PET])

    waiting = asyncio.create_task(api.ask("GET", f"/internal/feed?after={page['next']}&wait=30"))
    await api.view(PET)
    began = time.monotonic()
    assert await asyncio.to_thread(fleet.daemons[0].stop) == 0
    assert (await waiting)[1]["events"] == []
    assert time.monotonic() - began < 10
