"""The commit: all of a pet's state and its entries' settlement, or nothing."""

import asyncio
from collections.abc import Collection

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from sploot_clusterd.entry_ids import EntryId
from sploot_clusterd.errors import BadStateError, StoreRefusesError, StoreUnavailableError
from sploot_clusterd.keys import Keys
from sploot_clusterd.store import AlbumStore, Commit, CommitOutcome, Letter, Loaded, Stream, ViewStore, Wanted
from tests.support.producer import Producer
from tests.support.stores import GROUP
from tests.support.waiting import eventually

PET = "pet"


def commit(entries: Collection[bytes], token: bytes = b"", version: int | None = 1, **more: object) -> Commit:
    writes = {b"head": b"h\xff", b"c1": b"cell"}
    made = Commit(PET, list(entries), token, None, version, writes, rows={"img": b"row\x00"}, view=b'{"v":1}')
    return replace(made, **more)


async def load(albums: AlbumStore, token: bytes = b"", images: Collection[str] = ()) -> Loaded:
    (loaded,) = await albums.load([Wanted(PET, token, images)])
    assert isinstance(loaded, Loaded)
    return loaded


@pytest.fixture
async def entry(stream: Stream, producer: Producer) -> bytes:
    await producer.add()
    return (await producer.read("me"))[0].key


async def test_a_commit_writes_everything_and_settles(
    albums: AlbumStore, entry: bytes, redis: Redis, producer: Producer, keys: Keys
):
    await redis.hset(keys.attempts, entry, "1 0 0 1")
    await redis.xclaim("jobs", GROUP, "me", 0, [entry])  # as after a run that failed
    (done,) = await albums.commit("me", [commit([entry])])

    assert done.outcome is CommitOutcome.COMMITTED
    assert done.token.endswith(b".1")
    assert await redis.get("ns:state:pet") == b'{"v":1}'
    assert 0 < await redis.ttl("ns:state:pet") <= 100
    assert await redis.hgetall("ns:album:pet") == {b"head": b"h\xff", b"c1": b"cell", b"token": done.token}
    assert await redis.hgetall("ns:images:pet") == {b"img": b"row\x00"}
    assert await redis.xlen("jobs") == 0
    assert await producer.pending() == 0
    assert not await redis.exists(keys.attempts)


async def test_what_was_committed_is_loaded(albums: AlbumStore, entry: bytes):
    nothing = await load(albums, images=["img"])
    assert nothing == Loaded(b"", None, {}, None, False)
    (done,) = await albums.commit("me", [commit([entry])])

    whole = await load(albums, images=["other", "img"])
    assert whole == Loaded(done.token, {b"head": b"h\xff", b"c1": b"cell"}, {"img": b"row\x00"}, None, True)
    current = await load(albums, token=done.token, images=["img"])
    assert current.fields is None
    assert current.rows == {"img": b"row\x00"}
    assert await albums.all_rows(PET, done.token) == {"img": b"row\x00"}
    assert await albums.all_rows(PET, b"another") is None


async def test_a_second_commit_from_the_same_state_is_a_conflict(albums: AlbumStore, entry: bytes, producer: Producer):
    await producer.add()
    second = (await producer.read("me"))[0].key
    (done,) = await albums.commit("me", [commit([entry])])
    (late,) = await albums.commit("me", [commit([second], view=b"late", writes={b"head": b"late"})])

    assert late.outcome is CommitOutcome.CONFLICT
    assert await producer.pending() == 1
    loaded = await load(albums)
    assert loaded.token == done.token
    assert loaded.fields is not None
    assert loaded.fields[b"head"] == b"h\xff"


async def test_each_commit_makes_a_token_of_its_own(albums: AlbumStore, entry: bytes, producer: Producer):
    (first,) = await albums.commit("me", [commit([entry])])
    await producer.add()
    second = (await producer.read("me"))[0].key
    (done,) = await albums.commit(
        "me", [commit([second], first.token, 2, writes={}, deletes=[b"c1"], rows={}, dropped_rows=["img"])]
    )

    assert done.token.endswith(b".2")
    assert done.token.partition(b".")[0] != first.token.partition(b".")[0]
    loaded = await load(albums, images=["img"])
    assert loaded.fields == {b"head": b"h\xff"}
    assert loaded.rows == {}


async def test_a_memory_of_a_lost_commit_fits_not_the_one_in_its_place(
    albums: AlbumStore, entry: bytes, producer: Producer, redis: Redis
):
    """As when a replica takes over that had not yet got the last commit."""
    (first,) = await albums.commit("me", [commit([entry])])
    replica = await redis.dump("ns:album:pet")
    await producer.add()
    await producer.add()
    second, third = (each.key for each in await producer.read("me"))
    (lost,) = await albums.commit("me", [commit([second], first.token, 2)])
    await redis.restore("ns:album:pet", 0, replica, replace=True)
    (done,) = await albums.commit("me", [commit([third], first.token, 2, writes={b"head": b"another"})])

    assert done.outcome is CommitOutcome.COMMITTED
    loaded = await load(albums, token=lost.token)
    assert loaded.fields is not None
    assert loaded.fields[b"head"] == b"another"


async def test_entries_of_another_consumer_stop_the_whole_pet(
    albums: AlbumStore, entry: bytes, producer: Producer, redis: Redis
):
    await producer.add()
    second = (await producer.read("me"))[0].key
    await redis.xclaim("jobs", "workers", "thief", 0, [second])
    (reply,) = await albums.commit("me", [commit([entry, second])])

    assert reply.outcome is CommitOutcome.LOST
    assert reply.ours == [entry]
    assert (await load(albums)).token == b""
    assert await producer.pending() == 2


async def test_other_pets_of_the_batch_are_not_touched(albums: AlbumStore, entry: bytes, producer: Producer):
    await producer.add()
    second = (await producer.read("me"))[0].key
    replies = await albums.commit("thief", [commit([entry])]) + await albums.commit(
        "me", [commit([b"1-1"]), commit([second], pet_id="other")]
    )
    assert [reply.outcome for reply in replies] == [CommitOutcome.LOST, CommitOutcome.LOST, CommitOutcome.COMMITTED]


async def test_an_entry_settled_by_another_is_lost_and_not_done_twice(albums: AlbumStore, entry: bytes):
    (done,) = await albums.commit("me", [commit([entry])])
    (again,) = await albums.commit("me", [commit([entry], done.token, 2)])
    assert again.outcome is CommitOutcome.LOST
    assert again.ours == []
    assert (await load(albums)).token == done.token


async def test_an_erasure_after_the_load_is_a_conflict(
    albums: AlbumStore, views: ViewStore, entry: bytes, producer: Producer
):
    await views.erase(PET)
    (reply,) = await albums.commit("me", [commit([entry])])
    assert reply.outcome is CommitOutcome.CONFLICT
    loaded = await load(albums)
    assert loaded.erased == EntryId.parse(entry.decode())
    (settled,) = await albums.commit("me", [Commit(PET, [entry], b"", loaded.erased)])
    assert settled.outcome is CommitOutcome.COMMITTED
    assert await producer.pending() == 0
    assert (await load(albums)).token == b""


async def test_a_memory_of_an_erased_album_fits_no_later_one(
    albums: AlbumStore, views: ViewStore, entry: bytes, producer: Producer
):
    (old,) = await albums.commit("me", [commit([entry])])
    await views.erase(PET)
    await producer.add()
    second = (await producer.read("me"))[0].key
    (new,) = await albums.commit("me", [commit([second])])
    assert new.outcome is CommitOutcome.COMMITTED
    assert new.token != old.token
    await producer.add()
    third = (await producer.read("me"))[0].key
    (stale,) = await albums.commit("me", [commit([third], old.token, 2)])
    assert stale.outcome is CommitOutcome.CONFLICT


async def test_a_wrong_type_under_a_pets_key_leaves_the_job_pending(
    albums: AlbumStore, entry: bytes, producer: Producer, redis: Redis
):
    await redis.set("ns:images:pet", "not a hash")
    (reply,) = await albums.commit("me", [commit([entry])])
    assert isinstance(reply, BadStateError)
    assert await producer.pending() == 1
    await redis.set("ns:album:pet", "not a hash")
    (loaded,) = await albums.load([Wanted(PET, b"", [])])
    assert isinstance(loaded, BadStateError)


async def test_without_memory_nothing_is_written_and_the_job_stays_pending(
    albums: AlbumStore, entry: bytes, producer: Producer, redis: Redis
):
    await redis.config_set("maxmemory", 1)
    (reply,) = await albums.commit("me", [commit([entry])])
    assert isinstance(reply, StoreRefusesError)
    await redis.config_set("maxmemory", 0)
    assert await producer.pending() == 1
    (again,) = await albums.commit("me", [commit([entry])])
    assert again.outcome is CommitOutcome.COMMITTED


async def test_scripts_survive_a_flush_of_the_servers_script_cache(albums: AlbumStore, entry: bytes, redis: Redis):
    await redis.script_flush()
    assert (await load(albums)).token == b""
    await redis.script_flush()
    (reply,) = await albums.commit("me", [commit([entry])])
    assert reply.outcome is CommitOutcome.COMMITTED


async def test_large_lists_go_through_in_one_commit(albums: AlbumStore, entry: bytes, redis: Redis):
    writes, rows = {b"c%d" % n: b"c" for n in range(1500)}, {str(n): b"%d" % n for n in range(5000)}
    (first,) = await albums.commit("me", [commit([entry], writes=writes, rows=rows)])
    images = list(rows)
    loaded = await load(albums, images=images)
    assert loaded.rows == rows
    assert loaded.fields == {b"c%d" % n: b"c" for n in range(1500)}
    await redis.xadd("jobs", {"payload": "x"})
    (key,) = [k for k, _ in (await redis.xreadgroup("workers", "me", {"jobs": ">"}))[0][1]]
    (done,) = await albums.commit("me", [commit([key], first.token, 2, writes={}, rows={}, dropped_rows=images)])
    assert done.outcome is CommitOutcome.COMMITTED
    assert not await redis.exists("ns:images:pet")


async def test_an_album_that_was_to_expire_no_longer_does_when_the_setting_is_gone(
    albums: AlbumStore, entry: bytes, producer: Producer, redis: Redis
):
    (first,) = await albums.commit("me", [commit([entry])])
    for key in ("ns:album:pet", "ns:images:pet"):
        await redis.expire(key, 1000)
    await producer.add()
    second = (await producer.read("me"))[0].key
    await albums.commit("me", [commit([second], first.token, 2)])
    assert [await redis.ttl(key) for key in ("ns:album:pet", "ns:images:pet")] == [-1, -1]


async def test_rows_that_are_left_of_an_album_that_has_gone_live_as_long_as_the_new_one(
    albums: AlbumStore, entry: bytes, redis: Redis
):
    await redis.hset("ns:images:pet", "left", "row")
    await redis.expire("ns:images:pet", 1000)
    await albums.commit("me", [commit([entry])])
    assert await redis.ttl("ns:images:pet") == -1


async def test_a_server_that_is_busy_is_unavailable_and_no_bug(albums: AlbumStore, redis: Redis):
    await redis.config_set("busy-reply-threshold", 20)
    slow = asyncio.create_task(redis.eval("while true do end", 0))

    async def says_busy() -> bool:
        try:
            await load(albums)
        except StoreUnavailableError as error:
            return "cannot answer now: BUSY" in error.detail
        return False

    other = Redis.from_url(f"unix://{redis.connection_pool.connection_kwargs['path']}", protocol=2)
    try:
        await eventually(says_busy, what="a BUSY reply")
    finally:
        await other.script_kill()
        with pytest.raises(ResponseError):
            await slow
        await other.config_set("busy-reply-threshold", 5000)
        await other.aclose()


@pytest.mark.parametrize("ms", [2**53, 2**63, 2**64 - 2])
async def test_marks_beyond_what_a_double_holds_are_compared_exactly(stream: Stream, redis: Redis, keys: Keys, ms: int):
    for place, mark, kept in (
        (f"{ms + 1}-0", f"{ms}-5", True),
        (f"{ms}-5", f"{ms}-5", False),
        ("5-0", f"{ms}-0", False),
    ):
        await redis.delete(keys.stream, keys.dead_letters)
        await stream.ensure_group()
        entry = await redis.xadd(keys.stream, {"payload": "{}"})
        await redis.xreadgroup(GROUP, "me", {keys.stream: ">"})
        await redis.hset(keys.erased, PET, mark)
        letter = Letter(entry, b"{}", "invalid", "why", 1, place, PET, "job", "now")
        assert await stream.dead_letter("me", letter) is kept, (place, mark)
        assert await redis.xlen(keys.dead_letters) == kept
