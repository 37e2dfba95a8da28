"""Somebody at a browser, who notes whatever it complains of."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, Request

from tests.operators import PASSWORD

SERIOUS = ("serious", "critical")


class Visitor:
    """A page, and what went wrong on the way."""

    def __init__(self, page: Page, host: str) -> None:
        self.page = page
        self._host = host
        self._wrong: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._wrong.append(f"{page.url}: {error}"))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._wrong.append(f"{self.page.url}: {message.text} {message.location}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"http://{self._host}/", "data:", "blob:")):
            self._wrong.append(f"{self.page.url} asks {request.url}")

    def nothing_went_wrong(self) -> None:
        assert self._wrong == []

    def sign_in(self, login: str) -> None:
        self.page.goto("/admin/login/?next=/admin/")
        self.page.fill("input[name=username]", login)
        self.page.fill("input[name=password]", PASSWORD)
        self.page.click("button[type=submit]")
        self.page.wait_for_url("**/admin/")

    def see(self, path: str) -> str:
        """Opens a page and gives its text."""
        answer = self.page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        return self.text()

    def text(self) -> str:
        return self.page.locator("body").inner_text()

    def accessible(self, *rules: str) -> list[str]:
        """What axe-core finds serious or critical on the page, by all of its rules or these, a line for each place."""
        options = {"runOnly": list(rules)} if rules else None
        found: list[dict[str, Any]] = Axe().run(self.page, options=options).response["violations"]
        return [
            f"{self.page.url}: {rule['id']}: {node['target']} {node['html'][:220]}"
            for rule in found
            if rule["impact"] in SERIOUS
            for node in rule["nodes"]
        ]

    def fits(self) -> bool:
        """Whether the page needs no scrolling to the side."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
