"""Root tasks that fail, and what becomes of them, on a simulated clock."""

import asyncio
import itertools
import logging

import pytest

from sploot_clusterd.errors import RootTaskFailedError, StartError
from sploot_clusterd.supervisor import RestartPolicy
from tests.supervisor.stage import Stage, cancels_itself, is_cancelled_by_a_stranger, now, raises, returns


@pytest.mark.parametrize("ending", [returns, raises, cancels_itself, is_cancelled_by_a_stranger])
def test_any_end_of_a_root_task_is_a_fault_and_it_starts_again(simulated, caplog, ending):
    stage = Stage()
    stage.add("reader", ending)
    stage.add("reclaim")
    assert simulated(stage.run(30)) is True
    assert [name for name, _ in stage.lives] == ["reader", "reclaim", "reader"]
    assert (stage.restarts("reader"), stage.restarts("reclaim")) == (1, 0)
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.data == {"component": "reader", "faults": 1, "gives_up": False}
    assert record.exc_info[1] is not None


def test_a_factory_that_raises_is_a_fault_like_any_other(simulated):
    stage = Stage()
    tries = []

    def factory():
        tries.append(now())
        if len(tries) == 1:
            raise OSError("no descriptors left")
        return stage.stopping.wait()

    stage.supervisor.add("reader", factory)
    assert simulated(stage.run(30)) is True
    assert len(tries) == 2


def test_back_off_doubles_with_jitter_up_to_its_ceiling():
    policy = RestartPolicy(first_delay=0.5, longest_delay=3.0)
    for faults, ceiling in [(1, 0.5), (2, 1.0), (3, 2.0), (4, 3.0), (50, 3.0)]:
        delays = [policy.delay(faults) for _ in range(200)]
        assert ceiling / 2 <= min(delays) < max(delays) <= ceiling
        assert len(set(delays)) > 100


def test_restarts_wait_for_their_back_off(simulated):
    stage = Stage(policy=RestartPolicy(limit=3, window=60.0, first_delay=4.0, longest_delay=100.0))
    stage.add("reader", raises, raises, raises)
    simulated(stage.run(100))
    starts = [at for _, at in stage.lives]
    waits = [later - earlier - 1 for earlier, later in itertools.pairwise(starts)]
    assert [ceiling / 2 <= wait <= ceiling for wait, ceiling in zip(waits, (4, 8, 16), strict=True)] == [True] * 3


def test_a_task_that_always_fails_ends_the_process_and_the_others_drain(simulated):
    stage = Stage(policy=RestartPolicy(limit=2))
    stage.add("reader", *[raises] * 10)
    stage.add("reclaim")
    with pytest.raises(
        RootTaskFailedError, match=r"reader failed more than 2 times within 60 s.*KeyError: 'boom'"
    ) as caught:
        simulated(stage.run(1000))
    assert isinstance(caught.value.__cause__, KeyError)
    assert [name for name, _ in stage.lives].count("reader") == 3
    assert stage.stopping.is_set()
    assert stage.restarts("reader") == 2


def test_faults_that_left_the_window_are_forgotten(simulated):
    policy = RestartPolicy(limit=2, window=10.0, first_delay=20.0, longest_delay=20.0)
    stage = Stage(policy=policy)
    stage.add("reader", *[raises] * 8)
    assert simulated(stage.run(1000)) is True
    assert stage.restarts("reader") == 8


def test_a_start_error_is_fatal_at_once(simulated):
    stage = Stage()

    async def refuses():
        raise StartError("the name is taken")

    stage.add("consumer", refuses)
    stage.add("reclaim")
    with pytest.raises(StartError, match="the name is taken"):
        simulated(stage.run(1000))
    assert [name for name, _ in stage.lives] == ["consumer", "reclaim"]


def test_the_first_failure_is_the_one_that_is_raised(simulated):
    stage = Stage()

    async def later():
        await stage.stopping.wait()
        raise StartError("second")

    async def first():
        raise StartError("first")

    stage.add("one", first)
    stage.supervisor.add("two", later)
    with pytest.raises(StartError, match="first"):
        simulated(stage.run(1000))


def test_not_ready_while_a_task_waits_for_its_restart_and_while_draining(simulated):
    stage = Stage(policy=RestartPolicy(first_delay=10.0, longest_delay=10.0))
    stage.add("reader", raises)
    seen = {}

    async def look():
        for at in (0.5, 3.0, 15.0):
            await asyncio.sleep(at - now())
            seen[at] = (stage.health.reasons(), stage.ready())
        await stage.stopping.wait()
        await asyncio.sleep(1)
        seen["stop"] = (stage.health.reasons(), stage.ready())

    stage.supervisor.add("look", look)
    simulated(stage.run(20))
    assert seen == {
        0.5: ([], 1.0),
        3.0: (["reader: restarting after KeyError"], 0.0),
        15.0: ([], 1.0),
        "stop": (["draining"], 0.0),
    }


def test_a_stop_during_the_back_off_does_not_wait_for_it(simulated):
    stage = Stage(policy=RestartPolicy(first_delay=1000.0, longest_delay=1000.0))
    stage.add("reader", raises)

    async def timed():
        done = await stage.run(5)
        return done, now()

    assert simulated(timed()) == (True, 5.0)
    assert stage.restarts("reader") == 0


def test_a_failing_task_leaves_its_siblings_alone(simulated):
    stage = Stage()
    for name in ("reader", "reclaim", "janitor"):
        stage.add(name, raises)
    assert simulated(stage.run(30)) is True
    assert sorted(name for name, _ in stage.lives) == ["janitor"] * 2 + ["reader"] * 2 + ["reclaim"] * 2
