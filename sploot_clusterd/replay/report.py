"""A rehearsal's report as a file: JSON for programs, a page with pictures for people."""

import json
from pathlib import Path

from msgspec import to_builtins

from sploot_clusterd.errors import ConfigError
from sploot_clusterd.replay.page import page
from sploot_clusterd.replay.summary import Summary


def write(file: Path, told: Summary) -> None:
    """By the file's name, which ends with .json or .html. Raises ConfigError where it cannot be written."""
    text = json.dumps(to_builtins(told), indent=2) + "\n" if file.suffix == ".json" else page(told)
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(f"--report {file}: cannot be written: {error.strerror}") from None
