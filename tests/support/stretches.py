"""What work goes through from one checkpoint to the next: at most one step that may take long."""

from importlib import import_module

import pytest

ENGINE = {
    "job": ("sploot_clusterd.engine.jobs", "_apply_job"),
    "image": ("sploot_clusterd.engine.fold", "_fold_row"),
    "image founded anew": ("sploot_clusterd.engine.reclustering", "join"),
    "space partitioned": ("sploot_clusterd.engine.reclustering", "partition"),
    "image put back": ("sploot_clusterd.engine.restoring", "join"),
    "brought up to date": ("sploot_clusterd.engine.jobs", "_bring_up_to_date"),
    "frozen": ("sploot_clusterd.engine.apply", "_freeze"),
    "encoded": ("sploot_clusterd.engine.apply", "encode_changes"),
}
"""Steps: what goes through an image, or through all of an album. Each by who calls it, and by its name there."""


class Stretches:
    """The steps that were begun between two checkpoints, in their order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._stretches: list[list[str]] = [[]]
        for step, (module, name) in ENGINE.items():
            self.watch(step, import_module(module), name)

    def watch(self, step: str, owner: object, name: str) -> None:
        """Each call of the owner's function of that name is a step."""
        do = getattr(owner, name)

        def noted(*args, **more):
            self._stretches[-1].append(step)
            return do(*args, **more)

        self._monkeypatch.setattr(owner, name, noted)

    def checkpoint(self) -> None:
        """Where others are let by: here one stretch ends."""
        self._stretches.append([])

    def take(self) -> list[list[str]]:
        """The stretches with a step since this was asked last."""
        taken, self._stretches = [each for each in self._stretches if each], [[]]
        return taken
