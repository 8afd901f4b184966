"""Small fleets as files: synthetic albums of one encoder, cut short, for an album gives the sample 8 images at most."""

from pathlib import Path

import numpy as np

from tests.engine.synthetic import Fleet

DIMENSION = 32
IMAGES = 24
ALBUMS = 50
"""So many give the sample enough for a profile when less than half of their images have come."""


def collection(albums: int = ALBUMS, images: int = IMAGES, seed: int = 0) -> dict[str, np.ndarray]:
    """The arrays of albums that share no label; those of even numbers are of fold 0, the others of fold 1."""
    made = [Fleet(DIMENSION, seed).album(number, labels=4) for number in range(albums)]
    label = [np.unique(album.label[:images], return_inverse=True)[1] for album in made]
    labels = np.array([each.max() + 1 for each in label])
    sizes = np.array([len(each) for each in label])
    return {
        "embedding": np.concatenate([album.embedding[:images] for album in made]),
        "quality": np.concatenate([album.quality[:images] for album in made]),
        "degraded": np.concatenate([album.degraded[:images] for album in made]),
        "label": np.concatenate([each + before for each, before in zip(label, labels.cumsum() - labels, strict=True)]),
        "album_offset": np.concatenate([[0], sizes.cumsum()]),
        "album_member": np.arange(sizes.sum()),
        "album_fold": np.arange(albums) % 2,
        "label_fold": np.repeat(np.arange(albums) % 2, labels),
    }


def saved(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    np.savez(path, **arrays)
    return path
