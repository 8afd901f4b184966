"""`python -m docs.site` builds the site in build/manual/site, warnings being errors; `--serve` shows it meanwhile."""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from docs.site.stage import ROOT, stage

SETTINGS = Path(__file__).with_name("zensical.toml")
NEEDED = ("zensical", "latex2mathml", "mermaidx")


def build(directory: Path) -> Path:
    """Writes the pages to `directory`/pages and the site to `directory`/site, whose path it returns.

    Raises CalledProcessError if the generator warns of anything.
    """
    _generate(directory, "build", "--clean", "--strict")
    return directory / "site"


def serve(directory: Path, address: str) -> None:
    """Shows the site until Ctrl+C. Pages are read once: a change is seen when it is run again."""
    _generate(directory, "serve", "--dev-addr", address)


def _generate(directory: Path, command: str, *options: str) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    stage(directory / "pages")
    settings = shutil.copy(SETTINGS, directory)
    # The generator imports the extension of formulas by its name.
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(  # noqa: S603 - the program that this one runs on
        [sys.executable, "-m", "zensical", command, "--config-file", settings, *options], check=True, cwd=ROOT, env=env
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m docs.site", description=__doc__)
    parser.add_argument("--serve", nargs="?", const="127.0.0.1:8000", metavar="ADDRESS", help="show it at ADDRESS")
    arguments = parser.parse_args()
    if missing := [name for name in NEEDED if not importlib.util.find_spec(name)]:
        parser.error(f"{' and '.join(missing)} is not installed: pip install -e '.[docs]'")
    directory = ROOT / "build/manual"
    try:
        if arguments.serve:
            serve(directory, arguments.serve)
        else:
            sys.stdout.write(f"{build(directory) / 'index.html'}\n")
    except subprocess.CalledProcessError as error:
        return error.returncode
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
