"""Takes the pictures of the README and the docs from a running product: `make screenshots`, beside `make up`.

Bots play for a while first, so that there is something to be seen. The admin's login is the one that `make up` made.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
PICTURES = ROOT / "docs" / "pictures"
URL = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
PLAYERS, SECONDS = 30, 120
WIDE, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}

# File, path, colour scheme, window.
SHOTS = [
    ("admin", "/admin/", "light", WIDE),
    ("cache", "/admin/cache/", "light", WIDE),
    ("cache-dark", "/admin/cache/", "dark", WIDE),
    ("cache-phone", "/admin/cache/", "dark", PHONE),
    ("keys", "/admin/cache/keys/?family=market", "light", WIDE),
    ("trail", "/admin/admin/logentry/", "light", WIDE),
    ("api", "/api/docs", "light", WIDE),
]


def login() -> tuple[str, str]:
    """The admin's name and first password."""
    lines = (ROOT / ".bcraftd" / "admin").read_text().splitlines()
    facts = dict(line.split(": ", 1) for line in lines if ": " in line)
    return facts["login"], facts["password"]


def play() -> None:
    """Bots, for long enough that the charts have a few points."""
    words = ["simulate", "--players", str(PLAYERS), "--seconds", str(SECONDS), "--think", "1"]
    subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, check=True)


def take(browser: Browser) -> None:
    """Writes docs/pictures/."""
    PICTURES.mkdir(exist_ok=True)
    name, password = login()
    for scheme, size in (("light", WIDE), ("dark", WIDE), ("dark", PHONE)):
        window = browser.new_context(base_url=URL, viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
        page = window.new_page()
        page.goto("/admin/login/?next=/admin/")
        page.fill("input[name=username]", name)
        page.fill("input[name=password]", password)
        page.click("button[type=submit]")
        page.wait_for_url("**/admin/")
        for file, path, wanted, window_size in SHOTS:
            if (wanted, window_size) == (scheme, size):
                _shoot(page, file, path)
        window.close()


def _shoot(page: Page, file: str, path: str) -> None:
    page.goto(path)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(500)
    page.screenshot(path=PICTURES / f"{file}.png")


if __name__ == "__main__":
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("chromium is not installed")
    if "--no-play" not in sys.argv:
        play()
    with sync_playwright() as playwright:
        take(playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"]))
