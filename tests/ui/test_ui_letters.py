"""Dead letters on the page: by filter, one with its fault, put right and put back to its effect, dropped."""

import asyncio
import json
from collections.abc import Mapping

import pytest
from playwright.async_api import BrowserContext, Page, Route, expect

from tests.faults.fleet import Fleet
from tests.support.api import Api
from tests.support.waiting import eventually
from tests.ui.browsing import PHONE, PICTURES, WIDE, LogIn, sound, tab_to, told
from tests.ui.pets import job_of, rex

STREAM, LETTERS = "streams:media.cluster", "streams:media.cluster.deadletter"
ENTRIES = (
    *[{"pet_id": f"pet_{n % 7}", "payload": {"quality_score": 85}} for n in range(12)],
    {"pet_id": "pet_3", "payload": {"images": [{"image_id": "a b"}]}},
)


def broken(pet: str = "milo") -> dict:
    images = rex((6, 5))
    images[4]["quality"] = 7
    return job_of(pet, images)


async def sets_aside(fleet: Fleet, *jobs: Mapping[str, object] | str) -> None:
    """By the daemon itself, as it meets these entries: one after the other, so that their order is known."""
    before = await fleet.redis.xlen(LETTERS)
    for n, each in enumerate(jobs, before + 1):
        await fleet.redis.xadd(
            STREAM, {"payload": each if isinstance(each, str) else json.dumps(each, ensure_ascii=False)}
        )

        async def there(total: int = n) -> bool:
            return await fleet.redis.xlen(LETTERS) == total

        await eventually(there, what="the letter")


@pytest.fixture
async def some(fleet: Fleet) -> None:
    await sets_aside(fleet, *ENTRIES, '{"pet_id": "pet_1", "payload": {bad')


async def choose(page: Page, **filters: str) -> None:
    for label, value in filters.items():
        box = page.get_by_label(label)
        if label == "Pet":
            await box.fill(value)
        else:
            await box.select_option(value)
    await page.get_by_role("button", name="Show", exact=True).click()


@pytest.mark.usefixtures("some")
async def test_by_filter_they_are_counted_and_dropped_after_a_look(log_in: LogIn, fleet: Fleet):
    page = await log_in("#/letters")
    await expect(page.get_by_role("status").first).to_have_text("14 dead letters")
    await expect(page.get_by_role("button", name="13 invalid")).to_be_visible()
    await page.get_by_role("button", name="13 invalid").click()
    await expect(page.locator("[data-letter]")).to_have_count(13)
    await choose(page, Pet="pet_3")
    await expect(page.locator("[data-letter]")).to_have_count(3)
    await page.get_by_role("button", name="Drop 3 …").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Nothing has changed yet. These are meant:")
    await expect(dialog).to_contain_text("3 invalid")
    await dialog.get_by_role("button", name="Cancel").click()
    assert await fleet.redis.xlen(LETTERS) == 14
    await page.get_by_role("button", name="Drop 3 …").click()
    await dialog.get_by_role("button", name="Drop 3", exact=True).click()
    await told(page, "3 letters are dropped.")
    await expect(page.get_by_text("No dead letter matches.")).to_be_visible()
    assert await fleet.redis.xlen(LETTERS) == 11
    assert all(fields[b"pet_id"] != b"pet_3" for _, fields in await fleet.redis.xrange(LETTERS))


async def test_many_are_put_back_and_fail_again_but_once(log_in: LogIn, fleet: Fleet):
    await sets_aside(fleet, *ENTRIES)
    before = {key for key, _ in await fleet.redis.xrange(LETTERS)}
    page = await log_in("#/letters")
    await page.get_by_role("button", name="Replay 13 …").click()
    await page.get_by_role("dialog").get_by_role("button", name="Replay 13", exact=True).click()
    await told(page, "13 jobs are back in the stream.")

    async def failed_again() -> bool:
        after = {key for key, _ in await fleet.redis.xrange(LETTERS)}
        return len(after) == 13 and after.isdisjoint(before)

    await eventually(failed_again, what="each to fail once more")


async def test_one_is_put_right_and_its_photos_are_clustered(
    log_in: LogIn, fleet: Fleet, api: Api, complaints: list[str], keep_pictures: bool
):
    await sets_aside(fleet, broken())
    page = await log_in("#/letters")
    letter = page.locator("[data-letter]")
    await letter.locator("summary").click()
    await expect(letter.locator("mark")).to_have_text("7")
    await expect(letter).to_contain_text("The fault is at payload.images[4].quality:")
    await expect(letter.locator("mark")).to_be_in_viewport()
    if keep_pictures:
        await page.screenshot(path=PICTURES / "letters.png", animations="disabled")
    await letter.get_by_role("button", name="Edit and replay …").click()
    box = letter.get_by_label("Payload")
    await expect(box).to_be_focused()
    assert await box.evaluate("box => box.value.slice(box.selectionStart, box.selectionEnd)") == "7"
    await page.keyboard.type("17")
    await letter.get_by_role("button", name="Replay this").click()
    await expect(box).to_have_attribute("aria-invalid", "true")
    await expect(letter.get_by_role("status")).to_contain_text("payload.images[4].quality: expected")
    assert "422" in complaints.pop(), "the browser's own word on the refusal"
    await sound(page)
    await box.fill((await box.input_value()).replace('"quality": 17', '"quality": 0.7'))
    await letter.get_by_role("button", name="Check").click()
    await expect(letter.get_by_role("status")).to_have_text("This payload would be taken.")
    assert (await fleet.redis.xlen(LETTERS), await api.view("milo")) == (1, None)
    await letter.get_by_role("button", name="Replay this").click()
    await told(page, "The job is back in the stream.")
    view = await api.seen("milo")
    assert view["metrics"]["num_images"] == 16
    await page.locator(".toast").get_by_role("link", name="Open the pet milo").click()
    await expect(page.locator("[data-cluster]")).to_have_count(len(view["clusters"]))
    assert await fleet.redis.xlen(LETTERS) == 0


@pytest.mark.usefixtures("some")
async def test_what_is_no_json_is_marked_and_one_that_is_gone_is_said(
    log_in: LogIn, fleet: Fleet, complaints: list[str]
):
    page = await log_in("#/letters")
    await choose(page, Reason="malformed")
    letter = page.locator("[data-letter]")
    await letter.locator("summary").click()
    await expect(letter.locator("mark")).to_have_text("b")
    await expect(letter).to_contain_text("From the mark on it is no JSON:")
    await fleet.redis.xdel(LETTERS, await letter.get_attribute("data-letter") or "")
    await letter.get_by_role("button", name="Replay", exact=True).click()
    await told(page, "There is no such dead letter any more")
    assert "404" in complaints.pop(), "the browser's own word on it"
    await expect(page.get_by_text("No dead letter matches.")).to_be_visible()


async def test_find_leads_to_a_letter(log_in: LogIn, fleet: Fleet):
    await sets_aside(fleet, ENTRIES[0])
    [(key, _)] = await fleet.redis.xrange(LETTERS)
    page = await log_in()
    await page.get_by_role("searchbox").fill(key.decode())
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name=key.decode()).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"Dead letter {key.decode()}")
    await expect(page.locator("mark")).to_have_text("85")
    await page.get_by_role("button", name="Drop …").click()
    await page.get_by_role("dialog").get_by_role("button", name="Drop 1").click()
    await expect(page.locator("main")).to_contain_text("There is no such dead letter any more")


async def test_who_may_not_submit_may_not_edit(fleet: Fleet, context: BrowserContext):
    await sets_aside(fleet, ENTRIES[0])
    access = '[{"name": "desk", "scopes": ["read", "operate"], "token": "a-token-that-operates"}]'
    daemon = fleet.add_daemon({"CLUSTERD_HTTP_ACCESS": access})
    await daemon.start()
    page = await context.new_page()
    await page.goto(f"{daemon.url}/ui/#/letters")
    await page.get_by_label("Token").fill("a-token-that-operates")
    await page.keyboard.press("Enter")
    await page.locator("[data-letter] summary").click()
    await expect(page.get_by_role("button", name="Replay", exact=True)).to_be_visible()
    assert await page.get_by_role("button", name="Edit and replay …").count() == 0


async def test_all_is_done_by_keys_alone(log_in: LogIn, fleet: Fleet):
    await sets_aside(fleet, ENTRIES[0])
    page = await log_in("#/letters")
    await expect(page.locator("[data-letter]")).to_have_count(1)
    await page.locator("#main").focus()
    await tab_to(page, "Drop 1 …")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await tab_to(page, "Drop 1")
    await page.keyboard.press("Enter")
    await told(page, "1 letter is dropped.")
    await expect(page.get_by_text("No dead letter matches.")).to_be_visible()


ODD = (
    {"pet_id": "p" * 128, "job_id": "j" * 128, "payload": {"quality_score": 85}},
    {"pet_id": "rex", "payload": {"labels": ["<img src=x onerror=alert(1)>"], "quality_score": "<b>85</b>"}},
    {"pet_id": "rex", "payload": {"labels": ["כלב על החוף"], "quality_score": "כלב"}},
    {"pet_id": "rex", "metadata": {"text": "\U0001f436" * 50}, "payload": {"quality_score": 85}},
)


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_odd_contents_are_text_and_fit_and_everybody_can_read_them(log_in: LogIn, fleet: Fleet, theme: str):
    await sets_aside(fleet, *ODD, '{"pet_id": "rex", "payload": ')
    page = await log_in("#/letters")
    page.on("dialog", lambda _: pytest.fail("a payload ran as a script"))
    await page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    await expect(page.locator("[data-letter]")).to_have_count(5)
    for size in (WIDE, PHONE):
        await page.set_viewport_size(size)  # type: ignore[arg-type]
        await sound(page)
        for n, mark in enumerate(("85", '"<b>85</b>"', '"כלב"', "85", "(its end)")):
            letter = page.locator("[data-letter]").nth(n)
            await letter.locator("summary").click()
            await expect(letter.locator("mark")).to_have_text(mark)
        await sound(page)
        for letter in await page.locator("[data-letter] summary").all():
            await letter.click()
    await page.get_by_role("button", name="Drop 5 …").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await sound(page)


async def test_ten_thousand_come_a_page_at_a_time_and_go_in_batches(log_in: LogIn, fleet: Fleet):
    page = await log_in("#/letters")
    await expect(page.get_by_text("No dead letter matches.")).to_be_visible()
    await sound(page)
    async with fleet.redis.pipeline(transaction=False) as pipe:
        for n in range(10_000):
            pipe.xadd(LETTERS, {"payload": "{}", "reason": "max_attempts", "error": "no", "pet_id": f"pet_{n}"})
        await pipe.execute()
    await choose(page, Reason="max_attempts")
    await expect(page.get_by_text("10,000 dead letters")).to_be_visible(timeout=30_000)
    await expect(page.locator("[data-letter]")).to_have_count(100)
    await page.get_by_role("button", name="Show more").click()
    await expect(page.locator("[data-letter]")).to_have_count(200)
    await expect(page.locator("[data-letter] summary").nth(100)).to_be_focused()
    await page.get_by_role("button", name="Drop 10,000 …").click()
    seen = asyncio.Event()

    async def once_it_is_seen(route: Route) -> None:
        await seen.wait()
        await route.continue_()

    await page.route("**/internal/dead-letters/drop", once_it_is_seen)
    await page.get_by_role("dialog").get_by_role("button", name="Drop 10,000", exact=True).click()
    await expect(page.get_by_role("progressbar")).to_be_visible()
    seen.set()
    await told(page, "10,000 letters are dropped.", timeout=60_000)
    assert await fleet.redis.xlen(LETTERS) == 0


async def test_who_may_not_operate_has_no_way_there(log_in: LogIn):
    page = await log_in("#/letters", "a-token-that-reads")
    await expect(page.locator("main")).to_contain_text("it lacks the scope operate")
    assert await page.get_by_role("link", name="Dead letters").count() == 0
