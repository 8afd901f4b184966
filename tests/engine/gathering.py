"""A pet with clusters of many images, and all images of one, gathered from rows."""

from sploot_clusterd.engine.album import Cluster
from sploot_clusterd.engine.members import Gathering, find_cluster, profile_of
from tests.engine.pet import START_MS, Pet, direction, insight, job

LOOKS = 3


def pet_of(count=60, **more):
    """Three looks, and far more images of each than a cell remembers or a view lists."""
    pet = Pet(**more)
    for look in range(LOOKS):
        images = [insight(f"g{look}-{n}", direction(look, 0.3, n), captured_ms=START_MS - n) for n in range(count)]
        pet.apply(job(look + 1, *images))
    return pet


def gathered(pet, number, pages=7):
    cluster = find_cluster(pet.album, number)
    assert isinstance(cluster, Cluster)
    profile = pet.profiles.known.get(profile_of(pet.album, cluster))
    gathering = Gathering(pet.album, cluster, pet.params, profile)
    rows = list(pet.rows().items())
    for page in range(pages):
        gathering.take(dict(rows[page::pages]))
    gathering.take(dict(rows[:5]))  # some come twice
    return cluster, gathering.members()
