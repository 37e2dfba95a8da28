"""manage.py grant: coins from the mint and items, on the record."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import LedgerEntry
from bcraftd.errors import Refusal
from inventory.management.commands.grant import Command
from inventory.models import MAX_AMOUNT, ItemMovement
from inventory.services import player_grant
from inventory.tests.support import assert_conserved, everything
from tests.support import SENTENCE, Api


def grant(*words: str) -> Any:
    out = StringIO()
    call_command("grant", *words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_it_gives_coins_and_items_and_says_what_is_then_there(ada: Api) -> None:
    ada.grant(mutterwood_log=1)
    report = grant("ada", "--coins", "500", "--item", "mutterwood-log=10", "--item", "yawnwort=2")
    assert report == {"login": "ada", "coins": 1500, "items": {"mutterwood-log": 11, "yawnwort": 2}}
    assert (ada.coins(), ada.holds("mutterwood-log"), ada.holds("yawnwort")) == (1500, 11, 2)


def test_all_of_it_is_on_the_record(ada: Api) -> None:
    grant("ada", "--coins", "500", "--item", "yawnwort=2")
    entry = ada.get("/api/wallet/entries").json()["entries"][0]
    assert (entry["amount"], entry["reason"]) == (500, "grant")
    movement = ada.get("/api/inventory/movements").json()["movements"][0]
    assert (movement["quantity"], movement["reason"]) == (2, "grant")
    minted = LedgerEntry.objects.filter(transfer__reason="grant", player=None).values_list("system_account", "amount")
    assert list(minted) == [("mint", -500)]
    assert_conserved()


@pytest.mark.parametrize("login", ["ADA", "Ada", "ada"])
def test_a_login_is_known_in_any_case(ada: Api, login: str) -> None:
    assert grant(login, "--coins", "1")["login"] == "ada"
    assert ada.coins() == 1001


def test_only_the_named_player_gets_anything(ada: Api, bob: Api) -> None:
    grant("ada", "--coins", "5", "--item", "yawnwort=1")
    assert (bob.coins(), bob.holds("yawnwort")) == (1000, 0)


def test_an_item_named_twice_is_given_twice(ada: Api) -> None:
    assert grant("ada", "--item", "yawnwort=2", "--item", "yawnwort=3")["items"] == {"yawnwort": 5}
    assert [row.quantity for row in ItemMovement.objects.all()] == [5]


def test_coins_alone_and_items_alone_can_be_given(ada: Api) -> None:
    assert grant("ada", "--coins", "1") == {"login": "ada", "coins": 1001, "items": {}}
    assert grant("ada", "--item", "yawnwort=1") == {"login": "ada", "coins": 1001, "items": {"yawnwort": 1}}


def test_what_is_made_and_cannot_be_traded_can_be_given_up_to_the_limit(ada: Api) -> None:
    report = grant("ada", "--coins", str(MAX_AMOUNT - 1000), "--item", f"waking-bell={MAX_AMOUNT}")
    assert report == {"login": "ada", "coins": MAX_AMOUNT, "items": {"waking-bell": MAX_AMOUNT}}


REFUSED = {
    ("nobody", "--coins", "5"): "no player nobody",
    ("", "--coins", "5"): "no player",
    ("ad", "--coins", "5"): "no player ad",
    ("ad_", "--coins", "5"): "no player ad_",
    ("ada", "--coins", "5", "--item", "moonbeam=1"): "no resource moonbeam",
    ("ada", "--item", "yawnwort=1", "--item", "Yawnwort=1"): "no resource Yawnwort",
    ("ada",): "Nothing to grant",
    ("ada", "--coins", "0"): "at least 1",
    ("ada", "--coins", "-5"): "at least 1",
    ("ada", "--coins", "1.5"): "at least 1",
    ("ada", "--coins", "٣"): "at least 1",
    ("ada", "--item", "yawnwort"): "SLUG=N",
    ("ada", "--item", "yawnwort="): "SLUG=N",
    ("ada", "--item", "=3"): "SLUG=N",
    ("ada", "--item", "yawnwort=0"): "SLUG=N",
    ("ada", "--item", "yawnwort=-3"): "SLUG=N",
    ("ada", "--coins", str(2**53 - 1000)): "balance may not pass",
    ("ada", "--coins", "1" + "0" * 30): "balance may not pass",
    ("ada", "--coins", "5", "--item", "yawnwort=1" + "0" * 30): "holding may not pass",
}


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_what_cannot_be_given_is_refused_and_changes_nothing(ada: Api, words: tuple[str, ...]) -> None:
    before = everything()
    with pytest.raises(CommandError, match=REFUSED[words]):
        grant(*words)
    assert everything() == before
    assert not LedgerEntry.objects.filter(transfer__reason="grant").exists()


@pytest.mark.parametrize(
    ("coins", "items"), [(-1, {}), (-1, {"yawnwort": 1}), (1, {"yawnwort": 0}), (0, {"yawnwort": -1})]
)
def test_the_service_itself_gives_nothing_below_one(ada: Api, coins: int, items: dict[str, int]) -> None:
    before = everything()
    with pytest.raises(Refusal, match="at least one") as refusal:
        player_grant(login="ada", coins=coins, items=items)
    assert refusal.value.code == "invalid"
    assert SENTENCE.fullmatch(refusal.value.detail)
    assert everything() == before


def test_all_unknown_resources_are_named_in_order(ada: Api) -> None:
    with pytest.raises(CommandError, match=r"no resource moonbeam, sunbeam\."):
        grant("ada", "--item", "sunbeam=1", "--item", "yawnwort=1", "--item", "moonbeam=1")


@pytest.mark.parametrize(
    ("words", "status"),
    [(["nobody", "--coins", "5"], 1), (["ada"], 1), (["ada", "--item", "moonbeam=1"], 1), (["ada", "--coins", "x"], 2)],
)
def test_the_exit_status_tells_of_the_refusal(
    ada: Api, words: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        Command().run_from_argv(["manage.py", "grant", *words])
    assert end.value.code == status
    assert capsys.readouterr().err


def test_without_json_it_tells_people(ada: Api, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("grant", "ada", "--coins", "5", "--item", "yawnwort=2")
    assert capsys.readouterr().out == "ada now has 1005 coins, 2 yawnwort.\n"
