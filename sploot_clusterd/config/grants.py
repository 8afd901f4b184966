"""What must hold between those who may call."""

from collections.abc import Iterator

from sploot_clusterd.config.rules import SHORTEST_TOKEN, is_weak
from sploot_clusterd.config.sections import Sections


def problems(settings: Sections) -> Iterator[str]:
    """Names, tokens and identities that do not tell one from the other, and tokens that can be guessed.

    None of these has to be set, so there is no place for a weak one.
    """
    names: dict[str, str] = {}
    identities: dict[str, str] = {}
    owners = dict.fromkeys(settings.http.tokens, "http.tokens")
    for grant in settings.http.grants:
        if (first := names.setdefault(grant.name, grant.setting)) != grant.setting:
            yield f"{grant.setting}.name = {grant.name!r}: {first} goes by it; expected another name"
        if any(map(is_weak, grant.tokens)):
            yield f"{grant.setting}: expected tokens of at least {SHORTEST_TOKEN} bytes"
        for token in grant.tokens:
            if (owner := owners.setdefault(token, grant.setting)) != grant.setting:
                yield f"{grant.setting} and {owner}: they have the same token; expected one of its own for each"
        for identity in grant.identities:
            if (owner := identities.setdefault(identity, grant.setting)) != grant.setting:
                yield f"{grant.setting}.identities: {identity!r} is in {owner} as well; expected it once"
