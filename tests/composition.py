"""What the compositions, the image and the examples of a .env say, read from their files."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE_TEXT)["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
EXAMPLE = ROOT / ".env.example"

# Read only outside containers: inside, the API's port and the address of Redis are fixed, and tracebacks
# have no place where others can reach them.
OUTSIDE_CONTAINERS = {
    "DEBUG", "PORT", "REDIS_URI", "REDIS_HOST", "REDIS_PORT", "REDIS_DB", "REDIS_PASSWORD", "REDIS_SENTINEL_PASSWORD",
    "DATABASE_POOLED", "DATABASE_REPLICA_URLS",
}  # fmt: skip


def settings() -> dict[str, str | None]:
    """The name and the default, None where there is none, of every setting that bcraftd/settings.py reads."""
    found: dict[str, str | None] = {}
    for call in ast.walk(ast.parse((ROOT / "bcraftd" / "settings.py").read_text())):
        if isinstance(call, ast.Call) and re.fullmatch(r"env(\.\w+)?", ast.unparse(call.func)):
            name, *default = [ast.literal_eval(argument) for argument in call.args]
            if ast.unparse(call.func) == "env.redis":
                # Any of several names, none of them with a default.
                found |= dict.fromkeys([name, *default])
            else:
                found[name] = str(default[0]) if default else None
    return found


def example(file: Path) -> dict[str, tuple[str, bool]]:
    """The value of every name in an example of a .env, and whether it stands there commented out."""
    lines = re.findall(r"(?m)^(# )?([A-Z][A-Z0-9_]*)=(.*)$", file.read_text())
    return {name: (value, bool(comment)) for comment, name, value in lines}


def variables(text: str) -> dict[str, str | None]:
    """The name and the default, None where it is required, of every ${NAME...} in a composition."""
    found = re.findall(r"(?<!\$)\$\{([A-Z_]+)(?::([-?])([^}]*))?\}", text)
    return {name: default if kind == "-" else None for name, kind, default in found}


def env_of(file: Path, folder: Path) -> Path:
    """The .env that the command in an example's first lines makes of it, in a folder; nobody else may read it."""
    shutil.copy(file, folder)
    match = re.search(r"(?m)^#   (\(umask .*)$", file.read_text())
    assert match is not None
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(["sh", "-c", match[1]], cwd=folder, env={"PATH": path}, check=True)
    made = folder / ".env"
    assert made.stat().st_mode & 0o777 == 0o600
    return made
