"""docs/security.md: whatever it names is there, and what has to be named is."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.programs import ROOT, python
from tests.test_docs import rows, words

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
TOP_TEN = [
    "API1 Broken Object Level Authorization",
    "API2 Broken Authentication",
    "API3 Broken Object Property Level Authorization",
    "API4 Unrestricted Resource Consumption",
    "API5 Broken Function Level Authorization",
    "API6 Unrestricted Access to Sensitive Business Flows",
    "API7 Server Side Request Forgery",
    "API8 Security Misconfiguration",
    "API9 Improper Inventory Management",
    "API10 Unsafe Consumption of APIs",
]
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


@cache
def names_in(file: str) -> set[str]:
    """The names of a file's tests, without running any of it."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED.findall(PAGE)}))
def test_every_test_that_the_page_names_is_there(file: str) -> None:
    named = {name for where, name in NAMED.findall(PAGE) if where == file}

    assert named <= names_in(file)


def test_no_test_is_named_in_another_way() -> None:
    assert PAGE.count("::") == len(NAMED.findall(PAGE)) + PAGE.count("`file::test`")


def test_all_ten_risks_are_there_each_with_what_holds_it_and_a_test() -> None:
    table = rows(PAGE, "## The OWASP API Security Top 10")

    assert [risk for risk, _, _ in table] == TOP_TEN
    for risk, held, tests in table:
        assert held, risk
        assert NAMED.search(tests), risk


def test_the_checks_of_the_page_are_those_of_the_code() -> None:
    checks, config = ((ROOT / "bcraftd" / name).read_text(encoding="utf-8") for name in ("checks.py", "config.py"))
    found = re.findall(r'id="(bcraftd\.E\d+)"', checks) + re.findall(r"\((bcraftd\.E\d+)\)", config)

    documented = [words(check)[0] for check, _ in rows(PAGE, "## What refuses the start")]
    assert documented == sorted(set(found))


def test_every_check_that_refuses_a_setting_has_a_start_that_it_refused() -> None:
    tried = (ROOT / "tests" / "test_boot.py").read_text(encoding="utf-8")
    # These three are about code, not settings: tests/test_cache_declared.py and its neighbours have them.
    of_code = {"bcraftd.E004", "bcraftd.E005", "bcraftd.E006"}

    documented = {words(check)[0] for check, _ in rows(PAGE, "## What refuses the start")}
    assert documented - of_code == set(re.findall(r'"(bcraftd\.E\d+)", "', tried))


def test_the_limits_and_secrets_of_the_page_are_settings() -> None:
    example = set(re.findall(r"(?m)^(?:# )?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8")))

    limits = [words(limit)[0] for limit, *_ in rows(PAGE, "## Login")]
    assert {name for name in example if "LOGIN" in name or "REGISTER" in name} == set(limits)
    secrets = {name for secret, *_ in rows(PAGE, "## Secrets") for name in words(secret)}
    keys = {name for name in example if re.search(r"KEY$|PASSWORD$|TOKEN$", name)}
    # Redis Commander's is its own affair.
    assert keys - secrets == {"COMMANDER_PASSWORD"}


@pytest.mark.parametrize("page", ["README.md", "docs/api.md", "CONTRIBUTING.md"])
def test_other_pages_lead_to_it(page: str) -> None:
    assert "security.md" in (ROOT / page).read_text(encoding="utf-8")


# --- Server Side Request Forgery --------------------------------------------------------------------------

# Modules that can open a connection to wherever they are told.
CLIENTS = {
    "aiohttp", "asyncio", "ftplib", "http.client", "httpx", "imaplib", "poplib", "requests", "smtplib", "socket",
    "ssl", "subprocess", "telnetlib", "urllib.request", "urllib3", "xmlrpc.client", "django.core.mail",
}  # fmt: skip
# What commands alone use: `make up` starts servers and asks whether they are there, a role starts the API's server,
# backups run PostgreSQL's programs, bots play over HTTP. None of it serves anybody, and nothing that does imports it.
OF_COMMANDS = (
    "bcraftd/embedded/", "bcraftd/role.py", "bcraftd/backups/postgres.py", "bcraftd/simulation/", "bcraftd/management/",
)  # fmt: skip


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def served() -> list[Path]:
    """Every module that a request may run."""
    apps = ("bcraftd", "accounts", "inventory", "market", "environment", "leaderboard")
    found = [path for app in apps for path in (ROOT / app).rglob("*.py") if "tests" not in path.parts]
    return [path for path in found if not path.relative_to(ROOT).as_posix().startswith(OF_COMMANDS)]


def test_nothing_that_serves_can_call_out() -> None:
    assert len(served()) > 100
    for path in served():
        names = set(imported(path))
        assert not names & CLIENTS, path
        assert not [name for name in names if name.startswith("bcraftd.embedded")], path


def test_what_commands_use_is_not_there_where_somebody_is_served(world: None) -> None:
    serving = "import bcraftd.wsgi, sys; from django.urls import get_resolver; get_resolver().url_patterns"
    there = python("-c", f"{serving}; print(*sys.modules)").stdout.split()

    modules = [prefix.removesuffix(".py").strip("/").replace("/", ".") for prefix in OF_COMMANDS]
    assert "bcraftd.urls" in there
    assert not [name for name in there if name.startswith(tuple(modules))]
