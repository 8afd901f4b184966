"""An engine that fails for some jobs."""

import pytest

from sploot_clusterd.ingest import planner as planner_module


def failing_for(monkeypatch: pytest.MonkeyPatch, *bad: str) -> None:
    """The engine raises for jobs with these ids."""
    real = planner_module.apply

    def apply(album, jobs, *args, **kwargs):
        if any(job.job_id in bad for job in jobs):
            raise RuntimeError("boom")
        return real(album, jobs, *args, **kwargs)

    monkeypatch.setattr(planner_module, "apply", apply)
