"""Which word a commit leaves of insights."""

import asyncio

import msgspec
import pytest

from sploot_clusterd.engine import render
from sploot_clusterd.ingest import Wanting
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.model import Job
from sploot_clusterd.store import LIST, Commit
from tests.engine.pet import Pet, direction, insight, job


class Stage:
    """A pet whose jobs are applied, and what its commits say."""

    def __init__(self, *, write_back: bool = False) -> None:
        self.pet = Pet()
        self.left = asyncio.Event()
        self.metrics = Metrics()
        self.wanting = Wanting(self.left, self.metrics, write_back=write_back)

    def commit(self, *jobs: Job) -> Commit:
        before, token = self.pet.album, b"token" if self.pet.album.version else b""
        applied = self.pet.apply(*jobs, with_wants=True)
        view = render(applied.album, self.pet.params, with_wants=True)
        view, insights = self.wanting.news(
            jobs,
            applied,
            view,
            is_new=not token,
            view_before=lambda: render(before, self.pet.params) if token else b"",
        )
        return Commit("pet_123", [b"1-1"], token, None, applied.album.version, view=view, insights=insights)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def wants(commit: Commit) -> list[str]:
    return list(commit.insights.new_wants)


def test_the_first_job_of_a_pet_wants_its_list_and_what_has_no_vectors(stage: Stage):
    commit = stage.commit(job(1, insight("c", direction(0)), image_ids=["a", "b"]))
    assert wants(commit) == [LIST, "a", "b"]
    assert list(commit.insights.old_wants) == ["c"]


def test_a_later_job_wants_what_it_names(stage: Stage):
    stage.commit(job(1, image_ids=["a"]))
    assert wants(stage.commit(job(2, image_ids=["b"]))) == ["b"]
    assert wants(stage.commit(job(3, insight("d", direction(0))))) == []


def test_force_wants_the_list(stage: Stage):
    stage.commit(job(1, image_ids=["a"]))
    assert wants(stage.commit(job(2, force=True))) == [LIST]


def test_a_list_that_came_wants_its_images_and_no_list(stage: Stage):
    commit = stage.commit(job(1, job_id="insights-1", fetched="list", image_ids=["a"]))
    assert wants(commit) == ["a"]
    assert list(commit.insights.old_wants) == [LIST]
    part = stage.commit(job(2, job_id="insights-2", fetched="part_of_list", image_ids=["b"]))
    assert (wants(part), list(part.insights.old_wants)) == (["b"], [])


def test_what_was_removed_is_wanted_no_more(stage: Stage):
    stage.commit(job(1, image_ids=["a"]))
    commit = stage.commit(job(2, removed=["a"]))
    assert (wants(commit), list(commit.insights.old_wants)) == ([], ["a"])


def test_the_view_is_cut_where_the_number_belongs(stage: Stage):
    commit = stage.commit(job(1, image_ids=["a"]))
    view = msgspec.json.decode(commit.view + b"2" + commit.insights.rest_of_view)
    assert view["metrics"]["insights_wanted"] == 2


def test_those_who_take_it_up_are_woken_where_there_is_something(stage: Stage):
    commits = [stage.commit(job(1, image_ids=["a"])), stage.commit(job(2, insight("b", direction(0))))]
    stage.wanting.committed(commits[1:])
    assert not stage.left.is_set()
    stage.wanting.committed(commits[:1])
    assert stage.left.is_set()
    assert stage.metrics.registry.get_sample_value("media_cluster_insights_wanted_total") == 2


def test_where_readers_see_images_is_left_only_where_it_is_to_be_told():
    quiet, telling = Stage(), Stage(write_back=True)
    images = [insight(f"img-{n}", direction(0, 0.2, n)) for n in range(3)]
    assert quiet.commit(job(1, *images)).insights.untold == {}
    assert telling.commit(job(1, *images)).insights.untold.keys() == {"img-0", "img-1", "img-2"}
    assert telling.commit(job(2, removed=["img-2"])).insights.untold["img-2"] == b""
