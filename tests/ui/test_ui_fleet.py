"""The pipeline's screen: live figures under load, pause and resume."""

import asyncio
import itertools
import json
import re
import time

from playwright.async_api import expect

from tests.docs.pages import anchors
from tests.faults.fleet import Fleet
from tests.support.api import Api
from tests.support.paused import warns
from tests.ui.browsing import PICTURES, LogIn
from tests.ui.pets import job_of, rex


async def test_the_fleet_is_seen_at_work_and_paused_and_resumed(
    log_in: LogIn, fleet: Fleet, api: Api, keep_pictures: bool
):
    another = fleet.add_daemon({"HTTP_ENABLED": "false"})
    await another.start()
    page = await log_in("#/fleet")
    await expect(page.get_by_role("row")).to_have_count(3, timeout=20_000)
    await expect(page.get_by_role("row").nth(1)).to_contain_text(re.compile(r"-0.*ready"))
    jobs = page.locator("figure", has_text="Jobs a second")

    async def load() -> None:
        for n in itertools.count():
            await api.submit(job_of(f"pet_{n % 50}", rex((2,))[:1]))

    loading = asyncio.create_task(load())
    await expect(jobs.locator("b")).to_have_text(re.compile(r"[1-9][\d,.]* · "), timeout=20_000)
    await expect(page.locator("figure", has_text="A job takes").locator("b")).to_have_text(re.compile(r"[\d,.]+ ms"))
    await expect(jobs.locator("path").first).to_have_attribute("d", re.compile(r"^M.*L"), timeout=20_000)
    if keep_pictures:
        await page.screenshot(path=PICTURES / "pipeline.png", animations="disabled")
    loading.cancel()

    await page.get_by_label("Of the last").focus()
    for span in ("1h", "8h"):
        await page.get_by_label("Of the last").select_option(span)
        await expect(page.locator("figure line.mark")).to_have_count(6 * 2)
        await expect(page.get_by_label("Of the last")).to_be_focused()
    await page.get_by_label("Of the last").select_option("15m")
    await page.get_by_role("button", name="Pause …").click()
    await page.get_by_label("Why, for the others").fill("a trial")
    await page.get_by_role("button", name="Pause", exact=True).click()
    await expect(page.get_by_text("The fleet is paused until")).to_contain_text("a trial", timeout=20_000)
    await warns(fleet, wanted=True)  # each of them: the page tells of the first
    await api.submit(job_of("late", rex((2,))))
    await expect(page.locator("figure", has_text="Jobs that wait").locator("b")).not_to_have_text("0", timeout=20_000)
    assert await api.view("late") is None
    await page.get_by_role("button", name="Resume").click()
    await api.seen("late")
    await expect(page.get_by_text("The fleet is paused until")).to_have_count(0, timeout=20_000)


async def test_every_figure_leads_to_its_runbook(log_in: LogIn):
    page = await log_in("#/fleet")
    await expect(page.get_by_role("row")).to_have_count(2, timeout=20_000)
    assert await page.locator("figure figcaption a").count() == await page.locator("figure").count() == 6
    urls = await page.locator("main a").evaluate_all("links => links.map(each => each.getAttribute('href'))")
    assert len(urls) == 6 + 4
    known = anchors(PICTURES.parent / "operations.md")
    assert all(url.partition("#")[0] == "/manual/operations" and url.partition("#")[2] in known for url in urls), urls


async def test_starts_are_told_in_words_and_failures_by_their_causes(log_in: LogIn, fleet: Fleet):
    page = await log_in("#/fleet")
    await page.locator("summary").click()
    await expect(page.locator("details li")).to_contain_text(re.compile(r"-0 started, version \d"), timeout=20_000)
    beat = json.loads(next(iter((await fleet.redis.hgetall("sploot.media.clusters:fleet")).values())))
    trouble = {"error": "<b>no</b> such thing", "runs": 3, "at": time.time()}
    failing = beat | {"process": "other-0", "at": time.time() + 20, "troubles": [trouble], "generation": 4}
    await fleet.redis.hset("sploot.media.clusters:fleet", "other-0", json.dumps(failing))
    await expect(page.locator("section li")).to_contain_text("<b>no</b> such thing 3 runs of other-0", timeout=20_000)
    await expect(page.locator("details[open] li").last).to_contain_text("profiles of generation 4 came into use")


async def test_a_stream_holds_up_no_stop(fleet: Fleet):
    async with fleet.http.get(f"{fleet.daemons[0].url}/internal/fleet") as stream:
        assert (await stream.content.readline()).startswith(b'data: {"at":')
        began = time.monotonic()
        assert await asyncio.to_thread(fleet.daemons[0].stop) == 0
        assert time.monotonic() - began < 10, "what requests are given to end in"
        await stream.content.read()


async def test_who_may_not_operate_has_no_way_there(log_in: LogIn):
    page = await log_in("#/fleet", "a-token-that-reads")
    await expect(page.locator("main")).to_contain_text("it lacks the scope operate")
    assert await page.get_by_role("link", name="Pipeline").count() == 0
