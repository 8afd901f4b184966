"""What the daemon asks of an album and its jobs: sizes, counts and the work ahead."""

from sploot_clusterd.engine import work_estimate
from tests.engine.pet import Pet, direction, insight, job, photos


def test_the_metrics_figures_are_those_of_the_view():
    pet = Pet()
    pet.apply(job(1, *photos([3, 3]), insight("loner", -direction(0)), image_ids=["bare"]))

    metrics = pet.view["metrics"]

    assert (pet.album.shown_clusters, pet.album.unclustered_images) == (3, 1)
    assert (metrics["num_clusters"], metrics["num_unclustered"], metrics["num_images"]) == (3, 1, 8)


def test_the_estimate_of_work_grows_with_the_work():
    pet = Pet()
    pet.apply(job(1, *photos([8, 8])))
    one = job(2, insight("a", direction(0)))
    many = job(2, *photos({3: 64}))

    assert 0 < work_estimate(pet.album, [one]) < 0.002
    assert work_estimate(pet.album, [one]) < work_estimate(pet.album, [many])
    assert work_estimate(pet.album, [one]) < work_estimate(pet.album, [one._replace(force=True)])
    assert work_estimate(pet.album, [one]) < work_estimate(pet.album, [one, one])
    assert work_estimate(pet.album, [one]) < work_estimate(pet.album, [one._replace(image_ids=["x"] * 100)])
    assert work_estimate(pet.album, [job(2, force=True)]) > work_estimate(pet.album, [job(2)]) > 0
