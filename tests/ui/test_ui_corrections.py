"""Each correction from the click to its effect, and back."""

import re

from playwright.async_api import Page, expect

from tests.support.api import Api
from tests.ui.browsing import LogIn, card, sound, told

FIRST, SECOND = "rex-cluster-0", "rex-cluster-1"


async def select(page: Page, *clusters: str) -> None:
    for each in clusters:
        await card(page, each).get_by_role("checkbox").check()


async def take(page: Page, n: int) -> None:
    """The first n photos, all between by one click."""
    cells = page.locator(".cells button.cell")
    await cells.nth(0).click()
    if n > 1:
        await cells.nth(n - 1).click(modifiers=["Shift"])


async def test_clusters_are_merged_with_the_name_and_hero_that_were_chosen_and_come_back(log_in: LogIn, api: Api):
    before = await api.view("rex")
    assert before
    page = await log_in("#/pet/rex")
    await select(page, FIRST, SECOND)
    await expect(page.locator(".actions")).to_contain_text("2 clusters selected, 54 photos")
    await page.get_by_role("button", name="Merge 2 …").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text(f"They become one, under the id {FIRST}")
    await expect(dialog).to_contain_text(f"{SECOND} becomes part of {FIRST}")
    await dialog.get_by_label("Its name").select_option("At the beach")
    hero = await dialog.get_by_label("Its hero").locator("option").last.get_attribute("value")
    await dialog.get_by_label("Its hero").select_option(hero)
    await dialog.get_by_role("button", name="Merge").click()
    await told(page, "Merged.")
    await expect(card(page, SECOND)).to_have_count(0)
    after = await api.view("rex")
    assert after
    merged = after["clusters"][0]
    assert (merged["id"], merged["label"], merged["size"], merged["hero_image_id"]) == (FIRST, "At the beach", 54, hero)
    await expect(card(page, FIRST)).to_contain_text("Corrected")

    await page.locator(".toast").get_by_role("button", name="Undo").click()
    await told(page, "Taken back.")
    await expect(card(page, SECOND)).to_have_count(1)
    again = await api.view("rex")
    assert again
    assert [(each["id"], each["label"], each["size"]) for each in again["clusters"]] == [
        (each["id"], each["label"], each["size"]) for each in before["clusters"]
    ]


async def test_photos_are_split_off_moved_kept_and_put_out(log_in: LogIn, api: Api):
    page = await log_in("#/pet/rex")
    await card(page, FIRST).get_by_role("link").click()
    await expect(page.locator(".cells .cell")).to_have_count(35)
    await take(page, 12)
    await page.get_by_role("button", name="Split 12 of 35 …").click()
    await expect(page.get_by_role("dialog")).to_contain_text("12 photos leave “Portraits”")
    await page.get_by_role("button", name="Split", exact=True).click()
    await told(page, "Split.")
    await expect(page.locator(".cells .cell")).to_have_count(23)

    await take(page, 2)
    await page.get_by_role("button", name="Move 2 …").click()
    await page.get_by_role("dialog").get_by_label("To").select_option(SECOND)
    await page.get_by_role("button", name="Move", exact=True).click()
    await told(page, "Moved.")
    await expect(page.locator(".cells .cell")).to_have_count(21)

    await take(page, 1)
    await page.get_by_role("button", name="Make it the hero").click()
    await told(page, "The hero is chosen.")
    await expect(page.locator(".cells .cell").first).to_contain_text("Hero")
    await page.get_by_label("Name").fill("Our <b>best</b> & שלום")
    await page.get_by_role("button", name="Rename").click()
    await told(page, "Renamed.")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Our <b>best</b> & שלום")
    await take(page, 3)
    await page.get_by_role("button", name="Right here: 3").click()
    await told(page, "That is kept.")

    view = await api.view("rex")
    assert view
    found = {each["id"]: each for each in view["clusters"]}
    assert (found[FIRST]["size"], found[FIRST]["label"]) == (21, "Our <b>best</b> & שלום")
    assert found[SECOND]["size"] == 21


async def test_what_is_hidden_is_gone_and_comes_back_from_its_drawer(log_in: LogIn):
    page = await log_in("#/pet/rex")
    await select(page, SECOND)
    await page.get_by_role("button", name="Hide 1").click()
    await told(page, "Hidden.")
    await expect(card(page, SECOND)).to_have_count(0)
    await page.locator("summary", has_text="Hidden").click()
    await expect(page.locator("details[open]")).to_contain_text("At the beach · 19 photos")
    await page.get_by_role("button", name="Show again").click()
    await expect(card(page, SECOND)).to_have_count(1)


async def test_photos_without_vectors_can_be_hidden_and_nothing_else(log_in: LogIn, api: Api):
    await api.submit({"pet_id": "new", "payload": {"image_ids": ["a", "b", "c"], "labels": ["Soon"]}})
    await api.seen("new")
    page = await log_in("#/pet/new")
    await page.get_by_role("link", name="Open Soon").click()
    await take(page, 2)
    actions = page.locator(".actions").get_by_role("button")
    await expect(actions).to_have_text(["Hide 2", "Clear"])
    await sound(page)
    await page.get_by_role("button", name="Hide 2").click()
    await told(page, "Hidden.")
    await expect(page.locator(".cells .cell")).to_have_count(1)
    view = await api.view("new")
    assert view
    (left,) = [each["image_id"] for cluster in view["clusters"] for each in cluster["members"]]
    await expect(page.locator(".cells .cell")).to_have_attribute("title", left)
    await page.get_by_role("link", name="← All clusters").click()
    await page.locator("summary", has_text="Hidden").click()
    hidden = page.locator("details[open] li")
    await expect(hidden.locator("bdi")).to_have_text([each for each in "abc" if each != left])
    await hidden.first.get_by_role("button", name="Show again").click()
    await told(page, "Shown again.")
    await expect(card(page, "new-cluster-0")).to_contain_text("2 photos")


async def test_what_was_said_is_listed_and_taken_back_by_the_list_and_by_a_key(log_in: LogIn, api: Api):
    before = await api.view("rex")
    assert before
    page = await log_in("#/pet/rex", "a-token-that-corrects")
    await card(page, FIRST).get_by_role("link").click()
    await page.get_by_label("Name").fill("One")
    await page.get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("One")
    await page.get_by_role("heading", level=1).click()
    await page.keyboard.press("Control+z")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Portraits")

    await take(page, 2)
    await page.get_by_role("button", name="Not here: 2").click()
    await told(page, "They are not here any more.")
    await page.get_by_role("link", name="← All clusters").click()
    await page.locator("summary", has_text="What users said").click()
    said = page.locator("details[open] li").first
    await expect(said).to_contain_text(re.compile(r"not here.*by desk"))
    await said.get_by_role("button", name="Undo").click()
    await told(page, "Taken back.")
    await expect(card(page, FIRST)).not_to_contain_text("Corrected")
    await expect(card(page, FIRST)).to_contain_text("35 photos")
    again = await api.view("rex")
    assert again
    assert [(each["id"], each["label"], each["size"], each["hero_image_id"]) for each in again["clusters"]] == [
        (each["id"], each["label"], each["size"], each["hero_image_id"]) for each in before["clusters"]
    ]


async def test_what_has_moved_on_is_told_and_nothing_is_changed(log_in: LogIn, api: Api, complaints: list[str]):
    page = await log_in("#/pet/rex")
    await card(page, SECOND).get_by_role("link").click()
    await expect(page.locator(".cells .cell")).to_have_count(19)
    await take(page, 1)
    image = await page.locator(".cells .cell").first.get_attribute("title")
    version = (await api.view("rex") or {})["version"]
    await api.submit({"pet_id": "rex", "payload": {"removed_image_ids": [image]}})
    await api.seen("rex", version=version + 1)
    await expect(page.locator(".changed")).to_contain_text("The clusters have changed", timeout=15_000)
    await expect(page.locator(".cells .cell[aria-pressed=true]")).to_have_count(1), "what was taken stays so"

    await page.get_by_role("button", name="Split 1 of 19 …").click()
    await expect(page.get_by_role("dialog")).to_contain_text("It would be refused")
    assert "409" in complaints.pop(), "the browser's own word on the preview"
    await page.get_by_role("button", name="Split", exact=True).click()
    dialog = page.get_by_role("dialog", name="The clusters have moved on")
    await expect(dialog).to_contain_text("1 photo went")
    await expect(dialog.get_by_role("img", name=image)).to_be_visible()
    await dialog.get_by_role("button", name="Cancel").click()
    await told(page, "Nothing was changed: the clusters had moved on")
    await expect(page.locator(".cells .cell")).to_have_count(18)


async def test_what_has_moved_on_is_done_all_the_same_by_who_wants_it(log_in: LogIn, api: Api):
    page = await log_in("#/pet/rex")
    await card(page, SECOND).get_by_role("link").click()
    await expect(page.locator(".cells .cell")).to_have_count(19)
    await page.get_by_label("Name").fill("Sand")
    image = await page.locator(".cells .cell").last.get_attribute("title")
    await api.submit({"pet_id": "rex", "payload": {"removed_image_ids": [image]}})
    await api.seen("rex", version=2)
    await page.get_by_role("button", name="Rename").click()
    await page.get_by_role("button", name="Do it all the same").click()
    await told(page, "Renamed.")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sand")


async def test_why_a_photo_is_where_it_is(log_in: LogIn):
    page = await log_in("#/pet/rex")
    await card(page, FIRST).get_by_role("link").click()
    await take(page, 1)
    await page.get_by_role("button", name="Why here?").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("row").nth(1)).to_contain_text("Portraits where it is")
    await expect(dialog).to_contain_text("As a hero it has")
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)


async def test_photos_and_clusters_are_dragged(log_in: LogIn, api: Api):
    page = await log_in("#/pet/rex")
    await card(page, SECOND).drag_to(card(page, "rex-cluster-2"))
    await expect(page.get_by_role("dialog")).to_contain_text("They become one, under the id rex-cluster-1")
    await page.keyboard.press("Escape")
    await card(page, FIRST).get_by_role("link").click()
    await expect(page.locator(".cells .cell")).to_have_count(35)
    await take(page, 3)
    await page.locator(".cells li").nth(1).hover()
    await page.mouse.down()
    await page.mouse.move(300, 300, steps=3)
    await page.locator(".targets li", has_text="At the beach").hover()
    await page.mouse.up()
    await expect(page.get_by_role("dialog", name="Move 3 photos").get_by_label("To")).to_have_value(SECOND)
    await page.get_by_role("button", name="Move", exact=True).click()
    await told(page, "Moved.")
    await card_of(page, SECOND)
    assert (await api.view("rex") or {})["clusters"][1]["size"] == 22


async def card_of(page: Page, cluster: str) -> None:
    """Opens it, and waits for a mark of what was said."""
    await page.goto(page.url.replace(FIRST, cluster))
    await expect(page.locator(".cells .tag", has_text="moved")).to_have_count(3)


async def test_who_only_reads_is_told_why_by_a_click(log_in: LogIn):
    page = await log_in(f"#/pet/rex/{FIRST}", "a-token-that-reads")
    await page.locator(".cells button.cell").first.click()
    await expect(page.get_by_role("dialog")).to_contain_text("As a hero it has")


async def test_a_pet_is_erased_by_who_types_its_id(log_in: LogIn, api: Api):
    page = await log_in("#/pet/rex")
    await page.get_by_role("button", name="Erase …").click()
    await page.get_by_label("Type the pet's id").fill("rexx")
    await page.get_by_role("button", name="Erase for ever").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.get_by_label("Type the pet's id").fill("rex")
    await page.get_by_role("button", name="Erase for ever").click()
    await told(page, "rex is erased.")
    assert await api.view("rex") is None
