"""A fleet of pets whose photos one encoder has seen, and what is asked of its albums."""

import numpy as np

from sploot_clusterd.engine import LEAST_SAMPLE, Album, decode_album
from tests.support.side import Side

LENGTH = 64
LOOKS = np.random.default_rng(1).normal(size=(12, LENGTH))
COMMON = 3 * np.random.default_rng(2).normal(size=LENGTH)
PETS = 70


def photos(pet: int, count: int = 12, *, begin: int = 0, length: int = LENGTH) -> dict:
    """A job's payload: photos of three looks that other pets have as well, under what all photos have in common."""
    draw = np.random.default_rng([pet, begin])
    images = []
    for n in range(begin, begin + count):
        vector = COMMON + LOOKS[(pet + n % 3) % len(LOOKS)] + 0.2 * draw.normal(size=LENGTH)
        images.append({"image_id": f"img-{n}", "embedding": vector[:length].tolist(), "quality": 0.8})
    return {"images": images, "model_version": "v1"}


async def add_photos(side: Side, pets: range, **more: int) -> None:
    """A job for each pet, applied."""
    for pet in pets:
        await side.add(f"pet-{pet}", payload=photos(pet, **more))
    await side.run()


async def learn_first_profile(side: Side) -> None:
    """A fleet large enough, and its first profile."""
    await add_photos(side, range(PETS))
    await side.learner.refresh()
    await side.learner.refresh()
    assert side.registry.sampled("v1") >= LEAST_SAMPLE
    assert await side.learner.learn()


async def album(side: Side, pet: str) -> Album:
    fields = await side.redis.hgetall(side.keys.pet(pet).album)
    fields.pop(b"token")
    return decode_album(pet, fields)


async def generations(side: Side, pet: str) -> dict[str, int]:
    return {space.model_version: space.profile for space in (await album(side, pet)).spaces.values()}


def ids(view: dict) -> dict[str, set[str]]:
    return {cluster["id"]: {member["image_id"] for member in cluster["members"]} for cluster in view["clusters"]}
