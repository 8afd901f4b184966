"""Keeps the daemon's long-lived loops alive, and ends them all together.

A root task never ends by itself. Whatever ends one while the daemon is not stopping (a return, an exception, a stray
cancellation) is a fault: it is logged under the task's name and the task is started again after a back-off. Too many
faults of one task in a window end the process, for endless restarts would hide an outage.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

from sploot_clusterd.errors import ClusterdError, RootTaskFailedError, StartError
from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.waiting import backoff, pause

log = logging.getLogger(__name__)

T = TypeVar("T")
Factory = Callable[[], Coroutine[Any, Any, None]]

DRAIN_SECONDS: Final = 20.0
"""How long a stop waits for work in hand. With the HTTP server's own stop before it, it must fit the service
manager's stop timeout."""
CANCEL_SECONDS: Final = 2.0
_DRAINING: Final = "draining"


@dataclass(frozen=True)
class RestartPolicy:
    """How often and how soon a failed root task is started again. All times are seconds."""

    limit: int = 5
    window: float = 60.0
    first_delay: float = 0.2
    longest_delay: float = 5.0

    def delay(self, faults: int) -> float:
        """Seconds until the restart after the `faults`-th fault in the window."""
        return backoff(faults, self.first_delay, self.longest_delay)


class _Root(NamedTuple):
    name: str
    factory: Factory


class Supervisor:
    """Runs root tasks until told to stop, and owns every background task, so that none is lost or left behind."""

    def __init__(
        self,
        metrics: Metrics,
        health: Health,
        *,
        policy: RestartPolicy = RestartPolicy(),
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self._metrics = metrics
        self._health = health
        self._policy = policy
        self._drain_seconds = drain_seconds
        self._roots: list[_Root] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failure: ClusterdError | None = None
        metrics.ready.set_function(lambda: float(not health.reasons()))

    def add(self, name: str, factory: Factory) -> None:
        """A root task to run. `factory` is called for each start; the task ends once the daemon is stopping.

        `name` is a label of a metric: it comes from a closed set. A `StartError` from the task ends the process at
        once. To be called before `run`.
        """
        self._roots.append(_Root(name, factory))
        self._metrics.restarts.labels(name)  # from 0, or the first restart is no increase to Prometheus

    def spawn(self, coro: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """A background task that is kept, logged if it fails, and waited for in the drain."""
        task = self._start(coro, name)
        task.add_done_callback(_log_failure)
        return task

    async def run(self, stopping: asyncio.Event) -> bool:
        """Runs the root tasks until `stopping`, then drains. No task of the supervisor is left when it ends.

        Returns whether all ended by themselves before the drain's deadline; the others were cancelled. Sets
        `stopping` itself when a root task failed for good, and raises after the drain: `StartError` as the task
        raised it, else `RootTaskFailedError`.
        """
        guards = [
            asyncio.create_task(self._guard(root, stopping), name=f"guard of {root.name}") for root in self._roots
        ]
        try:
            await stopping.wait()
            self._health.set_fault(_DRAINING, _DRAINING)
            await self._wait(guards, self._drain_seconds)
        finally:
            stopping.set()  # also where this very task is being cancelled
            overdue = await self._cancel(guards)
        if self._failure is not None:
            raise self._failure
        return not overdue

    async def _guard(self, root: _Root, stopping: asyncio.Event) -> None:
        faults: deque[float] = deque()
        while not stopping.is_set():
            life = self._start(_live(root.factory), root.name)
            await asyncio.wait({life})
            if stopping.is_set():
                _log_failure(life)
                return
            error = _fault_of(life)
            if isinstance(error, StartError):
                self._fail(error, stopping)
                return
            delay = self._restart_delay(root, error, faults)
            if delay is None:
                self._fail(_for_good(root.name, self._policy, error), stopping)
                return
            await self._back_off(root.name, error, delay, stopping)

    def _restart_delay(self, root: _Root, error: BaseException, faults: deque[float]) -> float | None:
        """Books a fault; seconds until the restart, or None if that was one too many."""
        now = asyncio.get_running_loop().time()
        faults.append(now)
        while now - faults[0] > self._policy.window:
            faults.popleft()
        gives_up = len(faults) > self._policy.limit
        log.error(
            "root task ended",
            exc_info=error,
            extra={"data": {"component": root.name, "faults": len(faults), "gives_up": gives_up}},
        )
        return None if gives_up else self._policy.delay(len(faults))

    async def _back_off(self, name: str, error: BaseException, delay: float, stopping: asyncio.Event) -> None:
        fault = f"restart of {name}"  # beside what the task itself says of its health
        self._health.set_fault(fault, f"{name}: restarting after {type(error).__name__}")
        if not await pause(stopping, delay):
            self._metrics.restarts.labels(name).inc()
        self._health.clear_fault(fault)

    def _fail(self, failure: ClusterdError, stopping: asyncio.Event) -> None:
        self._failure = self._failure or failure
        stopping.set()

    def _start(self, coro: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        task = asyncio.create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _wait(self, guards: list[asyncio.Task[None]], seconds: float) -> set[asyncio.Task[Any]]:
        """Waits until nothing runs, for `seconds` at most; what still runs then. The drain itself may start tasks."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        while running := {task for task in (*guards, *self._tasks) if not task.done()}:
            left = deadline - clock()
            if left <= 0:
                break
            await asyncio.wait(running, timeout=left)
        return running

    async def _cancel(self, guards: list[asyncio.Task[None]]) -> set[asyncio.Task[Any]]:
        """Cancels what still runs and waits for it; what that was. A guard ends with the task that it guards."""
        overdue = {task for task in self._tasks if not task.done()}
        for task in overdue:
            task.cancel()
        if overdue:
            log.warning("cancelled at the end of the drain", extra={"data": {"tasks": _names(overdue)}})
        if left := await self._wait(guards, CANCEL_SECONDS):
            log.critical("tasks resist cancellation", extra={"data": {"tasks": _names(left)}})
        return overdue


async def _live(factory: Factory) -> None:
    """One life of a root task; a factory that raises is a fault like any other."""
    await factory()


def _fault_of(life: asyncio.Task[None]) -> BaseException:
    """Why a root task ended although nothing told it to."""
    if life.cancelled():
        return asyncio.CancelledError("cancelled, and not by the supervisor")
    return life.exception() or RuntimeError("returned, which a root task must not")


def _log_failure(task: asyncio.Task[Any]) -> None:
    """The last word of a task that nobody may be waiting for any more."""
    if task.cancelled() or (error := task.exception()) is None:
        return
    data = {"component": task.get_name(), "error": str(error)}
    if isinstance(error, ClusterdError):  # raised on purpose: whoever awaits the task deals with it
        log.warning("task failed", extra={"data": data})
    else:
        log.error("task failed", exc_info=error, extra={"data": data})


def _for_good(name: str, policy: RestartPolicy, error: BaseException) -> RootTaskFailedError:
    failure = RootTaskFailedError(
        f"{name} failed more than {policy.limit} times within {policy.window:.0f} s, at last with "
        f"{type(error).__name__}: {error}"  # not its repr: that of the Redis client's errors tells nothing
    )
    failure.__cause__ = error
    return failure


def _names(tasks: set[asyncio.Task[Any]]) -> list[str]:
    return sorted(task.get_name() for task in tasks)
