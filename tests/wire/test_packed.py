"""Images that no decoder of ours has seen: checked as a job's are, and packed without a loss."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.config import LimitsSettings
from sploot_clusterd.errors import BadJobError
from sploot_clusterd.model import ImageInsight, JobPayload, JobRequest, PackedVector
from sploot_clusterd.wire import decode_request, encode_request, packed
from sploot_clusterd.wire.vectors import insights

LIMITS = LimitsSettings()
NUMBERS = st.lists(st.floats(-1e300, 1e300, allow_nan=False), min_size=1, max_size=20).filter(any)


def of(image: ImageInsight):
    """What a job with that image brings."""
    [insight] = insights(JobRequest("pet", payload=JobPayload(images=[image])), LIMITS)
    return insight


@given(NUMBERS, st.none() | NUMBERS)
def test_it_says_what_the_lists_said(embedding, pose):
    image = ImageInsight(
        "a", embedding=embedding, pose=pose, quality=0.5, label="side", captured_at=datetime(2025, 10, 30, tzinfo=UTC)
    )
    small = packed(image, LIMITS)
    assert isinstance(small.embedding, PackedVector)
    one, other = of(image), of(small)
    assert one._replace(vectors={}) == other._replace(vectors={})
    assert one.vectors.keys() == other.vectors.keys() == {"embedding"} | ({"pose"} if pose else set())
    assert all(np.array_equal(one.vectors[kind], other.vectors[kind]) for kind in one.vectors)


def test_it_is_taken_by_the_doors():
    request = JobRequest("pet", payload=JobPayload(images=[packed(ImageInsight("a", embedding=[3, 4]), LIMITS)]))
    assert decode_request(encode_request(request), LIMITS) == request


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"image_id": "a/b"}, "image_id: expected 1 or more of the characters"),
        ({"embedding": [0.0, 0.0]}, "embedding: a vector is not all zeros"),
        ({"pose": [float("inf")]}, "pose: the numbers of a vector are finite"),
        ({"context": [1.0] * 4097}, "context: a vector has 1 to 4096 numbers, got 4097"),
        ({"embedding": PackedVector("f32", "AAA=")}, "embedding.data: 2 bytes are no whole number of f32 values"),
        ({"quality": 1.5}, "quality: expected `float` <= 1.0"),
        ({"label": ""}, "label: expected 1 to 128 printable characters"),
    ],
)
def test_what_no_job_may_say_is_refused(fields, said):
    with pytest.raises(BadJobError) as refused:
        packed(ImageInsight(**{"image_id": "a", **fields}), LIMITS)
    assert refused.value.reason == "invalid"
    assert refused.value.detail.startswith(said)
