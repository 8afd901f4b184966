"""What holds of `apply` for any jobs whatever."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine import JobStatus, render
from sploot_clusterd.engine.rows import decode_row
from sploot_clusterd.entry_ids import EntryId
from tests.engine.histories import SMALL, histories
from tests.engine.pet import START_MS, Pet


def run(jobs, params=SMALL):
    pet = Pet(params)
    for each in jobs:
        pet.apply(each)
    return pet


@given(histories())
@settings(max_examples=60, deadline=None)
def test_every_image_is_counted_exactly_once(jobs):
    pet = run(jobs)
    rows = {name: decode_row(raw) for name, raw in pet.rows().items()}
    alive = {name for name, row in rows.items() if row.exists}
    placed = [row for row in rows.values() if row.vectors]

    view = pet.view

    assert view["metrics"]["num_images"] == len(alive)
    assert sum(c["size"] for c in view["clusters"]) + len(view["unclustered"]) == len(alive)
    assert sum(cell.count for cell in pet.album.cells.values()) == len(placed)
    assert sum(cluster.size for cluster in pet.album.clusters.values()) == len(placed)
    assert pet.album.num_provisional == len(alive) - len(placed)
    shown = [m["image_id"] for c in view["clusters"] for m in c["members"]] + view["unclustered"]
    assert len(shown) == len(set(shown))
    assert set(shown) <= alive


@given(histories())
@settings(max_examples=40, deadline=None)
def test_a_view_keeps_its_promises(jobs):
    for cluster in run(jobs).clusters:
        names = [member["image_id"] for member in cluster["members"]]
        scores = [member["score"] for member in cluster["members"]]
        assert cluster["hero_image_id"] in names
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
        assert [member["position"] for member in cluster["members"]] == list(range(len(names)))
        assert len(names) == min(cluster["size"], SMALL.max_cluster_size)


@given(histories(), st.integers(0, 7))
@settings(max_examples=40, deadline=None)
def test_a_job_that_comes_again_changes_nothing(jobs, which):
    pet = run(jobs)
    again = jobs[which % len(jobs)]._replace(sequence=EntryId(START_MS + 10**6, 0), force=True)

    applied = pet.apply(again)

    assert [outcome.status for outcome in applied.outcomes] == [JobStatus.REPEATED]
    assert (applied.changed, applied.writes, applied.deletes) == (False, {}, [])
    assert applied.album is pet.album


@given(histories(), histories(most=3))
@settings(max_examples=40, deadline=None)
def test_an_album_read_back_shows_and_does_the_same(jobs, later):
    warm, cold = run(jobs), run(jobs)
    cold.reload()
    assert render(cold.album, SMALL) == render(warm.album, SMALL)

    for number, each in enumerate(later):
        next_job = each._replace(job_id=f"later-{number}", sequence=EntryId(START_MS + 10**6 + number, 0))
        warm.apply(next_job)
        cold.apply(next_job)
        cold.reload()

    assert cold.fields == warm.fields
    assert render(cold.album, SMALL) == render(warm.album, SMALL)


@given(histories())
@settings(max_examples=40, deadline=None)
def test_what_is_folded_into_one_commit_makes_no_difference(jobs):
    single, folded = run(jobs), Pet(SMALL)
    folded.apply(*jobs)

    one, all_at_once = single.view, folded.view

    assert one.pop("version") == len(jobs)
    assert all_at_once.pop("version") == 1
    assert one == all_at_once
    assert single.rows() == folded.rows()
