"""What tests of the page share by name."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Locator, Page, expect

PICTURES = Path(__file__).parents[2] / "docs/pictures"
Keep = Callable[[Page, str], Awaitable[None]]
"""Takes a picture of the page as it is, under a name, if pictures are wanted."""
LogIn = Callable[..., Awaitable[Page]]

PHONE, WIDE = {"width": 390, "height": 780}, {"width": 1280, "height": 800}


async def sound(page: Page) -> None:
    """Nothing is wider than the window, and axe has nothing to say."""
    assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    results = await Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


async def tab_to(page: Page, name: str) -> None:
    spoken = "(document.activeElement.ariaLabel ?? document.activeElement.textContent)"
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await page.evaluate(spoken) == name:
            return
    pytest.fail(f"no way to {name} by Tab")


def card(page: Page, cluster: str) -> Locator:
    """A cluster on its pet's screen."""
    return page.locator(f'[data-cluster="{cluster}"]')


async def told(page: Page, text: str, timeout: float = 30_000) -> None:
    """Waits, in ms, for what the page says in passing."""
    await expect(page.locator(".toast", has_text=text)).to_be_visible(timeout=timeout)
