"""Loading the starting seasons and weathers: once, and again."""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from environment.models import Season, Weather
from environment.seeding import environment_seed
from environment.tests.support import NOON, sets
from inventory.tests.support import clock
from tests.support import Api, clean_world

SEASONS = {
    ("Spring", 3, 5, "1.20", "1.00"),
    ("Summer", 6, 8, "1.00", "1.00"),
    ("Autumn", 9, 11, "1.10", "1.20"),
    ("Winter", 12, 2, "0.80", "1.30"),
}
WEATHERS = {
    ("Sunny", "1.00", "1.00", 120),
    ("Rainy", "0.80", "1.20", 90),
    ("Stormy", "0.50", "0.80", 60),
    ("Snowy", "0.70", "1.10", 100),
    ("Windy", "1.20", "0.90", 80),
}


def seasons() -> set[tuple[str, int, int, str, str]]:
    return {
        (row.name, row.start_month, row.end_month, str(row.gathering_multiplier), str(row.crafting_multiplier))
        for row in Season.objects.all()
    }


def weathers() -> set[tuple[str, str, str, int]]:
    return {
        (row.name, str(row.gathering_multiplier), str(row.crafting_multiplier), row.duration_minutes)
        for row in Weather.objects.all()
    }


def test_an_empty_world_gets_four_seasons_and_five_weathers_of_which_one_is_active(world: None) -> None:
    clean_world()
    with clock(NOON):
        assert environment_seed() == 9
    assert seasons() == SEASONS
    assert weathers() == WEATHERS
    active = Weather.objects.get(is_active=True)
    assert (active.name, active.active_since) == ("Sunny", NOON)


def test_again_it_makes_nothing_and_leaves_the_weather_alone(world: None) -> None:
    sets("Stormy", timezone.now())
    before = list(Weather.objects.order_by("pk").values())
    assert environment_seed() == 0
    assert list(Weather.objects.order_by("pk").values()) == before


def test_what_operators_changed_stays(world: None) -> None:
    Season.objects.filter(name="Winter").update(crafting_multiplier=Decimal("2.5"), end_month=3)
    Weather.objects.filter(name="Windy").update(duration_minutes=7)
    Weather.objects.create(name="Foggy", gathering_multiplier=1, crafting_multiplier=1, duration_minutes=5)
    before = (seasons(), weathers())
    assert environment_seed() == 0
    assert (seasons(), weathers()) == before


def test_only_what_is_missing_is_made(world: None) -> None:
    Season.objects.filter(name="Autumn").delete()
    Weather.objects.filter(is_active=False, name__in=["Snowy", "Windy"]).delete()
    assert environment_seed() == 3
    assert (seasons(), weathers()) == (SEASONS, WEATHERS)


def test_what_it_makes_is_in_the_very_next_read(api: Api) -> None:
    Season.objects.all().delete()
    Weather.objects.all().delete()
    answer = api.get("/api/environment/current").json()
    assert (answer["weather"], answer["season"]) == (None, None)
    environment_seed()
    answer = api.get("/api/environment/current").json()
    assert answer["weather"]["name"] == "Sunny"
    assert answer["season"] is not None


def test_a_seed_after_a_long_sleep_writes_the_present_weather_down(world: None) -> None:
    sets("Sunny", timezone.now() - timedelta(days=2))
    assert environment_seed() == 0
    active = Weather.objects.get(is_active=True)
    assert active.active_since <= timezone.now() < active.active_since + timedelta(minutes=active.duration_minutes)
