"""Writes bcraftd_client/ from the project's OpenAPI document, by openapi-python-client: `make client`.

The document says more than the generator can take in: of every error it names the very codes, as a narrower form of
Problem. Here each error is a Problem, whose `code` has them all. Operations get names that read as Python, and headers
which a client of this kind does not send by hand are left out.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PACKAGE = HERE / "bcraftd_client"
PROBLEM = "application/problem+json"
LEFT_OUT = {"X-Request-ID", "X-Session-ID"}
# What the document calls it, and what a Python programmer would.
NAMES = {
    "post_auth_register": "register",
    "post_auth_login": "login",
    "post_auth_refresh": "refresh",
    "post_auth_logout": "logout",
    "post_auth_password": "change_password",
    "get_auth_me": "me",
    "get_auth_sessions": "sessions",
    "delete_auth_sessions_by_session_id": "end_session",
    "get_players_by_player_id": "player",
    "get_wallet_entries": "wallet_entries",
    "get_environment_current": "current",
    "get_environment_weather": "weather",
    "get_environment_forecast": "forecast",
    "get_resources": "resources",
    "get_resources_by_resource_id": "resource",
    "get_recipes": "recipes",
    "get_recipes_by_recipe_id": "recipe",
    "get_recipes_known": "known_recipes",
    "get_professions": "professions",
    "post_professions_by_profession_id_join": "join",
    "post_gather": "gather",
    "post_craft": "craft",
    "get_inventory": "inventory",
    "get_inventory_movements": "movements",
    "get_market_listings": "listings",
    "get_market_listings_mine": "my_listings",
    "get_market_listings_by_listing_id": "listing",
    "post_market_listings": "offer",
    "post_market_listings_by_listing_id_buy": "buy",
    "post_market_listings_by_listing_id_cancel": "cancel",
    "get_market_trades": "trades",
    "get_market_resources_by_resource_id_summary": "summary",
    "get_market_resources_by_resource_id_history": "history",
    "get_leaderboard": "board",
    "get_leaderboard_me": "my_rank",
}


def adapted(document: dict[str, Any]) -> dict[str, Any]:
    """The document as the generator can take it in. Raises KeyError for an operation that has no name here."""
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["operationId"] = NAMES[operation["operationId"]]
            if {} in operation.get("security", []):
                # The generator takes what may come with a token for what must.
                del operation["security"]
            operation["parameters"] = [
                parameter for parameter in operation.get("parameters", []) if parameter["name"] not in LEFT_OUT
            ]
            for answer in operation["responses"].values():
                if PROBLEM in answer.get("content", {}):
                    answer["content"] = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return document


def generate(document: dict[str, Any], target: Path) -> None:
    """Writes the package into a folder that is made anew. Raises CalledProcessError for what cannot be generated."""
    programs = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as folder:
        schema, made = Path(folder, "schema.json"), Path(folder, "made")
        schema.write_text(json.dumps(adapted(document)))
        command: list[str | Path] = [
            programs / "openapi-python-client",
            "generate",
            "--path",
            schema,
            "--output-path",
            made,
        ]
        options = ["--meta=none", "--fail-on-warning", f"--config={HERE / 'config.yml'}"]
        subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([programs / "ruff", "format", "--isolated", "--quiet", "--line-length=120", made], check=True)
        (made / "py.typed").touch()
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(made, target, ignore=shutil.ignore_patterns("__pycache__", ".ruff_cache"))


def document() -> dict[str, Any]:
    """The OpenAPI document, as the code next to this has it. Nothing is connected to."""
    settings = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing", "REDIS_URL": "redis://127.0.0.1:1/0"}
    drawn = {name: secrets.token_urlsafe(48) for name in ("SECRET_KEY", "JWT_SIGNING_KEY")}
    found = subprocess.run(
        [sys.executable, "manage.py", "spectacular", "--format", "openapi-json"],
        cwd=HERE.parent.parent,
        env={**os.environ, **settings, **drawn, "BCRAFTD_ENV_FILES": "off"},
        stdout=subprocess.PIPE,
        check=True,
    )
    return dict(json.loads(found.stdout))


if __name__ == "__main__":
    generate(document(), PACKAGE)
