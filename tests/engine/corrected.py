"""An album of three clusters, and corrections of it that have to be accepted, or refused."""

from sploot_clusterd.engine import JobStatus, Params
from tests.engine.pet import Pet, direction, insight, job, photos

EVERY = [Params(), Params(algorithm="average_linkage"), Params(max_cells=12)]
FIRST, SECOND, THIRD = (f"pet_123-cluster-{number}" for number in range(3))


def album(params=EVERY[0], groups=(5, 4, 3)):
    """Three clusters, g0 to g2."""
    pet = Pet(params)
    pet.apply(job(1, *photos(groups)))
    assert [pet.cluster_of(f"g{group}-0") for group in range(3)] == [FIRST, SECOND, THIRD]
    return pet


def corrected(pet, number, *corrections, added=(), **more):
    """Applies them as one job, which has to be accepted."""
    applied = pet.apply(job(number, *added, corrections=corrections, **more))
    assert [outcome.status for outcome in applied.outcomes] == [JobStatus.APPLIED], applied.outcomes
    return applied


def refused(pet, number, *corrections, added=()):
    """The reason and the text; nothing may have changed."""
    fields, before = dict(pet.fields), pet.album
    applied = pet.apply(job(number, *added, corrections=corrections))
    (outcome,) = applied.outcomes
    assert outcome.status is JobStatus.REJECTED
    assert (applied.changed, pet.fields, pet.album is before) == (False, fields, True)
    return outcome.error.reason, outcome.error.detail


def stir(pet, number):
    """Everything that may part or merge clusters again."""
    pet.apply(job(number, *photos({3: 4}), *(insight(f"g0-new{n}", direction(0, 0.3, 60 + n)) for n in range(3))))
    pet.apply(job(number + 1, force=True))
    pet.reload()
    for place, photo in enumerate(photos([5, 4, 3], spread=0.29)):
        pet.apply(job(number + 2 + place, photo))
    pet.apply(job(number + 20, force=True))


def images(pet):
    """The images of each cluster by its id, without those that only `stir` brings."""
    named = {cluster: {name for name in names if "new" not in name} for cluster, names in pet.members().items()}
    return {cluster: names for cluster, names in named.items() if names and not any(n.startswith("g3") for n in names)}


def group(number, count):
    return {f"g{number}-{n}" for n in range(count)}
