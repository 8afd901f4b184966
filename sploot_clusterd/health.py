"""What the daemon knows of its own health: set where a fault happens, only read by the probes.

Nothing here asks Redis or does work: a probe must answer in the state that it reports.
"""

import time
from collections.abc import Callable


class Health:
    """Facts of one process. `stale_after` is how many seconds a root task may go without a completed pass."""

    def __init__(self, stale_after: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stale_after = stale_after
        self._passes: dict[str, float] = {}
        self._limits: dict[str, float] = {}
        self._faults: dict[str, str] = {}
        self._warnings: dict[str, str] = {}

    def expect(self, task: str, stale_after: float = 0.0) -> None:
        """From now on `task` has to complete a pass every `stale_after` seconds, or as often as any if that is more."""
        self._limits[task] = max(stale_after, self._stale_after)
        self._passes[task] = self._clock()

    def progress(self, task: str) -> None:
        """`task`, which is expected to, completed a pass, or was idle as it should be."""
        self._passes[task] = self._clock()

    def set_fault(self, name: str, text: str) -> None:
        """The daemon is not ready because of `text`, until `clear_fault(name)`."""
        self._faults[name] = text

    def clear_fault(self, name: str) -> None:
        self._faults.pop(name, None)

    def set_warning(self, name: str, text: str) -> None:
        """Something an operator should see that does not stop the work, until `clear_warning(name)`."""
        self._warnings[name] = text

    def clear_warning(self, name: str) -> None:
        self._warnings.pop(name, None)

    def reasons(self) -> list[str]:
        """Why the daemon is not ready; empty if it is."""
        return [*self._faults.values(), *(f"{task}: no completed pass for {age:.0f} s" for task, age in self._stale())]

    def warnings(self) -> list[str]:
        return list(self._warnings.values())

    def making_progress(self) -> bool:
        """For the watchdog: every expected task completed a pass lately. An outage of Redis does not stop passes."""
        return not self._stale()

    def _stale(self) -> list[tuple[str, float]]:
        now = self._clock()
        ages = {task: now - at for task, at in self._passes.items()}
        return [(task, age) for task, age in ages.items() if age > self._limits[task]]
