"""What django-q2 runs for the environment."""

from environment import services


def weather_advance() -> str | None:
    """Moves the weather on when its duration is over. Returns the new weather's name, None where nothing changed."""
    return services.weather_advance()
