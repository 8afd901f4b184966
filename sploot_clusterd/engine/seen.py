"""Where readers see each image of a view, and what of that is new in the next one."""

from collections.abc import Collection

import msgspec

from sploot_clusterd.view import Seen, View

_encode = msgspec.json.Encoder().encode
_view = msgspec.json.Decoder(View).decode


def seen_anew(before: bytes, after: bytes, removed: Collection[str]) -> dict[str, bytes]:
    """By image where it is seen in the view `after`, as JSON, if it was seen elsewhere `before` (b"": nowhere at all).

    A score alone is no news, for nearly every job changes some. An image that is seen no more is in no cluster; of one
    that was removed there is nothing to say: b"".
    """
    old, new = _seen(before) if before else {}, _seen(after)
    now = {**dict.fromkeys(old.keys() - new.keys(), _nowhere(_view(after))), **new}
    news = {
        image_id: _encode(seen) for image_id, seen in sorted(now.items()) if _place(seen) != _place(old.get(image_id))
    }
    return {**news, **{image_id: b"" for image_id in sorted(removed) if image_id not in new}}


def _place(seen: Seen | None) -> object:
    return seen and (seen.cluster_id, seen.label, seen.position, seen.is_hero)


def _seen(raw: bytes) -> dict[str, Seen]:
    shown = _view(raw)
    found = dict.fromkeys(shown.unclustered, _nowhere(shown))
    for cluster in shown.clusters:
        for member in cluster.members:
            is_hero = member.image_id == cluster.hero_image_id
            place = (cluster.id, cluster.label, member.position, member.score)
            found[member.image_id] = Seen(*place, is_hero, shown.model_version)
    return found


def _nowhere(shown: View) -> Seen:
    return Seen(None, None, 0, 0.0, is_hero=False, model_version=shown.model_version)
