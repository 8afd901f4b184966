"""What is told of two views, and that the one follows from the other by it."""

from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.changes import MOST_CLUSTERS, MOST_IMAGES, ClusterChange, ImageChange
from sploot_clusterd.engine.differences import Differences, Shown, compare
from sploot_clusterd.engine.fragment import Face
from sploot_clusterd.model import cluster_id
from tests.support.replaying import Replayed

PET = "pet_123"
A, B, C = (cluster_id(PET, number) for number in range(3))


def face(*images: str, label: str = "Portraits", size: int = 0, provisional: bool = False) -> Face:
    return Face(label, images[0] if images else None, size or len(images), provisional, list(images))


def told(before: dict[int, Face], after: dict[int, Face], successors=None) -> list[ClusterChange]:
    return compare(PET, Shown(before), Shown(after), successors or {}).clusters


def test_a_new_cluster_is_told_whole():
    expected = ClusterChange(A, "new", label="Portraits", hero_image_id="a", size=2, images_in=["a", "b"])
    assert told({}, {0: face("a", "b")}) == [expected]


def test_of_a_changed_one_only_what_is_news():
    assert told({0: face("a", "b")}, {0: face("a", "c")}) == [
        ClusterChange(A, "changed", images_in=["c"], images_out=["b"])
    ]
    assert told({0: face("a", "b")}, {0: face("a", "b", label="Mine")}) == [ClusterChange(A, "changed", label="Mine")]
    assert told({0: face("a", "b")}, {0: face("b", "a")}) == [ClusterChange(A, "changed", hero_image_id="b")]
    assert told({0: face("a", "b", "c")}, {0: face("a", "c", "b")}) == []


def test_what_became_part_of_another_tells_of_which():
    before, after = {0: face("a"), 1: face("b"), 2: face("c")}, {0: face("a", "b")}
    assert [(each.id, each.what, each.successor) for each in told(before, after, {1: 0, 2: 7})] == [
        (A, "changed", None),
        (B, "merged", A),
        (C, "gone", None),
    ]


def test_what_was_split_off_tells_from_what():
    before, after = {0: face("a", "b", "c"), 1: face("d", "e")}, {0: face("a"), 1: face("d"), 2: face("b", "c", "e")}
    assert told(before, after)[-1].what == "split"
    assert told(before, after)[-1].origin == A


def test_what_goes_on_under_another_id_is_no_split():
    before, after = {0: face("a", "b")}, {2: face("a", "b")}
    assert [(each.id, each.what, each.successor) for each in told(before, after, {0: 2})] == [
        (A, "merged", C),
        (C, "new", None),
    ]


def test_of_too_many_images_none_are_named():
    images = [f"img-{n}" for n in range(MOST_IMAGES + 1)]
    found = compare(PET, Shown({}), Shown({0: face(*images[:4])}, images[4:]), {})
    assert found == Differences(
        [ClusterChange(A, "new", label="Portraits", hero_image_id="img-0", size=4)], None, truncated=True
    )
    less = compare(PET, Shown({}), Shown({0: face(*images[:4])}, images[5:]), {})
    assert less.unclustered == ImageChange(images[5:])
    assert not less.truncated


def test_of_too_many_clusters_the_first_are_told():
    after = {number: face(f"img-{number}") for number in range(MOST_CLUSTERS + 1)}
    found = compare(PET, Shown({}), Shown(after), {})
    assert found.truncated
    assert [each.id for each in found.clusters] == [cluster_id(PET, number) for number in range(MOST_CLUSTERS)]


NAMES = [f"img-{n}" for n in range(12)]


@st.composite
def shown(draw) -> Shown:
    """Some images in clusters, some outside."""
    homes = {name: draw(st.integers(-2, 4)) for name in draw(st.permutations(NAMES))}
    faces = {}
    for number in sorted({*homes.values()} - {-2, -1}):
        images = [name for name, home in homes.items() if home == number]
        more = draw(st.integers(0, 2))
        label, provisional = draw(st.sampled_from(["Portraits", "Action"])), draw(st.booleans())
        faces[number] = Face(label, draw(st.sampled_from(images)), len(images) + more, provisional, images)
    return Shown(faces, [name for name, home in homes.items() if home == -1])


def as_view(seen: Shown) -> dict:
    clusters = [
        {
            "id": cluster_id(PET, number),
            "label": each.label,
            "hero_image_id": each.hero,
            "size": each.size,
            "provisional": each.provisional,
            "members": [{"image_id": name} for name in each.images],
        }
        for number, each in seen.faces.items()
    ]
    return {"clusters": clusters, "unclustered": seen.loose}


@given(st.lists(shown(), min_size=2, max_size=5), st.dictionaries(st.integers(0, 4), st.integers(0, 4)))
def test_the_one_follows_from_the_other_by_what_is_told(views, successors):
    known = Replayed.of(as_view(views[0]))
    for before, after in pairwise(views):
        found = compare(PET, before, after, successors)
        known.apply(msgspec.to_builtins({"clusters": found.clusters, "unclustered": found.unclustered or {}}))
        assert known == Replayed.of(as_view(after))


@given(shown(), st.dictionaries(st.integers(0, 4), st.integers(0, 4)))
def test_of_what_is_alike_nothing_is_told(seen, successors):
    assert compare(PET, seen, seen, successors) == Differences([], None, truncated=False)
