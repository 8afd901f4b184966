"""Each screen in both themes and on a phone: nothing that axe finds, nothing that sticks out; and odd contents."""

from collections.abc import Awaitable, Callable, Mapping

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.faults.fleet import TOKEN, Fleet
from tests.support.api import Api
from tests.support.waiting import eventually
from tests.ui.browsing import PHONE, PICTURES, WIDE, Keep, LogIn, sound, tab_to
from tests.ui.pets import job_of, rex


async def found(page: Page) -> None:
    await page.get_by_role("searchbox").fill("rex_001")
    await page.keyboard.press("Enter")
    await expect(page.locator(".found li")).to_have_count(1)


async def selected(page: Page) -> None:
    for n in range(2):
        await page.get_by_role("checkbox").nth(n).check()


async def merging(page: Page) -> None:
    await selected(page)
    await page.get_by_role("button", name="Merge 2 …").click()
    await expect(page.get_by_role("dialog")).to_be_visible()


async def taken(page: Page) -> None:
    await page.locator(".cell").nth(0).click()
    await page.locator(".cell").nth(3).click(modifiers=["Shift"])


async def why(page: Page) -> None:
    await page.locator(".cell").nth(0).click()
    await page.get_by_role("button", name="Why here?").click()
    await expect(page.get_by_role("dialog")).to_be_visible()


async def mapped(page: Page) -> None:
    await page.locator("summary", has_text="Map").click()
    await page.get_by_role("listbox").focus()
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("Space")
    await expect(page.locator(".cell[aria-pressed=true]")).not_to_have_count(0)


async def running(page: Page) -> None:
    await expect(page.get_by_role("row")).to_have_count(2, timeout=20_000)


async def set_aside(page: Page) -> None:
    await expect(page.locator("[data-letter]")).to_have_count(1)


async def looked_at(page: Page) -> None:
    await expect(page.get_by_role("status").first).to_contain_text("The one album that there is.")


async def asked(page: Page) -> None:
    await page.locator(".cell.out").first.click()


SCREENS: Mapping[str, tuple[str, Callable[[Page], Awaitable[None]]]] = {
    "find": ("#/", found),
    "pet": ("#/pet/rex", selected),
    "merge": ("#/pet/rex", merging),
    "cluster": ("#/pet/rex/rex-cluster-0", taken),
    "map": ("#/pet/rex/rex-cluster-0", mapped),
    "why": ("#/pet/rex/rex-cluster-0", why),
    "pipeline": ("#/fleet", running),
    "questions": ("#/pet/rex/questions", asked),
    "letters": ("#/letters", set_aside),
    "quality": ("#/quality", looked_at),
}
KEPT = {"pet-wide-light", "cluster-wide-dark", "questions-phone-light", "map-wide-light"}
"""Which docs/pictures shows in its pages; docs/pictures/screens has all, small, to be looked at."""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["wide", "phone"])
async def test_every_screen_is_for_everybody(
    log_in: LogIn, fleet: Fleet, theme: str, size: str, *, keep_pictures: bool, keep: Keep
):
    await fleet.redis.xadd("streams:media.cluster", {"payload": '{"pet_id": "rex", "payload": {bad'})
    page = await log_in()
    await expect(page.get_by_role("searchbox")).to_be_visible()
    await page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    await page.set_viewport_size(PHONE if size == "phone" else WIDE)  # type: ignore[arg-type]
    for name, (screen, act) in SCREENS.items():
        await page.goto("about:blank")
        await page.goto(f"{fleet.daemons[0].url}/ui/{screen}")
        await act(page)
        await sound(page)
        if keep_pictures and f"{name}-{size}-{theme}" in KEPT:
            await page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")
        if (size, theme) != ("phone", "dark"):
            await keep(page, f"{name}-{size}-{theme}")
    await page.get_by_role("button", name="Log out").click()
    await sound(page)
    if (size, theme) != ("phone", "dark"):
        await keep(page, f"login-{size}-{theme}")


async def test_odd_contents_are_text_and_fit(log_in: LogIn, api: Api, keep: Keep):
    """Ids of 128 characters, labels that are HTML, that are written from the right, that are long."""
    pet = "p" * 128
    images = rex((6, 6, 6))
    labels = ["<img src=x onerror=alert(1)>", "כלב על החוף", "w" * 128]
    for n, each in enumerate(images):
        each["image_id"] = f"{n:03d}".ljust(128, "x")
        if "label" in each:
            each["label"] = labels[n // 6]
    await api.submit(job_of(pet, images))
    view = await api.seen(pet)
    page = await log_in(f"#/pet/{pet}")
    page.on("dialog", lambda _: pytest.fail("a label ran as a script"))
    await expect(page.locator("[data-cluster]")).to_have_count(len(view["clusters"]))
    await expect(page.locator(".label").filter(has_text=labels[0])).to_have_count(1)
    for name, size in (("wide", WIDE), ("phone", PHONE)):
        await page.set_viewport_size(size)  # type: ignore[arg-type]
        await sound(page)
        await keep(page, f"odd-{name}-light")
    await page.get_by_role("link", name="Open <img").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(labels[0])
    await take_all(page)
    await sound(page)
    await keep(page, "odd-cluster-phone-light")


async def take_all(page: Page) -> None:
    await page.get_by_role("button", name="Select all").click()


async def test_a_pet_without_clusters_and_a_provisional_one(log_in: LogIn, api: Api, complaints: list[str], keep: Keep):
    page = await log_in("#/pet/nobody")
    await expect(page.locator("main")).to_contain_text("This pet has no clusters")
    assert "404" in complaints.pop(), "the browser's own word on it"
    await keep(page, "nothing-wide-light")
    await api.submit({"pet_id": "new", "payload": {"image_ids": ["a", "b"], "labels": ["Soon"]}})
    await api.seen("new")
    await page.goto(page.url.replace("nobody", "new"))
    await expect(page.locator("[data-cluster]")).to_contain_text("A guess")
    assert await page.get_by_role("checkbox").count() == 0
    await sound(page)


async def test_ten_thousand_photos_come_as_they_are_scrolled_to(log_in: LogIn, api: Api, keep: Keep):
    for part in range(10):
        ids = [f"big_{part * 1000 + n:05d}" for n in range(1000)]
        await api.submit({"pet_id": "big", "payload": {"image_ids": ids, "labels": ["Everything"]}})

    async def whole() -> bool:
        view = await api.view("big")
        return bool(view and view["metrics"]["num_images"] == 10_000)

    await eventually(whole, what="all photos to be applied", timeout=60)
    page = await log_in("#/pet/big/big-cluster-0")
    await expect(page.get_by_text("10,000 of 10,000 photos")).to_be_visible(timeout=30_000)
    await keep(page, "many-wide-light")
    first = await page.locator(".cells .cell").count()
    assert 200 <= first < 1000
    took = await page.evaluate(
        """async () => {
            const began = performance.now();
            for (let n = 0; n < 20; n++) {
                scrollTo(0, document.body.scrollHeight);
                await new Promise(requestAnimationFrame);
            }
            return (performance.now() - began) / 20;
        }"""
    )
    assert took < 500, "milliseconds a step"
    assert await page.locator(".cells .cell").count() > first


async def test_a_photo_that_is_missing_has_a_tile(
    fleet: Fleet, context: BrowserContext, complaints: list[str], keep: Keep
):
    daemon = fleet.add_daemon({"CLUSTERD_UI_IMAGE_URL": "/photos/{image_id}?size={size}"})
    await daemon.start()
    page = await context.new_page()
    picture = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><path fill='teal' d='M0 0h9v9z'/></svg>"

    async def photos(route) -> None:
        if "rex_0" in route.request.url:
            await route.fulfill(body=picture, content_type="image/svg+xml")
        else:
            await route.fulfill(status=404)

    await page.route("**/photos/**", photos)
    await page.goto(f"{daemon.url}/ui/#/pet/rex")
    await page.get_by_label("Token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-cluster] img.photo")).to_have_count(1)
    await expect(page.locator("[data-cluster] svg.tile")).to_have_count(4)
    await keep(page, "missing-wide-light")
    source = await page.locator("img.photo").get_attribute("src")
    assert source
    assert source.startswith("/photos/rex_0")
    assert source.endswith("?size=256")
    assert all("404" in each for each in complaints), complaints
    complaints.clear()


async def test_a_time_is_local_and_its_copy_is_utc(log_in: LogIn, api: Api, context: BrowserContext):
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = await log_in("#/pet/rex")
    time = page.locator("time").first
    await expect(time).to_contain_text("CET")
    await time.evaluate("element => getSelection().selectAllChildren(element)")
    await page.keyboard.press("Control+c")
    view = await api.view("rex")
    assert view
    assert await page.evaluate("navigator.clipboard.readText()") == view["updated_at"]


async def test_all_is_done_by_keys_alone(log_in: LogIn, api: Api):
    page = await log_in("#/pet/rex")
    await expect(page.locator("[data-cluster]")).to_have_count(5)
    for cluster in ("Portraits", "At the beach"):
        await tab_to(page, f"Select {cluster}")
        await page.keyboard.press("Space")
    await tab_to(page, "Merge 2 …")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await tab_to(page, "Merge")
    await page.keyboard.press("Enter")
    await expect(page.locator(".toast", has_text="Merged.")).to_be_visible()
    view = await api.view("rex")
    assert view
    assert len(view["clusters"]) == 4


async def test_it_is_small_and_comes_from_here_alone(log_in: LogIn, context: BrowserContext, fleet: Fleet):
    sizes: dict[str, int] = {}

    async def count(response) -> None:
        sizes[response.url] = len(await response.body())

    context.on("response", count)
    page = await log_in("#/pet/rex")
    await expect(page.locator("[data-cluster]")).to_have_count(5)
    assert all(url.startswith(fleet.daemons[0].url) for url in sizes)
    assert sum(sizes.values()) < 150_000
