"""What the fleet's commits came to, by heartbeats with times of their own."""

from sploot_clusterd.fleet.beat import Beat, beat, decode
from sploot_clusterd.fleet.beat import Process as Name
from sploot_clusterd.fleet.quality import QualityHistory
from sploot_clusterd.health import Health
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.quality import Totals
from sploot_clusterd.troubles import Troubles
from tests.fleet.beats import beat as told


def done(at: float, process: str = "a-0", since: float = 0.0, **totals: object) -> Beat:
    return told(at, process=process, since=since, quality=Totals(**totals))  # type: ignore[arg-type]


def test_a_process_tells_what_its_metrics_say():
    metrics = Metrics()
    metrics.merges.inc(3)
    metrics.corrections.labels("rename").inc(2)
    metrics.silhouette.observe_each([0.5, 0.25])
    metrics.unclustered_share.observe(0.1)
    quality = beat(Name("a-0", "1", 5.0, 1), 9.0, metrics, Health(60.0), Troubles()).quality
    assert quality == Totals(
        merges=3, corrections={"rename": 2}, silhouettes=0.75, silhouette_count=2, unclustered_shares=0.1,
        unclustered_count=1,
    )  # fmt: skip


def test_one_of_a_version_before_tells_nothing_of_it():
    beaten = decode(
        b'{"at":1,"process":"a","version":"1","since":0,"consumers":1,"reasons":[],"warnings":[],"done":1,"failed":0,'
        b'"dead":0,"restarts":0,"backlog":0,"oldest_s":0,"latencies":[],"lags":[]}'
    )
    assert beaten.quality == Totals()


def test_a_point_is_what_was_done_in_a_minute_and_totals_are_since_the_starts():
    seen = QualityHistory()
    seen.add([done(100.0, merges=50)], 100.0)
    seen.add([done(130.0, merges=51)], 130.0)
    assert seen.figures().points == []
    more = {"silhouettes": 3.0, "silhouette_count": 5, "corrections": {"rename": 2, "hide": 1}}
    seen.add([done(160.0, merges=53, **more)], 160.0)
    figures = seen.figures()
    (point,) = figures.points
    assert (point.at, point.merges, point.corrections, point.silhouette) == (160.0, 3, 3, 0.6)
    assert point.unclustered is None
    assert (figures.processes, figures.since, figures.totals.merges) == (1, 0.0, 53)
    assert figures.totals.corrections == {"rename": 2, "hide": 1}


def test_who_is_seen_first_makes_no_peak_and_who_began_anew_counts_from_nothing():
    seen = QualityHistory()
    seen.add([done(100.0, splits=5)], 100.0)
    seen.add([done(160.0, since=120.0, splits=2), done(160.0, "old-0", splits=900)], 160.0)
    assert [each.splits for each in seen.figures().points] == [2]
    assert seen.figures().totals.splits == 902


def test_of_nobody_there_is_nothing():
    figures = QualityHistory().figures()
    assert (figures.processes, figures.since, figures.points, figures.totals) == (0, None, [], Totals())
