"""What systemd hears, on a socket that stands for it."""

import asyncio
import logging
import os
import socket
import time
import uuid

import pytest

from sploot_clusterd.health import Health
from sploot_clusterd.notify import Notifier, run_watchdog


class Manager:
    """systemd's end of the line."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def heard(self):
        """Everything that came since the last call, a list of lines for each datagram."""
        datagrams = []
        while True:
            try:
                datagrams.append(self.socket.recv(4096).decode().split("\n"))
            except BlockingIOError:
                return datagrams


@pytest.fixture(params=["path", "abstract"])
def line(request, tmp_path):
    """The manager, and the environment of its service."""
    name = f"clusterd-{uuid.uuid4().hex}"
    bound, told = (str(tmp_path / "n"),) * 2 if request.param == "path" else (f"\0{name}", f"@{name}")
    manager = Manager(bound)
    yield manager, {"NOTIFY_SOCKET": told}
    manager.socket.close()


def test_the_states_of_a_service(line):
    manager, environment = line
    notifier = Notifier(environment)
    notifier.ready("listening on 9007")
    notifier.status("two\nlines READY=1")
    notifier.ping()
    notifier.stopping()
    assert manager.heard() == [
        ["READY=1", "STATUS=listening on 9007"],
        ["STATUS=two lines READY=1"],
        ["WATCHDOG=1"],
        ["STOPPING=1", "STATUS=draining", "WATCHDOG=1"],
    ]


def test_a_reload_carries_the_monotonic_time(line):
    manager, environment = line
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notifier(environment).reloading()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    [[first, second]] = manager.heard()
    key, _, stamp = second.partition("=")
    assert (first, key) == ("RELOADING=1", "MONOTONIC_USEC")
    assert before <= int(stamp) <= after


def test_without_systemd_nothing_is_sent_and_nothing_fails(caplog):
    notifier = Notifier({"WATCHDOG_USEC": "1000000"})
    notifier.ready("up")
    notifier.reloading()
    notifier.stopping()
    notifier.ping()
    assert notifier.ping_every is None
    assert caplog.records == []


def test_a_manager_that_is_gone_is_logged_only(tmp_path, caplog):
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready("up")
    [record] = caplog.records
    assert (record.levelno, record.data["sent"]) == (logging.WARNING, "READY=1")


def test_a_full_queue_never_blocks_a_ping(tmp_path, caplog):
    manager = Manager(str(tmp_path / "n"))
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "n")})
    most = 100_000
    sent = next(i for i in range(most) if notifier.ping() or caplog.records)
    assert 0 < sent < most - 1
    assert len(manager.heard()) >= sent
    manager.socket.close()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid() + 1)}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_pings_come_twice_as_often_as_asked(given, expected):
    assert Notifier({"NOTIFY_SOCKET": "@nobody", **given}).ping_every == expected


def watched(line, simulated, *, stop_at, stuck_from=1e9, stuck_until=1e9):
    """Times of the pings on a simulated clock; the reader makes no progress from `stuck_from` to `stuck_until`."""
    manager, environment = line
    notifier = Notifier({**environment, "WATCHDOG_USEC": "20000000"})
    pings = []

    async def reader(health, stopping):
        clock = asyncio.get_running_loop().time
        health.expect("reader")
        await asyncio.sleep(0.5)  # never at one moment with a ping
        while not stopping.is_set():
            if not stuck_from <= clock() < stuck_until:
                health.progress("reader")
            pings.extend(clock() for _ in manager.heard())
            await asyncio.sleep(1.0)

    async def scene():
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        health = Health(stale_after=5.0, clock=loop.time)
        loop.call_later(stop_at, stopping.set)
        await asyncio.gather(reader(health, stopping), run_watchdog(notifier, health, stopping))

    simulated(scene())
    return [int(at) for at in pings]


def test_the_watchdog_is_pinged_while_work_goes_on(line, simulated):
    assert watched(line, simulated, stop_at=45.5) == [0, 10, 20, 30, 40]


def test_a_stuck_reader_silences_the_watchdog_until_it_goes_on(line, simulated, caplog):
    assert watched(line, simulated, stop_at=75.5, stuck_from=12, stuck_until=45) == [0, 10, 50, 60, 70]
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "reader" in record.data["reasons"][0]


def test_the_watchdog_task_without_a_watchdog_waits_for_the_stop(simulated):
    async def scene():
        stopping = asyncio.Event()
        asyncio.get_running_loop().call_later(7.0, stopping.set)
        await run_watchdog(Notifier({}), Health(stale_after=1.0), stopping)
        return asyncio.get_running_loop().time()

    assert simulated(scene()) == 7.0
