"""The site as it is read: from a disk, at a phone's width and a desk's, light and dark, without a network."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

CHROMIUM = "/usr/bin/chromium"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}
STICKS_OUT = """() => [...document.querySelectorAll("article *")]
    .filter((part) => part.getBoundingClientRect().right > innerWidth + 1)
    .filter((part) => !part.closest("pre, .formula, .md-typeset__scrollwrap, p:has(> .diagram)"))
    .map((part) => `${part.tagName} ${part.textContent.slice(0, 60)}`)"""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        await browser.close()


async def opened(browser: Browser, viewport: dict[str, int], scheme: str) -> tuple[Page, list[str]]:
    """A page, and what it asked the network for or complained of."""
    context: BrowserContext = await browser.new_context(viewport=viewport, color_scheme=scheme)
    page = await context.new_page()
    troubles: list[str] = []
    page.on("request", lambda request: request.url.startswith(("file:", "data:")) or troubles.append(request.url))
    page.on("console", lambda message: message.type == "error" and troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    return page, troubles


def read_from_a_disk(site: Path) -> list[Path]:
    """All pages but the one of paths that do not exist: a server shows it at any of them, by paths from the root."""
    return [file for file in sorted(site.glob("*.html")) if file.name != "404.html"]


@pytest.mark.parametrize(("viewport", "scheme"), [(PHONE, "light"), (DESK, "dark")], ids=["phone", "desk"])
async def test_no_page_is_wider_than_the_screen_or_asks_anybody(browser: Browser, site: Path, viewport, scheme):
    page, troubles = await opened(browser, viewport, scheme)
    for file in read_from_a_disk(site):
        await page.goto(file.as_uri())
        assert await page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], file.name
        assert await page.evaluate(STICKS_OUT) == [], file.name
        assert await page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)"), file.name
    assert troubles == []


@pytest.mark.parametrize(("scheme", "shade"), [("light", "default"), ("dark", "slate")])
async def test_it_is_as_light_or_dark_as_the_system(browser: Browser, site: Path, scheme, shade):
    page, _ = await opened(browser, DESK, scheme)
    await page.goto((site / "index.html").as_uri())
    assert await page.locator("body").get_attribute("data-md-color-scheme") == shade
    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    red = int(background.partition("(")[2].split(",")[0])
    assert red > 240 if scheme == "light" else red < 60


async def test_it_can_be_searched_from_a_disk(browser: Browser, site: Path):
    page, troubles = await opened(browser, DESK, "light")
    await page.goto((site / "index.html").as_uri())
    await page.get_by_role("button", name="Search").first.click()
    words = page.get_by_placeholder("Search")
    await words.press_sequentially("silhouette")
    await page.locator("a", has_text="How well clusters are set apart").first.click()
    await page.wait_for_url("**/clustering.html*#how-well-clusters-are-set-apart")
    assert troubles == []
