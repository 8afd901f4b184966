"""What pets want of the storage service: left by commits, taken by leases, settled in one step with a job, erased."""

import pytest
from redis.asyncio import Redis

from sploot_clusterd.store import (
    LIST,
    AlbumStore,
    Commit,
    Settlement,
    Store,
    Stream,
    Taken,
    ViewStore,
    Wants,
)
from tests.support.committer import PET, Committer
from tests.support.producer import Producer
from tests.support.waiting import eventually

LEASE_MS = 60_000


@pytest.fixture
def wants(store: Store) -> Wants:
    return store.wants


@pytest.fixture
def commit(stream: Stream, albums: AlbumStore, producer: Producer) -> Committer:
    return Committer(albums, producer)


async def take(wants: Wants, most: int = 64, lease_ms: int = LEASE_MS) -> Taken:
    queue = await wants.due(10)
    (taken,) = await wants.take(dict.fromkeys(queue.due, most), lease_ms)
    return taken


def names(taken: Taken) -> list[str]:
    return sorted(image.image_id for image in taken.images)


async def wanted(redis: Redis) -> set[str]:
    return {image.decode() for image in await redis.zrange("ns:wanted:pet", 0, -1)}


async def test_a_commit_leaves_word_and_the_view_counts_what_is_out(commit: Committer, wants: Wants, redis: Redis):
    await commit("a", "b", LIST)
    assert await wanted(redis) == {"a", "b", LIST}
    assert await redis.get("ns:state:pet") == b'{"wanted":3,"more":1}'
    assert (await wants.due(10)).due == [PET]

    await commit("c", old=("a", "x"))
    assert await wanted(redis) == {"b", "c", LIST}
    assert await redis.get("ns:state:pet") == b'{"wanted":3,"more":1}'


async def test_without_insights_a_commit_writes_none_of_it(
    albums: AlbumStore, stream, producer: Producer, redis: Redis
):
    await producer.add()
    (entry,) = await producer.read("me")
    await albums.commit("me", [Commit(PET, [entry.key], b"", None, 1, {b"head": b"h"}, view=b"{}")])
    assert await redis.get("ns:state:pet") == b"{}"
    assert set(await redis.keys()) == {b"jobs", b"ns:album:pet", b"ns:state:pet"}


async def test_what_is_taken_is_not_due_again_until_its_lease_ends(commit: Committer, wants: Wants):
    await commit("a", "b", "c")
    first = await take(wants, most=2)
    assert names(first) == ["a", "b"]
    assert [(image.missed_ms, image.takes) for image in first.images] == [(-1, 0)] * 2
    assert names(await take(wants)) == ["c"]
    assert (await wants.due(10)).due == []


async def test_what_was_taken_without_an_outcome_is_due_again(commit: Committer, wants: Wants):
    await commit("a")
    await take(wants, lease_ms=1)

    async def due() -> bool:
        return (await wants.due(10)).due == [PET]

    await eventually(due, what="the lease to end")
    again = await take(wants)
    assert names(again) == ["a"]
    assert again.images[0].takes == 1, "counted, for it may be what ends processes"


async def test_answers_and_their_job_come_in_one_step(commit: Committer, wants: Wants, redis: Redis):
    await commit("a", "b")
    taken = await take(wants)
    done = await wants.settle(Settlement(PET, taken.lease, done=["a", "b"], payload=b"job"), LEASE_MS)
    assert done.lost is None
    assert not done.full
    assert [fields for _, fields in await redis.xrange("jobs")] == [{b"payload": b"job"}]
    assert not await redis.exists("ns:wanted:pet", "ns:asked:pet", "ns:wants")

    again = await wants.settle(Settlement(PET, taken.lease, done=["a", "b"], payload=b"job"), LEASE_MS)
    assert again.lost == [], "the reply may have been lost: it does not happen twice"
    assert await redis.xlen("jobs") == 1


async def test_only_who_holds_all_of_it_settles_any_of_it(commit: Committer, wants: Wants, redis: Redis):
    await commit("a", "b")
    taken = await take(wants)
    await commit(old=("b",))  # a job came that brought its vectors
    reply = await wants.settle(Settlement(PET, taken.lease, done=["a", "b"], payload=b"job"), LEASE_MS)
    assert reply.lost == ["a"]
    assert await redis.xlen("jobs") == 0
    rest = Settlement(PET, taken.lease, [], ["a", "b"], {"b": 1}, {"b": 1}).only(["a"])
    assert (rest.done, rest.missing, rest.later) == (["a"], {}, {})
    assert (await wants.settle(rest, LEASE_MS)).lost is None
    assert await wanted(redis) == set()


async def test_while_the_stream_is_full_answers_stay_in_hand(commit: Committer, wants: Wants, producer, redis: Redis):
    await commit("a")
    taken = await take(wants)
    for _ in range(5):
        await producer.add()
    settlement = Settlement(PET, taken.lease, done=["a"], payload=b"job")
    reply = await wants.settle(settlement, LEASE_MS)
    assert reply.full
    assert reply.lease >= taken.lease
    assert await wanted(redis) == {"a"}
    await redis.xtrim("jobs", 0)
    assert not (await wants.settle(settlement._replace(lease=reply.lease), LEASE_MS)).full
    assert await wanted(redis) == set()


async def test_a_list_waits_while_its_pet_wants_much(commit: Committer, wants: Wants, redis: Redis):
    await commit(LIST)
    taken = await take(wants)
    await commit("a", "b")
    page = Settlement(PET, taken.lease, later={LIST: LEASE_MS}, payload=b"page", most_wanted=2)
    reply = await wants.settle(page, LEASE_MS)
    assert reply.full
    await commit(old=("a",))
    page = page._replace(lease=reply.lease)
    handed = await wants.settle(page, LEASE_MS)
    assert not handed.full
    assert await redis.xlen("jobs") == 1
    last = Settlement(PET, handed.lease, done=[LIST], payload=b"last")
    assert (await wants.settle(last, LEASE_MS)).lost is None
    assert await wanted(redis) == {"b"}


async def test_what_is_missing_remembers_since_when_and_what_could_not_be_said_does_not(
    commit: Committer, wants: Wants
):
    await commit("a", "b")
    taken = await take(wants)
    await wants.settle(Settlement(PET, taken.lease, missing={"a": 0}, later={"b": 0}), LEASE_MS)
    again = {image.image_id: image for image in (await take(wants)).images}
    assert again["a"].missed_ms >= 0
    assert again["b"].missed_ms == -1
    assert again["a"].takes == again["b"].takes == 0


async def test_a_pet_is_due_when_its_first_want_is(commit: Committer, wants: Wants):
    await commit("a", "b")
    taken = await take(wants)
    await wants.settle(Settlement(PET, taken.lease, missing={"a": 3_600_000}, later={"b": 0}), LEASE_MS)
    queue = await wants.due(10)
    assert (queue.pets, queue.due) == (1, [PET])
    assert names(await take(wants)) == ["b"]


async def test_what_was_missing_is_asked_for_at_once_when_a_job_names_it_again(commit: Committer, wants: Wants):
    await commit("a", "b")
    taken = await take(wants)
    await wants.settle(Settlement(PET, taken.lease, missing={"a": 3_600_000}), LEASE_MS)
    await commit("a", "b")
    again = await take(wants)
    assert names(again) == ["a"], "b is in hand"
    assert again.images[0].missed_ms == -1


async def test_pets_take_turns(wants: Wants, redis: Redis):
    assert await wants.want_lists(["x", "y"]) == 2
    assert await wants.want_lists(["y", "z"]) == 1
    queue = await wants.due(2)
    assert queue.pets == 3
    assert queue.due == ["x", "y"]
    assert [taken.pet_id for taken in await wants.take({"x": 1, "y": 1}, LEASE_MS)] == ["x", "y"]
    assert (await wants.due(3)).due == ["z"]


async def test_a_delete_takes_the_wants_and_answers_on_their_way_find_nothing(
    commit: Committer, wants: Wants, roomy: ViewStore, redis: Redis
):
    await commit("a", LIST, untold={"a": b"{}"})
    taken = await take(wants)
    assert await roomy.erase(PET)
    assert await redis.keys() == [b"jobs"]
    for settlement in (
        Settlement(PET, taken.lease, done=["a"], payload=b"job"),
        Settlement(PET, taken.lease, missing={"a": 1}),
        taken.put_back(),
    ):
        assert (await wants.settle(settlement, LEASE_MS)).lost == []
    assert await redis.keys() == [b"jobs"]
    assert await redis.xlen("jobs") == 0


async def test_a_pet_that_comes_again_after_a_delete_is_asked_for_anew(
    commit: Committer, wants: Wants, roomy: ViewStore
):
    await commit("a")
    taken = await take(wants)
    await roomy.erase(PET)
    again = Committer(commit._albums, commit._producer)
    await again("a")
    assert (await wants.settle(Settlement(PET, taken.lease, done=["a"], payload=b"old"), LEASE_MS)).lost == []
    assert names(await take(wants)) == ["a"]


async def test_wants_live_as_long_as_the_album(albums: AlbumStore, stream, producer: Producer, redis: Redis):
    albums._settings = albums._settings._replace(album_life=50)
    await Committer(albums, producer)("a", untold={"a": b"{}"})
    for key in ("ns:wanted:pet", "ns:untold:pet", "ns:album:pet"):
        assert 0 < await redis.ttl(key) <= 50


async def test_a_queue_forgets_pets_whose_wants_are_gone(commit: Committer, wants: Wants, redis: Redis):
    await commit("a")
    await redis.delete("ns:wanted:pet")
    assert await wants.take({PET: 1}, LEASE_MS) == []
    assert not await redis.exists("ns:wants")


async def test_what_was_handed_over_is_counted_until_its_job_is_applied(commit: Committer, wants: Wants, redis: Redis):
    await commit("a", LIST)
    taken = await take(wants)
    await wants.settle(Settlement(PET, taken.lease, handed=["a", LIST], payload=b"job"), LEASE_MS)
    assert await wanted(redis) == {"a", LIST}
    assert (await wants.due(10)).due == []
    await commit(old=("a", LIST))
    assert await wanted(redis) == set()
    assert (await wants.due(0)).pets == 0
    assert await redis.get("ns:state:pet") == b'{"wanted":0,"more":1}'


async def test_a_list_that_is_wanted_again_while_it_is_on_its_way_is_fetched_again(
    commit: Committer, wants: Wants, redis: Redis
):
    await commit(LIST)
    taken = await take(wants)
    await commit(old=(LIST,))  # nobody has handed it over
    assert await wanted(redis) == {LIST}
    await wants.settle(Settlement(PET, taken.lease, handed=[LIST], payload=b"job"), LEASE_MS)
    await commit(LIST)  # by force
    await commit(old=(LIST,))  # the job that was handed over before
    again = await take(wants)
    assert names(again) == [LIST]


async def test_what_was_handed_over_in_vain_is_due_again_and_counted(
    commit: Committer, wants: Wants, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sploot_clusterd.store.wants._HANDED_MS", 0)
    await commit("a")
    for handed in range(3):
        taken = await take(wants)
        assert [image.handed for image in taken.images] == [handed]
        await wants.settle(Settlement(PET, taken.lease, handed=["a"], payload=b"job"), LEASE_MS)


async def test_what_is_left_of_a_pet_comes_after_the_others(wants: Wants, redis: Redis):
    await redis.zadd("ns:wanted:vast", {"a": 1, "b": 1})
    await redis.zadd("ns:wants", {"vast": 1})
    await wants.want_lists(["small"])
    assert (await wants.due(1)).due == ["vast"]
    await wants.take({"vast": 1}, LEASE_MS)
    assert (await wants.due(2)).due == ["small", "vast"]
