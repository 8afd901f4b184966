"""What becomes of a batch: one commit a pet, and for each entry exactly one outcome."""

import asyncio

import pytest

from sploot_clusterd.engine import Params
from sploot_clusterd.ingest import planner
from sploot_clusterd.store import AlbumStore, ClaimKind
from sploot_clusterd.wire import flat_payload
from tests.support.side import Side, image


async def test_jobs_of_one_pet_are_folded_into_one_commit(side: Side):
    await side.add("first")
    await side.run()  # from here on Redis knows the scripts
    before = [side.count("redis_round_trips_total", kind=kind) for kind in ("load", "commit")]
    for n in range(5):
        await side.add(payload=image(f"img-{n}"))
        await side.add("other", payload=image(f"img-{n}"))
    await side.run()
    for pet in ("pet", "other"):
        view = await side.view(pet)
        assert (view["version"], view["metrics"]["num_images"]) == (1, 5)
    assert await side.redis.xlen("jobs") == await side.pending() == 0
    assert side.count("jobs_processed_total", result="success") == 1 + 10
    after = [side.count("redis_round_trips_total", kind=kind) for kind in ("load", "commit")]
    assert after == [count + 1 for count in before]


@pytest.mark.parametrize(
    ("payload", "reason", "says"),
    [
        (b"{", b"malformed", b"not JSON"),
        (b"\xff\x00", b"malformed", b"not JSON"),
        (b"[]", b"invalid", b"expected `object`"),
        (b'{"pet_id": "a b"}', b"invalid", b"pet_id"),
        (b'{"pet_id": "a", "payload": {"pet_id": "b"}}', b"mismatch", b"pet_id"),
        (b'{"pet_id": "a", "payload": {"images": [{"image_id": "x", "embedding": [0, 0]}]}}', b"invalid", b"all zeros"),
    ],
)
async def test_what_can_never_be_applied_is_set_aside_at_once_and_stops_nobody(
    side: Side, payload: bytes, reason: bytes, says: bytes
):
    await side.add("good", payload=image("img"))
    key = await side.raw(payload)
    await side.run()
    (letter,) = await side.letters()
    assert (letter[b"payload"], letter[b"reason"], letter[b"entry_id"]) == (payload, reason, key)
    assert says in letter[b"error"]
    assert letter[b"attempts"] == b"0"
    assert (await side.view("good"))["metrics"]["num_images"] == 1
    assert await side.pending() == 0
    assert side.count("jobs_processed_total", result="invalid") == 1


async def test_a_flat_entrys_dead_letter_keeps_its_fields(side: Side):
    fields = {b"pet_id": b"pet", b"force": b"maybe"}
    await side.redis.xadd("jobs", fields)
    await side.run()
    (letter,) = await side.letters()
    assert letter[b"payload"] == flat_payload(fields)
    assert (letter[b"pet_id"], letter[b"reason"]) == (b"pet", b"invalid")


async def test_a_vector_of_another_length_is_refused_and_the_rest_of_the_batch_is_not(side: Side):
    await side.add(payload=image("a", 1.0, 0.0))
    await side.add(payload=image("b", 1.0, 0.0, 0.0))
    await side.add(payload=image("c", 0.0, 1.0))
    await side.run()
    (letter,) = await side.letters()
    assert letter[b"reason"] == b"dimension"
    assert (await side.view())["metrics"]["num_images"] == 2
    assert await side.pending() == 0


async def test_a_stale_correction_is_set_aside_at_once_and_the_rest_of_the_batch_is_not(side: Side):
    def rename(cluster: int) -> dict:
        return {"corrections": [{"op": "rename", "cluster": f"pet-cluster-{cluster}", "label": "Beach"}]}

    await side.add(payload={"images": image("a", 1.0, 0.0)["images"] + image("b", 1.0, 0.0)["images"]})
    for cluster in (0, 7, 0):
        await side.add(payload=rename(cluster))
    await side.run()
    (letter,) = await side.letters()
    assert (letter[b"reason"], letter[b"attempts"]) == (b"stale_correction", b"0")
    assert letter[b"error"] == b"payload.corrections[0]: the pet never had pet-cluster-7"
    assert [cluster["label"] for cluster in (await side.view())["clusters"]] == ["Beach"]
    assert side.count("jobs_processed_total", result="invalid") == 1
    assert side.count("corrections_total", op="rename") == 2
    assert side.count("corrections_total", op="merge") == 0
    assert await side.pending() == 0


async def test_a_repeated_job_changes_nothing_but_a_missing_view_is_rendered_again(side: Side):
    for _ in range(2):
        await side.add(job_id="same", payload=image("img"))
        await side.run()
    before = await side.view()
    assert before["version"] == 1
    await side.redis.delete(side.keys.view("pet"))
    await side.add(job_id="same", payload=image("img"))
    await side.run()
    assert await side.view() == before
    assert side.count("jobs_processed_total", result="skipped") == 2
    assert await side.pending() == 0


@pytest.mark.parametrize(
    ("later", "left"),
    [({"removed_image_ids": ["a"]}, 0), ({"model_version": "v2", **image("a", 1.0, 0.0, 0.0)}, 1)],
    ids=["removed", "of another model version"],
)
async def test_the_last_image_of_a_model_version_may_go(side: Side, later: dict, left: int):
    await side.add(payload=image("a"))
    await side.run()
    await side.add(payload=later)
    await side.run()
    view = await side.view()
    assert (view["version"], view["metrics"]["num_images"]) == (2, left)
    assert side.count("jobs_processed_total", result="success") == 2
    assert await side.pending() == 0


async def test_two_processes_on_one_pet_lose_no_update(side: Side, new_side):
    other = await new_side()
    for n in range(60):
        await side.add(job_id=f"j{n}", payload=image(f"img-{n}", 1.0, n / 10))

    async def work(each: Side, name: str) -> None:
        while entries := await each.read(name, count=3):
            await each.process(entries, name)

    await asyncio.gather(work(side, "me"), work(other, "other"))
    while await side.pending():  # pets that were left for a moment
        for each, name in ((side, "me"), (other, "other")):
            async for entries in each.stream.claim(name, ClaimKind.DUE):
                await each.process(entries, name)
    view = await side.view()
    assert view["metrics"]["num_images"] == 60
    assert not await side.letters()
    assert not await side.redis.exists(side.keys.attempts)


async def test_what_another_process_committed_is_seen_despite_the_memory_of_an_older_version(side: Side, new_side):
    other = await new_side()
    await side.add(payload=image("a"))
    await side.run()
    await side.add(payload=image("b"))
    await other.run("other")
    await side.add(payload=image("c"))
    await side.run()
    assert (await side.view())["metrics"]["num_images"] == 3


async def test_an_album_may_be_dropped_from_memory_while_redis_is_asked_for_what_is_new(side: Side, monkeypatch):
    await side.add(payload=image("a"))
    await side.run()
    load = AlbumStore.load

    async def load_and_drop(store: AlbumStore, wanted) -> list:
        loaded = await load(store, wanted)
        side.cache.drop("pet")
        return loaded

    monkeypatch.setattr(AlbumStore, "load", load_and_drop)
    await side.add(payload=image("b"))
    await side.run()
    assert (await side.view())["metrics"]["num_images"] == 2
    assert not await side.letters()


async def test_jobs_accepted_before_an_erasure_are_settled_without_effect(side: Side):
    await side.add(payload=image("old"))
    entries = await side.read()
    await side.redis.hset(side.keys.erased, "pet", entries[-1].key)
    await side.process(entries)
    assert await side.pending() == 0
    assert not await side.redis.exists(side.keys.view("pet"), side.keys.pet("pet").album)
    await side.add(payload=image("new"))
    await side.run()
    assert (await side.view())["metrics"]["num_images"] == 1


async def test_a_mismatch_is_erased_with_either_pet(side: Side):
    await side.raw(b'{"pet_id": "a", "payload": {"pet_id": "b"}}')
    await side.run()
    (letter,) = await side.letters()
    assert (letter[b"pet_id"], letter[b"other_pet_id"]) == (b"a", b"b")
    assert await side.store.views.erase("b") is True
    assert await side.letters() == []


async def test_force_reads_every_row_and_forms_the_clusters_anew(side: Side):
    for n in range(12):
        await side.add(payload=image(f"img-{n}", 1.0, float(n % 2) * 50))
    await side.run()
    side.cache.drop("pet")
    await side.add(force=True, payload={})
    await side.run()
    view = await side.view()
    assert (view["version"], view["metrics"]["num_images"]) == (2, 12)
    assert side.count("rebuilds_total") >= 1


async def test_rows_of_an_album_that_moved_on_meanwhile_are_not_used(
    side: Side, new_side, monkeypatch: pytest.MonkeyPatch
):
    other: Side = await new_side()
    await side.add(payload=image("a"))
    await side.run()
    read = AlbumStore.all_rows

    async def overtaken(store: AlbumStore, pet_id: str, token: bytes):
        monkeypatch.undo()
        await other.run_due()
        return await read(store, pet_id, token)

    monkeypatch.setattr(AlbumStore, "all_rows", overtaken)
    await other.add(payload=image("b", 0.0, 1.0))
    await other.fail_once()
    await side.add(force=True, payload={})
    await side.run()
    view = await side.view("pet")
    assert (view["version"], view["metrics"]["num_images"]) == (3, 2)
    assert not await side.letters()
    assert side.count("conflicts_total") == 1


async def test_a_job_that_failed_has_its_outcome_though_its_pet_was_overtaken(
    side: Side, new_side, monkeypatch: pytest.MonkeyPatch
):
    """Its pet's other jobs are taken up again without it."""
    other: Side = await new_side()
    await side.add(payload=image("a"))
    await side.run()
    read, apply = AlbumStore.all_rows, planner.apply
    runs: list[str] = []

    def apply_or_fail(album, jobs, *args, **kwargs):
        runs.extend(job.job_id for job in jobs)
        if any(job.job_id == "bad" for job in jobs):
            raise RuntimeError("boom")
        return apply(album, jobs, *args, **kwargs)

    async def overtaken(store: AlbumStore, pet_id: str, token: bytes):
        monkeypatch.setattr(AlbumStore, "all_rows", read)
        await other.run_due()
        return await read(store, pet_id, token)

    monkeypatch.setattr(planner, "apply", apply_or_fail)
    monkeypatch.setattr(AlbumStore, "all_rows", overtaken)
    await other.add(payload=image("b", 0.0, 1.0))
    await other.fail_once()
    await side.add(job_id="bad", payload=image("c"))
    await side.add(job_id="good", force=True, payload={})
    await side.run()
    assert (await side.view("pet"))["version"] == 3
    assert side.count("jobs_processed_total", result="failure") == 1
    assert runs.count("bad") == 2, "in its batch, and alone to find it out"
    assert await side.pending() == 1


async def test_commits_tell_how_well_clusters_are_set_apart_and_how_many_images_are_in_none(side: Side):
    looks = {"a": (1.0, 0.0, 0.0), "b": (0.0, 1.0, 0.0)}
    images = [{"image_id": f"{look}-{n}", "embedding": [*looks[look], 0.1 * n]} for look in "ab" for n in range(4)]
    await side.add(payload={"images": [*images, {"image_id": "loner", "embedding": [-1.0, -1.0, 1.0, 0.0]}]})
    await side.add("bare", payload={"image_ids": ["img"]})
    await side.run()
    silhouette = (await side.view("pet"))["metrics"]["silhouette"]
    assert side.count("silhouette_count") == side.count("unclustered_share_count") == 1
    assert silhouette > 0.6
    assert side.count("silhouette_bucket", le="0.6") == 0
    assert side.count("unclustered_share_sum") == pytest.approx(1 / 9)


async def test_the_exact_algorithm_runs_the_same_way(new_side):
    side = await new_side(Params(algorithm="average_linkage"))
    for n in range(6):
        await side.add(payload=image(f"img-{n}", 1.0, float(n % 2) * 50))
        await side.run()
    view = await side.view()
    assert [cluster["size"] for cluster in view["clusters"]] == [3, 3]


async def test_how_long_a_job_took_to_be_seen_begins_with_its_entry(side: Side):
    await side.redis.xadd("jobs", {"payload": b'{"pet_id": "old", "payload": {"image_ids": ["img"]}}'}, id="1-1")
    await side.add()
    await side.run()
    assert side.count("job_visible_seconds_count") == 2
    assert side.count("job_visible_seconds_bucket", le="5.0") == 1
    assert side.count("job_visible_seconds_bucket", le="300.0") == 1
