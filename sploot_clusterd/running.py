"""An event loop for a command, which a signal may interrupt."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from sploot_clusterd import stdio

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`. Where it is interrupted `work` is cancelled, and may put things in order: then raises
    KeyboardInterrupt.

    Raised wherever the loop happens to be, it would come up in tasks of libraries, which nobody waits for.
    """

    async def interruptible() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 - this is one
        with stdio.on_interruption(lambda: loop.call_soon_threadsafe(task.cancel)):
            return await work

    try:
        return asyncio.run(interruptible())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
