"""What a real daemon has an app ask: of the view as it is, until the user has answered."""

import pytest
import pytest_asyncio

from tests.daemon.photos import photos
from tests.faults.fleet import Fleet
from tests.support.api import Api

pytestmark = pytest.mark.asyncio(loop_scope="module")

PET = "pet_123"
SUGGESTIONS = f"/internal/pets/{PET}/suggestions"
FIRST, SECOND = f"{PET}-cluster-0", f"{PET}-cluster-1"


@pytest.fixture
def fleet(lent_fleet: Fleet) -> Fleet:
    return lent_fleet


@pytest_asyncio.fixture(loop_scope="module")
async def api(fleet: Fleet) -> Api:
    """Three clusters, of which the second is rather like the first."""
    api = Api(fleet, fleet.daemons[0])
    assert await api.ask("GET", SUGGESTIONS) == (
        404,
        {"detail": "no job of this pet was applied yet: there is nothing to ask"},
    )
    await api.submit({"pet_id": PET, "payload": {"images": [*photos(0), *photos(1, 0.9), *photos(2)]}})
    assert len((await api.seen(PET))["clusters"]) == 3
    return api


async def test_a_question_is_asked_until_it_is_answered(api: Api, fleet: Fleet):
    status, suggested = await api.ask("GET", f"{SUGGESTIONS}?limit=1")
    assert status == 200
    assert suggested["version"] == (await api.view(PET))["version"]
    [question] = suggested["suggestions"]
    assert (question["question"], question["clusters"]) == ("same", [FIRST, SECOND])
    assert await api.ask("GET", f"{SUGGESTIONS}?limit=1") == (200, suggested)
    assert (await api.ask("GET", f"{SUGGESTIONS}?limit=0"))[0] == 422

    no = {"corrections": [{"op": "apart", "clusters": question["clusters"]}]}
    assert (await api.ask("POST", f"/internal/pets/{PET}/corrections", json=no))[0] == 202
    await fleet.settled()

    _, after = await api.ask("GET", SUGGESTIONS)
    assert after["version"] == suggested["version"] + 1
    assert [FIRST, SECOND] not in [each.get("clusters") for each in after["suggestions"]]


async def test_of_the_photos_that_a_question_names_each_is_answered_once(api: Api, fleet: Fleet):
    await api.submit({"pet_id": PET, "payload": {"corrections": [{"op": "merge", "clusters": [FIRST, SECOND]}]}})
    await fleet.settled()
    _, suggested = await api.ask("GET", SUGGESTIONS)
    question = next(each for each in suggested["suggestions"] if each["question"] == "belongs")
    first, *others = question["image_ids"]
    assert (question["image_id"], question["cluster"]) == (first, FIRST)

    said = [
        {"op": "stay", "cluster": FIRST, "image_ids": others},
        {"op": "split", "cluster": FIRST, "image_ids": [first], "asked": True},
    ]
    assert (await api.ask("POST", f"/internal/pets/{PET}/corrections", json={"corrections": said}))[0] == 202
    await fleet.settled()

    homes = {member["image_id"]: each["id"] for each in (await api.view(PET))["clusters"] for member in each["members"]}
    assert {homes[each] for each in others} == {FIRST} != {homes[first]}
    _, after = await api.ask("GET", SUGGESTIONS)
    assert not {first, *others} & {image for each in after["suggestions"] for image in each.get("image_ids", ())}


async def test_nothing_is_asked_of_an_erased_pet(api: Api, fleet: Fleet):
    assert (await api.ask("GET", SUGGESTIONS))[0] == 200
    assert (await api.ask("DELETE", f"/internal/pets/{PET}"))[0] == 200
    assert (await api.ask("GET", SUGGESTIONS))[0] == 404


async def test_an_album_that_cannot_be_read_is_said_to_be_so(api: Api, fleet: Fleet):
    await fleet.redis.hset(f"sploot.media.clusters:album:{PET}", mapping={"head": b"?", "token": b"other.1"})
    status, answer = await api.ask("GET", SUGGESTIONS)
    assert status == 503
    assert "head" in answer["detail"]
