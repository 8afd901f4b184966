"""What the storage service is still to be told."""

from redis.asyncio import Redis

from sploot_clusterd.store import AlbumStore, Store, Stream
from tests.support.committer import PET, Committer
from tests.support.producer import Producer

LEASE_MS = 60_000


async def test_what_is_untold_is_the_newest_word_until_it_was_told(
    stream: Stream, albums: AlbumStore, producer: Producer, store: Store, redis: Redis
):
    commit = Committer(albums, producer)
    await commit(untold={"a": b"1", "b": b"1", "gone": b""})
    await commit(untold={"a": b"2"})
    assert (await store.untold.due(10)).due == [PET]
    taken = await store.untold.take([PET], 10, LEASE_MS)
    assert taken == {PET: {"a": b"2", "b": b"1"}}
    assert (await store.untold.due(10)).due == []
    await commit(untold={"b": b"3"})  # while a and b are being told
    assert await store.untold.settle(PET, taken[PET], 0) == 1
    assert await store.untold.take([PET], 10, LEASE_MS) == {PET: {"b": b"3"}}
    await store.untold.settle(PET, {"b": b"3"}, 0)
    assert not await redis.exists("ns:untold:pet", "ns:tellings")
