"""Loading the starting seasons and weathers: what is missing is made, what is there stays."""

from pathlib import Path

from bcraftd.transactions import atomic
from environment import services
from environment.models import Season, Weather
from inventory.seeding import load_toml, make_missing

CATALOGUE = Path(__file__).with_name("catalogue.toml")


@atomic
def environment_seed() -> int:
    """Returns how many rows were made. With no weather active yet, the first one becomes so."""
    data = load_toml(CATALOGUE)
    made = make_missing(Season, (Season(**row) for row in data["season"]), "name")
    made += make_missing(Weather, (Weather(**row) for row in data["weather"]), "name")
    services.weather_advance()
    return made
