"""How everything ends: the drain and background tasks, on a simulated clock."""

import asyncio
import logging

import pytest

from sploot_clusterd.errors import StoreUnavailableError
from tests.supervisor.stage import Stage, now, raises


def test_a_drain_waits_for_work_in_hand_and_for_what_that_starts(simulated):
    stage = Stage(drain_seconds=20.0)
    done = []

    async def commit():
        await asyncio.sleep(5)
        done.append(now())

    async def consumer():
        await stage.stopping.wait()
        await asyncio.sleep(4)
        stage.supervisor.spawn(commit(), "commit")

    stage.supervisor.add("consumer", consumer)
    assert simulated(stage.run(1)) is True
    assert done == [10.0]


def test_what_outlives_the_drain_is_cancelled_and_reported(simulated, caplog):
    stage = Stage(drain_seconds=20.0)

    async def stuck():
        await asyncio.Event().wait()

    async def timed():
        stage.supervisor.spawn(stuck(), "commit")
        clean = await stage.run(1)
        return clean, now()

    stage.supervisor.add("consumer", stuck)
    assert simulated(timed()) == (False, 21.0)
    [record] = [record for record in caplog.records if "cancelled" in record.message]
    assert record.data == {"tasks": ["commit", "consumer"]}


def test_a_fault_during_the_drain_is_logged_and_nothing_starts_again(simulated, caplog):
    stage = Stage()

    async def fails_at_the_end():
        stage.lives.append(("consumer", now()))
        await stage.stopping.wait()
        raise ValueError("at the end")

    stage.supervisor.add("consumer", fails_at_the_end)
    assert simulated(stage.run(1)) is True
    assert len(stage.lives) == 1
    assert [str(record.exc_info[1]) for record in caplog.records] == ["at the end"]


def test_a_cancelled_run_leaves_no_task(simulated):
    stage = Stage()
    stage.add("reader")

    async def stuck():
        await asyncio.Event().wait()

    async def cancelled():
        stage.supervisor.spawn(stuck(), "commit")
        running = asyncio.create_task(stage.supervisor.run(stage.stopping))
        await asyncio.sleep(1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    simulated(cancelled())  # which fails where a task is left
    assert stage.lives == [("reader", 0.0)]


def test_a_task_that_resists_its_cancellation_does_not_hang_the_stop(simulated, caplog):
    stage = Stage(drain_seconds=1.0)
    released = asyncio.Event()

    async def stubborn():
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    async def scene():
        task = stage.supervisor.spawn(stubborn(), "stubborn")
        clean = await stage.run(1)
        ended = now()
        released.set()
        await task
        return clean, ended

    assert simulated(scene()) == (False, 4.0)
    assert [record.data for record in caplog.records if record.levelno == logging.CRITICAL] == [{"tasks": ["stubborn"]}]


async def unavailable():
    raise StoreUnavailableError


@pytest.mark.parametrize(("ending", "level"), [(raises, logging.ERROR), (unavailable, logging.WARNING)])
def test_a_background_task_does_not_fail_in_silence(simulated, caplog, ending, level):
    stage = Stage()

    async def scene():
        stage.supervisor.spawn(ending(), "commit")
        return await stage.run(1)

    assert simulated(scene()) is True
    assert [(record.levelno, record.data["component"]) for record in caplog.records] == [(level, "commit")]


def test_spawn_hands_the_result_to_who_awaits_it(simulated):
    stage = Stage()

    async def answer():
        return 42

    async def scene():
        return await stage.supervisor.spawn(answer(), "answer")

    assert simulated(scene()) == 42
