"""Tabs of one browser on the pipeline: one stream for all of them, as the server counts."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from playwright.async_api import BrowserContext, Page, expect

from tests.faults.fleet import TOKEN, Fleet
from tests.support.waiting import eventually

FIGURE = "figure:has-text('Jobs that wait') b"
HIDE = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""
UPDATES = """() => {
  window.updates = 0;
  new MutationObserver(() => window.updates++).observe(document.querySelector("tbody"), { childList: true });
}"""


class Counting:
    """Stands before a daemon and counts the streams that are open."""

    def __init__(self, daemon: str) -> None:
        self._daemon = daemon
        self.url = ""
        self.opened = 0
        self._streams: set[asyncio.Task[object]] = set()

    @property
    def open(self) -> int:
        return len(self._streams)

    def end(self) -> None:
        """Ends them, as the daemon does when a session's token is rotated away."""
        for each in self._streams:
            each.cancel()

    async def serve(self) -> AsyncIterator["Counting"]:
        async with aiohttp.ClientSession(auto_decompress=False) as self._http:
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", self._pass)
            runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
            await runner.cleanup()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        if request.path != "/internal/fleet":
            return await self._answer(request)
        self.opened += 1
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        try:
            return await self._answer(request)
        finally:
            self._streams.discard(task)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name != "Host"}
        url = self._daemon + request.path_qs
        body = await request.read()
        async with self._http.request(request.method, url, headers=headers, data=body or None) as answer:
            passed = web.StreamResponse(status=answer.status)
            for name, value in answer.headers.items():
                if name not in ("Content-Length", "Transfer-Encoding", "Connection"):
                    passed.headers.add(name, value)
            await passed.prepare(request)
            async for chunk in answer.content.iter_any():
                await passed.write(chunk)
            return passed


@pytest.fixture
async def server(fleet: Fleet) -> AsyncIterator[Counting]:
    async for counting in Counting(fleet.daemons[0].url).serve():
        yield counting


async def opened(context: BrowserContext, server: Counting) -> Page:
    """A tab at the pipeline, logged in where the browser is not yet."""
    page = await context.new_page()
    await page.goto(f"{server.url}/ui/#/fleet")
    token = page.get_by_label("Token")
    await expect(token.or_(page.locator("tbody tr"))).to_be_visible(timeout=20_000)
    if await token.count():
        await token.fill(TOKEN)
        await page.keyboard.press("Enter")
    await live(page)
    await expect(page.locator(FIGURE)).to_have_text("0", timeout=20_000)
    return page


async def live(page: Page) -> None:
    """Its figures are there, and are drawn anew when there are new ones."""
    await expect(page.locator("tbody tr")).to_have_count(1, timeout=20_000)
    await page.evaluate(UPDATES)

    async def drawn() -> bool:
        return await page.evaluate("window.updates > 0")

    await eventually(drawn, what="new figures", timeout=20)


async def one(server: Counting) -> None:
    await eventually(lambda: server.open == 1, what="one stream to be open")


async def test_one_tab_holds_the_stream_and_another_takes_over(
    context: BrowserContext, server: Counting, complaints: list[str]
):
    first = await opened(context, server)
    second = await opened(context, server)
    await second.get_by_label("Of the last").select_option("8h")
    assert (server.open, server.opened) == (1, 1)
    await asyncio.gather(live(first), live(second))

    await first.evaluate(HIDE, arg=True)
    await eventually(lambda: server.opened == 2, what="the other to take over")
    await one(server)
    await live(second)
    await first.evaluate(HIDE, arg=False)
    await asyncio.gather(live(first), live(second))
    assert (server.open, server.opened) == (1, 2), "who was first gets the figures of the other"

    await second.close()
    await eventually(lambda: server.opened == 3, what="the first to take over")
    await one(server)
    await live(first)
    await first.evaluate(HIDE, arg=True)
    await eventually(lambda: server.open == 0, what="no stream of what is not in sight")
    assert complaints == []


async def test_log_out_ends_it_for_all(context: BrowserContext, server: Counting, complaints: list[str]):
    first = await opened(context, server)
    second = await opened(context, server)
    await second.get_by_role("button", name="Log out").click()
    for page in (first, second):
        await expect(page.get_by_label("Token")).to_be_visible()
    await eventually(lambda: server.open == 0, what="the stream to end")
    assert (server.opened, complaints) == (1, [])


async def test_a_stream_that_ends_is_told_of_in_all(context: BrowserContext, server: Counting, complaints: list[str]):
    first = await opened(context, server)
    second = await opened(context, server)
    await context.clear_cookies()
    server.end()
    for page in (first, second):
        await expect(page.get_by_label("Token")).to_be_visible(timeout=20_000)
    await eventually(lambda: server.open == 0, what="no stream to be left")
    assert complaints, "the browser's own word on the refusal"
    assert all("401" in each or "ERR_INCOMPLETE" in each for each in complaints), complaints
    complaints.clear()
