"""What learns a profile: once, off the loop, from what can be read, whatever becomes of Redis."""

import asyncio
import os
import signal
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

from sploot_clusterd.embedded import EmbeddedRedis
from sploot_clusterd.engine import KindWeights, Params
from sploot_clusterd.health import Health
from sploot_clusterd.ingest import learning as learning_module
from sploot_clusterd.ingest.learning import ProfileLearner
from sploot_clusterd.store import State
from sploot_clusterd.store.profiles import SAMPLED_MODELS
from tests.ingest.photo_fleet import (
    LENGTH,
    PETS,
    add_photos,
    learn_first_profile,
    photos,
)
from tests.support.side import Side
from tests.support.waiting import eventually


async def test_of_two_that_could_learn_one_does(side: Side, new_side):
    other = await new_side()
    await add_photos(side, range(PETS))
    for each in (side, other):
        await each.learner.refresh()
        await each.learner.refresh()
    assert sorted(await asyncio.gather(side.learner.learn(), other.learner.learn())) == [False, True]
    await side.redis.delete(side.keys.learning)
    later = other if side.registry.states["v1"] == State(1) else side
    assert not await later.learner.learn(), "its publishing is refused, for the other was first"
    assert side.count("profiles_learned_total") + other.count("profiles_learned_total") == 1
    await later.learner.refresh()
    assert later.registry.states == {"v1": State(1)}


async def test_learning_is_off_the_loop(side: Side, monkeypatch: pytest.MonkeyPatch):
    threads = []
    real = learning_module.learn

    def learn(*args: object):
        threads.append(threading.current_thread())
        return real(*args)

    monkeypatch.setattr(learning_module, "learn", learn)
    await learn_first_profile(side)
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


async def test_how_alike_images_are_is_measured_by_the_weights_that_albums_have(
    new_side, monkeypatch: pytest.MonkeyPatch
):
    real, given = learning_module.learn, []

    def learn(*args: object):
        given.append(args[-1])
        return real(*args)

    monkeypatch.setattr(learning_module, "learn", learn)
    weights = KindWeights(1.0, 2.0, 3.0)
    await learn_first_profile(await new_side(Params(weights=weights)))
    assert given == [weights]


async def test_a_learning_that_hangs_is_seen_by_the_watchdog(side: Side, monkeypatch: pytest.MonkeyPatch):
    now = 0.0
    health = Health(60.0, lambda: now)
    learner = ProfileLearner(
        side.registry, metrics=side.metrics, health=health, stopping=side.stopping, weights=KindWeights()
    )
    begun, go_on = threading.Event(), threading.Event()

    def learn(*_: object) -> None:
        begun.set()
        go_on.wait(10)

    monkeypatch.setattr(learning_module, "learn", learn)
    await add_photos(side, range(PETS))
    await learner.refresh()
    task = asyncio.create_task(learner.run())
    try:
        await eventually(begun.is_set, what="it to learn")
        now = 300.0
        assert health.making_progress(), "the longest vectors take minutes"
        now = 901.0
        assert not health.making_progress()
        assert health.reasons() == ["profiles: no completed pass for 901 s"]
    finally:
        side.stopping.set()
        go_on.set()
        await task
    assert health.making_progress()


async def test_what_cannot_be_learned_is_left_until_the_sample_has_grown(
    side: Side, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    asked = []

    def learn(_: str, sample: list, *__: object) -> None:
        asked.append(len(sample))
        raise FloatingPointError("boom")

    async def tries() -> int:
        await side.redis.delete(side.keys.learning)
        await side.learner.refresh()
        assert not await side.learner.learn()
        return len(asked)

    monkeypatch.setattr(learning_module, "learn", learn)
    await add_photos(side, range(PETS))
    await side.learner.refresh()
    assert [await tries(), await tries()] == [1, 1]
    assert "no profile could be learned" in caplog.text
    await add_photos(side, range(PETS, PETS + 20))
    assert await tries() == 2


async def test_an_image_that_cannot_be_read_is_left_out(side: Side, caplog: pytest.LogCaptureFixture):
    await add_photos(side, range(PETS))
    slot = (await side.redis.hkeys("ns:sample:v1"))[0]
    await side.redis.hset("ns:sample:v1", slot, b"\xc1")
    await side.learner.refresh()
    await side.learner.refresh()
    assert await side.learner.learn()
    profile = side.registry.current("v1")
    assert profile is not None
    assert profile.sampled == side.registry.sampled("v1") - 1
    assert "a sampled image cannot be read" in caplog.text


async def test_a_full_sample_settles_the_profile_whatever_is_wrong_with_an_image(
    side: Side, monkeypatch: pytest.MonkeyPatch
):
    await add_photos(side, range(PETS))
    await side.redis.hset("ns:sample:v1", (await side.redis.hkeys("ns:sample:v1"))[0], b"\xc1")
    monkeypatch.setattr(learning_module, "SAMPLE_LIMIT", await side.redis.zcard("ns:sampled:v1"))
    await side.learner.refresh()
    await side.learner.refresh()
    assert await side.learner.learn()
    assert side.registry.states == {"v1": State(1, settled=True)}
    profile = side.registry.current("v1")
    assert profile is not None
    assert profile.settled
    assert not await side.redis.exists("ns:sample:v1", "ns:sampled:v1")


async def test_an_encoder_that_cannot_tell_animals_apart_is_a_warning(side: Side):
    draw = np.random.default_rng(0)
    for pet in range(PETS):
        images = [
            {"image_id": f"img-{n}", "embedding": (draw.normal(size=LENGTH) + 1).tolist(), "quality": 0.8}
            for n in range(8)
        ]
        await side.add(f"pet-{pet}", payload={"images": images, "model_version": "v1"})
    await side.run()
    await side.learner.refresh()
    await side.learner.refresh()
    assert await side.learner.learn()
    (warning,) = side.health.warnings()
    assert warning.startswith(
        "photos of one pet are no more alike than any others by the vectors of model version 'v1'"
    )
    assert 0.9 < side.count("profile_contrast") < 1.15


async def test_one_that_can_is_none_and_has_a_scale(side: Side):
    await learn_first_profile(side)
    assert side.health.warnings() == []
    profile = side.registry.current("v1")
    assert profile is not None
    assert profile.likeness is not None
    assert profile.likeness.pets >= 24


async def test_sixteen_model_versions_are_a_warning(side: Side):
    for n in range(17):
        await side.add(f"pet-{n}", payload={**photos(n, 1), "model_version": f"v{n}"})
    await side.run()
    await side.learner.refresh()
    assert len(side.registry.states) == 16
    (warning,) = side.health.warnings()
    assert warning == "16 model versions are sampled, and no other one will get a profile"
    (sampled, *_) = side.registry.states  # which one came too late is chance: a batch's pets are taken in no order
    await side.profiles.publish(sampled, State(0), State(0, settled=True))
    await side.learner.refresh()
    assert side.health.warnings() == []


async def test_the_learner_outlives_its_redis(new_side):
    with tempfile.TemporaryDirectory(prefix="learner-") as directory, EmbeddedRedis(Path(directory)) as server:
        side = await new_side(url=f"unix://{server.socket}")
        await add_photos(side, range(PETS))
        os.kill(server.pid, signal.SIGKILL)
        server.stop()
        task = asyncio.create_task(side.learner.run())
        await asyncio.sleep(0)
        server.start()
        await eventually(lambda: side.registry.current("v1"), what="the profile to be learned after all", timeout=30)
        side.stopping.set()
        async with asyncio.timeout(30):
            await task


async def test_a_state_that_cannot_be_read_is_logged_and_ends_nothing(side: Side, caplog: pytest.LogCaptureFixture):
    await side.redis.hset("ns:profiles", "v1", "rubbish")
    task = asyncio.create_task(side.learner.run())
    await eventually(lambda: "profiles cannot be read" in caplog.text, what="the log line")
    assert "'rubbish' is not the state" in side.health.warnings()[0]
    side.stopping.set()
    async with asyncio.timeout(30):
        await task


async def test_made_up_model_versions_give_way_when_they_do_not_grow(side: Side):
    now = 0.0
    learner = ProfileLearner(
        side.registry,
        metrics=side.metrics,
        health=side.health,
        stopping=side.stopping,
        weights=KindWeights(),
        clock=lambda: now,
    )
    for number in range(SAMPLED_MODELS):
        await side.redis.hset("ns:profiles", f"made-up-{number}", "0")
    await side.redis.hset("ns:profiles", "made-up-0", "1 settled")
    await side.redis.hset("ns:profiles", "real", "0")
    await learner.refresh()
    now = 3000.0
    slot = {"pet#0": 0.5}
    await side.redis.zadd("ns:sampled:real", slot)
    await side.redis.hset("ns:sample:made-up-1", "pet#0", "x")
    await learner.refresh()
    await learner.refresh()
    assert side.health.warnings()
    now = 4000.0
    await learner.refresh()
    await learner.refresh()
    assert await side.redis.hgetall("ns:profiles") == {b"made-up-0": b"1 settled", b"real": b"0"}
    assert await side.redis.keys("ns:sample:*") == []
    assert await side.redis.zcard("ns:sampled:real") == 1
