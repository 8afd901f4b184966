"""Files of the repository that pages link to, as pages: so the site leads to the code wherever it is read."""

import os
from pathlib import Path

from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound

_DIRECTORY = "source"
_FRONT = "---\nsearch:\n  exclude: true\nhide:\n  - toc\n---\n"


class Sources:
    """The pages that were asked for so far."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._pages: dict[Path, str] = {}

    def page(self, target: Path) -> str:
        """The place of the file's page, or of the directory's, which leads to each file in it.

        Raises FileNotFoundError if the repository has no such file.
        """
        place = f"{_DIRECTORY}/{target.relative_to(self._root)}.md"
        if target not in self._pages:
            self._pages[target] = place
            if target.is_dir():
                for file in _files(target):
                    self.page(file)
            elif not target.exists():
                raise FileNotFoundError(target)
        return place

    def write(self, pages: Path) -> None:
        for target, place in self._pages.items():
            page = pages / place
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(f"{_FRONT}# {target.relative_to(self._root)}\n\n{self._content(target)}")

    def _content(self, target: Path) -> str:
        if target.is_dir():
            here = (Path(self._pages[target])).parent
            return "".join(f"- [{file.name}]({os.path.relpath(self._pages[file], here)})\n" for file in _files(target))
        text = target.read_text()
        fence = "`" * 4
        return f"{fence}{_language(target.name)}\n{text}{'' if text.endswith(chr(10)) else chr(10)}{fence}\n"


def _files(directory: Path) -> list[Path]:
    return sorted(file for file in directory.iterdir() if file.is_file())


def _language(name: str) -> str:
    try:
        return get_lexer_for_filename(name).aliases[0]
    except ClassNotFound:
        return "text"
