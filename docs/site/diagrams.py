"""Mermaid diagrams drawn when the site is built: a browser would have to fetch the program that draws them."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path

_DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def with_pictures(text: str, directory: Path) -> str:
    """The page with a picture, written to `directory`, in place of each diagram.

    Raises CalledProcessError if one of them cannot be drawn.
    """

    def drawn(found: re.Match[str]) -> str:
        name = hashlib.sha256(found[1].encode()).hexdigest()[:12] + ".svg"
        directory.mkdir(exist_ok=True)
        (directory / name).write_text(_drawn(found[1]))
        return f"![Diagram of what the text says]({directory.name}/{name}){{ .diagram }}"

    return _DIAGRAM.sub(drawn, text)


def _drawn(diagram: str) -> str:
    """An SVG. Drawn in a process of its own, as the renderer's libraries print much when theirs ends."""
    command = [sys.executable, "-m", "mermaidx", "--quiet", "--input", "-"]
    done = subprocess.run(command, input=diagram, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    if done.returncode:
        sys.stderr.write(done.stderr)
        done.check_returncode()
    return done.stdout
