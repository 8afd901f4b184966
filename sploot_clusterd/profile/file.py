"""A profile in a file, as `clusterd profile export` writes it."""

from pathlib import Path

from sploot_clusterd.engine import Profile, decode_profile
from sploot_clusterd.errors import BadStateError, ClusterdError


def read_profile(file: Path) -> Profile:
    """Raises ClusterdError if the file cannot be read or holds no profile."""
    try:
        return decode_profile(file.read_bytes())
    except OSError as error:
        raise ClusterdError(f"{file}: {error.strerror}: give a file that can be read") from None
    except BadStateError as error:
        raise ClusterdError(f"{file}: {error}: give a file that `clusterd profile export` wrote") from None
