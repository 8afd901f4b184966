"""The map of a cluster's photos: what is taken there is taken in the gallery, and the other way round."""

from playwright.async_api import Page, expect

from tests.support.api import Api
from tests.ui.browsing import LogIn


async def opened(log_in: LogIn, token: str = "a-token-that-corrects") -> Page:
    page = await log_in("#/pet/rex/rex-cluster-0", token)
    await expect(page.locator(".cells .cell")).to_have_count(35)
    await page.locator("summary", has_text="Map").click()
    return page


async def test_points_are_all_photos_and_are_taken_in_both_ways(log_in: LogIn, api: Api):
    page = await opened(log_in)
    _, told = await api.ask("GET", "/internal/pets/rex/map")
    assert isinstance(told, dict)
    points = [each for each in told["maps"][0]["cells"] if each["cluster"] == "rex-cluster-0"]
    await expect(page.locator(".map .point")).to_have_count(len(points))
    assert await page.locator(".map .other").count() == len(told["maps"][0]["cells"]) - len(points)

    taken = page.locator(".cells .cell[aria-pressed=true]")
    await page.locator(".map .point").first.click()
    await expect(taken).not_to_have_count(0)
    size = await taken.count()
    await expect(page.locator(".map .point[aria-selected=true]")).to_have_count(1)
    await expect(page.locator(".actions")).to_contain_text(f"{size} of 35 selected")
    await page.locator(".map .point").first.click()
    await expect(taken).to_have_count(0)
    await page.get_by_role("button", name="Select all").click()
    await expect(page.locator(".map .point[aria-selected=true]")).to_have_count(len(points))
    await page.locator(".cells .cell").first.click()
    await expect(page.locator(".map .point[aria-selected=true]")).to_have_count(len(points) - 1)


async def test_a_frame_takes_what_lies_in_it(log_in: LogIn):
    page = await opened(log_in)
    await expect(page.locator(".map .point").first).to_be_visible()
    await page.locator(".map").scroll_into_view_if_needed()
    box = await page.locator(".map").bounding_box()
    assert box
    await page.mouse.move(box["x"] + 9, box["y"] + 9)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] - 9, box["y"] + box["height"] - 9, steps=4)
    await page.mouse.up()
    await expect(page.locator(".cells .cell[aria-pressed=true]")).to_have_count(35)


async def test_who_may_not_correct_takes_nothing_and_has_no_map(log_in: LogIn):
    page = await log_in("#/pet/rex/rex-cluster-0", "a-token-that-reads")
    await expect(page.locator(".cells .cell")).to_have_count(35)
    await expect(page.locator("summary", has_text="Map")).to_have_count(0)
