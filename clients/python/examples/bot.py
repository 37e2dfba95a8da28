"""A player in thirty lines: gathers logs, sells them, buys cheap ones. `python bot.py URL LOGIN PASSWORD ROUNDS`"""

import sys
import time

from bcraftd_client import AuthenticatedClient, Client
from bcraftd_client.api.auth import login, me, register
from bcraftd_client.api.gather import gather
from bcraftd_client.api.market import buy, listings, offer
from bcraftd_client.api.professions import join, professions
from bcraftd_client.api.resources import resources
from bcraftd_client.models import (
    BuyBodyRequest,
    GatherBodyRequest,
    Gathered,
    ListingBodyRequest,
    Listings,
    LoginBodyRequest,
    Me,
    Professions,
    RegisterBodyRequest,
    Resources,
    Tokens,
)


def play(url: str, name: str, password: str, rounds: int) -> Me:
    """Plays some rounds, and gives the player as he is then."""
    register.sync(client=Client(url), body=RegisterBodyRequest(name, f"{name}@example.org", password))
    tokens = login.sync(client=Client(url), body=LoginBodyRequest(name, password))
    assert isinstance(tokens, Tokens), tokens
    client = AuthenticatedClient(url, token=tokens.access_token)
    trades, goods = professions.sync(client=client), resources.sync(client=client)
    assert isinstance(trades, Professions), trades
    assert isinstance(goods, Resources), goods
    join.sync(next(row.id for row in trades.professions if row.slug == "timberhand"), client=client)
    ids = {row.slug: row.id for row in goods.resources}
    for _ in range(rounds):
        found = gather.sync_detailed(client=client, body=GatherBodyRequest(ids["mutterwood-log"]))
        time.sleep(float(found.headers.get("Retry-After", 0)))
        if isinstance(found.parsed, Gathered) and found.parsed.quantity:
            offer.sync(client=client, body=ListingBodyRequest(ids["mutterwood-log"], found.parsed.quantity, 12))
        page = listings.sync(client=client, resource_id=ids["mutterwood-log"])
        for row in page.listings if isinstance(page, Listings) else []:
            if row.seller_login != name and row.unit_price < 10:
                buy.sync(row.id, client=client, body=BuyBodyRequest(quantity=1))
                break
    player = me.sync(client=client)
    assert isinstance(player, Me), player
    return player


if __name__ == "__main__":
    print(play(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
