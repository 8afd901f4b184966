"""An album's figures, and those of several together."""

from sploot_clusterd.engine.questions import suggest
from sploot_clusterd.engine.review import review, summed
from sploot_clusterd.model import Hide
from tests.engine.corrected import FIRST, corrected
from tests.engine.pet import Pet, job, photos
from tests.engine.three_looks import album


def pet(*groups: int, model: str = "m@1") -> Pet:
    pet = Pet()
    pet.apply(job(1, *photos(groups), model_version=model))
    return pet


def test_figures_are_those_of_the_view():
    each = pet(9, 6, 1)
    reviewed = review(each.album, each.params)
    view = each.view
    figures = reviewed.album
    assert (figures.images, figures.clusters) == (16, len(view["clusters"]))
    assert figures.unclustered == view["metrics"]["num_unclustered"]
    assert sorted(reviewed.sizes) == sorted(cluster["size"] for cluster in view["clusters"])
    (model,) = reviewed.models
    assert (model.model_version, model.images, model.clusters) == ("m@1", 16, figures.clusters)
    assert model.silhouette == figures.silhouette
    assert 0 < (figures.silhouette or 0) <= 1


def test_what_is_left_to_do_is_what_questions_would_gain():
    each = album()
    gain = sum(one.expected_gain for one in suggest(each.album, each.params, 20).suggestions)
    assert abs(review(each.album, each.params).album.gain - gain) < 0.001
    assert gain > 1


def test_what_users_hid_is_no_cluster_that_is_seen():
    each = album()
    before = review(each.album, each.params)
    corrected(each, 2, Hide(FIRST))
    after = review(each.album, each.params)
    assert after.album.clusters == before.album.clusters - 1
    assert len(after.sizes) == len(before.sizes) - 1


def test_an_album_without_vectors_has_nothing_to_tell():
    each = Pet()
    each.apply(job(1, image_ids=["a", "b"]))
    assert review(each.album, each.params).album.silhouette is None
    sample = summed([review(each.album, each.params)], "then", unreadable=0, complete=True)
    assert (sample.albums, sample.images, sample.models, sample.look, sample.gain) == (1, 0, [], [], 0)


def test_albums_are_added_up_by_encoder_and_those_with_most_to_gain_come_first():
    some = [pet(9, 6), pet(5, 5, model="n@1"), album(), pet(7, 4)]
    reviews = [review(each.album, each.params) for each in some]
    sample = summed(reviews, "then", unreadable=2, complete=False)
    assert (sample.at, sample.albums, sample.unreadable, sample.complete) == ("then", 4, 2, False)
    assert sample.images == 15 + 10 + 19 + 11
    assert [(each.model_version, each.albums, each.images) for each in sample.models] == [
        ("m@1", 3, 45),
        ("n@1", 1, 10),
    ]
    assert sum(each.clusters for each in sample.sizes) == sum(len(each.sizes) for each in reviews)
    assert [each.up_to for each in sample.sizes] == sorted({each.up_to for each in sample.sizes})
    gains = [each.gain for each in sample.look]
    assert gains == sorted(gains, reverse=True)
    assert min(gains) > 0
    models = [each for one in reviews for each in one.models if each.model_version == "m@1"]
    parts = [(each.silhouette, each.images) for each in models if each.silhouette is not None]
    mean = sum(value * images for value, images in parts) / sum(images for _, images in parts)
    assert abs((sample.models[0].silhouette or 0) - mean) < 0.002
