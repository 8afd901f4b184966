"""The page behind Debian's nginx, below a path that it strips and below one that it leaves in."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, expect

from tests.faults.fleet import TOKEN, Fleet
from tests.support.nodes import free_port
from tests.support.waiting import eventually

CONFIG = """
daemon off; pid {directory}/pid; error_log {directory}/error.log; worker_processes 1;
events {{}}
http {{
  access_log off;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location /stripped/ {{ proxy_pass {url}/; }}
    location /pets-page/ {{ proxy_pass {url}; }}
  }}
}}
"""


@pytest.fixture
async def proxy(fleet: Fleet, tmp_path: Path) -> AsyncIterator[str]:
    """Where it listens."""
    port = free_port()
    config = tmp_path / "nginx.conf"
    config.write_text(CONFIG.format(directory=tmp_path, port=port, url=fleet.daemons[0].url))
    errors = tmp_path / "error.log"
    process = subprocess.Popen(["/usr/sbin/nginx", "-c", config, "-e", errors], stderr=subprocess.DEVNULL)

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    await eventually(listens, what="nginx to listen")
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


@pytest.mark.parametrize("path", ["/stripped", "/pets-page"])
async def test_the_page_works_below_a_path(
    proxy: str, path: str, context: BrowserContext, complaints: list[str], fleet: Fleet
):
    page = await context.new_page()
    await page.goto(f"{proxy}{path}/ui/#/pet/rex")
    await page.get_by_label("Token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="Open Portraits").click()
    await page.get_by_label("Name").fill("Through a proxy")
    await page.get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Through a proxy")
    (cookie,) = await context.cookies()
    assert cookie["path"] == path, "other services of the host do not get it"
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_label("Token")).to_be_visible()
    assert await context.cookies() == []
    assert complaints == []
