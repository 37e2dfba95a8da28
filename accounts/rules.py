"""Pure decisions about accounts."""

# A place among the best says more than a level does.
RANK_BADGES = ((1, "champion"), (10, "legend"), (100, "elite"))
LEVEL_BADGES = ((75, "grandmaster"), (50, "veteran"), (25, "artisan"), (10, "apprentice"))
NEWCOMER = "newcomer"


def badge(level: int, rank: int | None) -> str:
    """The word shown beside a login: by leaderboard rank where it is 100 or better, else by level."""
    for worst, name in RANK_BADGES:
        if rank is not None and rank <= worst:
            return name
    for least, name in LEVEL_BADGES:
        if level >= least:
            return name
    return NEWCOMER
