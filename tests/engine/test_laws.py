"""What holds of `apply` for any jobs whatever."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sploot_clusterd.engine import JobStatus, Params, apply, decode_album, new_album, render
from sploot_clusterd.engine.rows import decode_row
from sploot_clusterd.model import EntryId

from .pet import START_MS, Pet, direction, insight, job, photos

SMALL = Params(max_cells=12, rebuild_least=4, max_cluster_size=3)
NAMES = [f"img-{n}" for n in range(14)]

images = st.builds(
    lambda name, group, seed, quality, label, bare: insight(
        name, None if bare else direction(group, 0.3, seed, 12), quality, label
    ),
    st.sampled_from(NAMES),
    st.integers(0, 3),
    st.integers(0, 2),
    st.none() | st.floats(0, 1),
    st.none() | st.sampled_from(["Portraits", "Action"]),
    st.booleans(),
)


@st.composite
def histories(draw, most=8):
    """Jobs in stream order; some come again, some say little, all say it of few images."""
    return [
        job(
            number,
            *draw(st.lists(images, max_size=5)),
            image_ids=draw(st.lists(st.sampled_from(NAMES), max_size=4)),
            removed=draw(st.lists(st.sampled_from(NAMES), max_size=3)),
            labels=draw(st.sampled_from([(), ("Portraits", "Action Shots"), ("Sleep",)])),
            coverage=draw(st.sampled_from([{}, {"portrait": 0.6, "action": 0.4}])),
            quality_score=draw(st.none() | st.floats(0, 1)),
            force=draw(st.integers(0, 9)) == 0,
        )
        for number in range(draw(st.integers(1, most)))
    ]


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


def without_all_but_the_last_force(jobs):
    last = max((number for number, each in enumerate(jobs) if each.force), default=None)
    return [each._replace(force=number == last) for number, each in enumerate(jobs)]


def without_digests(pet):
    """A job with `force` says something else than one without."""
    return {name: raw for name, raw in pet.fields.items() if name[:1] != b"d"}


def grouping(pet):
    """Which images with vectors are in a cluster together."""
    home = {cell: key for key, cluster in pet.album.clusters.items() for cell in cluster.cells}
    groups = {}
    for name, raw in pet.rows().items():
        if (vectors := decode_row(raw).vectors) is not None:
            cell = pet.album.heirs.get(vectors.cell, vectors.cell)
            groups.setdefault(home[cell], set()).add(name)
    return sorted(map(sorted, groups.values()))


@given(histories().map(without_all_but_the_last_force))
@settings(max_examples=40, deadline=None)
def test_what_is_folded_into_one_commit_makes_no_difference(jobs):
    single, folded = run(jobs), Pet(SMALL)
    folded.apply(*jobs)

    one, all_at_once = single.view, folded.view

    assert one.pop("version") == len(jobs)
    assert all_at_once.pop("version") == 1
    assert one == all_at_once
    assert single.rows() == folded.rows()


@given(histories(), st.sets(st.integers(0, 7)))
@settings(max_examples=40, deadline=None)
def test_in_one_commit_the_last_force_serves_all(jobs, forced):
    jobs = [each._replace(force=each.force or number in forced) for number, each in enumerate(jobs)]
    single, folded, last_only = run(jobs), Pet(SMALL), Pet(SMALL)

    folded.apply(*jobs)
    last_only.apply(*without_all_but_the_last_force(jobs))

    assert without_digests(folded) == without_digests(last_only)
    assert grouping(folded) == grouping(single)


@given(histories())
@settings(max_examples=30, deadline=None)
def test_the_album_given_is_not_changed(jobs):
    pet = Pet(SMALL)
    for each in jobs:
        before, held = render(pet.album, SMALL), pet.album
        sums = {number: space.sums.copy() for number, space in held.spaces.items()}
        pet.apply(each)
        assert render(held, SMALL) == before
        assert all((held.spaces[number].sums == copy).all() for number, copy in sums.items())


@given(histories())
@settings(max_examples=20, deadline=None)
def test_the_same_jobs_give_the_same_bytes(jobs):
    assert run(jobs).fields == run(jobs).fields


@given(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_removing_what_was_added_restores_the_statistics(groups, quality):
    params = Params(rebuild_least=10**6, join_cosine=0.2, join_threshold=0.2)
    pet = Pet(params)
    pet.apply(job(1, *photos([4, 4, 4, 4])))
    before = pet.album
    added = [insight(f"new-{n}", direction(group, 0.4, 50 + n), quality, "Sleep") for n, group in enumerate(groups)]

    pet.apply(job(2, *added))
    pet.apply(job(3, removed=[each.image_id for each in added]))

    assert {i: cell.count for i, cell in pet.album.cells.items()} == {i: c.count for i, c in before.cells.items()}
    assert {i: cell.votes for i, cell in pet.album.cells.items()} == {i: c.votes for i, c in before.cells.items()}
    (space,), (old_space,) = pet.album.spaces.values(), before.spaces.values()
    assert space.weights == pytest.approx(old_space.weights, abs=1e-9)
    assert np.abs(space.sums - old_space.sums).max() < 1e-5


def test_an_older_insight_changes_nothing_of_a_newer_one():
    pet = Pet()
    pet.apply(job(5, insight("a", direction(0), 0.9, "New"), insight("b", direction(0), 0.8)))
    rows, members = pet.rows(), pet.members()

    pet.apply(job(2, insight("a", direction(3), 0.1, "Old"), image_ids=[]))
    pet.apply(job(3, removed=["a"]))

    assert pet.members() == members
    assert decode_row(pet.rows()["a"]).vectors == decode_row(rows["a"]).vectors
    assert decode_row(pet.rows()["a"]).attributes == decode_row(rows["a"]).attributes


def test_a_removed_image_does_not_come_back_with_a_late_insight():
    pet = Pet()
    pet.apply(job(1, *photos([3])))
    pet.apply(job(5, removed=["g0-1", "never-seen"]))

    pet.apply(job(3, insight("g0-1", direction(0)), insight("never-seen", direction(0))))
    assert pet.view["metrics"]["num_images"] == 2

    pet.apply(job(6, insight("g0-1", direction(0))))
    assert pet.view["metrics"]["num_images"] == 3


def test_no_jobs_change_nothing():
    applied = apply(new_album("pet_123"), [], {}, Params(), START_MS)

    assert not applied.changed
    assert applied.album.version == 0


def test_only_what_changed_is_written():
    pet = Pet()
    pet.apply(job(1, *photos([4, 4, 4, 4])))

    applied = pet.apply(job(2, insight("new", direction(0, 0.3, 77))))

    names = {name[:1] for name in applied.writes}
    assert (names, set(applied.rows)) == ({b"h", b"c", b"j", b"d"}, {"new"})
    assert sum(name.startswith(b"c") for name in applied.writes) == 1
    assert decode_album("pet_123", pet.tables()).version == 2
