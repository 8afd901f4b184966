"""Scenes on a simulated clock."""

import asyncio
import gc

import pytest

from tests.supervisor.simulated_clock import SimulatedLoop


@pytest.fixture
def simulated():
    """Runs a coroutine on a simulated clock; fails if it leaves a task or an error that nobody saw."""

    def run(coro):
        complaints = []

        async def watched():
            asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
            result = await coro
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return result

        with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            result = runner.run(watched())
            gc.collect()
            assert complaints == []
        return result

    return run
