"""A real daemon with made-up pets, and Debian's Chromium at its page. What the browser complains of fails the test."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.faults.fleet import TOKEN, Fleet
from tests.support.api import Api
from tests.ui.browsing import PICTURES, Keep, LogIn
from tests.ui.pets import job_of, rex

CHROMIUM = "/usr/bin/chromium"
PATIENCE_MS = 30_000
"""For a machine that is busy: only what fails waits for so long."""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
GRANTS = """[
{"name": "gallery", "scopes": ["read"], "token": "a-token-that-reads"},
{"name": "desk", "scopes": ["read", "correct"], "token": "a-token-that-corrects"},
{"name": "feeder", "scopes": ["submit"], "token": "a-token-that-submits"}]"""

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def keep_pictures() -> bool:
    """Whether docs/pictures is made anew: PICTURES=1 asks for that."""
    return os.environ.get("PICTURES") == "1"


@pytest.fixture
def keep(keep_pictures: bool) -> Keep:
    async def picture(page: Page, name: str) -> None:
        if keep_pictures:
            path = PICTURES / "screens" / f"{name}.jpg"
            await page.screenshot(path=path, animations="disabled", type="jpeg", quality=50)

    return picture


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/ui/" in item.nodeid:
            item.add_marker(pytest.mark.system)


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    with tempfile.TemporaryDirectory(prefix="ui-") as directory:
        env = {
            "CLUSTERD_HTTP_ACCESS": GRANTS,
            "CLUSTERD_HTTP_BASE_PATH": "/pets-page",
            "CLUSTERD_UI_RUNBOOKS": "/manual/operations",
        }
        async with Fleet(Path(directory), daemons=1, env=env) as fleet:
            await fleet.ready()
            api = Api(fleet, fleet.daemons[0])
            await api.submit(job_of("rex", rex()))
            await api.seen("rex")
            yield fleet


@pytest.fixture
def api(fleet: Fleet) -> Api:
    return Api(fleet, fleet.daemons[0])


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(
        viewport={"width": 1280, "height": 800}, locale="en-GB", timezone_id="Europe/Berlin"
    )
    context.set_default_timeout(PATIENCE_MS)
    yield context
    await context.close()


@pytest.fixture
async def complaints(context: BrowserContext) -> AsyncIterator[list[str]]:
    """Whatever the console and the policy say; a test that expects some empties the list."""
    said: list[str] = []
    context.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    context.on("weberror", lambda error: said.append(str(error.error)))
    yield said
    await asyncio.sleep(0)
    assert said == []


@pytest.fixture
def log_in(fleet: Fleet, context: BrowserContext, complaints: list[str]) -> LogIn:
    """Opens the page at a screen, and logs in there."""

    async def open_page(screen: str = "#/", token: str = TOKEN, path: str = "/ui/") -> Page:
        page = await context.new_page()
        await page.goto(f"{fleet.daemons[0].url}{path}{screen}")
        await page.get_by_label("Token").fill(token)
        await page.get_by_role("button", name="Log in").click()
        return page

    return open_page
