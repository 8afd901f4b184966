"""Through a real daemon: what users said is listed with who said it, can be taken back, and hides what it hides."""

import pytest
import pytest_asyncio

from tests.daemon.photos import photos
from tests.faults.fleet import Fleet
from tests.support.api import Api

pytestmark = pytest.mark.asyncio(loop_scope="module")

PET = "pet_123"
CORRECTIONS = f"/internal/pets/{PET}/corrections"
FIRST, SECOND = f"{PET}-cluster-0", f"{PET}-cluster-1"


@pytest.fixture
def fleet(lent_fleet: Fleet) -> Fleet:
    return lent_fleet


@pytest_asyncio.fixture(loop_scope="module")
async def api(fleet: Fleet) -> Api:
    api = Api(fleet, fleet.daemons[0])
    assert (await api.ask("GET", CORRECTIONS))[0] == 404
    await api.submit({"pet_id": PET, "payload": {"images": [*photos(0), *photos(1), *photos(2)]}})
    assert len((await api.seen(PET))["clusters"]) == 3
    return api


async def say(api: Api, fleet: Fleet, job_id: str, *corrections: dict) -> None:
    said = {"job_id": job_id, "corrections": list(corrections)}
    assert (await api.ask("POST", CORRECTIONS, json=said))[0] == 202
    await fleet.settled()


def clusters(view: dict) -> list:
    return [(each["id"], each["label"], each["hero_image_id"], each["size"]) for each in view["clusters"]]


async def test_what_was_said_is_listed_and_can_be_taken_back(api: Api, fleet: Fleet):
    before = await api.view(PET)
    merge = {"op": "merge", "clusters": [FIRST, SECOND]}
    await say(api, fleet, "one", merge, {"op": "rename", "cluster": FIRST, "label": "Both"})
    view = await api.view(PET)
    assert [each.get("corrected") for each in view["clusters"]] == [True, None]

    status, listed = await api.ask("GET", CORRECTIONS)
    assert (status, listed["version"]) == (200, view["version"])
    [said] = listed["said"]
    assert (said["job_id"], said["actor"], said["corrections"][0]) == ("one", "token 0", merge)

    await say(api, fleet, "back", {"op": "undo", "job_id": "one"})
    assert clusters(await api.view(PET)) == clusters(before)
    assert (await api.ask("GET", CORRECTIONS))[1]["said"] == []


async def test_what_is_hidden_is_in_a_list_of_its_own(api: Api, fleet: Fleet):
    await say(api, fleet, "one", {"op": "hide", "cluster": FIRST}, {"op": "hide", "image_ids": ["g1-0"]})
    view = await api.view(PET)
    assert FIRST not in [each["id"] for each in view["clusters"]]
    assert (view["metrics"]["num_images"], view["metrics"]["num_hidden"], view["metrics"]["num_clusters"]) == (18, 7, 2)

    _, hidden = await api.ask("GET", f"/internal/pets/{PET}/hidden")
    assert [each["id"] for each in hidden["clusters"]] == [FIRST]
    assert hidden["image_ids"] == ["g1-0"]
    _, why = await api.ask("GET", f"/internal/pets/{PET}/images/g1-0/why")
    assert (why["hidden"], why["cluster"], why["cell"]) == (True, None, None)

    await say(api, fleet, "two", {"op": "unhide", "cluster": FIRST}, {"op": "unhide", "image_ids": ["g1-0"]})
    view = await api.view(PET)
    assert [each["size"] for each in view["clusters"]] == [6, 6, 6]
    assert "num_hidden" not in view["metrics"]


async def test_why_an_image_is_where_it_is(api: Api, fleet: Fleet):
    await say(api, fleet, "one", {"op": "rename", "cluster": FIRST, "label": "Mine"})
    status, why = await api.ask("GET", f"/internal/pets/{PET}/images/g0-1/why")
    assert (status, why["cluster"], why["said"]) == (200, FIRST, [{"job_id": "one", "op": "rename"}])
    assert (why["cell"]["size"], why["quality_score"]) == (6, 0.9)  # near copies: there is nothing else of its cluster
    assert [each["own"] for each in why["evidence"]] == [False, False]
    assert all(each["score"] < each["threshold"] for each in why["evidence"])
    hero = why["hero"]
    assert abs(hero["score"] - hero["quality"] - hero["closeness"] - hero["recency"]) < 0.001
    assert (await api.ask("GET", f"/internal/pets/{PET}/images/none/why"))[0] == 404


async def test_a_dry_run_tells_what_would_come_of_it_and_changes_nothing(api: Api, fleet: Fleet):
    await say(api, fleet, "one", {"op": "apart", "clusters": [FIRST, SECOND]})
    before = await api.view(PET)
    merge = {"op": "merge", "clusters": [FIRST, SECOND], "label": "Both", "image_id": "g1-3"}

    status, told = await api.ask("POST", CORRECTIONS, json={"dry_run": True, "corrections": [merge]})

    assert (status, told["in_the_way"]) == (200, [[FIRST, SECOND]])
    assert clusters(told["view"])[0] == (FIRST, "Both", "g1-3", 12)
    merged = next(each for each in told["change"]["clusters"] if each["what"] == "merged")
    assert (merged["id"], merged["successor"]) == (SECOND, FIRST)
    assert await api.view(PET) == before
    refused = {"dry_run": True, "corrections": [{"op": "undo", "job_id": "never"}]}
    assert (await api.ask("POST", CORRECTIONS, json=refused))[0] == 409
    undone = {"dry_run": True, "corrections": [{"op": "undo", "job_id": "one"}]}
    assert (await api.ask("POST", CORRECTIONS, json=undone))[0] == 200

    await say(api, fleet, "two", merge)
    assert clusters(await api.view(PET)) == clusters(told["view"])
