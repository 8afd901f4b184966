"""What tests of the page share by name."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import Page

PICTURES = Path(__file__).parents[2] / "docs/pictures"
Keep = Callable[[Page, str], Awaitable[None]]
"""Takes a picture of the page as it is, under a name, if pictures are wanted."""
LogIn = Callable[..., Awaitable[Page]]
