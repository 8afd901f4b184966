"""Laws of a run's parts: its pace, its rounds of jobs, its times."""

import json
import math
from itertools import islice, pairwise

import yaml
from hypothesis import given
from hypothesis import strategies as st

from sploot_clusterd.replay.jobs import once, rounds
from sploot_clusterd.replay.latencies import Latencies
from sploot_clusterd.replay.pace import Pace
from sploot_clusterd.replay.tally import READS, VISIBLE, Held
from tests.docs.pages import ROOT

RATES = st.floats(0.5, 1000)
SHARES = st.floats(0, 1)


@given(RATES, st.floats(0, 100), SHARES)
def test_jobs_are_due_in_their_order(rate, ramp, jitter):
    due = list(islice(Pace(rate, ramp, jitter).due(), 200))
    assert due[0] >= 0
    assert all(earlier <= later for earlier, later in pairwise(due))


@given(RATES, SHARES)
def test_a_rate_is_kept_but_for_the_jitter(rate, jitter):
    due = list(islice(Pace(rate, 0.0, jitter).due(), 100))
    assert all(abs(at - n / rate) <= jitter / rate / 2 + 1e-9 for n, at in enumerate(due))


@given(st.floats(1, 100), st.floats(0.1, 50))
def test_over_its_ramp_half_as_many_jobs_are_due(rate, ramp):
    expected = rate * ramp / 2
    due = islice(Pace(rate, ramp).due(), math.ceil(expected) + 5)
    assert abs(sum(at < ramp for at in due) - expected) <= 1


def test_as_fast_as_it_goes_all_are_due_at_once():
    assert set(islice(Pace(0.0).due(), 10)) == {0.0}


@given(st.lists(st.floats(1e-5, 1000), min_size=1), SHARES)
def test_a_quantile_is_within_a_fiftieth_of_the_true_one(seconds, share):
    times = Latencies()
    for each in seconds:
        times.add(each)
    true = sorted(seconds)[max(0, math.ceil(share * len(seconds)) - 1)]
    assert math.isclose(times.quantile(share), true, rel_tol=0.02)
    assert times.longest == max(seconds)


def test_no_times_have_no_quantile():
    assert Latencies().quantile(0.5) is None


def test_each_round_has_ids_of_its_own_and_else_the_same():
    jobs = [b'{"pet_id":"a","job_id":"j1","payload":{"image_ids":["x"]}}', b'{"pet_id":"b"}', b"no JSON", b"[1]"]
    first, second = (list(islice(each, 4)) for each in (rounds(jobs, "run"), islice(rounds(jobs, "run"), 4, None)))
    assert [json.loads(posted[0].body)["job_id"] for posted in (first, second)] == ["j1.run.1", "j1.run.2"]
    assert {**json.loads(second[0].body), "job_id": "j1"} == json.loads(jobs[0])
    assert [posted.body for posted in first[1:]] == [posted.body for posted in second[1:]] == jobs[1:]
    assert [posted.pet_id for posted in first] == ["a", "", "", ""]


def test_once_is_as_it_is():
    assert [posted.body for posted in once([b"a", b"b"])] == [b"a", b"b"]


@given(st.integers(1, 3000), st.integers(0, 5))
def test_an_objective_is_missed_by_its_share(good, bad):
    held = Held(READS)
    for number in range(good + bad):
        held.add(0.01 if number < good else 0.06)
    assert held.missed == (good / (good + bad) < READS.share)


def test_nothing_measured_misses_nothing():
    assert not Held(VISIBLE).missed


def test_the_objectives_are_those_of_the_alerts():
    alerts = (ROOT / "docs/alerts.yml").read_text()
    records = (ROOT / "docs/objectives.yml").read_text()
    for objective, record in ((VISIBLE, "jobs_late"), (READS, "reads_bad")):
        budget = f"{round(1 - objective.share, 6):g}"
        [rule] = [
            rule
            for group in yaml.safe_load(alerts)["groups"]
            for rule in group["rules"]
            if record in rule["expr"] and rule["alert"].endswith("Fast")
        ]
        assert f"14.4 * {budget} " in rule["expr"]
        assert f'le="{objective.seconds}"' in records
