"""The screen of quality: figures of albums that are known, what needs a look, and how it looks to everybody."""

import math
import re

import pytest
from playwright.async_api import Page, Route, expect

from tests.support.api import Api
from tests.support.waiting import eventually
from tests.ui.browsing import PHONE, PICTURES, WIDE, LogIn, sound
from tests.ui.pets import job_of, rex

VERSION = "<b>כלב</b>@1"


async def with_more(route: Route) -> None:
    """The daemon's own answer, with eight hours of points, and what was learned of an encoder: that takes as long."""
    answer = await route.fetch()
    told = await answer.json()
    points = [
        {
            "at": told["fleet"]["since"] + 120 * n,
            "merges": 4 + round(3 * math.sin(n / 9)),
            "splits": 1 + round(math.cos(n / 7)),
            "hero_changes": 9 + round(6 * math.sin(n / 20)),
            "corrections": max(0, round(4 * math.sin(n / 11))),
            "silhouette": None if 100 < n < 110 else 0.42 + math.sin(n / 30) / 20,
            "unclustered": 0.1 + math.cos(n / 25) / 40,
        }
        for n in range(240)
    ]
    told["fleet"]["points"] = points
    words = ["scale 1.00: the cosines of two photos of one pet deviate by 0.120 (of 900 pets), where 0.12 is usual"]
    told["encoders"].append({"model_version": VERSION, "generation": 4, "settled": True, "words": words})
    await route.fulfill(response=answer, json=told)


@pytest.fixture
async def seeded(api: Api) -> None:
    """With rex, three pets."""
    await api.submit(job_of("milo", rex((6, 5)), model_version="clip-b32@3"))
    await api.submit(job_of("luna", rex()))
    for pet in ("milo", "luna"):
        await api.seen(pet)


def row(page: Page, table: str, name: str):
    return page.get_by_role("table", name=table).get_by_role("row", name=re.compile(name))


@pytest.mark.usefixtures("seeded")
async def test_it_shows_the_figures_of_what_there_is(log_in: LogIn, api: Api):
    status, body = await api.ask("GET", "/internal/quality")
    assert status == 200
    assert isinstance(body, dict)
    views = [await api.view(pet) for pet in ("rex", "milo", "luna")]
    assert all(views)
    sample = body["sample"]
    assert (sample["albums"], sample["complete"]) == (3, True)
    assert sample["images"] == sum(view["metrics"]["num_images"] for view in views if view)
    assert sum(each["clusters"] for each in sample["sizes"]) == sum(len(view["clusters"]) for view in views if view)

    page = await log_in("#/quality")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Quality")
    await expect(page.get_by_role("status").first).to_contain_text("All 3 albums that there are.")
    await expect(row(page, "By model version", "clip-b32@3").get_by_role("cell").first).to_have_text("1")
    look = page.get_by_role("table", name="Albums that need a look")
    await expect(look.get_by_role("link")).to_have_count(len(sample["look"]))
    assert sample["look"], "a pet whose looks may be one is asked about"
    await look.get_by_role("link").first.click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text(f"Questions about {sample['look'][0]['pet_id']}")


@pytest.mark.usefixtures("seeded")
async def test_what_jobs_changed_is_told_with_corrections_by_kind(log_in: LogIn, api: Api):
    renamed = {"corrections": [{"op": "rename", "cluster": "rex-cluster-0", "label": "x"}]}
    assert (await api.ask("POST", "/internal/pets/rex/corrections", json=renamed))[0] == 202
    await api.seen("rex", version=2)
    page = await log_in("#/quality")
    await expect(page.get_by_role("heading", name="What jobs changed")).to_be_visible()

    async def counted() -> bool:
        _, body = await api.ask("GET", "/internal/quality")
        assert isinstance(body, dict)
        return bool(body["fleet"]["totals"]["corrections"] == {"rename": 1})

    await eventually(counted, what="the heartbeat to tell", timeout=20)
    await page.get_by_role("button", name="Look again").click()
    await expect(row(page, "Corrections by kind", "renamed").get_by_role("cell")).to_have_text("1")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.usefixtures("seeded")
async def test_it_is_for_everybody(log_in: LogIn, api: Api, theme: str, keep_pictures: bool):
    if theme == "dark":
        await api.submit(job_of("p" * 128, rex()))
        await api.seen("p" * 128)

    async def is_watched() -> bool:
        return (await api.ask("GET", "/internal/quality"))[1]["fleet"]["since"] is not None  # type: ignore[index]

    await eventually(is_watched, what="the first heartbeat to be seen", timeout=20)
    page = await log_in()
    await page.route("**/internal/quality", with_more)
    await page.get_by_role("link", name="Quality").click()
    await page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    await expect(page.get_by_role("table", name="Sizes of clusters")).to_be_visible()
    await expect(page.locator("figure")).to_have_count(5)
    silhouette = page.locator("figure", has_text="Silhouette of albums").locator("path")
    await expect(silhouette).to_have_attribute("d", re.compile(r"^M.*L.*M.*L"))  # with a gap where nothing is known
    await expect(page.get_by_role("heading", name=f"{VERSION}, generation 4 settled")).to_be_visible()
    await expect(page.locator("main")).to_contain_text("where 0.12 is usual")
    for size, name in ((WIDE, "wide"), (PHONE, "phone")):
        await page.set_viewport_size(size)  # type: ignore[arg-type]
        await sound(page)
        if keep_pictures and (name, theme) == ("wide", "light"):
            clip = {"x": 0, "y": 0, "width": 1280, "height": 1240}
            await page.screenshot(path=PICTURES / "quality.png", full_page=True, clip=clip)  # type: ignore[arg-type]


async def test_without_an_album_it_says_so(log_in: LogIn, api: Api):
    assert (await api.ask("DELETE", "/internal/pets/rex"))[0] == 200
    page = await log_in("#/quality")
    await expect(page.locator("main")).to_contain_text("No album has vectors yet")
    await sound(page)


async def test_who_may_read_sees_it(log_in: LogIn):
    page = await log_in("#/quality", "a-token-that-reads")
    await expect(page.get_by_role("link", name="Quality")).to_have_attribute("aria-current", "page")
    await expect(page.get_by_role("table", name="Sizes of clusters")).to_be_visible()
