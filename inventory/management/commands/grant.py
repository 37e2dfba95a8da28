"""manage.py grant"""

import argparse
from typing import Any

from django.core.management.base import CommandError, CommandParser

from bcraftd.commands import ReportingCommand
from inventory.services import player_grant


def _item(text: str) -> tuple[str, int]:
    slug, _, quantity = text.partition("=")
    if not slug or not quantity.isascii() or not quantity.isdigit() or int(quantity) < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected SLUG=N with N of at least 1, as in mutterwood-log=10")
    return slug, int(quantity)


def _coins(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected a number of at least 1")
    return int(text)


class Command(ReportingCommand):
    help = (
        "Gives a player coins from the mint and items, on the record."
        " Example: manage.py grant ada --coins 500 --item mutterwood-log=10"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("login")
        parser.add_argument("--coins", type=_coins, default=0, metavar="N")
        parser.add_argument("--item", type=_item, action="append", default=[], metavar="SLUG=N")

    def run(self, **options: Any) -> dict[str, Any]:
        items: dict[str, int] = {}
        for slug, quantity in options["item"]:
            items[slug] = items.get(slug, 0) + quantity
        if not options["coins"] and not items:
            raise CommandError("Nothing to grant: name --coins or --item.")
        return player_grant(login=options["login"], coins=options["coins"], items=items)

    def show(self, report: dict[str, Any]) -> None:
        held = "".join(f", {quantity} {slug}" for slug, quantity in report["items"].items())
        self.stdout.write(f"{report['login']} now has {report['coins']} coins{held}.")
