"""Clients that send or take their bytes one by one, beside clients that do not."""

import asyncio
import socket
import statistics
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from tests.faults.checker import verdict
from tests.faults.fleet import TOKEN, Daemon, Fleet
from tests.faults.harm import PETS, Outcome, Size
from tests.faults.load import STREAM, Load
from tests.faults.overload import memory
from tests.support.waiting import eventually

_DRIP = 0.2
"""Seconds between two bytes."""
_PATIENCE = "2"
"""Seconds that the daemon gives a client for headers, a body, or taking an answer."""
_LABELS, _SHOWN = 50, 24
_BIG = "big"
_PIPELINED = 200
_SPARE = 64 * 2**20
_QUICK = 0.25
_AUTHORISED = f"Host: x\r\nX-Internal-Token: {TOKEN}\r\n"

Dripper = Callable[[socket.socket], Awaitable[None]]


async def slow_clients(directory: Path, seed: int, size: Size) -> Outcome:
    """`size.harms` clients drip headers, bodies, and their taking of answers, and come again when they are cut off.

    Good clients get a 202 each, soon; memory stays bounded; no slow one is suffered for long.
    """
    env = {"CLUSTERD_HTTP_KEEPALIVE_S": _PATIENCE, "CLUSTERD_HTTP_BODY_TIMEOUT_S": _PATIENCE}
    async with Fleet(directory, daemons=1, env=env) as fleet:
        (daemon,) = fleet.daemons
        await _make_big_view(fleet, daemon)
        before = memory(daemon)
        cut_off: Counter[str] = Counter()
        drippers = [
            asyncio.ensure_future(_comes_again(daemon, dripper, cut_off))
            for dripper in (_drip_headers, _drip_body, _drip_reading)
            for _ in range(size.harms // 3)
        ]
        load = Load(fleet, seed, pets=PETS, jobs=size.jobs, rate=size.rate, over_http=1.0)
        load.start()
        try:
            await eventually(lambda: len(cut_off) == 3, what="each kind to be cut off", timeout=60)
            await load.ended()
            grown = memory(daemon) - before
        finally:
            for dripper in drippers:
                dripper.cancel()
            await asyncio.wait(drippers)
        await fleet.settled()
        counts = await verdict(fleet, load.ledger)
    times = [when.answered - when.sent for images in load.ledger.accepted.values() for when in images.values()]
    slow = statistics.quantiles(times, n=100)[98]
    outcome = Outcome(counts, size.harms, counts.breaches())
    outcome.figures |= {
        "good clients' 202 (p99), ms": slow * 1000,
        "memory grown by, MiB": grown / 2**20,
        "slow ones cut off": cut_off.total(),
    }
    outcome.expect(not load.ledger.refused and not any(load.ledger.unsure.values()), "a good client was refused")
    outcome.expect_soon("p99 of good clients", slow, _QUICK)
    outcome.expect(grown < _SPARE, f"memory grew by {grown / 2**20:.0f} MiB")
    return outcome


async def _make_big_view(fleet: Fleet, daemon: Daemon) -> None:
    """One of about 100 kB."""
    images = [f"image-{number}" for number in range(_LABELS * _SHOWN)]
    payload = {"image_ids": images, "labels": [f"Label {chr(65 + n // 26)}{chr(65 + n % 26)}" for n in range(_LABELS)]}
    await fleet.redis.xadd(STREAM, {"payload": msgspec.json.encode({"pet_id": _BIG, "payload": payload})})

    async def there() -> bool:
        async with fleet.http.get(f"{daemon.url}/internal/pets/{_BIG}/clusters") as answer:
            return answer.status == 200 and len(await answer.read()) > 50_000

    await eventually(there, what="a big view")


async def _comes_again(daemon: Daemon, dripper: Dripper, cut_off: Counter[str]) -> None:
    """On plain sockets: a stream would go on to read in the background."""
    while True:
        with socket.socket() as link:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # what is not taken stays with the server
            link.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(link, ("127.0.0.1", daemon.ports["http"]))
                await dripper(link)
            except OSError:
                pass
        cut_off[dripper.__name__] += 1


async def _drip_headers(link: socket.socket) -> None:
    await _drip(link, f"GET /healthz HTTP/1.1\r\n{_AUTHORISED}X-Slow: ")


async def _drip_body(link: socket.socket) -> None:
    head = f"POST /internal/cluster-jobs HTTP/1.1\r\n{_AUTHORISED}Content-Type: application/json\r\n"
    await _drip(link, f"{head}Content-Length: 100000\r\n\r\n")


async def _drip(link: socket.socket, head: str) -> None:
    """Until the server answers or closes."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(link, head.encode())
    while True:
        await loop.sock_sendall(link, b" ")
        try:
            await asyncio.wait_for(loop.sock_recv(link, 1), _DRIP)
        except TimeoutError:
            continue
        return


async def _drip_reading(link: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    request = f"GET /internal/pets/{_BIG}/clusters HTTP/1.1\r\n{_AUTHORISED}\r\n"
    await loop.sock_sendall(link, request.encode() * _PIPELINED)
    while not link.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):  # a read would see the reset last
        await loop.sock_recv(link, 1)
        await asyncio.sleep(_DRIP)
