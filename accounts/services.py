"""Writes of accounts: players, sessions, and the one way to move coins."""

import secrets
import uuid
from collections.abc import Iterable, Mapping
from datetime import timedelta

from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from accounts import tokens
from accounts.cache import SESSION
from accounts.models import (
    MAX_AMOUNT,
    MAX_LEVEL,
    LedgerTransfer,
    Player,
    PlayerSession,
    PlayerStatistics,
    SystemAccount,
    bounded,
)
from accounts.tokens import TokenPair
from bcraftd.cache import Fresh, WriteThrough, changed
from bcraftd.errors import Refusal
from bcraftd.identity import Principal
from bcraftd.leveling import level_at
from bcraftd.transactions import atomic

# Lifting one of these off the database's error says which name is taken.
_TAKEN = {"player_login_unique": "login_taken", "player_email_unique": "email_taken"}


# --- Coins ------------------------------------------------------------------------------------------------


def players_lock(ids: Iterable[int]) -> dict[int, Player]:
    """Locks players for this transaction in the order of their ids, which rules out deadlocks among them.

    Every service locks in this order: players, then listings, then inventory rows. NO KEY: rows that only
    point at a player need not wait.
    """
    rows = Player.objects.select_for_update(no_key=True).filter(pk__in=set(ids)).order_by("pk")
    return {player.pk: player for player in rows}


_TRANSFER = (
    "SELECT refused, detail, transfer, balances"
    " FROM coins_transfer(%s::uuid, %s, %s, %s, %s, %s::bigint[], %s::text[], %s::bigint[])"
)


@atomic
def coins_transfer(
    *,
    moves: Mapping[Player | SystemAccount, int],
    reason: str,
    reference: str = "",
    operation_id: uuid.UUID | None = None,
) -> LedgerTransfer:
    """The one way to move coins: a double-entry transfer, and the balances beside it, by accounts/sql.py.

    Its rows come together or not at all, also where the caller has no transaction open.
    `moves` maps locked players and system accounts to signed coins that sum to zero; zeros are left out.
    Raises Refusal `insufficient_coins` or `balance_limit`, ValueError where the sum is not zero.
    """
    signed = {account: amount for account, amount in moves.items() if amount}
    if sum(signed.values()) != 0 or len(signed) < 2:
        raise ValueError(f"a transfer needs two or more entries that sum to zero, not {list(signed.values())}")
    transfer = LedgerTransfer(reason=reason, reference=reference, operation_id=operation_id or uuid.uuid4())
    players = [account.pk if isinstance(account, Player) else None for account in signed]
    accounts = ["" if isinstance(account, Player) else account for account in signed]
    with connection.cursor() as cursor:
        cursor.execute(
            _TRANSFER,
            [
                str(transfer.operation_id), reason, reference, transfer.created_at, MAX_AMOUNT, players, accounts,
                [bounded(amount) for amount in signed.values()],
            ],
        )  # fmt: skip
        refused, detail, transfer.pk, balances = cursor.fetchone()
    if refused:
        raise Refusal(refused, detail)
    for account, balance in zip(signed, balances, strict=True):
        if isinstance(account, Player):
            account.coins = balance
    changed([account for account in signed if isinstance(account, Player)], ["coins"])
    return transfer


# --- Players ----------------------------------------------------------------------------------------------


def player_register(*, login: str, email: str, password: str) -> Player:
    """A new player with the starting coins. Raises Refusal `invalid`, `login_taken` or `email_taken`."""
    password_check(password, Player(login=login, email=email))
    # Before the transaction: a hash takes its time, and a busy machine would end a connection that idles in one.
    return player_open(login=login, email=email, hashed=make_password(password))


@atomic
def player_open(*, login: str, email: str, hashed: str) -> Player:
    """A new player with the starting coins and a password that has been hashed, by whatever rules it was chosen.

    Raises Refusal `login_taken` or `email_taken`.
    """
    try:
        with transaction.atomic():
            player = Player.objects.create(login=login, email=Player.objects.normalize_email(email), password=hashed)
    except IntegrityError as error:
        raise Refusal(_taken(error)) from None
    if settings.STARTING_COINS:
        coins_transfer(
            moves={SystemAccount.MINT: -settings.STARTING_COINS, player: settings.STARTING_COINS},
            reason="starting_coins",
            reference=f"player:{player.pk}",
        )
    return player


def _taken(error: IntegrityError) -> str:
    constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None)
    return _TAKEN.get(constraint or "", "conflict")


def password_check(password: str, player: Player, field: str = "password") -> None:
    """Django's password validators. Raises Refusal `invalid` with each rule that the password breaks."""
    try:
        validate_password(password, player)
    except ValidationError as error:
        rows = [
            {"field": field, "code": each.code or "invalid", "detail": each.messages[0]} for each in error.error_list
        ]
        raise Refusal("invalid", rows[0]["detail"], errors=rows) from None


def experience_add(*, player: Player, amount: int) -> None:
    """Gives a locked player XP and the level that follows from it."""
    if amount <= 0:
        return
    player.experience = min(player.experience + amount, MAX_AMOUNT)
    player.level = level_at(player.experience, MAX_LEVEL)
    player.save(update_fields=["experience", "level"])


def statistics_add(*, player_id: int, **amounts: int) -> None:
    """Adds to a player's statistics. No signal: they reach the cache with the leaderboard's refresh."""
    PlayerStatistics.objects.filter(player_id=player_id).update(
        **{name: F(name) + amount for name, amount in amounts.items()}
    )


# --- Sessions ---------------------------------------------------------------------------------------------


def player_authenticate(*, request: HttpRequest, login: str, password: str) -> Player:
    """The player of a login and password. Raises Refusal `bad_credentials`, the same for both kinds of wrong.

    Django hashes a password for an unknown login too, so that the time tells nothing either.
    """
    player = authenticate(request, login=login, password=password)
    if not isinstance(player, Player):
        raise Refusal("bad_credentials")
    return player


@atomic
def session_open(*, player: Player, user_agent: str, address: str) -> TokenPair:
    """Opens a session and writes it through: the row with this transaction, the value right after it.

    Raises Refusal `bad_credentials` where the account changed while the password was being checked.
    """
    locked = players_lock([player.pk])[player.pk]
    if not locked.is_active or locked.password != player.password:
        raise Refusal("bad_credentials")
    session = PlayerSession.objects.create(
        session_id=secrets.token_urlsafe(32),
        player=locked,
        role=locked.role,
        user_agent=user_agent[:256],
        address=address,
        refresh_id=tokens.new_refresh_id(),
    )
    through = WriteThrough(SESSION, {"session_id": session.session_id})
    value = {
        "session_id": session.session_id,
        "player_id": locked.pk,
        "login": locked.login,
        "role": session.role,
        "created_at": session.created_at,
        "last_seen_at": session.last_seen_at,
    }
    transaction.on_commit(lambda: through.commit(Fresh(value)), robust=True)
    return tokens.issue(player_id=locked.pk, session_id=session.session_id, refresh_id=session.refresh_id)


def session_refresh(*, refresh_token: str) -> TokenPair:
    """A new pair for an old refresh token, which works once.

    Raises Refusal `token_invalid`, and ends the session where the token was used before: somebody has a copy.
    Raises Refusal `session_expired` where the session has ended.
    """
    claims = tokens.read_refresh(refresh_token)
    pair = _rotate(claims)
    if pair is None:
        raise Refusal("token_invalid", "This refresh token was used before. The session has been ended.")
    return pair


@atomic
def _rotate(claims: tokens.Claims) -> TokenPair | None:
    """None where the token was used before; the session's end is then committed, not rolled back."""
    session = (
        PlayerSession.objects.select_for_update(of=("self",))
        .select_related("player")
        .filter(session_id=claims.session_id, player_id=claims.player_id)
        .first()
    )
    oldest = timezone.now() - timedelta(seconds=settings.CACHE_SESSION_TTL)
    if session is None or session.last_seen_at <= oldest or not session.player.is_active:
        raise Refusal("session_expired")
    if session.refresh_id != claims.token_id:
        session.delete()
        return None
    session.refresh_id = tokens.new_refresh_id()
    session.last_seen_at = timezone.now()
    session.save(update_fields=["refresh_id", "last_seen_at"])
    return tokens.issue(player_id=session.player_id, session_id=session.session_id, refresh_id=session.refresh_id)


@atomic
def session_end(*, player_id: int, session_id: str) -> None:
    """Ends one of the player's sessions. Raises Refusal `not_found` for another player's or an unknown one."""
    ended, _ = PlayerSession.objects.filter(player_id=player_id, session_id=session_id).delete()
    if not ended:
        raise Refusal("not_found")


@atomic
def sessions_end(*, player_id: int, keep: str | None = None) -> int:
    """Ends the player's sessions but the one to keep. Returns how many."""
    ended, _ = PlayerSession.objects.filter(player_id=player_id).exclude(session_id=keep).delete()
    return ended


def password_change(*, principal: Principal, old_password: str, new_password: str) -> None:
    """Changes the password and ends all other sessions.

    Raises Refusal `invalid` for a wrong or a weak one, `conflict` where it was changed at the same moment.
    """
    player = Player.objects.get(pk=principal.id)
    if not player.check_password(old_password):
        detail = "The old password is wrong."
        raise Refusal("invalid", detail, errors=[{"field": "old_password", "code": "wrong", "detail": detail}])
    password_check(new_password, player, "new_password")
    # Compared and hashed without a lock, which nothing else of the player's would get for that long.
    _password_set(principal, before=player.password, after=make_password(new_password))


@atomic
def _password_set(principal: Principal, *, before: str, after: str) -> None:
    player = players_lock([principal.id])[principal.id]
    if player.password != before:
        raise Refusal("conflict", "The password was changed at the same moment.")
    player.password = after
    player.session_kept = principal.session_id
    player.save(update_fields=["password"])


@atomic
def sessions_sweep() -> int:
    """Deletes sessions that ended by themselves. Returns how many."""
    oldest = timezone.now() - timedelta(seconds=settings.CACHE_SESSION_TTL)
    ended, _ = PlayerSession.objects.filter(last_seen_at__lt=oldest).delete()
    return ended
