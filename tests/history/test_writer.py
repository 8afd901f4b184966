"""The writer beside real commits: history says what views showed."""

import pytest

from sploot_clusterd.errors import BadStateError
from sploot_clusterd.history import partition_writer
from sploot_clusterd.history.schema import (
    OF_A_PET,
    cluster_jobs,
    cluster_members,
    newest_snapshots,
    pet_clusters,
    refused_events,
)
from sploot_clusterd.history.told import Place
from sploot_clusterd.history.writing import OvertakenError
from sploot_clusterd.store import Pictures, feed
from tests.history.following import Writing, check, upload
from tests.history.written import latest, members, place, rows, tokens
from tests.support.side import Side, image

UNFIT = (
    b'{"pet_id":"p\\u0000t","earlier":"","previous":"2-%d","kind":"changed","incarnation":"a","before":"",'
    b'"after":"a.1","change":{"version":1,"jobs":[],"num_clusters":0,"num_images":0,"num_unclustered":0}}'
)


async def test_history_follows(writing: Writing, side: Side):
    await upload(side)
    await writing.settle()
    await check(writing)
    await upload(side, 3, first=4)
    await side.add(job_id="pet-job-bad", payload={"image_ids": "none"})
    await side.run()
    await writing.settle()
    await check(writing)
    assert len(tokens(writing.database, "pet")) == 7
    jobs = {row.job_id: row.status for row in rows(writing.database, cluster_jobs)}
    assert jobs == {**{f"pet-job-{n}": "applied" for n in range(7)}, "pet-job-bad": "dead"}
    assert side.count("history_events_total", outcome="written") == 8
    assert side.count("history_gaps_total") == 0


async def test_what_is_left_behind_a_whole_batch_counts_as_unwritten(
    writing: Writing, side: Side, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(partition_writer, "BATCH", 2)
    await upload(side, 4)
    assert side.store.feed is not None
    told = (await side.store.feed.read(0, "", 9)).events
    behind = []
    for _ in range(2):
        await writing.writer.step()
        behind.append(writing.writer.unwritten_ms)
    assert behind == [Place.of(told[1].id).at_ms, 0]


async def test_albums_are_not_taken_for_what_is_written_while_events_are_left(
    writing: Writing, side: Side, monkeypatch: pytest.MonkeyPatch
):
    """They are so large that few of them are read at once."""
    monkeypatch.setattr(feed, "_MOST_BYTES", 1)
    await upload(side, 1, pet="a")
    await upload(side, 3, pet="b")
    await upload(side, 2, first=1, pet="a")
    await writing.settle()
    for pet, count in (("a", 3), ("b", 3)):
        await check(writing, pet)
        versions = rows(writing.database, pet_clusters, pet_id=pet)
        assert {(row.jobs, row.live) for row in versions} == {(f'["{pet}-job-{n}"]', True) for n in range(count)}
    assert side.count("history_superseded_total") == 0


async def test_images_that_are_not_listed_are_known_from_the_album(writing: Writing, side: Side):
    images = [image(f"img-{n}", 1.0, 0.001 * n)["images"][0] for n in range(30)]
    await side.add(payload={"images": images})
    await side.run()
    await writing.settle()
    await check(writing)
    ((cluster, _),) = {(each, "") for each, _ in members(writing.database, "pet")}
    hidden = rows(writing.database, cluster_members, pet_id="pet", live=True, shown=False)
    listed = {image_id for _, image_id in members(writing.database, "pet")}
    assert {row.image_id for row in hidden} == {f"img-{n}" for n in range(30)} - listed
    assert {(row.cluster_id, row.until_version) for row in hidden} == {(cluster, None)}

    await side.add(payload={"removed_image_ids": sorted(listed)[:20]})
    await side.run()
    await writing.settle()
    await check(writing)
    hidden = rows(writing.database, cluster_members, pet_id="pet", live=True, shown=False)
    assert {row.until_version for row in hidden} == {2}


async def test_a_new_database_gets_what_was_before_it(writing: Writing, side: Side):
    for pet in ("a", "b", "c"):
        await upload(side, pet=pet)
    await side.redis.delete(side.keys.feed, side.keys.feed_index)  # as if there had been none
    await writing.settle()
    for pet in ("a", "b", "c"):
        await check(writing, pet)
    await upload(side, first=4, pet="a")
    await writing.settle()
    await check(writing, "a")


async def test_an_album_from_before_the_feed_is_one_life_with_what_follows(writing: Writing, side: Side):
    await upload(side)
    await side.redis.delete(side.keys.feed, side.keys.feed_index)
    await side.redis.hdel(side.keys.pet("pet").album, "incarnation")
    await writing.settle()
    await check(writing)
    assert latest(writing.database, "pet").incarnation == ""
    await upload(side, first=4)
    await writing.settle()
    await check(writing)
    assert len({row.incarnation for row in rows(writing.database, pet_clusters)} - {""}) == 1


async def test_an_erased_pet_is_nowhere(writing: Writing, side: Side):
    await upload(side, pet="secret")
    await upload(side)
    await writing.settle()
    await upload(side, 1, first=7, pet="secret")
    await side.store.views.erase("secret")
    await writing.writer.step()
    await writing.writer.step()
    assert [table.name for table in OF_A_PET if rows(writing.database, table, pet_id="secret")] == []
    await check(writing)
    if writing.database.file:
        files = writing.database.file.parent.glob(f"{writing.database.file.name}*")
        assert not any(b"secret-job" in path.read_bytes() for path in files)


async def test_an_event_that_no_database_takes_is_set_aside(writing: Writing, side: Side):
    await upload(side, 2)
    ((last, _),) = await side.redis.xrevrange(side.keys.feed, count=1)
    ms = int(last.partition(b"-")[2])
    await side.redis.xadd(side.keys.feed, {"event": UNFIT % ms}, f"3-{ms}")
    await side.redis.hset(side.keys.feed_index, "*", f"3-{ms} 1000")
    await upload(side, 1, first=2)
    await writing.settle()
    await check(writing)
    if writing.database.file is None:
        assert [row.event_id for row in rows(writing.database, refused_events)] == [f"3-{ms}"]
        assert side.count("history_events_total", outcome="refused") == 1
    assert place(writing.database).sequence == 4


async def test_of_a_pet_that_changes_meanwhile_the_album_is_kept_and_nothing_concluded(
    writing: Writing, side: Side, monkeypatch: pytest.MonkeyPatch
):
    take, numbers = Pictures.take, iter(range(10, 13))

    async def take_and_go_on(pictures: Pictures, pets: list[str]):
        taken = await take(pictures, pets)
        await upload(side, 1, first=next(numbers))
        return taken

    await upload(side)
    with monkeypatch.context() as patched:
        patched.setattr(Pictures, "take", take_and_go_on)
        for last in (5, 6, 7):
            await writing.writer.step()
            found = latest(writing.database, "pet")
            (kept,) = rows(writing.database, newest_snapshots, pet_id="pet")
            assert (found.version, kept.version, found.complete) == (last, last - 1, True)
            assert writing.writer.pets_waiting == 1
    await writing.settle()
    await check(writing)
    assert tokens(writing.database, "pet", live=False) == []


async def test_a_view_of_another_hand_holds_up_no_other_pet(writing: Writing, side: Side):
    await upload(side, 2, pet="odd")
    await upload(side, 2)
    await side.redis.set(side.keys.view("odd"), b"no view")
    await writing.settle()
    await check(writing)
    (kept,) = rows(writing.database, newest_snapshots, pet_id="odd")
    assert kept.version == 2


async def test_a_writer_that_is_started_again_keeps_what_was_not_kept_yet(writing: Writing, side: Side):
    await upload(side)
    await writing.settle()
    await upload(side, first=4)
    writing.writer._pictured_at = float("inf")
    await writing.writer.step()
    assert latest(writing.database, "pet").version == 8
    writing.begin_anew()
    await writing.settle()
    await check(writing)


async def test_two_that_write_one_feed_do_it_once(writing: Writing, side: Side):
    first = writing.writer
    writing.begin_anew()
    second = writing.writer
    for number in range(4):
        await upload(side, 1, first=number)
        for writer in (first, second) if number % 2 else (second, first):
            try:
                await writer.step()
            except OvertakenError:
                writer.forget_place()
    await writing.settle()
    await check(writing)
    assert len(tokens(writing.database, "pet")) == 4


async def test_what_another_hand_added_to_the_feed_is_not_passed_over(writing: Writing, side: Side):
    await upload(side)
    await side.redis.xadd(side.keys.feed, {"event": "{}"}, id="5-1")
    with pytest.raises(BadStateError, match=f"{side.keys.feed} holds what is no event of ours"):
        await writing.writer.step()
    assert (place(writing.database), rows(writing.database, refused_events)) == (Place(), [])
