"""A browser for the session, a server for each file, and a page that forgives nothing."""

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests import live
from tests.browser.visitor import Visitor
from tests.operators import admin
from tests.tools import tool


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium. As root it has no sandbox, which is no loss: it visits our own server alone."""
    path = tool("chromium", "chromium-browser")
    # Playwright's calls run in an event loop of this thread, in which Django refuses the ORM: nothing else runs in it.
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="module")
def site(django_db_setup: None) -> Iterator[str]:
    """The address of a server on the test's database."""
    with live.server() as url:
        yield url


@pytest.fixture
def visitor(world: None, browser: Browser, site: str) -> Iterator[Visitor]:
    """Somebody at a desk who has not signed in."""
    yield from visiting(browser, site)


@pytest.fixture
def olga(world: None, browser: Browser, site: str) -> Iterator[Visitor]:
    """An admin who has signed in."""
    admin()
    for found in visiting(browser, site):
        found.sign_in("Olga")
        yield found


def visiting(browser: Browser, site: str, **context: Any) -> Iterator[Visitor]:
    """A visitor with a window of his own; what the browser complained of fails the test at its end."""
    window = browser.new_context(base_url=site, viewport={"width": 1280, "height": 900}, **context)
    found = Visitor(window.new_page(), urlsplit(site).netloc)
    yield found
    window.close()
    found.nothing_went_wrong()
