"""An album in memory is compared with the stored one by plain commands, which have to tell what the script tells."""

from collections.abc import Awaitable, Callable, Collection

import pytest
from redis.asyncio import Redis

from sploot_clusterd.errors import BadStateError
from sploot_clusterd.store import AlbumStore, Commit, Loaded, Stream, Wanted
from sploot_clusterd.store.loading import unchanged
from tests.support.producer import Producer

PET = "pet"
Change = Callable[[Redis], Awaitable[object]]


@pytest.fixture
async def token(stream: Stream, albums: AlbumStore, producer: Producer) -> bytes:
    """Of an album with two rows and a view."""
    del stream  # its group is there
    await producer.add()
    entries = [each.key for each in await producer.read("me")]
    rows = {"img": b"row\x00", "other": b"row 2"}
    (done,) = await albums.commit("me", [Commit(PET, entries, b"", None, 1, {b"head": b"h"}, rows=rows, view=b"{}")])
    return done.token


async def scripts_run(redis: Redis) -> int:
    told = await redis.info("commandstats")
    return sum(told.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha"))


async def changes_nothing(_: Redis) -> None:
    pass


@pytest.mark.parametrize("images", [["img"], ["new", "other", "img"], []], ids=len)
@pytest.mark.parametrize(
    "change",
    [changes_nothing, lambda redis: redis.delete("ns:state:pet"), lambda redis: redis.hset("ns:erased", PET, "5-7")],
    ids=["as-it-was", "no-view", "erase-mark"],
)
async def test_what_is_in_memory_and_current_is_told_as_by_the_script_without_one(
    albums: AlbumStore, redis: Redis, token: bytes, change: Change, images: Collection[str]
):
    await change(redis)
    ran = await scripts_run(redis)
    (loaded,) = await albums.load([Wanted(PET, token, images)])
    assert await scripts_run(redis) == ran
    assert isinstance(loaded, Loaded)
    assert loaded.fields is None
    assert loaded == await albums.load_one(PET, token=token, images=images)


async def test_what_moved_on_is_loaded_whole_and_each_in_its_place(albums: AlbumStore, token: bytes):
    asked = [
        Wanted("none", b"x.1", ["img"]),
        Wanted(PET, token, ["img"]),
        Wanted(PET, b"old.1", []),
        Wanted("n", b"", []),
    ]
    gone, current, moved, new = await albums.load(asked)
    assert gone == Loaded(b"", {}, {}, None, False)
    assert current == Loaded(token, None, {"img": b"row\x00"}, None, True)
    assert moved == Loaded(token, {b"head": b"h"}, {}, None, True)
    assert new == Loaded(b"", None, {}, None, False)


@pytest.mark.parametrize(
    "change",
    [
        lambda redis: redis.lpush("ns:state:pet", "no text"),
        lambda redis: redis.set("ns:images:pet", "no hash"),
        lambda redis: redis.hset("ns:erased", PET, "no id"),
    ],
    ids=["view", "rows", "erase-mark"],
)
async def test_what_cannot_be_read_is_told(albums: AlbumStore, redis: Redis, token: bytes, change: Change):
    await redis.delete("ns:state:pet", "ns:images:pet")
    await change(redis)
    (loaded,) = await albums.load([Wanted(PET, token, ["img"])])
    assert isinstance(loaded, BadStateError)


def test_rows_of_another_state_than_that_in_memory_are_not_taken():
    wanted = Wanted(PET, b"a.1", ["img"])
    assert unchanged(wanted, [[b"row"], b"string", None, b"a.1"]) is not None
    assert unchanged(wanted, [[b"row of a.2"], b"string", None, b"a.2"]) is None
    assert unchanged(wanted, [[None], b"none", b"9-0", None]) is None
