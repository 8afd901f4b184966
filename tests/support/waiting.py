"""Waiting for what is to happen, not for some time to pass."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

_PATIENCE: Final = 30.0
"""Seconds. Only a test that fails waits for so long, so there is room for a machine that is busy."""


async def eventually(predicate: Callable[[], object], *, what: str, timeout: float = _PATIENCE) -> None:
    """Waits until `predicate` holds (it may be a coroutine function); fails naming `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        held = predicate()
        if asyncio.iscoroutine(held):
            held = await held
        if held:
            return
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        await asyncio.sleep(0.01)


def wait_until(predicate: Callable[[], object], *, what: str, timeout: float = _PATIENCE) -> None:
    """As `eventually`, for tests without a loop."""
    deadline = time.monotonic() + timeout
    while not predicate():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.01)
