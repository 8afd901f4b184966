"""Some worlds, and that the oracle would notice."""

import pytest

from sploot_clusterd.engine import groups
from tests.oracle.world import World


def live(seeds):
    for seed in seeds:
        World(seed).live(60)


DISAGREED = (462, 869, 1579, 1937, 2935, 4234, 5953)
"""Worlds that an hour of them found."""


@pytest.mark.parametrize("seed", [*range(1, 91), *DISAGREED])
def test_the_engine_does_what_the_pages_say(seed):
    live([seed])


def test_the_oracle_notices_an_engine_that_forgets_what_was_shown(monkeypatch):
    choose = groups.choose_hero
    monkeypatch.setattr(groups, "choose_hero", lambda _present, *more: choose(None, *more))

    with pytest.raises(AssertionError, match="hardly better"):
        live(range(1, 91))
