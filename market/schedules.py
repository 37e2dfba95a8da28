"""When the tasks of the market run."""

from bcraftd.schedules import Every

SCHEDULES = [Every(name="market: overdue listings", task="market.tasks.listings_expire", minutes=1)]
