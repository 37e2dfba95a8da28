"""The docs as a site: it builds without a warning, loads nothing from elsewhere, and what it tells to type works."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from tests import live
from tests.programs import ROOT, environment
from tests.support import Api, resource_id

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("**/*.md"))
SHELL = re.compile(r"```(?:bash|console)\n(.*?)```", re.DOTALL)


class Loaded(HTMLParser):
    """What a page loads by itself, without a click."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img", "iframe", "source") and given.get("src"):
            self.found.append(given["src"] or "")
        if tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload", "preconnect"):
            self.found.append(given.get("href") or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", target], cwd=ROOT,
        env=environment(NO_MKDOCS_2_WARNING="true"), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    return target


def test_every_page_is_in_the_site_and_loads_nothing_from_elsewhere(site: Path) -> None:
    built = {path.relative_to(site).with_suffix(".md") for path in site.glob("**/*.html")}
    assert {path.relative_to(DOCS) for path in PAGES} <= built
    for path in site.glob("**/*.html"):
        page = Loaded()
        page.feed(path.read_text(encoding="utf-8"))
        assert page.found
        assert not [address for address in page.found if "//" in address], path
        assert "fonts.googleapis" not in path.read_text(encoding="utf-8")
    for path in site.glob("**/*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", path.read_text(encoding="utf-8")), path


def test_every_page_is_in_the_menu() -> None:
    def pages(nav: Any) -> list[str]:
        if isinstance(nav, str):
            return [nav]
        rows = nav.values() if isinstance(nav, dict) else nav
        return [page for row in rows for page in pages(row)]

    # The file names Python functions in tags that a plain reader does not know.
    menu = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]

    assert sorted(pages(menu)) == sorted(str(path.relative_to(DOCS)) for path in PAGES)


def test_diagrams_are_drawn_from_what_stands_in_the_pages(site: Path) -> None:
    sys.path.insert(0, str(DOCS / "site"))
    try:
        import diagrams
    finally:
        sys.path.remove(str(DOCS / "site"))
    wanted = diagrams.blocks()

    assert {path.name for path in (DOCS / "diagrams").glob("*.svg")} == set(wanted)
    for name, text in wanted.items():
        drawn = (DOCS / "diagrams" / name).read_text(encoding="utf-8")
        assert drawn.startswith(diagrams.mark(text)), f"{name}: run `make diagrams`"
        assert "<script" not in drawn
    assert "diagrams/caching-1.svg" in (site / "caching.html").read_text(encoding="utf-8")


def replayed(name: str, *, without: str = "") -> str:
    """Runs every bash block of a page but one, in order, against a server of its own. Gives what was printed."""
    blocks = re.findall(r"```bash\n(.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)
    text = "\n".join(block for block in blocks if block != without)
    assert not without or without in blocks
    with live.server() as url:
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text], cwd=ROOT, env=environment(API=f"{url}/api"),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_the_first_trade_is_made(world: None) -> None:
    # No worker runs beside a test, and the doctor says so by its status.
    printed = replayed("start.md", without=".venv/bin/python manage.py doctor\n")

    (trade,) = [json.loads(line) for line in printed.splitlines() if '"trade"' in line]
    assert (trade["status"], trade["trade"]["total_price"], trade["coins"]) == ("success", 12, 988)


def test_the_game_is_played_as_the_page_says(world: None) -> None:
    printed = replayed("play.md")

    answers = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    codes = [answer["code"] for answer in answers if "code" in answer]
    assert codes == ["profession_required", "own_listing", "session_expired"]
    assert printed.lower().count("idempotent-replayed: true") == 1
    trades = [answer["trade"]["id"] for answer in answers if "trade" in answer]
    assert len(set(trades)) == 1, "the second purchase is the first one"
    assert "x-cache: HIT" in printed or "x-cache: MISS" in printed
    assert "\n304\n" in printed
    assert answers[-1]["status"] == 401


def test_the_guides_code_does_what_it_says(ada: Api, bob: Api) -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", (DOCS / "guide.md").read_text(encoding="utf-8"), re.DOTALL))
    names: dict[str, Any] = {}
    exec(compile(code, "guide.md", "exec"), names)  # noqa: S102 - our own page
    ada.grant(mutterwood_log=9)
    for price in range(3, 12):
        ada.sells("mutterwood-log", 1, price)
    import httpx

    with live.server() as url, httpx.Client(base_url=url, headers={"Authorization": f"Bearer {bob.token}"}) as client:
        path = f"/api/market/listings?resource_id={resource_id('mutterwood-log')}"
        listings = names["every"](client, path, "listings")
        assert [row["unit_price"] for row in listings] == list(range(3, 12))
        polled = names["Polled"](client, "/api/inventory")
        assert [polled.refresh(), polled.refresh()] == [True, False]
        bought = names["once"](client, f"/api/market/listings/{listings[0]['id']}/buy", {"quantity": 1})
        assert bought.status_code == 200
        assert polled.refresh() is True
        assert polled.data["inventory"][0]["quantity"] == 1
        refused = names["once"](client, f"/api/market/listings/{listings[0]['id']}/buy", {"quantity": 1})
        assert refused.json()["code"] == "listing_not_active"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.name)
def test_what_a_page_tells_to_type_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    shell = "\n".join(SHELL.findall(text))
    for name in re.findall(r"manage\.py ([a-z_]+)", text):
        assert name in get_commands(), name
    for name in {*re.findall(r"`make ([a-z-]+)", text), *re.findall(r"(?m)^\$? ?make ([a-z-]+)", shell)}:
        assert name in targets, name
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name in re.findall(r"docker compose (?:exec|up -d|stop|restart) ([a-z-]+)", text):
        assert name in services, name
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        compile(block, page.name, "exec")
    for name in re.findall(r"`((?:bcraftd|tests|ops|bench|clients)/[\w./-]+)`", text):
        assert (ROOT / name).exists(), name
