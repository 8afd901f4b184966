"""What people look into at a real daemon: all images of a cluster, what became of jobs, what has an id."""

import numpy as np
import pytest

from tests.faults.fleet import Fleet
from tests.support.api import Api, add
from tests.support.waiting import eventually

PET = "/internal/pets/pet_1"
COUNT = 40


def photos(first: int, last: int) -> list[dict]:
    def vector(n: int) -> list[float]:
        return (np.eye(8)[0] + 0.1 * np.random.default_rng(n).normal(size=8)).tolist()

    return [{"image_id": f"img-{n}", "embedding": vector(n), "quality": n / 100} for n in range(first, last)]


@pytest.fixture
async def api(fleet: Fleet) -> Api:
    api = Api(fleet, fleet.daemons[0])
    await api.submit({"pet_id": "pet_1", "job_id": "j-1", "payload": {"images": photos(0, COUNT)}})
    await api.seen("pet_1")
    return api


async def test_all_images_of_a_cluster_are_listed_page_by_page(api: Api, fleet: Fleet):
    (cluster,) = (await api.view("pet_1"))["clusters"]
    images = f"{PET}/clusters/{cluster['id']}/images"
    assert len(cluster["members"]) == 24 < cluster["size"] == COUNT

    async def listed(order: str) -> list[dict]:
        found, after = [], ""
        while after is not None:
            status, page = await api.ask("GET", f"{images}?order={order}&limit=15&after={after}")
            assert (status, page["size"], page["version"]) == (200, COUNT, 1)
            found, after = found + page["images"], page["next"]
        return found

    by_quality, by_fit = await listed("quality"), await listed("fit")
    assert [each["image_id"] for each in by_quality] == [f"img-{n}" for n in reversed(range(COUNT))]
    fits = [each["fit"] for each in by_fit]
    assert fits == sorted(fits, reverse=True)
    assert (
        {each["image_id"] for each in by_fit}
        == {f"img-{n}" for n in range(COUNT)}
        == {each["image_id"] for each in await listed("time")}
    )
    url = fleet.daemons[0].url + images
    async with fleet.http.get(url) as first:
        tag = first.headers["ETag"]
    async with fleet.http.get(url, headers={"If-None-Match": tag}) as again:
        assert again.status == 304

    await api.submit(
        {"pet_id": "pet_1", "payload": {"images": photos(COUNT, COUNT + 1), "removed_image_ids": ["img-0"]}}
    )
    await api.seen("pet_1", version=2)
    async with fleet.http.get(url, headers={"If-None-Match": tag}) as changed:
        page = await changed.json()
        assert (changed.status, page["version"], page["size"]) == (200, 2, COUNT)
    status, refused = await api.ask("GET", f"{images}?after=img-0")
    assert (status, refused["detail"]) == (
        422,
        "after: this image is not in the cluster (any more): begin anew without it",
    )
    for path in (
        f"{PET}/clusters/pet_1-cluster-9/images",
        f"{PET}/clusters/x/images",
        images.replace("pet_1", "pet_2"),
    ):
        assert await api.ask("GET", path) == (404, {"detail": "the pet's view has no such cluster"})


async def test_what_became_of_jobs_is_told(api: Api, fleet: Fleet):
    await add(fleet, {"pet_id": "pet_1", "job_id": "j-2", "quality_score": "7"})

    async def dead() -> bool:
        return (await api.ask("GET", f"{PET}/jobs/j-2"))[1].get("state") == "dead"

    await eventually(dead, what="the bad job to be set aside")
    status, page = await api.ask("GET", f"{PET}/jobs?limit=1")
    assert (status, page["next"], page["complete"]) == (200, "j-2", True)
    (bad,) = page["jobs"]
    assert (bad["job_id"], bad["state"], bad["reason"]) == ("j-2", "dead", "invalid")
    assert "quality_score" in bad["error"]
    status, page = await api.ask("GET", f"{PET}/jobs?limit=1&after=j-2")
    (good,) = page["jobs"]
    assert (good["job_id"], good["state"], good["version"], page["next"]) == ("j-1", "applied", 1, None)
    assert (await api.ask("GET", f"{PET}/jobs/j-3"))[0] == 404
    status, found = await api.ask("GET", "/internal/find?q=j-2")
    assert [(each["what"], each["pet_id"]) for each in found["found"]] == [("dead_letter", "pet_1"), ("job", "pet_1")]
    assert found["next"] is None
    assert (await api.ask("DELETE", PET))[0] == 200
    assert await api.ask("GET", f"{PET}/jobs") == (
        200,
        {"pet_id": "pet_1", "jobs": [], "next": None, "complete": True},
    )


async def test_who_changed_what_is_told_by_whichever_process(api: Api, fleet: Fleet):
    assert (await api.ask("POST", f"{PET}/invalidate"))[0] == 202
    rename = {"corrections": [{"op": "rename", "cluster": "pet_1-cluster-0", "label": "Beach"}]}
    assert (await api.ask("POST", f"{PET}/corrections", json=rename))[0] == 202
    other = Api(fleet, fleet.daemons[1])
    status, page = await other.ask("GET", "/internal/audit")
    assert [(each["actor"], each["what"], each["pet_id"], each["outcome"]) for each in page["entries"]] == [
        ("token 0", "correct", "pet_1", "accepted"),
        ("token 0", "invalidate", "pet_1", "removed"),
    ]
    assert (await other.ask("DELETE", PET))[0] == 200
    status, page = await api.ask("GET", "/internal/audit")
    assert (status, [(each["what"], each["pet_id"]) for each in page["entries"]]) == (200, [("erase", None)])
    assert fleet.daemons[0].stop() == 0
    status, page = await other.ask("GET", "/internal/audit?limit=1")
    (last,) = page["entries"]
    assert (last["what"], last["jobs"], page["next"] is not None) == ("submit", 1, True)


async def test_a_map_is_of_the_views_version_and_known_by_its_tag(api: Api, fleet: Fleet):
    status, found = await api.ask("GET", f"{PET}/map")
    assert (status, found["version"]) == (200, 1)
    assert sum(each["size"] for each in found["maps"][0]["cells"]) == COUNT
    url = fleet.daemons[0].url + f"{PET}/map"
    async with (
        fleet.http.get(url) as first,
        fleet.http.get(url, headers={"If-None-Match": first.headers["ETag"]}) as now,
    ):
        assert now.status == 304
