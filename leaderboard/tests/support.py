"""What the leaderboard's tests have in common."""

from typing import Any

from accounts.models import Player, PlayerStatistics
from inventory.models import PlayerProfession, Profession
from leaderboard.services import Refreshed, leaderboard_refresh


def player(
    login: str,
    *,
    level: int = 1,
    coins: int = 0,
    crafted: int = 0,
    sales: int = 0,
    professions: tuple[int, ...] = (),
    active: bool = True,
) -> Player:
    """A player with a record; `professions` holds the level of each."""
    made = Player.objects.create(
        login=login, email=f"{login}@example.org", level=level, coins=coins, experience=level * 50, is_active=active
    )
    PlayerStatistics.objects.filter(player=made).update(items_crafted=crafted, sales_value=sales)
    for slot, (profession, reached) in enumerate(zip(Profession.objects.all(), professions, strict=False), start=1):
        PlayerProfession.objects.create(player=made, profession=profession, slot=slot, level=reached)
    return made


def refresh() -> Refreshed:
    """As the command does it."""
    refreshed = leaderboard_refresh(wait=True)
    assert refreshed is not None
    return refreshed


def logins(answer: Any) -> list[str]:
    """Who is on a page, in order."""
    assert answer.status_code == 200, answer.content
    return [row["login"] for row in answer.json()["leaderboard"]]
