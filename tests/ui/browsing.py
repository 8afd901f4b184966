"""What tests of the page share by name."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import Page

PICTURES = Path(__file__).parents[2] / "docs/pictures"
LogIn = Callable[..., Awaitable[Page]]
