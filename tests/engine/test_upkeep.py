"""What is filled up from the rows, merged for good and let go as an album lives on."""

import numpy as np

from sploot_clusterd.engine import Params, apply, new_album
from sploot_clusterd.engine.rows import decode_row
from sploot_clusterd.entry_ids import EntryId
from tests.engine.pet import START_MS, Pet, direction, insight, job, photos

DAY_MS = 86_400_000


def test_a_list_of_best_members_that_runs_low_is_filled_up_from_the_rows():
    pet = Pet(Params(max_cluster_size=2, join_cosine=0.1, join_threshold=0.1))
    names = [f"img-{n}" for n in range(10)]
    pet.apply(job(1, *(insight(name, direction(0, 0.1, n), n / 10) for n, name in enumerate(names))))
    assert len(pet.album.cells) == 1

    pet.apply(job(2, removed=["img-9", "img-8"]))
    assert pet.loaded_all == 0
    pet.apply(job(3, removed=["img-7"]))

    assert pet.loaded_all == 1
    assert [len(cell.members) for cell in pet.album.cells.values()] == [4]
    (cluster,) = pet.clusters
    assert (cluster["size"], len(cluster["members"])) == (7, 2)
    assert {member["image_id"] for member in cluster["members"]} <= set(names[:7])


def test_cells_are_capped_and_their_images_are_found_again():
    pet = Pet(Params(max_cells=12))
    everyone = photos([12, 12, 12], spread=0.8)
    for number, image in enumerate(everyone):
        pet.apply(job(number, image))
        assert len(pet.album.cells) <= 12
    assert pet.album.heirs
    assert sum(cell.count for cell in pet.album.cells.values()) == 36

    pet.reload()
    for number, image in enumerate(everyone, start=100):
        pet.apply(job(number, removed=[image.image_id]))

    assert pet.album.cells == {}
    assert pet.clusters == []


def test_no_group_falls_apart_where_there_are_more_images_than_cells():
    random = np.random.default_rng(1)
    centres = random.normal(size=(20, 256))
    groups = random.integers(20, size=1500)
    vectors = (centres[groups] + 1.2 * random.normal(size=(1500, 256))).astype(np.float32)
    album = new_album("pet_123")

    for first in range(0, 1500, 50):
        images = [insight(f"img-{n}", vectors[n]) for n in range(first, first + 50)]
        album = apply(album, [job(first, *images)], {}, Params(), START_MS).album

    assert len(album.cells) <= Params().max_cells
    assert sorted(cluster.size for cluster in album.clusters.values()) == sorted(np.bincount(groups))


def test_old_tombstones_go_when_all_rows_are_at_hand():
    pet = Pet(Params(tombstone_days=1))
    pet.apply(job(1, *photos([4])))
    pet.apply(job(2, removed=["g0-0", "gone"]))
    later = EntryId(START_MS + 3 * DAY_MS, 0)

    pet.apply(job(3, removed=["g0-1"], sequence=later))
    assert "gone" in pet.rows()
    pet.apply(job(4, force=True, sequence=EntryId(later.ms + 1, 0)))

    assert sorted(pet.rows()) == ["g0-1", "g0-2", "g0-3"]
    assert not decode_row(pet.rows()["g0-1"]).exists
