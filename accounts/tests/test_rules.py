"""Pure decisions about accounts: badges and levels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.rules import badge
from bcraftd.leveling import experience_for, level_at

EXPERIENCE = st.integers(0, 2**53 - 1)


@pytest.mark.parametrize(
    ("level", "rank", "word"),
    [
        (1, None, "newcomer"),
        (9, None, "newcomer"),
        (10, None, "apprentice"),
        (24, 101, "apprentice"),
        (25, None, "artisan"),
        (49, None, "artisan"),
        (50, None, "veteran"),
        (74, None, "veteran"),
        (75, None, "grandmaster"),
        (100, 1000, "grandmaster"),
        (100, 100, "elite"),
        (1, 11, "elite"),
        (1, 10, "legend"),
        (1, 2, "legend"),
        (1, 1, "champion"),
    ],
)
def test_a_place_among_the_best_says_more_than_a_level(level: int, rank: int | None, word: str) -> None:
    assert badge(level, rank) == word


@given(st.integers(1, 100), st.integers(1, 10**9))
def test_a_better_rank_never_gives_a_lesser_badge(level: int, rank: int) -> None:
    order = ["champion", "legend", "elite", badge(level, None)]

    assert order.index(badge(level, rank)) <= order.index(badge(level, rank + 1))


@pytest.mark.parametrize(
    ("experience", "level"), [(0, 1), (99, 1), (100, 2), (299, 2), (300, 3), (599, 3), (600, 4), (494_999, 99)]
)
def test_level_n_costs_n_hundred_experience_to_leave(experience: int, level: int) -> None:
    assert level_at(experience, 100) == level


@given(st.integers(1, 10**6))
def test_a_level_begins_exactly_where_the_sum_of_the_costs_says(level: int) -> None:
    begin = experience_for(level)

    assert experience_for(level + 1) - begin == level * 100
    assert level_at(begin, level + 1) == level
    assert level_at(begin + level * 100 - 1, level + 1) == level
    assert level_at(begin + level * 100, level + 1) == level + 1


@given(EXPERIENCE, EXPERIENCE, st.sampled_from([50, 100]))
def test_more_experience_never_lowers_a_level_and_the_maximum_holds(one: int, other: int, maximum: int) -> None:
    lower, higher = sorted((level_at(one, maximum), level_at(other, maximum)))

    assert (level_at(min(one, other), maximum), level_at(max(one, other), maximum)) == (lower, higher)
    assert 1 <= lower <= higher <= maximum
