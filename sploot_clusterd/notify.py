"""Tells systemd how the daemon is: started, reloading, stopping, alive. Does nothing where no manager listens.

The protocol is sd_notify(3): datagrams of KEY=value lines to the unix socket that $NOTIFY_SOCKET names.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Mapping
from typing import Final

from sploot_clusterd.health import Health
from sploot_clusterd.waiting import pause

log = logging.getLogger(__name__)

# A change of state that systemd never hears of ends the service, so it may wait for a full queue; a ping may not.
_STATE_SECONDS: Final = 1.0


class Notifier:
    """The line to the service manager.

    `ping_every` is the time between watchdog pings in seconds, half of what the manager allows; None if it wants none.
    A datagram that cannot be sent is logged, never raised.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # An @ stands for the zero byte of an abstract name, which no environment variable can hold.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.ping_every = _half_the_watchdog(environment) if address else None

    def ready(self, status: str) -> None:
        """Start-up, or a reload, is complete."""
        self._send("READY=1", f"STATUS={_line(status)}", seconds=_STATE_SECONDS)

    def reloading(self) -> None:
        """A reload begins; `ready` ends it. Without the time stamp systemd takes the reload for failed."""
        stamp = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={stamp}", seconds=_STATE_SECONDS)

    def stopping(self) -> None:
        """The drain begins. It counts as a sign of life: the next one would come from a loop that has ended."""
        self._send("STOPPING=1", "STATUS=draining", "WATCHDOG=1", seconds=_STATE_SECONDS)

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={_line(text)}")

    def ping(self) -> None:
        self._send("WATCHDOG=1")

    def _send(self, *lines: str, seconds: float = 0.0) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.settimeout(seconds)
                line.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            log.warning("cannot notify systemd", extra={"data": {"sent": lines[0], "error": str(error)}})


async def run_watchdog(notifier: Notifier, health: Health, stopping: asyncio.Event) -> None:
    """Root task: pings from the event loop, and only while the tasks that do the work make progress."""
    if notifier.ping_every is None:
        await stopping.wait()
        return
    stuck = False
    while not stopping.is_set():
        if health.making_progress():
            notifier.ping()
            stuck = False
        elif not stuck:
            log.error("no progress: the watchdog is not pinged", extra={"data": {"reasons": health.reasons()}})
            stuck = True
        await pause(stopping, notifier.ping_every)


def _half_the_watchdog(environment: Mapping[str, str]) -> float | None:
    """Half of WATCHDOG_USEC in seconds, as sd_watchdog_enabled(3) advises; None if it is not meant for this process."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 2e6


def _line(text: str) -> str:
    """A newline would begin an assignment of its own."""
    return " ".join(text.split())
