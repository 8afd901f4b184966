"""`clusterd profile` as an operator meets it."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from redis.asyncio import Redis

from sploot_clusterd.cli import main
from sploot_clusterd.config import RedisSettings, SecretUrl, Settings
from sploot_clusterd.encoder_words import told
from sploot_clusterd.engine import (
    Profile,
    Sampled,
    decode_profile,
    encode_profile,
    encode_sampled,
    learn,
    worth_learning,
)
from sploot_clusterd.engine.profile import KindProfile
from sploot_clusterd.engine.scale import Likeness
from sploot_clusterd.engine.spectrum import Spectrum
from sploot_clusterd.metrics import Metrics
from sploot_clusterd.store import ProfileStore, State, Store

NAMESPACE = "sploot.media.clusters"


def sample(count: int = 400, length: int = 16) -> list[Sampled]:
    vectors = np.random.default_rng(0).normal(size=(count, length)) + 2
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [Sampled(None, {"embedding": vector.astype("<f2").tobytes()}) for vector in vectors]


def profile(version: str = "clip-b32", length: int = 16) -> Profile:
    found = learn(version, sample(length=length))
    assert found is not None
    return replace(found, settled=False, drift=0.25)


class Operator:
    """Types commands, and reads what they print."""

    def __init__(self, redis: Redis, store: ProfileStore, capsys: pytest.CaptureFixture[str]) -> None:
        self.redis = redis
        self.store = store
        self._capsys = capsys

    async def types(self, *words: object) -> tuple[int, str, str]:
        """Exit code, output, errors. In a thread, for the command runs an event loop of its own."""
        code = await asyncio.to_thread(main, ["profile", *map(str, words)])
        return code, *self._capsys.readouterr()

    async def has_sampled(self, version: str = "clip-b32", *, length: int = 16) -> None:
        images = {f"pet-{n}#0": encode_sampled(image) for n, image in enumerate(sample(3, length))}
        await self.redis.hset(f"{NAMESPACE}:sample:{version}", mapping=images)
        await self.redis.zadd(f"{NAMESPACE}:sampled:{version}", {slot: n / 10 for n, slot in enumerate(images)})
        await self.redis.hsetnx(f"{NAMESPACE}:profiles", version, "0")

    async def has_learned(self, version: str = "clip-b32") -> Profile:
        await self.has_sampled(version)
        first = profile(version)
        assert await self.store.publish(version, State(0), State(1), encode_profile(first))
        return first

    async def states(self) -> dict[str, State]:
        return dict((await self.store.poll()).states)

    async def stored(self, version: str, generation: int) -> Profile:
        return decode_profile(await self.store.fetch(version, generation))


@pytest.fixture
async def operator(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("REDIS_URL", redis_url)
    store = Store.open(Settings(redis=RedisSettings(url=SecretUrl(redis_url))), Metrics())
    yield Operator(redis, store.profiles, capsys)
    await store.close()


async def test_list_is_a_table(operator: Operator):
    await operator.has_learned()
    await operator.has_sampled("")
    code, out, err = await operator.types("list")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "generation state    learned from sampled drift  model version",
        "0          learning 0            3       -      ''",
        "1          learning 400          3       0.2500 'clip-b32'",
    ]


async def test_list_for_machines_is_an_object_a_line(operator: Operator):
    await operator.has_learned()
    code, out, _ = await operator.types("list", "--json")
    assert code == 0
    assert json.loads(out) == {
        "model_version": "clip-b32",
        "generation": 1,
        "state": "learning",
        "learned_from": 400,
        "sampled": 3,
        "drift": 0.25,
    }


async def test_without_samples_it_says_so(operator: Operator):
    assert await operator.types("list") == (0, "", "no model version was sampled yet\n")


async def test_show_tells_of_each_kind(operator: Operator):
    await operator.has_learned()
    code, out, _ = await operator.types("show", "clip-b32")
    assert code == 0
    assert "generation: 1\nstate: learning\nlearned from: 400\nsampled: 3\ndrift: 0.25\n" in out
    assert "embedding: length 16, dimension 15" in out
    _, out, _ = await operator.types("show", "clip-b32", "--json")
    assert json.loads(out)["kinds"]["embedding"]["length"] == 16


def likeness(within: float, between: float) -> Likeness:
    return Likeness(40, within, 0.0, between)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (None, "scale 1, which is the usual one: it was not measured"),
        (likeness(0.094, 0.06), "scale 0.40: the cosines of two photos of one pet deviate by 0.094 (of 40 pets)"),
        (likeness(0.094, 0.06), "contrast 1.57: so much more alike are photos of one pet"),
        (likeness(0.061, 0.06), "This encoder cannot tell animals apart"),
    ],
)
def test_a_scale_is_told_in_words(found: Likeness | None, sentence: str):
    assert any(sentence in line for line in told(replace(profile(), likeness=found)))


@pytest.mark.parametrize(
    ("spectrum", "axes", "sentence"),
    [
        (None, 0, "too few images for axes yet"),
        (None, 4, "4 axes, whitened half way, by a former version of the daemon"),
        (
            Spectrum(260.0, 260.0, 0.0, 0, 0.0),
            0,
            "260 of 16, which is so even that axes would take away more",
        ),
        (Spectrum(60.0, 60.0, 0.0, 0, 0.0), 0, "axes were tried, and told pets apart no better than none"),
        (Spectrum(90.0, 90.0, 0.0, 4, 0.02), 4, "which is even: compared on 4 axes without whitening"),
        (Spectrum(60.0, 125.0, 0.25, 4, 0.18), 4, "compared on 4 axes, which leave out 18% of the variance"),
    ],
)
def test_what_was_chosen_of_a_kind_is_told_in_words(spectrum: Spectrum | None, axes: int, sentence: str):
    known = KindProfile(np.zeros(16), np.zeros((axes, 16)), np.ones(axes), 0.0, spectrum)

    assert any(sentence in line for line in told(replace(profile(), kinds={"embedding": known})))


def test_drift_is_told_in_words():
    assert "it settles below 0.01" in told(profile())[-1]
    assert "it is settled" in told(replace(profile(), settled=True))[-1]
    assert "none to tell" in told(replace(profile(), drift=None))[-1]


@pytest.mark.parametrize("words", [("show", "x"), ("freeze", "x"), ("export", "x", "file")])
async def test_an_unknown_model_version_is_exit_1(operator: Operator, words: tuple[str, ...]):
    code, out, err = await operator.types(*words)
    assert (code, out) == (1, "")
    assert err == "clusterd: 'x' is no model version that is known; `clusterd profile list` shows those that are\n"


async def test_freeze_makes_the_same_profile_final(operator: Operator):
    first = await operator.has_learned()
    assert await operator.types("freeze", "clip-b32") == (0, "'clip-b32' is settled, at generation 2\n", "")
    assert await operator.states() == {"clip-b32": State(2, settled=True)}
    final = await operator.stored("clip-b32", 2)
    assert (final.generation, final.settled, final.drift) == (2, True, 0.0)
    assert np.array_equal(final.kinds["embedding"].mean, first.kinds["embedding"].mean)
    assert not await operator.redis.exists(f"{NAMESPACE}:sample:clip-b32", f"{NAMESPACE}:sampled:clip-b32")
    assert (await operator.types("freeze", "clip-b32"))[:2] == (
        0,
        "'clip-b32' is settled already, at generation 2\n",
    )


async def test_to_freeze_what_has_no_profile_yet_ends_its_sampling(operator: Operator):
    await operator.has_sampled()
    code, out, _ = await operator.types("freeze", "clip-b32")
    assert (code, out) == (0, "'clip-b32' is settled, at generation 0: it gets no profile\n")
    assert await operator.states() == {"clip-b32": State(0, settled=True)}
    assert not await operator.redis.exists(f"{NAMESPACE}:sample:clip-b32")


async def test_what_is_exported_can_be_imported_elsewhere(operator: Operator, tmp_path: Path):
    first = await operator.has_learned()
    file = tmp_path / "clip.profile"
    assert (await operator.types("export", "clip-b32", file))[0] == 0
    await operator.redis.flushall()
    code, out, _ = await operator.types("import", file)
    assert (code, out.startswith("'clip-b32' has generation 1 now, settled")) == (0, True)
    imported = await operator.stored("clip-b32", 1)
    assert imported.settled
    assert np.allclose(imported.kinds["embedding"].axes, first.kinds["embedding"].axes, atol=1e-3)
    assert (await operator.types("import", file))[0] == 0
    assert await operator.states() == {"clip-b32": State(2, settled=True)}


async def test_an_import_for_other_lengths_is_refused(operator: Operator, tmp_path: Path):
    file = tmp_path / "long.profile"
    file.write_bytes(encode_profile(profile(length=32)))
    await operator.has_sampled()
    for learned in (False, True):
        if learned:
            await operator.has_learned()
            await operator.redis.delete(f"{NAMESPACE}:sample:clip-b32")
        code, out, err = await operator.types("import", file)
        assert (code, out) == (1, "")
        assert "embedding: the file's profile is for 32 values, and 'clip-b32' has 16 here" in err


async def test_files_that_cannot_be_used_are_told(operator: Operator, tmp_path: Path):
    rubbish = tmp_path / "rubbish"
    rubbish.write_bytes(b"\xc1rubbish")
    await operator.has_learned()
    for words, says in (
        (("import", tmp_path / "none"), "none: No such file or directory: give a file that can be read"),
        (("import", rubbish), "give a file that `clusterd profile export` wrote"),
        (("export", "clip-b32", tmp_path / "no" / "file"), "file: No such file or directory: give a file that can be"),
    ):
        code, out, err = await operator.types(*words)
        assert (code, out) == (1, "")
        assert says in err
    await operator.has_sampled("young")
    code, _, err = await operator.types("export", "young", tmp_path / "x")
    assert code == 1
    assert err.startswith("clusterd: 'young' has no profile yet")


@pytest.mark.parametrize("words", [("freeze", "clip-b32"), ("import", "clip.profile")])
async def test_who_is_overtaken_is_told_to_try_again(
    operator: Operator, tmp_path: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    await operator.has_learned()
    (tmp_path / "clip.profile").write_bytes(encode_profile(profile()))

    async def overtaken(*_: object) -> bool:
        return False

    monkeypatch.setattr(ProfileStore, "publish", overtaken)
    code, _, err = await operator.types(*words)
    assert (code, err) == (1, "clusterd: another profile of 'clip-b32' was published at this moment: run it again\n")


async def test_a_lost_profile_is_told(operator: Operator):
    await operator.has_learned()
    await operator.redis.delete(f"{NAMESPACE}:profile:clip-b32")
    for action in ("show", "freeze"):
        code, _, err = await operator.types(action, "clip-b32")
        assert code == 1
        assert "generation 1 of the profile of 'clip-b32' is not in Redis any more" in err


def test_without_redis_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "c.toml"
    file.write_text('[redis]\nurl = "redis://127.0.0.1:1/0"\n')
    assert main(["profile", "list", "--config", str(file)]) == 1
    assert capsys.readouterr().err.startswith("clusterd: redis unavailable (redis.url is redis://127.0.0.1:1/0, from ")


@pytest.mark.parametrize("action", ["", "list", "show", "freeze", "export", "import"])
def test_help_has_an_example(action: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="0"):
        main(["profile", *action.split(), "--help"])
    assert f"  clusterd profile {action or 'list'}" in capsys.readouterr().out


async def test_drop_begins_anew(operator: Operator):
    await operator.has_learned()
    code, out, _ = await operator.types("drop", "clip-b32", "--dry-run")
    assert (code, out) == (0, "would forget generation 1 of 'clip-b32' and 3 sampled images\n")
    assert (await operator.states())["clip-b32"] == State(1)
    code, out, _ = await operator.types("drop", "clip-b32")
    assert code == 0
    assert out.startswith("forgot generation 1 of 'clip-b32' and 3 sampled images; learning begins anew")
    assert (await operator.states())["clip-b32"] == State(2)
    empty = decode_profile(await operator.store.fetch("clip-b32", 2))
    assert (empty.kinds, empty.settled) == ({}, False)
    assert worth_learning(300, empty)
    again = learn("clip-b32", sample(length=24), empty)
    assert again is not None
    assert (again.generation, again.settled) == (3, False)
    assert await operator.store.sample("clip-b32") == {}
    assert await operator.store.fetch("clip-b32", 1), "albums of it stay readable"
    code, _, err = await operator.types("drop", "other")
    assert (code, "no model version that is known" in err) == (1, True)
