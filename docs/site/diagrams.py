"""Draws the mermaid blocks of the docs as SVG files, once: `make diagrams`, after one of them has changed.

The site shows the files and loads no script for them; a page on a code host draws the blocks by itself. mermaid comes
from npm and is drawn in chromium, neither of which building the site needs. Each file names the text that it was drawn
from, by its SHA-256, and a test compares.
"""

import hashlib
import re
import subprocess
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"```mermaid\n(.*?)```", re.DOTALL)
MERMAID = "mermaid@11"
_PAGE = """<!doctype html><meta charset="utf-8"><body><script src="{script}"></script><script>
mermaid.initialize({{startOnLoad: false, theme: "neutral", fontFamily: "system-ui, sans-serif", htmlLabels: false}});
const draw = (text) => mermaid.render("diagram", text).then((drawn) => drawn.svg);
</script>"""


def blocks() -> dict[str, str]:
    """The text of every block, by the name of its file."""
    found = {}
    for page in sorted(DOCS.glob("**/*.md")):
        for number, text in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1):
            found[f"{page.stem}-{number}.svg"] = text
    return found


def mark(text: str) -> str:
    """What the file of a block begins with."""
    return f"<!-- {hashlib.sha256(text.encode()).hexdigest()} -->\n"


def draw(chromium: str) -> None:
    """Writes a file for each block into docs/diagrams/, and removes what no block is left of."""
    from playwright.sync_api import sync_playwright

    target = DOCS / "diagrams"
    target.mkdir(exist_ok=True)
    wanted = blocks()
    for old in target.glob("*.svg"):
        if old.name not in wanted:
            old.unlink()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        packed = subprocess.run(
            ["npm", "pack", "--silent", MERMAID], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()
        subprocess.run(["tar", "-xzf", packed], cwd=folder, check=True)
        page_file = Path(folder, "page.html")
        page_file.write_text(_PAGE.format(script="package/dist/mermaid.min.js"))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(page_file.as_uri())
        for name, text in wanted.items():
            (target / name).write_text(mark(text) + page.evaluate("draw", text) + "\n", encoding="utf-8")
        browser.close()


if __name__ == "__main__":
    import shutil
    import sys

    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        sys.exit("chromium is not installed")
    draw(found)
