"""The web's half: reads and submits that callers share, the full backlog, erasure."""

import asyncio

import pytest
from redis.asyncio import Redis

from sploot_clusterd.errors import BacklogFullError, BadStateError, StoreRefusesError, StoreUnavailableError
from sploot_clusterd.keys import Keys
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import Stream, ViewStore
from sploot_clusterd.store.coalesce import Coalescer
from tests.support.producer import Producer
from tests.support.stores import GROUP, opened
from tests.support.waiting import eventually


def view_of(pet: str) -> bytes:
    return b'{"pet_id":"%s","clusters":[]}' % pet.encode()


@pytest.mark.parametrize(
    "foreign", [b"", b"a note of somebody's", b"\xff", b'{"clusters":[]}', view_of("b"), b"[" * 5000, b'{"pet_id":"a"}']
)
async def test_a_foreign_text_is_not_served_as_a_view(views: ViewStore, redis: Redis, foreign: bytes):
    await redis.set("ns:state:a", foreign)
    with pytest.raises(BadStateError, match="ns:state:a holds what is no view"):
        await views.view("a")
    assert await views.invalidate("a")
    assert await views.view("a") is None


async def test_a_view_of_the_service_before_this_one_is_served(views: ViewStore, redis: Redis):
    earlier = b'{"clusters": [{"id": "a-cluster-0"}], "pet_id": "a"}'
    await redis.set("ns:state:a", earlier)
    assert await views.view("a") == earlier


async def test_concurrent_readers_share_a_round_trip(views: ViewStore, redis: Redis):
    one, other = view_of("a"), view_of("b") + b" "
    await redis.set("ns:state:a", one)
    await redis.set("ns:state:b", other)
    answers = await asyncio.gather(*(views.view(pet) for pet in ("a", "b", "none", "a")))
    assert answers == [one, other, None, one]
    assert (await redis.info("commandstats"))["cmdstat_mget"]["calls"] == 1


async def test_a_full_stream_refuses_and_nothing_is_trimmed(views: ViewStore, redis: Redis, metrics: Metrics):
    results = await asyncio.gather(*(views.submit("pet", b"%d" % n) for n in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [type(None)] * 3 + [BacklogFullError] * 2
    assert [fields[b"payload"] for _, fields in await redis.xrange("jobs")] == [b"0", b"1", b"2"]
    assert metrics.registry.get_sample_value("media_cluster_backlog_refused_total") == 2
    await redis.xtrim("jobs", maxlen=0)
    await views.submit("pet", b"room again")


def jobs(payloads: list[bytes]) -> list[tuple[str, bytes]]:
    return [("pet", payload) for payload in payloads]


def kinds(outcomes) -> list[type]:
    return [type(outcome) for outcome in outcomes]


async def test_many_jobs_keep_their_order_and_share_round_trips(redis: Redis, roomy: ViewStore):
    payloads = [b"%d" % n for n in range(150)]
    assert await roomy.submit_all(jobs(payloads)) == [None] * 150
    assert [fields[b"payload"] for _, fields in await redis.xrange("jobs")] == payloads
    calls = (await redis.info("commandstats"))["cmdstat_xadd"]["calls"]
    scripts = (await redis.info("commandstats"))["cmdstat_xlen"]["calls"]
    assert (calls, scripts) == (150, 3)
    assert await roomy.submit_all([]) == []


async def test_heavy_jobs_are_cut_into_more_round_trips(redis: Redis, roomy: ViewStore):
    assert await roomy.submit_all(jobs([bytes(2**20), b"x", bytes(2**19), bytes(2**19)])) == [None] * 4
    assert (await redis.info("commandstats"))["cmdstat_xlen"]["calls"] == 3


async def test_from_the_first_job_without_room_on_none_is_added(views: ViewStore, redis: Redis, metrics: Metrics):
    await redis.xadd("jobs", {"payload": "there"})
    outcomes = await views.submit_all(jobs([b"%d" % n for n in range(100)]))
    assert kinds(outcomes) == [type(None)] * 2 + [BacklogFullError] * 98
    assert [fields[b"payload"] for _, fields in await redis.xrange("jobs")] == [b"there", b"0", b"1"]
    assert metrics.registry.get_sample_value("media_cluster_backlog_refused_total") == 98


async def test_when_redis_goes_in_the_middle_the_rest_is_not_sent(redis: Redis, roomy: ViewStore, monkeypatch):
    submit, sent = roomy._submit, []

    async def breaks(batch):
        sent.append(len(batch))
        if len(sent) == 2:
            raise StoreUnavailableError
        return await submit(batch)

    monkeypatch.setattr(roomy, "_submit", breaks)
    outcomes = await roomy.submit_all(jobs([b"x"] * 200))
    assert kinds(outcomes) == [type(None)] * 64 + [StoreUnavailableError] * 136
    assert (sent, await redis.xlen("jobs")) == ([64, 64], 64)


async def test_invalidate_drops_the_view_only(views: ViewStore, redis: Redis):
    await redis.set("ns:state:pet", b"v")
    await redis.hset("ns:album:pet", "token", "t.1")
    assert await views.invalidate("pet") is True
    assert await views.invalidate("pet") is False
    assert await redis.exists("ns:album:pet")


async def test_an_album_is_there_until_it_is_erased(views: ViewStore, redis: Redis):
    assert await views.has_album("pet") is False
    await redis.hset("ns:album:pet", "token", "t.1")
    assert await views.has_album("pet") is True
    await views.erase("pet")
    assert await views.has_album("pet") is False


async def test_erase_removes_every_key_and_the_dead_letters(views: ViewStore, redis: Redis, keys: Keys):
    pet = keys.pet("pet")
    await redis.set(pet.view, b"v")
    await redis.hset(pet.album, "token", "t.1")
    await redis.hset(pet.images, "img", "row")
    await redis.set(pet.dropped, 1)
    await redis.hset(pet.snapshots, "restore", "bytes")
    for n in range(250):
        await redis.xadd(keys.dead_letters, {"payload": "x", "pet_id": "pet" if n % 2 else "other"})
    assert await views.erase("pet") is True
    left = {key.decode() async for key in redis.scan_iter()}
    assert left == {keys.dead_letters, keys.letter_sizes, keys.letter_pets}
    assert {fields[b"pet_id"] for _, fields in await redis.xrange(keys.dead_letters)} == {b"other"}
    assert await redis.xlen(keys.dead_letters) == 125
    assert await views.erase("pet") is False


async def test_large_dead_letters_of_others_are_passed_over_a_few_at_a_time(
    views: ViewStore, metrics: Metrics, redis: Redis, keys: Keys
):
    def calls() -> float:
        return metrics.registry.get_sample_value("media_cluster_redis_round_trips_total", {"kind": "erase"}) or 0.0

    await redis.xadd(keys.dead_letters, {"payload": b"x", "pet_id": "first"})
    assert await views.erase("first") is True  # then Redis knows the scripts
    before = calls()
    for pet in ("other", "pet", "other", "other", "pet"):
        await redis.xadd(keys.dead_letters, {"payload": b"x" * 3 * 2**20, "pet_id": pet})
    assert await views.erase("pet") is True
    assert [fields[b"pet_id"] for _, fields in await redis.xrange(keys.dead_letters)] == [b"other"] * 3
    assert calls() - before == 1 + 3 + 1  # the mark, then two of them at a time, and the audit


async def test_ping_wants_the_group_too(views: ViewStore, stream: Stream, redis: Redis):
    assert 0 < await views.ping() < 5000
    await redis.xgroup_destroy("jobs", GROUP)
    with pytest.raises(StoreUnavailableError, match="consumer group workers is missing"):
        await views.ping()


async def test_without_redis_every_call_says_so(tmp_path):
    async with opened(f"unix://{tmp_path}/none.sock") as store:
        views = store.views
        reads = (views.view("p"), views.has_album("p"), views.ping())
        for call in (*reads, views.submit("pet", b"x"), views.erase("p"), views.invalidate("p")):
            with pytest.raises(StoreUnavailableError, match="redis unavailable"):
                await call


async def test_a_burst_beyond_the_pool_waits_for_its_turn(redis_url: str, redis: Redis):
    async with opened(redis_url, pool_max_connections=2) as store:
        gone = await asyncio.gather(*(store.views.invalidate(f"p{n}") for n in range(100)))
        assert gone == [False] * 100


async def test_producers_own_entries_count_towards_the_backlog(views: ViewStore, producer: Producer):
    for _ in range(3):
        await producer.add()
    with pytest.raises(BacklogFullError, match="backlog is full: 3 jobs"):
        await views.submit("pet", b"one more")


async def test_questions_that_arrive_meanwhile_go_out_together():
    asked: list[list[int]] = []
    may_answer = asyncio.Event()

    async def ask(questions):
        asked.append(list(questions))
        await may_answer.wait()
        return [q * 10 for q in questions]

    shared = Coalescer(ask, most=3, lanes=1)
    first = asyncio.ensure_future(shared(0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    later = [asyncio.ensure_future(shared(n)) for n in range(1, 6)]
    may_answer.set()
    assert await first == 0
    assert await asyncio.gather(*later) == [10, 20, 30, 40, 50]
    assert asked == [[0], [1, 2, 3], [4, 5]]


async def test_one_batchs_error_is_told_to_its_callers_alone_and_a_cancelled_one_disturbs_nobody():
    async def ask(questions):
        if "bad" in questions:
            raise StoreUnavailableError
        return questions

    shared = Coalescer(ask, most=2, lanes=1)
    calls = [asyncio.ensure_future(shared(q)) for q in ("bad", "with bad", "good", "cancelled")]
    await asyncio.sleep(0)
    calls[3].cancel()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(r) for r in results] == [StoreUnavailableError, StoreUnavailableError, str, asyncio.CancelledError]


async def test_heavy_questions_are_cut_into_several_batches():
    sizes = []

    async def ask(questions):
        sizes.append(len(questions))
        return questions

    shared = Coalescer(ask, most=10, lanes=1, weigh=len, heaviest=10)
    await asyncio.gather(*(shared(b"x" * n) for n in (4, 4, 4, 50, 1)))
    assert sizes == [2, 1, 1, 1]


async def test_what_one_batch_leaves_over_goes_out_beside_it_and_what_comes_then_after_it():
    asked: list[list[int]] = []
    may_answer = asyncio.Event()

    async def ask(questions):
        asked.append(list(questions))
        await may_answer.wait()
        return questions

    shared = Coalescer(ask, most=2, lanes=2)
    calls = [asyncio.ensure_future(shared(n)) for n in range(7)]
    await eventually(lambda: len(asked) == 2, what="two batches to be under way")
    assert asked == [[0, 1], [2, 3]]
    may_answer.set()
    assert await asyncio.gather(*calls) == [*range(7)]
    assert asked[2:] == [[4, 5], [6]]


async def test_a_demoted_primary_refuses_and_is_left(views: ViewStore, redis: Redis, redis_url: str):
    await views.submit("pet", b"before")
    connected = len(await redis.client_list())
    await redis.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(StoreRefusesError, match="read only replica"):
            await views.submit("pet", b"while demoted")

        async def left() -> bool:
            return len(await redis.client_list()) < connected

        await eventually(left, what="the connection to the demoted node to be closed")
    finally:
        await redis.replicaof("NO", "ONE")
    await views.submit("pet", b"after")
