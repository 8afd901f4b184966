"""A user's corrections on real daemons: over HTTP and the stream, and what is left of them after all that follows."""

import numpy as np
import pytest

from tests.faults.fleet import Fleet
from tests.support.api import Api, add
from tests.support.waiting import eventually

PET = "pet_123"
CLUSTERS = [f"{PET}-cluster-{number}" for number in range(6)]
STREAM = "streams:media.cluster"


def photos(group: int, count: int, first: int = 0) -> list[dict]:
    """Insights of one look, by names that tell it."""
    found = []
    for number in range(first, first + count):
        vector = np.random.default_rng(100 * group + number).normal(size=24) * 0.04
        vector[0] += 0.5
        vector[1 + group] += 1.0
        found.append({"image_id": f"g{group}-{number}", "embedding": vector.tolist(), "quality": 0.9})
    return found


def names(group: int, *numbers: int) -> set[str]:
    return {f"g{group}-{number}" for number in numbers}


class Album:
    """One pet's album as a caller of two daemons sees it."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.api = Api(fleet, fleet.daemons[0])

    async def job(self, **job: object) -> None:
        await self.api.submit({"pet_id": PET, **job})
        await self._fleet.settled()

    async def correct(self, *corrections: dict, **more: object) -> None:
        path = f"/internal/pets/{PET}/corrections"
        answer = await self.api.ask("POST", path, json={"corrections": corrections, **more})
        assert answer == (202, {"status": "accepted"})
        await self._fleet.settled()

    async def view(self) -> dict[str, dict]:
        view = await self.api.view(PET)
        assert view is not None
        return {cluster["id"]: cluster for cluster in view["clusters"]}

    async def members(self) -> dict[str, set[str]]:
        return {name: {m["image_id"] for m in cluster["members"]} for name, cluster in (await self.view()).items()}

    async def letters(self) -> list[tuple[bytes, bytes]]:
        letters = await self._fleet.redis.xrange(f"{STREAM}.deadletter")
        return [(fields[b"reason"], fields[b"error"]) for _, fields in letters]


@pytest.fixture
async def album(fleet: Fleet) -> Album:
    """Four clusters of four images."""
    album = Album(fleet)
    assert (await album.api.ask("POST", f"/internal/pets/{PET}/corrections", json=rename(0, "too early")))[0] == 404
    await album.job(payload={"images": [photo for group in range(4) for photo in photos(group, 4)]})
    assert await album.members() == {CLUSTERS[group]: names(group, 0, 1, 2, 3) for group in range(4)}
    return album


def rename(cluster: int, label: str) -> dict:
    return {"corrections": [{"op": "rename", "cluster": CLUSTERS[cluster], "label": label}]}


async def test_what_a_user_corrects_stays_corrected(album: Album, fleet: Fleet):
    await album.correct({"op": "merge", "clusters": [CLUSTERS[1], CLUSTERS[0]]})
    await album.correct({"op": "split", "cluster": CLUSTERS[2], "image_ids": ["g2-0", "g2-1"]})
    await album.correct({"op": "move", "image_ids": ["g3-0"], "to": CLUSTERS[2]})
    await album.correct(*rename(1, "On the beach")["corrections"])
    await album.correct({"op": "set_hero", "cluster": CLUSTERS[0], "image_id": "g1-3"})
    expected = {
        CLUSTERS[0]: names(0, 0, 1, 2, 3) | names(1, 0, 1, 2, 3),
        CLUSTERS[2]: names(2, 2, 3) | names(3, 0),
        CLUSTERS[3]: names(3, 1, 2, 3),
        CLUSTERS[4]: names(2, 0, 1),
    }

    async def holds() -> None:
        members = {name: {m for m in images if int(m[3:]) < 4} for name, images in (await album.members()).items()}
        assert {name: images for name, images in members.items() if images} == expected
        first = (await album.view())[CLUSTERS[0]]
        assert (first["label"], first["hero_image_id"]) == ("On the beach", "g1-3")
        assert await album.letters() == []

    await holds()
    for group in range(5):
        await album.job(payload={"images": photos(group, 4, first=4)})
        await holds()
    await album.job(force=True)
    await holds()

    assert [daemon.stop() for daemon in fleet.daemons] == [0, 0]
    for daemon in fleet.daemons:
        await daemon.start()
    await fleet.ready()
    await album.job(force=True, payload={"images": photos(1, 4, first=20)})
    await holds()


async def test_corrections_come_by_the_stream_in_every_form(album: Album, fleet: Fleet):
    corrections = [rename(number, f"label {number}") for number in range(3)]
    body = {"pet_id": PET, "payload": corrections[0]}
    await add(fleet, {"payload": body})
    await add(fleet, {"payload": {"pet_id": PET, "job_id": "j", "payload": {"pet_id": PET, "payload": corrections[1]}}})
    await add(fleet, {"pet_id": PET, "job_id": "k", **corrections[2]})
    await fleet.settled()

    labels = [cluster["label"] for cluster in (await album.view()).values()]
    assert labels[:3] == ["label 0", "label 1", "label 2"]


async def test_what_is_gone_is_a_dead_letter_and_what_was_merged_is_not(album: Album, fleet: Fleet):
    await album.correct({"op": "merge", "clusters": [CLUSTERS[0], CLUSTERS[1]]}, job_id="once")
    await album.correct({"op": "merge", "clusters": [CLUSTERS[0], CLUSTERS[1]]}, job_id="once")
    await album.job(payload={"removed_image_ids": sorted(names(3, 0, 1, 2, 3))})
    await album.correct(*rename(1, "the heir")["corrections"])
    before = await album.view()
    await album.correct(*rename(2, "never")["corrections"], *rename(3, "of nothing")["corrections"])

    assert before[CLUSTERS[0]]["label"] == "the heir"
    assert await album.view() == before
    assert await album.letters() == [
        (b"stale_correction", b"payload.corrections[1]: pet_123-cluster-3 is gone: none of its images is left")
    ]
    await eventually(lambda: counts_one_each(fleet, "merge", "rename"), what="one of each to be counted")


async def counts_one_each(fleet: Fleet, *ops: str) -> bool:
    """Over all processes; each counts once it has Redis' word for it."""
    counts = dict.fromkeys(ops, 0.0)
    for daemon in fleet.daemons:
        async with fleet.http.get(daemon.ops_url + "/metrics") as answer:
            page = await answer.text()
        for op in ops:
            line = next(x for x in page.splitlines() if x.startswith(f'media_cluster_corrections_total{{op="{op}"}}'))
            counts[op] += float(line.split()[-1])
    assert max(counts.values()) <= 1.0
    return set(counts.values()) == {1.0}
