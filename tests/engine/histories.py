"""Any jobs whatever of one pet, by Hypothesis, and which of its images end together."""

from hypothesis import strategies as st

from sploot_clusterd.engine import Params
from sploot_clusterd.engine.rows import decode_row
from tests.engine.pet import direction, insight, job

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


def grouping(pet):
    """Which images with vectors are in a cluster together."""
    home = {cell: key for key, cluster in pet.album.clusters.items() for cell in cluster.cells}
    groups = {}
    for name, raw in pet.rows().items():
        if (vectors := decode_row(raw).vectors) is not None:
            cell = pet.album.heirs.get(vectors.cell, vectors.cell)
            groups.setdefault(home[cell], set()).add(name)
    return sorted(map(sorted, groups.values()))
