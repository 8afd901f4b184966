"""Small fleets as files: synthetic albums of one encoder, cut short, for an album gives the sample 8 images at most."""

from pathlib import Path

import numpy as np

from tests.engine.synthetic import Fleet

DIMENSION = 32
IMAGES = 24
ALBUMS = 50
"""So many give the sample enough for a profile when less than half of their images have come."""

_LABELS, _EACH, _DIMENSIONS = 4, 15, 64


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


def arrays(seed: int = 1) -> dict[str, np.ndarray]:
    """Two albums of four well separated labels, a third of the images degraded and of low quality."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(_LABELS), _EACH)
    centres = rng.normal(size=(_LABELS, _DIMENSIONS))
    degraded = (np.arange(len(label)) % 3 == 0).astype(np.uint8)
    order = np.concatenate([rng.permutation(len(label)) for _ in range(2)])
    return {
        "embedding": (centres[label] + 0.3 * rng.normal(size=(len(label), _DIMENSIONS))).astype(np.float16),
        "label": label,
        "quality": np.where(degraded, 0.2, 0.8).astype(np.float32),
        "degraded": degraded,
        "album_offset": np.array([0, len(label), 2 * len(label)]),
        "album_member": order,
    }
