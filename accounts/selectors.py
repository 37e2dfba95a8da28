"""Reads of accounts."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from accounts import rules
from accounts.cache import LAST_SEEN, SESSION
from accounts.models import LedgerEntry, Player, PlayerSession
from bcraftd.cache import Fresh
from bcraftd.identity import Principal
from bcraftd.pagination import keyset_page
from bcraftd.replicas import PLAYER, may_lag
from inventory import selectors as inventory
from leaderboard import selectors as leaderboard
from leaderboard.models import LeaderboardRow

# Seconds that last_seen_at in PostgreSQL may lag while Redis is away and nothing is gathered there.
LAST_SEEN_LAG = 300


def _alive() -> datetime:
    """A session that was last seen after this moment lives."""
    return timezone.now() - timedelta(seconds=settings.CACHE_SESSION_TTL)


@SESSION.filler
def _session(session_id: str) -> Fresh | None:
    row = (
        PlayerSession.objects.filter(session_id=session_id, last_seen_at__gt=_alive(), player__is_active=True)
        .annotate(login=F("player__login"))
        .values("session_id", "player_id", "login", "role", "created_at", "last_seen_at")
        .first()
    )
    return None if row is None else Fresh(row)


def session_principal(session_id: str) -> Principal | None:
    """Who a live session belongs to, None where it has ended. Slides its life on.

    One Redis command and no SQL where the session is in Redis.
    """
    answer = SESSION.get({"session_id": session_id})
    if answer is None:
        return None
    session: Mapping[str, Any] = answer.data()
    session_seen(session_id)
    now = timezone.now()
    if answer.outcome == "BYPASS" and datetime.fromisoformat(session["last_seen_at"]) < now - timedelta(
        seconds=LAST_SEEN_LAG
    ):
        PlayerSession.objects.filter(session_id=session_id).update(last_seen_at=now)
    return Principal(session["player_id"], session["login"], session["role"], session["session_id"])


def session_seen(session_id: str) -> None:
    """Notes that a session was used just now, to be written behind."""
    LAST_SEEN.put(session_id, int(timezone.now().timestamp()))


@LAST_SEEN.writer
def _write_last_seen(facts: Mapping[str, int]) -> int:
    """Bulk-writes last_seen_at, never backwards. No signal: nothing that is cached shows it."""
    rows = list(PlayerSession.objects.filter(session_id__in=list(facts)).only("session_id", "last_seen_at"))
    later = []
    for row in rows:
        seen = datetime.fromtimestamp(facts[row.session_id], UTC)
        if seen > row.last_seen_at:
            row.last_seen_at = seen
            later.append(row)
    PlayerSession.objects.bulk_update(later, ["last_seen_at"], batch_size=1000)
    return len(later)


def me_get(player_id: int) -> dict[str, Any]:
    """The signed-in player's own page. Two queries."""
    player = Player.objects.select_related("statistics").get(pk=player_id)
    statistics = player.statistics
    return {
        "id": player.pk,
        "login": player.login,
        "email": player.email,
        "role": player.role,
        "coins": player.coins,
        "level": player.level,
        "experience": player.experience,
        "professions": inventory.professions_of(player_id),
        "statistics": {
            name: getattr(statistics, name)
            for name in (
                "items_crafted", "items_gathered", "sales_count", "sales_value", "purchases_count", "purchases_value",
            )
        },
    }  # fmt: skip


@may_lag(PLAYER, "player_id", Player, LeaderboardRow)
def profile_get(*, player_id: int) -> dict[str, Any] | None:
    """A player's public page, None where there is no such active player. Two queries."""
    player = Player.objects.filter(pk=player_id, is_active=True).values("id", "login", "level").first()
    if player is None:
        return None
    place = leaderboard.place_of(player_id)
    return {
        **player,
        "badge": rules.badge(player["level"], place["rank"] if place else None),
        "global_score": place["global_score"] if place else None,
        "rank": place["rank"] if place else None,
    }


def sessions_of(principal: Principal) -> list[dict[str, Any]]:
    """The player's live sessions, newest first. One query."""
    rows = (
        PlayerSession.objects.filter(player_id=principal.id, last_seen_at__gt=_alive())
        .order_by("-created_at", "-id")
        .values("session_id", "created_at", "last_seen_at", "user_agent", "address")
    )
    return [{**row, "current": row["session_id"] == principal.session_id} for row in rows]


@may_lag(PLAYER, "player_id", LedgerEntry)
def wallet_page(*, player_id: int, limit: int, cursor: str | None = None) -> dict[str, Any]:
    """A page of the player's ledger entries, newest first. One query."""
    rows, following = keyset_page(
        LedgerEntry.objects.filter(player_id=player_id).values(
            "id", "amount", "transfer__reason", "transfer__reference", "transfer__created_at"
        ),
        order=["-id"],
        kinds=[int],
        cursor=cursor,
        limit=limit,
    )
    entries = [
        {
            "id": row["id"],
            "amount": row["amount"],
            "reason": row["transfer__reason"],
            "reference": row["transfer__reference"],
            "created_at": row["transfer__created_at"],
        }
        for row in rows
    ]
    return {"entries": entries, "next": following}
