"""The sample in memory against its definition: the slots of lowest priority, each with its first image."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.engine import Fresh, Sample, slot

LIMIT = 6
images = st.tuples(st.sampled_from("abcd"), st.integers(0, 40).map("img-{}".format))


def photo(image_id: str, number: int = 0) -> Fresh:
    return Fresh(image_id, "m", float(number), {"embedding": np.ones(2, dtype=np.float32)})


@given(st.lists(images, max_size=60))
def test_the_lowest_slots_stay_whatever_the_order_and_the_first_image_keeps_its_slot(offered):
    sample, first = Sample(LIMIT), {}
    for number, (pet, image_id) in enumerate(offered):
        sample.add(pet, photo(image_id, number))
        first.setdefault(slot(pet, image_id), number)

        lowest = sorted(first, key=lambda each: each[1])[:LIMIT]
        assert [image.quality for image in sample.images()] == [first[each] for each in sorted(lowest)]
        assert len(sample) == len(lowest)
        assert sample.threshold == (lowest[-1][1] if len(lowest) == LIMIT else None)


@given(st.lists(images, min_size=1, max_size=40))
def test_it_is_said_what_entered(offered):
    sample = Sample(LIMIT)
    for number, (pet, image_id) in enumerate(offered):
        before, below = {image.quality for image in sample.images()}, sample.threshold
        entered = sample.add(pet, photo(image_id, number))

        assert entered == ({image.quality for image in sample.images()} != before)
        assert not entered or below is None or slot(pet, image_id)[1] < below
