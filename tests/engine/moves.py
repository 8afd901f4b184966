"""Fleets whose albums move from profile to profile, and what has to hold of an album after each move."""

from dataclasses import replace

import numpy as np
import pytest

from sploot_clusterd.engine import (
    learn,
    new_album,
    render,
)
from sploot_clusterd.engine.album_encoding import encode_changes
from sploot_clusterd.engine.rows import decode_row
from sploot_clusterd.engine.vector_format import VectorFormat
from sploot_clusterd.engine.vectors import image_weight
from sploot_clusterd.evaluate.albums import LabelledAlbum
from tests.engine.fleets import MODEL, sampled
from tests.engine.pet import Pet, job
from tests.engine.synthetic import Fleet

EVERY_KIND = {"embedding": 64, "pose": 34, "context": 20}
MISSING = {"embedding": 0.1, "pose": 0.3, "context": 0.3}


def fleet(**lengths):
    """Albums of these kinds, of which images lack some, and an album that no profile was learned from."""
    lengths = dict(lengths)
    dimension = lengths.pop("embedding")
    some = Fleet(dimension, others=lengths, missing={kind: MISSING[kind] for kind in lengths})
    return some, some.album(99, labels=4)


def learned(some: Fleet, *, settled=False, generation=1):
    rows = [some.album(number) for number in range(12)]
    kinds = {"embedding": np.concatenate([album.embedding for album in rows])}
    kinds |= {kind: np.concatenate([album.others[kind] for album in rows]) for kind in rows[0].others}
    found = learn(MODEL, sampled(kinds))
    assert found is not None
    return replace(found, generation=generation, settled=settled)


def came(pet: Pet, album: LabelledAlbum, *, begin=0, end=None, number=1) -> None:
    """The album's images from `begin` to `end`, eight to a job."""
    images = [album.insight(n) for n in range(len(album))][begin:end]
    for at in range(0, len(images), 8):
        pet.apply(job(number + at, *images[at : at + 8]))


def everything(pet: Pet) -> dict[bytes, bytes]:
    """The album as fields of its hash, whatever was written before."""
    return encode_changes(new_album("pet_123"), pet.album)[0]


def check(pet: Pet) -> None:
    """Rows and cells tell the same, and the album is the one that its fields hold."""
    counts, sums = {}, {}
    for raw in pet.rows().values():
        row = decode_row(raw)
        if row.vectors is None:
            continue
        cell, space = pet.album.heirs.get(row.vectors.cell, row.vectors.cell), pet.album.spaces[row.vectors.space]
        vector_format = VectorFormat(space.layout, pet.profiles.get(space.model_version, space.profile))
        counts[cell] = counts.get(cell, 0) + 1
        sums[cell] = sums.get(cell, 0) + np.float32(image_weight(row.quality)) * vector_format.compared(
            row.vectors.data
        )
    assert {cell: each.count for cell, each in pet.album.cells.items()} == counts
    for space in pet.album.spaces.values():
        assert space.sums == pytest.approx(
            np.array([sums[cell] for cell in space.ids]).reshape(space.sums.shape), abs=1e-3
        )
    before, view = everything(pet), render(pet.album, pet.params)
    pet.reload()
    assert everything(pet) == before
    assert render(pet.album, pet.params) == view


def empty(pet: Pet) -> None:
    pet.apply(job(10**6, removed=list(pet.rows())))
    assert (pet.album.cells, pet.album.clusters, pet.album.spaces) == ({}, {}, {})
    assert pet.view["metrics"]["num_images"] == 0


def generations(pet: Pet) -> dict[str, int]:
    return {space.model_version: space.profile for space in pet.album.spaces.values()}


def stored_sizes(pet: Pet) -> set[int]:
    return {len(row.vectors.data) for row in map(decode_row, pet.rows().values()) if row.vectors}
