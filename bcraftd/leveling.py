"""Levels, the same for players and professions: level n costs n * 100 XP to leave."""

from math import isqrt


def experience_for(level: int) -> int:
    """XP that a level begins at: the sum of 100 * k for every level k below it."""
    return 50 * level * (level - 1)


def level_at(experience: int, maximum: int) -> int:
    """The level that so much XP in all gives, at most `maximum`.

    The largest n with 50 n (n - 1) <= XP, by the root of that quadratic in whole numbers.
    """
    return min((1 + isqrt(1 + 4 * (experience // 50))) // 2, maximum)
