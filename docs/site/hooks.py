"""What mkdocs does with our pages: shows the drawn diagrams, and names files of the project that are no page."""

import re
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"```mermaid\n.*?```", re.DOTALL)
_OUTSIDE = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+)([^)\s]+)\)")


def on_page_markdown(markdown: str, page: Any, **rest: Any) -> str:
    """Puts its file in the place of each mermaid block, and a name in that of a link out of docs/."""
    stem = Path(page.file.src_uri).stem
    depth = "../" * page.file.src_uri.count("/")
    number = 0

    def picture(_: "re.Match[str]") -> str:
        nonlocal number
        number += 1
        return f"![Sequence diagram {number}]({depth}diagrams/{stem}-{number}.svg){{ .diagram }}"

    shown = _BLOCK.sub(picture, markdown)
    return _OUTSIDE.sub(lambda link: _inside(link, page.file.src_uri), shown)


def _inside(link: "re.Match[str]", source: str) -> str:
    """A link that stays within docs/ is left as it is."""
    if len(link[2]) // 3 <= source.count("/"):
        return link[0]
    return f"{link[1]} (`{link[3]}` in the project)"
