"""What eight partitions promise wherever they lie."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from redis.asyncio import Redis

from sploot_clusterd.dead_letters import Replayed
from sploot_clusterd.entry_ids import LetterId
from sploot_clusterd.errors import BacklogFullError
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Letter, Store
from tests.faults.fleet import Fleet
from tests.support.api import Api, add
from tests.support.paused import in_seconds, taken, warns
from tests.support.stores import GROUP, settings

COUNT = 8
ROOM = 16
"""Jobs that a partition takes."""


@asynccontextmanager
async def opened(url: str, **redis: object) -> AsyncIterator[Store]:
    """A store whose streams have their groups; keywords change the settings of its connections."""
    given = settings(url, **redis)
    stream = replace(given.stream, partitions=COUNT, maxlen=ROOM * COUNT)
    store = Store.open(replace(given, stream=stream), Metrics())
    try:
        await store.follow()
        for partition in store.partitions:
            await partition.stream.ensure_group()
        yield store
    finally:
        await store.close()


def pet_of(store: Store, partition: int) -> str:
    """Its id has a colon."""
    return next(pet for n in range(1000) if store.layout.number(pet := f"pet:{n}") == partition)


class OfTheStore:
    """`store` has the groups of its streams; `client` reaches the same Redis."""

    async def test_jobs_of_all_partitions_are_taken_but_those_of_a_full_one(self, store: Store, client: Redis):
        pets = [pet_of(store, partition) for partition in range(COUNT)]
        full = 3
        filled = [(pets[full], b"before %d" % n) for n in range(ROOM)]
        assert await store.views.submit_all(filled) == [None] * ROOM
        jobs = [(pet, f"{pet} {n}".encode()) for n in range(8) for pet in pets]
        assert len(jobs) == 64
        outcomes = await store.views.submit_all(jobs)
        refused = {pet for (pet, _), outcome in zip(jobs, outcomes, strict=True) if outcome is not None}
        assert refused == {pets[full]}
        assert Counter(map(type, outcomes)) == {type(None): 56, BacklogFullError: 8}
        wanted = [[payload for pet, payload in jobs if pet == each] for each in pets]
        wanted[full] = [payload for _, payload in filled]
        assert [await _payloads(client, keys.stream) for keys in store.layout.partitions] == wanted

    async def test_letters_are_listed_once_each_while_some_are_replayed(self, store: Store, client: Redis):
        pets = [pet_of(store, partition) for partition in range(COUNT)]
        for n in range(15 * COUNT):  # two pages
            await _set_aside(store, client, pets[n % COUNT], n)
        listed, replayed = list[LetterId](), set[bytes]()
        async for page in store.letters.pages():
            for letter in page:
                listed.append(letter.letter_id)
                if len(listed) % 2:
                    whole = await store.letters.whole(letter.letter_id)
                    assert whole is not None
                    replayed.add(whole[b"payload"])
                    assert await store.letters.replay(letter.letter_id) is Replayed.DONE
        assert len(listed) == len({*listed}) == 15 * COUNT
        back = [payload for keys in store.layout.partitions for payload in await _payloads(client, keys.stream)]
        assert sorted(back) == sorted(replayed)
        left = [payload for keys in store.layout.partitions for payload in await _payloads(client, keys.dead_letters)]
        assert sorted(left + back) == sorted(b"%d" % n for n in range(15 * COUNT))
        for letter_id in listed[::2]:
            assert await store.letters.replay(letter_id) is Replayed.GONE


class OfDaemons:
    """`fleet` are two daemons."""

    async def test_ids_with_colons_and_model_versions_with_braces(self, fleet: Fleet):
        one, other = (Api(fleet, daemon) for daemon in fleet.daemons)
        pets = [f"pet:{n}" for n in range(3 * COUNT)]
        for n, pet in enumerate(pets):
            if n % 2:
                await one.submit(_job(pet))
            else:
                await add(fleet, {"payload": _job(pet)})
        for pet in pets:
            view = await other.seen(pet, timeout=20)
            members = {member["image_id"] for cluster in view["clusters"] for member in cluster["members"]}
            assert members == {f"img:{n}" for n in range(4)}
        await fleet.settled()
        assert not await fleet.letters()
        sampled = [await fleet.redis.hlen(keys.sample("m{1}").images) for keys in fleet.layout.partitions]
        assert all(sampled), "each partition has its own pets' images"
        assert await one.ask("DELETE", f"/internal/pets/{pets[0]}") == (200, {"status": "erased"})
        assert await other.view(pets[0]) is None
        assert await other.view(pets[1]) is not None

    async def test_no_process_takes_jobs_while_the_fleet_is_paused(self, fleet: Fleet):
        api = Api(fleet, fleet.daemons[0])
        pets = [f"pet:{n}" for n in range(COUNT)]
        for pet in pets:
            await api.submit({"pet_id": pet, "payload": {"image_ids": ["before"]}})
        await fleet.settled()
        pause = {"reason": "a deploy", "until": in_seconds(600)}
        assert await api.ask("POST", "/internal/pause", json=pause) == (200, {"status": "paused"})
        await warns(fleet, wanted=True)
        for pet in pets:
            await api.submit({"pet_id": pet, "job_id": "j", "payload": {"image_ids": ["i"]}})
        for _ in range(3):
            await warns(fleet, wanted=True)
            assert await taken(fleet) == 0
            for pet in pets:
                assert (await api.ask("GET", f"/internal/pets/{pet}/jobs/j"))[1]["state"] == "queued"

        assert await api.ask("POST", "/internal/resume") == (200, {"status": "resumed"})
        assert await api.ask("POST", "/internal/resume") == (200, {"status": "noop"})

        for pet in pets:
            await api.seen(pet, version=2)
        await warns(fleet, wanted=False)


async def _payloads(client: Redis, stream: str) -> list[bytes]:
    return [fields[b"payload"] for _, fields in await client.xrange(stream)]


async def _set_aside(store: Store, client: Redis, pet: str, n: int) -> None:
    stream = store.of(pet).stream
    await client.xadd(stream.key, {"payload": b"%d" % n})
    ((_, ((entry, _),)),) = await client.xreadgroup(GROUP, "me", {stream.key: ">"})
    letter = Letter(entry, b"%d" % n, "invalid", "why", 1, entry.decode(), pet, "job:1", "now")
    assert await stream.dead_letter("me", letter)


def _job(pet: str) -> dict[str, object]:
    images = [{"image_id": f"img:{n}", "embedding": [1.0, n / 4]} for n in range(4)]
    return {"pet_id": pet, "job_id": f"job:{pet}", "payload": {"images": images, "model_version": "m{1}"}}
