"""How everything ends: the drain, background tasks, and the one sleep, on a simulated clock."""

import asyncio
import logging

import pytest
from supervisor_stage import Stage, now, raises, returns

from sploot_clusterd.errors import StoreUnavailableError
from sploot_clusterd.supervisor import pause


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


def test_a_shielded_commit_survives_its_caller(simulated):
    stage = Stage()
    committed = []

    async def commit():
        await asyncio.sleep(3)
        committed.append(now())

    async def consumer():
        await asyncio.shield(stage.supervisor.spawn(commit(), "commit"))

    async def scene():
        caller = asyncio.create_task(consumer())
        await asyncio.sleep(1)
        caller.cancel()
        await asyncio.wait({caller})
        return await stage.run(0)

    assert simulated(scene()) is True
    assert committed == [3.0]


@pytest.mark.parametrize(("stop_at", "expected"), [(2.0, (True, 2.0)), (50.0, (False, 10.0)), (None, (False, 10.0))])
def test_pause_ends_at_its_time_or_at_the_stop(simulated, stop_at, expected):
    async def scene():
        stopping = asyncio.Event()
        timer = asyncio.get_running_loop().call_later(stop_at or 1e6, stopping.set)
        stopped = await pause(stopping, 10.0)
        timer.cancel()
        return stopped, now()

    assert simulated(scene()) == expected


def test_pause_of_nothing_lets_others_run(simulated):
    async def scene():
        ran = []
        other = asyncio.create_task(returns())
        other.add_done_callback(lambda _: ran.append(True))
        stopping = asyncio.Event()
        while not ran:
            assert await pause(stopping, 0.0) is False
        return now()

    assert simulated(scene()) == 0.0
