"""What players grow by: experience with the level that follows from it, and statistics."""

import pytest
from django.db import transaction

from accounts.models import MAX_AMOUNT, MAX_LEVEL, Player, PlayerStatistics
from accounts.services import experience_add, players_lock, statistics_add
from bcraftd.leveling import experience_for
from tests.support import Api, queries, written


def learn(player: Api, amount: int) -> Player:
    """Gives XP as a service does, under the lock; returns what is then in the database."""
    with transaction.atomic():
        experience_add(player=players_lock([player.id])[player.id], amount=amount)
    return Player.objects.get(pk=player.id)


def test_experience_adds_up_and_the_level_follows_it(ada: Api, bob: Api) -> None:
    grown = [(player.experience, player.level) for player in (learn(ada, amount) for amount in (99, 1, 199, 1))]

    assert grown == [(99, 1), (100, 2), (299, 2), (300, 3)]
    other = Player.objects.get(pk=bob.id)
    assert (other.experience, other.level) == (0, 1)


@pytest.mark.parametrize("amount", [0, -1, -1000])
def test_who_learns_nothing_is_not_written(ada: Api, amount: int) -> None:
    learn(ada, 150)

    with queries() as sql:
        player = learn(ada, amount)

    assert written(sql, Player) == []
    assert (player.experience, player.level) == (150, 2)


def test_experience_and_levels_end_at_their_limits(ada: Api) -> None:
    Player.objects.filter(pk=ada.id).update(experience=experience_for(MAX_LEVEL) - 1, level=MAX_LEVEL - 1)
    assert learn(ada, 1).level == MAX_LEVEL

    player = learn(ada, MAX_AMOUNT)

    assert (player.experience, player.level) == (MAX_AMOUNT, MAX_LEVEL)


def test_learning_writes_experience_and_level_and_nothing_else(ada: Api) -> None:
    with queries() as sql:
        learn(ada, 5)

    assert written(sql, Player) == [{"experience", "level"}]


def test_statistics_add_up_each_by_itself_and_for_one_player(ada: Api, bob: Api) -> None:
    statistics_add(player_id=ada.id, items_crafted=3)
    statistics_add(player_id=ada.id, items_crafted=4, sales_count=1, sales_value=20)

    row = PlayerStatistics.objects.get(player_id=ada.id)
    assert (row.items_crafted, row.sales_count, row.sales_value, row.purchases_count) == (7, 1, 20, 0)
    assert PlayerStatistics.objects.get(player_id=bob.id).items_crafted == 0
