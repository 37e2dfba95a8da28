"""When the tasks of accounts run."""

from bcraftd.schedules import Every

SCHEDULES = [Every(name="accounts: expired sessions", task="accounts.tasks.sessions_sweep", minutes=10)]
