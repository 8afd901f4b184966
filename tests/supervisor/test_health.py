"""What the probes read."""

from sploot_clusterd.health import Health


def test_health_tells_what_is_wrong_and_what_went_stale():
    now = 100.0
    health = Health(10.0, lambda: now)
    health.expect("reader")
    health.set_fault("redis", "redis unavailable")
    health.set_warning("backlog", "nearly full")
    assert (health.reasons(), health.warnings()) == (["redis unavailable"], ["nearly full"])
    assert health.making_progress()
    now += 11
    assert not health.making_progress()
    assert health.reasons()[1] == "reader: no completed pass for 11 s"
    health.progress("reader")
    health.clear_fault("redis")
    health.clear_warning("backlog")
    assert health.reasons() == health.warnings() == []
