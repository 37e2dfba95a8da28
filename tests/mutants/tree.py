"""The copy of the project that mutmut mutates and runs the tests in."""

import ast
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("accounts", "bcraftd", "docs", "environment", "inventory", "leaderboard", "market", "tests", "redis")
FILES = ("conftest.py", "manage.py", "pyproject.toml")


class UnreachableError(Exception):
    """A function that mutmut would pass over in silence."""


def lay_out(tree: Path, mutated: list[Path]) -> None:
    """Copies the project into a folder, over an older copy; in the files to mutate functions are decorated below
    themselves."""
    for name in PARTS:
        shutil.rmtree(tree / name, ignore_errors=True)
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy2(ROOT / name, tree / name)
    # The file that [tool.mutmut] names.
    (tree / "preload.txt").write_text("tests.mutants.preload\n", encoding="utf-8")
    for path in mutated:
        source = (tree / path).read_text(encoding="utf-8")
        (tree / path).write_text(undecorated(source, str(path)), encoding="utf-8")


def undecorated(source: str, name: str = "the source") -> str:
    """The same module, with `@atomic` above a function written as `function = atomic(function)` below it.

    mutmut leaves decorated functions out, which here are nearly all that write. No line moves.
    """
    lines = source.splitlines()
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef) or not node.decorator_list:
            continue
        if [ast.unparse(each) for each in node.decorator_list] != ["atomic"]:
            raise UnreachableError(f"{name}: mutmut passes over {node.name}, which is decorated by more than @atomic")
        assert node.end_lineno is not None
        lines[node.decorator_list[0].lineno - 1] = ""
        below = f"{node.name} = atomic({node.name})"
        if node.end_lineno == len(lines):
            lines.append(below)
        else:
            assert not lines[node.end_lineno], f"{name}: no empty line below {node.name}"
            lines[node.end_lineno] = below
    return "\n".join(lines) + "\n"
