"""The component over a real Redis, with a storage service in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

import msgspec
import pytest
from redis.asyncio import Redis

from sploot_clusterd.config import InsightsSettings, LimitsSettings
from sploot_clusterd.health import Health
from sploot_clusterd.insights.fetcher import Fetcher
from sploot_clusterd.insights.source import BadAnswerError, SourceUnavailableError
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import LIST, Store
from tests.insights.memory import Memory, found
from tests.support.stores import opened, settings
from tests.support.waiting import eventually


@dataclass
class Stage:
    redis: Redis
    store: Store
    service: Memory
    metrics: Metrics
    left: asyncio.Event
    stopping: asyncio.Event

    async def want(self, *images: str, pet: str = "pet") -> None:
        """As a commit would leave word."""
        await self.redis.zadd(f"ns:wanted:{pet}", dict.fromkeys(images, 1))
        await self.redis.zadd("ns:wants", {pet: 1})
        self.left.set()

    async def wanted(self, pet: str = "pet") -> set[str]:
        return {image.decode() for image in await self.redis.zrange(f"ns:wanted:{pet}", 0, -1)}

    async def jobs(self) -> list[dict]:
        return [msgspec.json.decode(fields[b"payload"]) for _, fields in await self.redis.xrange("jobs")]

    async def images(self) -> list[str]:
        """Those that jobs bring vectors of, in order."""
        return [image["image_id"] for job in await self.jobs() for image in job["payload"]["payload"].get("images", [])]

    def count(self, outcome: str) -> float:
        name = "media_cluster_insights_settled_total"
        return self.metrics.registry.get_sample_value(name, {"outcome": outcome}) or 0.0


Start = Callable[..., None]


@pytest.fixture
async def stage(redis: Redis, redis_url: str) -> AsyncIterator[Stage]:
    async with opened(redis_url) as store:
        stage = Stage(redis, store, Memory(), Metrics(), asyncio.Event(), asyncio.Event())
        stage.service.gate.set()
        stage.service.may_be_asked.set()
        yield stage


@pytest.fixture
async def start(stage: Stage, redis_url: str) -> AsyncIterator[Start]:
    running: list[asyncio.Task[None]] = []

    def start(limits: LimitsSettings = LimitsSettings(), **asked: object) -> None:  # noqa: B008 - immutable
        given = replace(settings(redis_url), insights=replace(InsightsSettings(), **asked), limits=limits)
        fetcher = Fetcher(
            wants=stage.store.wants,
            upstream=stage.service,
            settings=given,
            left=stage.left,
            metrics=stage.metrics,
            health=Health(60.0),
            stopping=stage.stopping,
        )
        running.append(asyncio.create_task(fetcher.run()))

    yield start
    stage.stopping.set()
    await asyncio.gather(*running)


async def test_answers_come_as_a_job_and_are_asked_for_once(stage: Stage, start: Start):
    stage.service.answers = {name: [found(name)] for name in ("a", "b")}
    await stage.want("a", "b")
    start()
    await eventually(lambda: stage.count("fetched") == 2, what="both answers")
    (job,) = await stage.jobs()
    assert (job["pet_id"], job["fetched"]) == ("pet", "answers")
    assert job["payload"]["payload"]["model_version"] == "m@1"
    assert sorted(await stage.images()) == ["a", "b"]
    assert await stage.wanted() == {"a", "b"}, "until the job is applied"
    assert sorted(stage.service.asked) == ["a", "b"]


async def test_answers_that_cannot_be_compared_are_jobs_of_their_own(stage: Stage, start: Start):
    stage.service.answers = {"a": [found("a")], "b": [found("b", length=12)], "c": [found("c", model="m@2")]}
    await stage.want("a", "b", "c")
    start()
    await eventually(lambda: stage.count("fetched") == 3, what="every answer")
    jobs = await stage.jobs()
    assert len(jobs) == len({job["job_id"] for job in jobs}) == 3


async def test_one_that_is_not_there_keeps_none_waiting_and_is_asked_for_again(stage: Stage, start: Start):
    stage.service.answers = {"a": [found("a")], "late": [None, BadAnswerError("not_json", "?"), found("late")]}
    await stage.want("a", "late")
    start()
    await eventually(lambda: stage.count("fetched") == 2, what="both answers")
    assert await stage.images() == ["a", "late"]
    assert stage.service.asked.count("late") == 3
    assert stage.count("missing") == 2


async def test_one_that_does_not_come_is_given_up_and_the_view_told(stage: Stage, start: Start):
    await stage.want("never")
    start(give_up_after_seconds=1)
    await eventually(lambda: stage.count("given_up") == 1, what="it to be given up")
    assert await stage.wanted() == set()
    (job,) = await stage.jobs()
    assert (job["fetched"], job["payload"]["payload"]) == ("answers", {})


async def test_while_the_service_is_in_trouble_wants_wait_and_none_is_given_up(stage: Stage, start: Start):
    trouble = SourceUnavailableError("down", retry_after=0.01)
    stage.service.answers = {"a": [*[trouble] * 5, found("a")]}
    await stage.want("a")
    start(give_up_after_seconds=1)
    await eventually(lambda: stage.count("fetched") == 1, what="the answer")
    assert stage.count("put_off") == 5
    assert stage.count("given_up") == 0


async def test_while_it_is_left_alone_nothing_is_taken(stage: Stage, start: Start):
    stage.service.may_be_asked.clear()
    stage.service.answers = {"a": [found("a")]}
    await stage.want("a")
    start()
    waiting = "media_cluster_insights_oldest_wait_seconds"
    await eventually(lambda: stage.metrics.registry.get_sample_value(waiting), what="a look at what waits")
    assert await stage.redis.zscore("ns:wanted:pet", "a") == 1
    stage.service.may_be_asked.set()
    await eventually(lambda: stage.count("fetched") == 1, what="the answer")


async def test_while_the_main_stream_is_full_answers_are_kept_and_not_asked_for_again(stage: Stage, start: Start):
    for _ in range(5):
        await stage.redis.xadd("jobs", {"payload": "{}"})
    stage.service.answers = {"a": [found("a")]}
    await stage.want("a")
    start()
    await eventually(lambda: stage.service.asked == ["a"], what="it to be asked for")
    assert await stage.redis.xlen("jobs") == 5
    await stage.redis.xtrim("jobs", maxlen=0)
    await eventually(lambda: stage.count("fetched") == 1, what="the answer to be handed over")
    assert await stage.images() == ["a"]
    assert stage.service.asked == ["a"]


async def test_what_a_delete_takes_away_is_not_handed_over(stage: Stage, start: Start):
    stage.service.gate.clear()
    stage.service.answers = {"a": [found("a")]}
    await stage.want("a")
    start()
    await eventually(lambda: stage.service.in_hand, what="the question to be on the wire")
    await stage.store.views.erase("pet")
    stage.service.gate.set()
    await eventually(lambda: stage.count("lost") == 1, what="the answer to come")
    assert await stage.redis.keys() == []


async def test_of_answers_some_of_which_are_not_wanted_any_more_the_rest_come(stage: Stage, start: Start):
    stage.service.gate.clear()
    stage.service.answers = {name: [found(name)] for name in "ab"}
    await stage.want("a", "b")
    start()
    await eventually(lambda: stage.service.in_hand == 2, what="the questions to be on the wire")
    await stage.redis.zrem("ns:wanted:pet", "b")
    stage.service.gate.set()
    await eventually(lambda: stage.count("lost") == 1, what="the answers to come")
    assert await stage.images() == ["a"]


async def test_a_list_is_announced_in_parts_and_its_last_one_says_so(stage: Stage, start: Start):
    stage.service.lists = {"pet": [["a", "b", "c"], ["d"]]}
    await stage.want(LIST)
    start(LimitsSettings(image_ids_per_job=2))
    await eventually(lambda: stage.count("fetched") == 1, what="the list")
    jobs = await stage.jobs()
    assert [job["payload"]["payload"]["image_ids"] for job in jobs] == [["a", "b"], ["c"], ["d"]]
    assert [job["fetched"] for job in jobs] == ["part_of_list", "part_of_list", "list"]
    assert await stage.wanted() == {LIST}, "until the last part is applied"


async def test_an_empty_list_is_told_too(stage: Stage, start: Start):
    await stage.want(LIST)
    start()
    await eventually(lambda: stage.count("fetched") == 1, what="the list")
    assert [job["fetched"] for job in await stage.jobs()] == ["list"]


async def test_pets_take_turns_and_no_more_is_in_hand_than_is_of_use(stage: Stage, start: Start):
    stage.service.gate.clear()
    many = [f"img-{n}" for n in range(100)]
    stage.service.answers = {name: [found(name)] for name in (*many, "small")}
    await stage.want(*many, pet="large")
    await stage.want("small", pet="small")
    start(concurrency=4)
    await eventually(lambda: stage.service.in_hand >= 4, what="questions on the wire")
    assert "small" in stage.service.asked
    assert stage.service.most_in_hand <= 8


async def test_when_it_stops_what_was_in_hand_is_due_at_once(stage: Stage, start: Start):
    stage.service.gate.clear()
    await stage.want("a")
    start()
    await eventually(lambda: stage.service.in_hand, what="the question to be on the wire")
    stage.stopping.set()

    async def is_due() -> bool:
        return (await stage.store.wants.due(1)).due == ["pet"]

    await eventually(is_due, what="it to be put back")


async def test_what_may_have_ended_processes_is_asked_for_alone(stage: Stage, start: Start):
    stage.service.gate.clear()
    stage.service.answers = {name: [found(name)] for name in ("a", "b", "suspect", "other")}
    await stage.want("a", "b", "suspect", "other")
    await stage.redis.hset("ns:asked:pet", mapping={"suspect": "0 2 0", "other": "0 3 0"})
    start()
    await eventually(lambda: stage.service.in_hand == 2, what="the others to be asked for first")
    assert sorted(stage.service.asked) == ["a", "b"]
    stage.service.most_in_hand = 0
    stage.service.gate.set()
    await eventually(lambda: stage.count("fetched") == 4, what="every answer")
    assert stage.service.most_in_hand <= 2


async def test_what_ends_every_process_is_given_up(stage: Stage, start: Start):
    await stage.want("killer")
    await stage.redis.hset("ns:asked:pet", "killer", "0 5 0")
    start()
    await eventually(lambda: stage.count("crash_loop") == 1, what="it to be given up")
    assert stage.service.asked == []


async def test_what_becomes_a_dead_letter_again_and_again_is_given_up(stage: Stage, start: Start):
    await stage.want("odd")
    await stage.redis.hset("ns:asked:pet", "odd", "0 0 2")
    start()
    await eventually(lambda: stage.count("set_aside") == 1, what="it to be given up")
    assert stage.service.asked == []
