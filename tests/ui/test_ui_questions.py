"""Questions about a pet: a round of them, and what becomes of answers that were not sent."""

from playwright.async_api import expect

from tests.support.api import Api
from tests.ui.browsing import LogIn, card


async def test_a_round_of_questions_is_looked_over_and_sent(log_in: LogIn, api: Api):
    page = await log_in("#/pet/rex")
    await page.get_by_role("link", name="Questions").click()
    await expect(page.get_by_role("heading", level=2)).to_contain_text("Do these belong to")
    await expect(page.get_by_text("4 questions left in this round")).to_be_visible()
    await page.locator(".cell.out").first.click()
    await page.get_by_role("button", name="1 photo not").click()
    await page.keyboard.press("y")
    await expect(page.get_by_text("2 questions left in this round")).to_be_visible()
    await page.keyboard.press("u")
    await expect(page.get_by_text("3 questions left in this round")).to_be_visible()
    await page.keyboard.press("s")
    await page.keyboard.press("s")
    await page.keyboard.press("s")
    await expect(page.get_by_role("heading", name="What you said")).to_be_visible()
    await expect(page.locator("main li")).to_have_text(
        ["8 photos belong to “Portraits”", "1 photo do not belong to “Portraits”"]
    )
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_text("There is nothing to ask")).to_be_visible(), "the others were skipped"
    asked = (await api.ask("GET", "/internal/pets/rex/suggestions?limit=20"))[1]
    assert isinstance(asked, dict)
    assert "rex_odd1" not in {each.get("image_id") for each in asked["suggestions"]}


async def test_answers_are_looked_over_before_leaving_and_wait_where_they_were(log_in: LogIn):
    page = await log_in("#/pet/rex/questions")
    await expect(page.get_by_role("heading", level=2)).to_contain_text("Do these belong to")
    await page.locator("summary", has_text="Why this is asked").click()
    await expect(page.locator("details[open]").get_by_role("row").nth(1)).to_contain_text("where it is")
    await page.keyboard.press("y")
    await expect(page.get_by_text("3 questions left in this round")).to_be_visible()
    await page.get_by_role("button", name="Look over").click()
    await expect(page.get_by_role("heading", name="What you said")).to_be_visible()
    await page.get_by_role("button", name="Back").click()

    await page.get_by_role("link", name="← All clusters").click()
    dialog = page.get_by_role("dialog", name="You have answers that were not sent")
    await expect(dialog.get_by_role("listitem")).to_have_text("9 photos belong to “Portraits”")
    await dialog.get_by_role("button", name="Stay").click()
    await expect(page.get_by_text("3 questions left in this round")).to_be_visible()
    await page.get_by_role("link", name="← All clusters").click()
    await dialog.get_by_role("button", name="Go on; they wait").click()
    await page.get_by_role("link", name="Questions").click()
    await expect(page.get_by_text("3 questions left in this round")).to_be_visible()
    await page.get_by_role("link", name="← All clusters").click()
    await dialog.get_by_role("button", name="Send them and go on").click()
    await expect(card(page, "rex-cluster-0")).to_contain_text("Corrected")
