"""An open pet: it asks whether it has changed, and what a person has in hand stays as it is meanwhile."""

from playwright.async_api import Response, expect

from tests.support.api import Api
from tests.ui.browsing import LogIn
from tests.ui.pets import job_of, rex

VIEW = "/internal/pets/rex/clusters"
SOON_MS = 20_000


async def test_what_has_not_changed_is_not_sent_again_and_nothing_moves(log_in: LogIn, api: Api):
    page = await log_in("#/find")
    await page.set_viewport_size({"width": 390, "height": 500})

    def unchanged(response: Response) -> bool:
        return response.url.endswith(VIEW) and response.status == 304

    statuses: list[int] = []
    page.on("response", lambda each: statuses.append(each.status) if each.url.endswith(VIEW) else None)
    await page.goto(page.url.replace("#/find", "#/pet/rex"))
    box = page.get_by_role("checkbox").nth(3)
    await box.check()
    await box.focus()
    scrolled = await page.evaluate("window.scrollY")
    assert scrolled > 0
    async with page.expect_response(unchanged, timeout=SOON_MS) as answer:
        pass
    asked = await (await answer.value).request.all_headers()
    assert asked["if-none-match"]
    assert (statuses[0], {*statuses[1:]}) == (200, {304})
    await expect(box).to_be_checked()
    await expect(box).to_be_focused()
    assert await page.evaluate("window.scrollY") == scrolled
    assert await page.locator(".changed").text_content() == ""

    await api.submit(job_of("rex", rex((40,))))
    await expect(page.locator(".changed")).to_contain_text("Show", timeout=SOON_MS)
    async with page.expect_response(unchanged, timeout=SOON_MS):
        pass
    await expect(box).to_be_checked()
    await expect(box).to_be_focused()
