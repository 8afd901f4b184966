"""The engine's settings reach the engine, and both sides have the same defaults."""

import pytest

from sploot_clusterd.config import Settings, load
from sploot_clusterd.config.schema import SCHEMA, environment_names
from sploot_clusterd.engine import Params

TEXTS = {"engine.algorithm": "average_linkage", "engine.min_cluster_size": "3"}


def test_the_defaults_are_the_engines_own():
    assert Params.of(Settings()) == Params()


@pytest.mark.parametrize("key", [key for key in SCHEMA if key.startswith("engine.")])
def test_each_setting_has_an_effect(key, tmp_path):
    environ = {environment_names(key)[0]: TEXTS.get(key, "0.77")}
    assert Params.of(load(environ=environ, directory=tmp_path)) != Params()
