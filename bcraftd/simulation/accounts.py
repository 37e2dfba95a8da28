"""Accounts for bots: opened beside the API in its database, or to be registered over HTTP."""

import secrets
from collections.abc import Callable

from django.contrib.auth.hashers import make_password

from accounts import services
from bcraftd.simulation.client import Account

USER_AGENT = "B-CraftD simulate"
ADDRESS = "127.0.0.1"


def strangers(number: int) -> list[Account]:
    """Players of whom the API does not know yet. Nothing is asked here."""
    run, password = secrets.token_hex(5), secrets.token_urlsafe(24)
    return [Account(f"bot-{run}-{each}", password, known=False) for each in range(number)]


def opened(number: int, done: Callable[[int], object] = lambda number: None) -> list[Account]:
    """Players with starting coins and a session each, through the services, for whom no limit on registering or
    logging in counts. They share a password that nobody else knows. `done` is told of each."""
    accounts = strangers(number)
    hashed = make_password(accounts[0].password)
    for account in accounts:
        player = services.player_open(login=account.login, email=f"{account.login}@example.org", hashed=hashed)
        tokens = services.session_open(player=player, user_agent=USER_AGENT, address=ADDRESS)
        account.access_token, account.refresh_token = tokens.access_token, tokens.refresh_token
        account.expires_in, account.known = tokens.expires_in, True
        done(1)
    return accounts
