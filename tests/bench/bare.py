"""`python -m tests.bench.bare STATUS`: aiohttp on uvloop that answers every request with the bytes on stdin.

Prints its port; ends when it is terminated.
"""

import asyncio
import sys

import uvloop
from aiohttp import web

_LARGEST_BODY = 2**22


async def _serve(status: int, body: bytes) -> None:
    async def handle(request: web.Request) -> web.Response:
        await request.read()
        headers = {"Content-Type": "application/json", "ETag": '"bare"'}
        return web.Response(body=body, status=status, headers=headers)

    app = web.Application(client_max_size=_LARGEST_BODY)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), sys.stdin.buffer.read()))
