"""Which partitions pause while others go on, and why: told by those who meet it, to the probes and to a gauge."""

import logging
from typing import Final

from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics

log = logging.getLogger(__name__)

_PREFIX: Final = "pause: "


class Pauses:
    """Of one process."""

    def __init__(self, partitions: int, health: Health, metrics: Metrics) -> None:
        self._health = health
        self._gauge = metrics.partition_paused
        self._reasons: dict[tuple[int, str], str] = {}
        """By partition and who says so."""
        self._told = set[str]()
        if partitions > 1:
            for number in range(partitions):
                self._gauge.labels(str(number)).set(0)

    def begin(self, partition: int, who: str, reason: str) -> None:
        """`who` cannot work on it, because of `reason`, until `end`."""
        if not self._is_paused(partition):
            log.warning("partition pauses", extra={"data": {"partition": partition, "error": reason}})
        if self._reasons.get((partition, who)) != reason:
            self._reasons[partition, who] = reason
            self._gauge.labels(str(partition)).set(1)
            self._tell()

    def end(self, partition: int, who: str) -> None:
        if self._reasons.pop((partition, who), None) is not None:
            if not self._is_paused(partition):
                self._gauge.labels(str(partition)).set(0)
                log.info("partition goes on", extra={"data": {"partition": partition}})
            self._tell()

    def _is_paused(self, partition: int) -> bool:
        return any(number == partition for number, _ in self._reasons)

    def _tell(self) -> None:
        """One warning a reason."""
        numbers: dict[str, set[int]] = {}
        for (number, _), reason in self._reasons.items():
            numbers.setdefault(reason, set()).add(number)
        now = {
            f"{_PREFIX}{reason}": f"{named(sorted(those))} pause{'s' if len(those) == 1 else ''}: {reason}"
            for reason, those in numbers.items()
        }
        for name in self._told - now.keys():
            self._health.clear_warning(name)
        for name, text in now.items():
            self._health.set_warning(name, text)
        self._told = set(now)


def named(numbers: list[int]) -> str:
    """Partitions by their numbers."""
    return f"partition{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
