"""What a profile says, in words: for an operator who wants to know what was found of an encoder, and what follows."""

from collections.abc import Iterator
from typing import Final

from sploot_clusterd.engine import Profile
from sploot_clusterd.engine.profile import KindProfile
from sploot_clusterd.engine.scale import LEAST_PETS, USUAL_DEVIATION, Likeness
from sploot_clusterd.engine.spectrum import ENOUGH

_STABLE: Final = 0.01


def told(profile: Profile) -> list[str]:
    """A sentence or two a line."""
    lines = list(_scale(profile.likeness))
    for kind, known in profile.kinds.items():
        lines.append(f"{kind}: {_axes(known)}")
    lines.append(_drift(profile))
    return lines


def _scale(likeness: Likeness | None) -> Iterator[str]:
    if likeness is None:
        yield (
            f"scale 1, which is the usual one: it was not measured, for that takes {LEAST_PETS} sampled pets of two "
            "images or more and a profile of this version of the daemon (`clusterd profile drop` begins anew)"
        )
        return
    yield (
        f"scale {likeness.scale:.2f}: the cosines of two photos of one pet deviate by {likeness.within:.3f} "
        f"(of {likeness.pets} pets), where {USUAL_DEVIATION} is usual, and thresholds follow that"
    )
    if likeness.tells_apart:
        yield (
            f"contrast {likeness.contrast:.2f}: so much more alike are photos of one pet than those of different pets, "
            "which have 1"
        )
    else:
        yield (
            f"contrast {likeness.contrast:.2f}: photos of one pet are no more alike than those of different pets (1). "
            "This encoder cannot tell animals apart, or its vectors are not what they should be: clusters say little"
        )


def _axes(known: KindProfile) -> str:
    spectrum = known.spectrum
    if spectrum is None:
        if not len(known.axes):
            return "too few images for axes yet: vectors are compared in full, less the fleet's mean"
        return f"{known.dimension} axes, whitened half way, by a former version of the daemon"
    found = f"effective dimension {spectrum.effective:.0f} of {known.length}"
    if not spectrum.axes and spectrum.effective < ENOUGH:
        return f"{found}; axes were tried, and told pets apart no better than none: compared in full, less the mean"
    if not spectrum.axes:
        return (
            f"{found}, which is so even that axes would take away more than they give: compared in full, less the mean"
        )
    if not spectrum.power:
        return (
            f"{found}, which is even: compared on {spectrum.axes} axes without whitening, which leave out "
            f"{spectrum.left_out:.0%} of the variance"
        )
    return (
        f"{found}: compared on {spectrum.axes} axes, which leave out {spectrum.left_out:.0%} of the variance, each "
        f"divided by its variance to the power {spectrum.power:.2f}; that makes the effective dimension "
        f"{spectrum.scaled:.0f}"
    )


def _drift(profile: Profile) -> str:
    if profile.drift is None:
        return "drift: none to tell, as there was no generation of the same kinds before"
    if profile.settled:
        return f"drift {profile.drift:.4f} from the generation before; it is settled, and nothing more is learned"
    return (
        f"drift {profile.drift:.4f} from the generation before; it settles below {_STABLE}, once a sample of "
        "half as many images again changes no more"
    )
