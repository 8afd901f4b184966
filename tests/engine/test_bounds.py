"""What an album holds of a pet has a bound, whatever its producer sends."""

from sploot_clusterd.engine.album import MOST_LABELS
from sploot_clusterd.engine.params import Params
from tests.engine.pet import Pet, insight, job


def test_a_job_that_announces_too_many_images_is_refused_whole():
    pet = Pet(Params(most_announced=5))
    assert pet.apply(job(1, image_ids=["a", "b", "c"])).outcomes[0].error is None
    for number, more in enumerate((["d", "e", "f"], ["x", *"abcdef"]), 2):
        applied = pet.apply(job(number, image_ids=more))
        assert applied.outcomes[0].error.reason == "invalid"
        assert "images without vectors, expected at most 5 (albums.announced_images)" in str(applied.outcomes[0].error)
        assert not applied.changed
    assert pet.apply(job(4, image_ids=["a", "b", "c", "d", "e"])).outcomes[0].error is None
    assert pet.apply(job(5, insight("v", [1.0, 2.0]))).outcomes[0].error is None
    assert pet.apply(job(6, insight("a", [1.0, 2.0]))).album.num_provisional == 4
    assert pet.apply(job(7, image_ids=["f"], removed=["b"])).outcomes[0].error is None


def test_a_cell_counts_votes_of_so_many_labels_and_the_most_voted_stay():
    pet = Pet()
    pet.apply(job(1, *(insight(f"rex-{n}", [1.0, 0.0], label="Rex") for n in range(3))))
    for number in range(2, 6):
        made_up = [insight(f"i-{number}-{n}", [1.0, 0.0], label=f"label {number} {n}") for n in range(40)]
        album = pet.apply(job(number, *made_up)).album
        assert max(len(cell.votes) for cell in album.cells.values()) <= MOST_LABELS
    assert any(cell.votes.get("Rex") == 3 for cell in album.cells.values())
    removed = [f"i-2-{n}" for n in range(40)]
    album = pet.apply(job(9, removed=removed)).album
    assert all(count > 0 for cell in album.cells.values() for count in cell.votes.values())


def test_of_too_many_tombstones_the_older_half_is_forgotten():
    pet = Pet(Params(most_tombstones=10))
    pet.apply(job(1, insight("kept", [1.0, 2.0])))
    dropped = 0
    for number in range(2, 40):
        applied = pet.apply(job(number, removed=[f"gone-{number}"]))
        dropped += applied.changes.tombstones_dropped
        assert applied.album.counters.tombstones <= 10
    assert dropped > 20
    assert "gone-39" in pet.rows()
    assert "gone-2" not in pet.rows()
    assert len(pet.rows()) <= 11
