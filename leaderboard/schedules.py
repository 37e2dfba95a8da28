"""When the tasks of the leaderboard run."""

from bcraftd.schedules import Every

SCHEDULES = [Every(name="leaderboard: refresh", task="leaderboard.tasks.leaderboard_refresh", minutes=5)]
