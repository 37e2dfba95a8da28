"""The Python client: it is what the document says, and its example plays."""

import ast
import filecmp
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inventory.models import Resource
from market.models import Listing, Trade
from tests import live
from tests.programs import ROOT
from tests.support import Api, schema

CLIENT = ROOT / "clients" / "python"
BOT = CLIENT / "examples" / "bot.py"


@pytest.fixture
def generator() -> Any:
    sys.path.insert(0, str(CLIENT))
    try:
        import generate
    finally:
        sys.path.remove(str(CLIENT))
    return generate


def document() -> dict[str, Any]:
    from drf_spectacular.generators import SchemaGenerator

    found: dict[str, Any] = json.loads(json.dumps(SchemaGenerator().get_schema(request=None, public=True)))
    return found


def differences(left: Path, right: Path) -> list[str]:
    compared = filecmp.dircmp(left, right, ignore=["__pycache__"])
    found = [*compared.left_only, *compared.right_only]
    _, wrong, errors = filecmp.cmpfiles(left, right, compared.common_files, shallow=False)
    found += [*wrong, *errors]
    for name in compared.common_dirs:
        found += [f"{name}/{each}" for each in differences(left / name, right / name)]
    return found


def test_what_stands_here_is_what_the_document_gives(generator: Any, tmp_path: Path) -> None:
    generator.generate(document(), tmp_path / "made")

    assert differences(tmp_path / "made", generator.PACKAGE) == [], "run `make client`"


def test_every_operation_has_a_name_and_no_name_is_left_over(generator: Any) -> None:
    operations = {row["operationId"] for path in schema()["paths"].values() for row in path.values()}

    assert set(generator.NAMES) == operations
    assert len(set(generator.NAMES.values())) == len(generator.NAMES)


def test_the_example_is_a_player_in_thirty_lines() -> None:
    (function,) = [node for node in ast.parse(BOT.read_text()).body if isinstance(node, ast.FunctionDef)]

    assert function.end_lineno is not None
    assert function.end_lineno - function.lineno < 30


def test_the_example_plays(ada: Api) -> None:
    ada.grant(mutterwood_log=5)
    ada.sells("mutterwood-log", 5, 7)
    with live.server() as url:
        ran = subprocess.run(
            [sys.executable, "-W", "error", BOT, url, "botto", "correct horse battery", "12"],
            env={"PYTHONPATH": str(CLIENT), "PATH": ""},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("Me(")
    log = Resource.objects.get(slug="mutterwood-log")
    assert Listing.objects.filter(seller__login="botto", resource=log, unit_price=12).exists()
    assert Trade.objects.filter(buyer__login="botto", seller__login="ada").count() == 5


def test_an_error_comes_back_as_a_problem_with_its_code(ada: Api) -> None:
    sys.path.insert(0, str(CLIENT))
    try:
        from bcraftd_client import AuthenticatedClient
        from bcraftd_client.api.market import buy
        from bcraftd_client.models import BuyBodyRequest, Problem
    finally:
        sys.path.remove(str(CLIENT))
    with live.server() as url, AuthenticatedClient(url, token=ada.token or "") as client:
        answer = buy.sync_detailed(999_999, client=client, body=BuyBodyRequest(quantity=1))

    assert answer.status_code == 404
    assert isinstance(answer.parsed, Problem)
    assert answer.parsed.code == "not_found"
