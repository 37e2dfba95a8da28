"""When the tasks of the environment run."""

from bcraftd.schedules import Every

SCHEDULES = [Every(name="environment: weather moves on", task="environment.tasks.weather_advance", minutes=1)]
