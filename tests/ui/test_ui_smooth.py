"""The page with as much as there may be: it holds up nobody's hands for long, as Chromium counts long tasks.

Bounds are generous, as test machines have other things to do.
"""

import numpy as np
import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.support.api import Api
from tests.support.waiting import eventually
from tests.ui.browsing import LogIn
from tests.ui.pets import image, job_of

LOOKS = 300
A_JOB = 100
"""Photos of a job: what a request may hold."""
LONGEST_MS = 1500
COLD_MS = 5000
WATCH = """
window.longTasks = [];
new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((each) => each.duration)))
  .observe({ type: "longtask", buffered: true });
"""
SCROLL = """async () => {
  for (let n = 0; n < 30; n++) {
    scrollTo(0, document.body.scrollHeight * (n % 3) / 2);
    await new Promise(requestAnimationFrame);
  }
}"""


@pytest.fixture
async def watched(context: BrowserContext) -> None:
    await context.add_init_script(WATCH)


async def applied(api: Api, pet_id: str, images: list[dict]) -> dict:
    """The view of a pet that has all of these."""
    for first in range(0, len(images), A_JOB):
        await api.submit(job_of(pet_id, images[first : first + A_JOB]))
    seen: list[dict] = []

    async def whole() -> bool:
        view = await api.view(pet_id)
        seen[:] = [view] if view and view["metrics"]["num_images"] == len(images) else []
        return bool(seen)

    await eventually(whole, what="all photos to be applied", timeout=120)
    return seen[0]


async def smooth(page: Page) -> None:
    """Scrolls about, and asks how long the longest task was until now."""
    await page.evaluate(SCROLL)
    longest = await page.evaluate("Math.max(0, ...longTasks)")
    assert longest < LONGEST_MS, "milliseconds"


async def test_three_hundred_clusters(log_in: LogIn, api: Api, watched: None):
    looks = np.eye(LOOKS)
    images = [
        image(f"many_{look:03d}_{copy}", looks[look] + 0.02 * copy * looks[look - 1], f"Look {look}", 0.9, copy)
        for copy in range(3)
        for look in range(LOOKS)
    ]
    view = await applied(api, "many", images)
    assert len(view["clusters"]) == LOOKS
    page = await log_in("#/pet/many")
    await expect(page.locator("[data-cluster]")).to_have_count(LOOKS)
    await page.get_by_role("checkbox").nth(LOOKS - 1).check()
    await page.get_by_label("Order").select_option("name")
    await expect(page.locator("[data-cluster] .label").first).to_have_text("Look 0")
    await smooth(page)


async def test_ten_thousand_photos_of_a_thousand_cells(log_in: LogIn, api: Api, watched: None):
    draw = np.random.default_rng(3)
    vectors = np.eye(12)[0] + draw.normal(0, 0.2, (10_000, 12))
    images = [image(f"wide_{n:04d}", each, "All", 0.9, n) for n, each in enumerate(vectors)]
    view = await applied(api, "wide", images)
    largest = max(view["clusters"], key=lambda each: each["size"])
    page = await log_in(f"#/pet/wide/{largest['id']}")
    size = f"{largest['size']:,}"
    await expect(page.get_by_text(f"{size} of {size} photos")).to_be_visible(timeout=60_000)
    await page.locator("summary", has_text="Map").click()
    await expect(page.locator(".map .point")).not_to_have_count(0)
    await page.get_by_role("button", name="Select all").click()
    await expect(page.locator(".actions")).to_contain_text(f"{size} of {size} selected")
    assert await page.locator(".cells .cell").count() < 1000
    await smooth(page)


async def test_it_is_there_at_once(log_in: LogIn):
    page = await log_in()
    await expect(page.get_by_role("searchbox")).to_be_visible()
    painted = await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    assert painted < COLD_MS
