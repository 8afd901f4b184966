"""Images without vectors: a list in the order in which they were announced first, cut into clusters by the newest
labels and coverage.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice, repeat

from sploot_clusterd.engine.album import ProvisionalCluster
from sploot_clusterd.engine.draft import Draft
from sploot_clusterd.engine.listings import Chunk, Listing, Turn
from sploot_clusterd.engine.rows import Row

_PER_CHUNK = 32
"""Images: of fewer the last chunk is written sooner, and of more there are fewer fields to go through."""


def enlist(draft: Draft, image_id: str, row: Row, place: Turn | None) -> None:
    """Puts the image into the list, where its turn is, or restates it. `place` is that of an announcement."""
    at = _find(draft, image_id)
    held = None if at is None else draft.chunks[at].images[image_id]
    listing = Listing(row.quality, first_turn(row, held.turn if held is not None else None, place))
    if listing == held:
        return
    draft.revision += 1
    if at is not None and held is not None and listing.turn == held.turn:
        chunk = draft.chunks[at]
        draft.chunks[at] = Chunk.of(chunk.number, {**chunk.images, image_id: listing})
    else:
        if at is not None:
            strike(draft, image_id)
        _insert(draft, image_id, listing)
    draft.provisional_changed = True


def first_turn(row: Row, held: Turn | None, place: Turn | None) -> Turn:
    """The first place since the image was removed last. What was announced in between is known by its registers."""
    if held is not None and row.removed is not None and held[:2] < row.removed:
        held = None
    if held is not None:
        return held if place is None else min(held, place)
    first = place
    for register in (row.listed, row.attributes):
        if register is not None and (first is None or register.at < first[:2]):
            first = (*register.at, 0)
    if first is None:
        raise ValueError("an image that is listed was announced")
    return first


def _insert(draft: Draft, image_id: str, listing: Listing) -> None:
    """Mostly at the end. A chunk that takes in latecomers may grow, for chunks are in the order of their numbers."""
    item = image_id, listing
    place = _place(item)
    at = len(draft.chunks)
    while at and place < _place(next(reversed(draft.chunks[at - 1].images.items()))):
        at -= 1
    if at == len(draft.chunks):
        if not draft.chunks or len(draft.chunks[-1].images) >= _PER_CHUNK:
            draft.chunks.append(Chunk(draft.count_up("chunk"), {}))
        draft.chunks[-1] = draft.chunks[-1].extended(image_id, listing)
        return
    chunk = draft.chunks[at]
    draft.chunks[at] = Chunk.of(chunk.number, dict(sorted([*chunk.images.items(), item], key=_place)))


def _place(item: tuple[str, Listing]) -> tuple[Turn, str]:
    """By its turn. Which one it was in its job is not known of some, and these could arrive in any order."""
    image_id, listing = item
    return listing.turn, image_id


def strike(draft: Draft, image_id: str) -> None:
    """Takes the image off the list."""
    at = _find(draft, image_id)
    if at is None:
        return
    chunk = draft.chunks[at]
    images = {name: quality for name, quality in chunk.images.items() if name != image_id}
    draft.chunks[at : at + 1] = [Chunk.of(chunk.number, images)] if images else []
    draft.provisional_changed = True


def turn_of(draft: Draft, image_id: str) -> Turn | None:
    """Of an image on the list."""
    at = _find(draft, image_id)
    return None if at is None else draft.chunks[at].images[image_id].turn


def regroup(draft: Draft) -> None:
    """Cuts the list anew. A cluster keeps its number as long as the newest labels hold its label."""
    job = draft.job
    labels: tuple[str | None, ...] = job.labels or (None,)
    known = {cluster.label: cluster for cluster in draft.provisional}
    total = sum([len(chunk.images) for chunk in draft.chunks])
    sizes = split(total, shares(job.labels, job.coverage)) if job.labels else [total]
    clusters: list[ProvisionalCluster] = []
    first = 0
    for label, size in zip(labels, sizes, strict=True):
        cluster = known.get(label)
        number, group = (cluster.number, cluster.group) if cluster else (None, None)
        if size and number is None:
            number = draft.count_up("number")
        if size and label is None and group is None:
            group = draft.count_up("group")
        clusters.append(ProvisionalCluster(label, number, group, first, first + size))
        first += size
    draft.provisional = tuple(clusters)


def best_images(
    chunks: Sequence[Chunk], cluster: ProvisionalCluster, at_most: int
) -> tuple[list[tuple[str, float | None]], list[float]]:
    """The cluster's best images with their quality, best first (ties in order); and all known qualities."""
    first, last = cluster.first, cluster.last
    images: list[tuple[str, float | None]] = []
    known: list[float] = []
    for chunk in chunks:
        count = len(chunk.images)
        if first < count:
            start = max(first, 0)
            if chunk.qualities:
                part = chunk.qualities[start:last]
                known += [quality for quality in part if quality is not None]
                images += zip(islice(chunk.images, start, last), part, strict=True)
            elif len(images) < at_most:  # further ones would not be among the best
                images += zip(islice(chunk.images, start, last), repeat(None), strict=False)
        first, last = first - count, last - count
        if last <= 0:
            break
    if known:
        images.sort(key=lambda image: image[1] or 0.0, reverse=True)
    return images[:at_most], known


def shares(labels: Sequence[str], coverage: Mapping[str, float]) -> list[float]:
    """Each label's share of the images; they sum to 1.

    A label takes its coverage key's share; labels without one share what is left of 1, evenly.
    """
    return list(_shares(tuple(labels), tuple(coverage.items())))


@lru_cache(maxsize=256)
def _shares(labels: tuple[str, ...], coverage: tuple[tuple[str, float], ...]) -> tuple[float, ...]:
    """Remembered: a pet's jobs tend to say the same."""
    given = match_coverage(labels, dict(coverage))
    matched = math.fsum(share for share in given if share is not None)
    without = given.count(None)
    left = max(1.0 - matched, 0.0) / without if without else 0.0
    raw = [left if share is None else share for share in given]
    total = math.fsum(raw)
    return tuple(share / total for share in raw) if total > 0 else (1.0 / len(raw),) * len(raw)


def split(total: int, parts: Sequence[float]) -> list[int]:
    """Whole numbers that sum to `total`, by largest remainder; equal remainders in the order given.

    `parts` sum to 1. See Balinski and Young, "Fair Representation", 1982, on Hamilton's method.
    """
    exact = [part * total for part in parts]
    counts = [int(value + 1e-9) for value in exact]
    if left := total - sum(counts):
        by_remainder = sorted([(round((counts[i] - value) * 1e9), i) for i, value in enumerate(exact)])
        for _, i in by_remainder[:left]:
            counts[i] += 1
    return counts


def match_coverage(labels: Sequence[str], coverage: Mapping[str, float]) -> list[float | None]:
    """Each label's coverage, None where no key matches.

    A key matches when, letters only and ignoring case, one is a prefix of the other. The longest key comes first,
    and no key is used twice.
    """
    free = {key: _letters(key) for key in sorted(coverage, key=lambda key: (-len(_letters(key)), key))}
    found: list[float | None] = []
    for label in labels:
        letters = _letters(label)
        fits = [
            key
            for key, other in free.items()
            if key == label or (letters and other and (letters.startswith(other) or other.startswith(letters)))
        ]
        best = min(fits, key=lambda key: (key != label, free[key] != letters), default=None)
        if best is not None:
            del free[best]
        found.append(None if best is None else coverage[best])
    return found


def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalpha())


def _find(draft: Draft, image_id: str) -> int | None:
    for at, chunk in enumerate(draft.chunks):
        if image_id in chunk.images:
            return at
    return None
