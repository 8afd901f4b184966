"""Who gets in, and sees what."""

import pytest
from playwright.async_api import Page, expect

from tests.faults.fleet import TOKEN
from tests.ui.browsing import LogIn


async def test_who_shows_a_token_sees_the_page_and_what_the_token_may(log_in: LogIn):
    page = await log_in()
    await expect(page.get_by_role("heading", name="Find")).to_be_visible()
    await expect(page.locator("#top")).to_contain_text("May correct, erase, operate, read, submit")


async def test_a_wrong_token_is_told_so(log_in: LogIn, complaints: list[str]):
    page = await log_in(token="no such token")
    await expect(page.get_by_role("alert")).to_have_text("The daemon does not know this token.")
    assert "401" in complaints.pop(), "the browser's own word on the refusal"
    await page.get_by_label("Token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Find")).to_be_visible()


async def test_the_session_lasts_over_a_reload_and_ends_with_log_out(log_in: LogIn):
    page = await log_in()
    await expect(page.get_by_role("heading", name="Find")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="Find")).to_be_visible()
    assert await page.evaluate("document.cookie") == "", "no script sees the cookie"
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_label("Token")).to_be_visible()
    await page.reload()
    await expect(page.get_by_label("Token")).to_be_visible()


@pytest.mark.parametrize(
    ("token", "selects", "erases"),
    [("a-token-that-reads", False, False), ("a-token-that-corrects", True, False), (TOKEN, True, True)],
)
async def test_only_what_would_not_be_refused_is_shown(log_in: LogIn, token: str, selects: bool, erases: bool):
    page = await log_in("#/pet/rex", token)
    await expect(page.locator("[data-cluster]")).to_have_count(5)
    assert (await page.get_by_role("checkbox").count() > 0) is selects
    assert (await page.get_by_role("button", name="Erase …").count() > 0) is erases


async def test_who_may_not_read_is_told_what_is_missing(log_in: LogIn):
    page = await log_in(token="a-token-that-submits")
    await expect(page.locator("main")).to_have_text("Your token may not do this: it lacks the scope read.")


@pytest.mark.parametrize("path", ["/ui", "/ui/", "/pets-page/ui", "/pets-page/ui/"])
async def test_it_works_wherever_it_is_served(log_in: LogIn, path: str):
    page: Page = await log_in("#/pet/rex", path=path)
    await expect(page.locator("[data-cluster]")).to_have_count(5)


async def test_a_session_that_ends_asks_for_the_token_and_goes_on_there(log_in: LogIn, complaints: list[str]):
    page = await log_in("#/pet/rex")
    await expect(page.locator("[data-cluster]")).to_have_count(5)
    await page.context.clear_cookies()
    await page.get_by_text("Latest jobs").click()
    await page.get_by_label("Token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-cluster]")).to_have_count(5)
    assert all("401" in each for each in complaints), complaints
    complaints.clear()
