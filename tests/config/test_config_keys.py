"""Names of streams and a namespace must not lead to one key of Redis for two things."""

import itertools

import pytest

from sploot_clusterd.config import ClustersSettings, Settings, StreamSettings, load
from sploot_clusterd.config.rules import contradictions
from sploot_clusterd.errors import ConfigError
from sploot_clusterd.keys import Keys

NAMES = (
    "n",
    "n:attempts",
    "n:attempts:attempts",
    "n:erased",
    "n:erased:attempts",
    "n:album",
    "n:images:a",
    "n:state:a",
    "n:profiles",
    "n:learning",
    "n:agreement",
    "n:agreed",
    "n:sampled:a",
)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"CLUSTER_DEAD_LETTER_STREAM": "s", "CLUSTER_STREAM_KEY": "s"},
            'stream.key = "s" ($CLUSTER_STREAM_KEY) and stream.dead_letter = "s" ($CLUSTER_DEAD_LETTER_STREAM)',
        ),
        (
            {"CLUSTER_DEAD_LETTER_STREAM": "streams:media.cluster:attempts"},
            "both would use the key 'streams:media.cluster:attempts'",
        ),
        (
            {"NAMESPACE": "streams", "CLUSTER_STREAM_KEY": "streams:erased"},
            'clusters.namespace = "streams" ($NAMESPACE)',
        ),
        ({"NAMESPACE": "n", "CLUSTER_STREAM_KEY": "n:album:x"}, "would be a pet's"),
        ({"NAMESPACE": "n", "CLUSTER_STREAM_KEY": "n:state"}, "the key 'n:state:attempts' would be a pet's"),
        ({"NAMESPACE": "n", "CLUSTER_DEAD_LETTER_STREAM": "n:images:x"}, 'stream.dead_letter = "n:images:x"'),
    ],
)
def test_a_key_for_two_things_is_refused(tmp_path, environ, said):
    with pytest.raises(ConfigError) as caught:
        load(environ=environ, directory=tmp_path)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_the_rule_knows_every_key():
    refused = 0
    for namespace, stream, dead_letter in itertools.product(NAMES, repeat=3):
        keys = Keys(namespace, stream, dead_letter)
        fixed = [value for name, value in vars(keys).items() if not name.startswith("_")]
        assert {*fixed} == {*keys.shared}
        many = (*keys.pet("X"), keys.profile("X"), *keys.sample("X"))
        others = tuple(name.removesuffix("X") for name in many)
        clash = len({*fixed}) < len(fixed) or any(key.startswith(others) for key in fixed)
        settings = Settings(
            clusters=ClustersSettings(namespace=namespace), stream=StreamSettings(key=stream, dead_letter=dead_letter)
        )
        assert bool(list(contradictions(settings, {}))) is clash, (namespace, stream, dead_letter)
        refused += clash
    assert 0 < refused < len(NAMES) ** 3
