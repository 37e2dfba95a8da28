"""The world that the checker reads and writes, inside an API process: players, offers, resources of its own.

Everything is made through the services that the API uses, and made only once: a later run on the same database finds
it and goes on from the versions that it has.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from django.db.models import Model

from accounts import selectors as accounts_selectors
from accounts import services as accounts
from accounts.models import Player
from bcraftd.cache import Answer
from bcraftd.transactions import atomic
from environment import selectors as environment_selectors
from environment import services as environment
from environment.models import Season, Weather
from inventory import selectors as inventory_selectors
from inventory import services as inventory
from inventory.models import PlayerProfession, Profession, Rarity, Recipe, RecipeIngredient, Resource
from market import selectors as market_selectors
from market import services as market
from market.models import MAX_QUANTITY, Listing
from tests.consistency.views import NEEDED, View, multipliers_version, name_version

# How many registers a family has at most; a schedule says how many of them take part.
KEYS = 4
MUCH = 10**12
DEAR = 100


# --- Making it ----------------------------------------------------------------------------------------------


def _player(login: str) -> Player:
    found = Player.objects.filter(login=login).first()
    return found or Player.objects.create_user(login=login, email=f"{login}@example.org")


def _resource(slug: str) -> Resource:
    found = Resource.objects.filter(slug=slug).first()
    values = {"kind": "gem", "rarity": Rarity.objects.all()[0], "base_value": 1}
    return found or Resource.objects.create(slug=slug, name=f"{slug.title()} 0", **values)


def _recipe(slug: str, ingredient: Resource, quantity: int) -> Recipe:
    found = Recipe.objects.filter(slug=slug).first()
    if found is None:
        profession = Profession.objects.all()[0]
        found = Recipe.objects.create(
            slug=slug, name=slug.title(), output_resource=_resource("checker-made"), profession=profession
        )
        RecipeIngredient.objects.create(recipe=found, resource=ingredient, quantity=quantity)
    return found


def _listing(seller: Player, resource: Resource, number: int) -> Listing:
    """The offers of one resource differ by their price; none is one that a bot of `simulate` would pay."""
    price = number + DEAR
    found = Listing.objects.filter(seller=seller, resource=resource, unit_price=price).first()
    if found is None:
        inventory.player_grant(login=seller.login, coins=0, items={resource.slug: MAX_QUANTITY})
        found = market.listing_create(
            seller_id=seller.pk, resource_id=resource.pk, quantity=MAX_QUANTITY, unit_price=price
        )
    return found


def _sky() -> None:
    """One weather and one season for the whole run, whatever the clock says."""
    weather = Weather.objects.order_by("pk")[0]
    Weather.objects.filter(pk=weather.pk).update(duration_minutes=10080)
    environment.weather_set(weather_id=weather.pk)
    season = Season.objects.order_by("pk")[0]
    Season.objects.exclude(pk=season.pk).delete()
    Season.objects.filter(pk=season.pk).update(start_month=1, end_month=12)


def prepare() -> dict[str, Any]:
    """Makes what is not there yet. Returns the views, the registers of each family, and what looks need to know."""
    item, other = _resource("checker-item"), _resource("checker-other")
    held, needed = _recipe("checker-held", item, NEEDED), _recipe("checker-needed", other, 1)
    players = [_player(f"checker-{number}") for number in range(KEYS)]
    for player in players:
        if not PlayerProfession.objects.filter(player=player).exists():
            inventory.profession_join(player_id=player.pk, profession_id=held.profession_id)
            inventory.player_grant(login=player.login, coins=MUCH, items={item.slug: 1})
    seller, goods = _player("checker-seller"), [_resource(f"checker-goods-{number}") for number in range(2)]
    listings = [_listing(seller, goods[number % 2], number) for number in range(KEYS)]
    valued = [_resource(f"checker-valued-{number}") for number in range(KEYS)]
    _sky()
    registers = {
        "inventory": [f"inventory:{player.pk}" for player in players],
        "recipe": [f"recipe:{needed.pk}"],
        "name": [f"name:{item.pk}", *(f"name:{row.pk}" for row in goods)],
        "market": [f"market:{listing.pk}" for listing in listings],
        "environment": ["environment:weather", "environment:season"],
        "catalogue": [f"catalogue:{resource.pk}" for resource in valued],
    }
    views = [*_views_of_players(players, item, held, needed), *_views_of_all(item, needed, listings, valued)]
    return {
        "registers": registers,
        "views": [asdict(view) for view in views],
        "players": [player.pk for player in players],
        "item": item.pk,
    }


def _views_of_players(players: list[Player], item: Resource, held: Recipe, needed: Recipe) -> list[View]:
    views = []
    for player in players:
        pk, mine = player.pk, f"inventory:{player.pk}"
        shows = ((mine, "lacking", held.pk), (f"recipe:{needed.pk}", "missing", needed.pk))
        views += [
            View(
                f"inventory:{pk}",
                "inventory",
                pk,
                "/api/inventory",
                pk,
                ((mine, "held", item.pk), (f"name:{item.pk}", "named", item.pk)),
            ),
            View(f"known recipes:{pk}", "known", pk, "/api/recipes/known", pk, shows),
        ]
    return views


def _views_of_all(item: Resource, needed: Recipe, listings: list[Listing], valued: list[Resource]) -> list[View]:
    ingredient = ((f"recipe:{needed.pk}", "ingredient", needed.pk),)
    views = [
        View("recipe", "recipe", needed.pk, f"/api/recipes/{needed.pk}", 0, ingredient),
        View("listings", "listings", None, "/api/market/listings", 0, _offers(listings)),
        View("sky", "sky", None, "/api/environment/current", 0,
             (("environment:weather", "weather", 0), ("environment:season", "season", 0))),
        View("weather", "weather", None, "/api/environment/weather", 0, (("environment:weather", "weather alone", 0),)),
        View("gems", "resources", "gem", "/api/resources?kind=gem", 0,
             tuple((f"catalogue:{row.pk}", "valued", row.pk) for row in valued)),
    ]  # fmt: skip
    goods = {listing.resource_id: listing.resource for listing in listings}
    for pk in goods:
        path = f"/api/market/listings?resource_id={pk}"
        offers = _offers([listing for listing in listings if listing.resource_id == pk])
        views.append(View(f"listings of {pk}", "listings", pk, path, 0, offers))
    for row in [item, *goods.values(), *valued]:
        shows = ((f"catalogue:{row.pk}", "base value", row.pk), (f"name:{row.pk}", "name", row.pk))
        views.append(View(f"resource {row.pk}", "resource", row.pk, f"/api/resources/{row.pk}", 0, shows))
    return views


def _offers(listings: list[Listing]) -> tuple[tuple[str, str, int], ...]:
    names = {
        listing.resource_id: (f"name:{listing.resource_id}", "sold as", listing.resource_id) for listing in listings
    }
    return (*((f"market:{listing.pk}", "sold", listing.pk) for listing in listings), *names.values())


# --- Reading it ---------------------------------------------------------------------------------------------


def _session(session_id: Any) -> tuple[Any, str]:
    """The principal in place of an answer: that is what every request asks for."""
    return accounts_selectors.session_principal(session_id), "session"


def _answered(answer: Answer | None) -> tuple[Any, str]:
    assert answer is not None
    return answer.data(), answer.outcome


# Each returns what an answer shows and how it came.
READERS: dict[str, Callable[[Any], tuple[Any, str]]] = {
    "inventory": lambda pk: _answered(inventory_selectors.inventory_get(pk)),
    "known": lambda pk: _answered(inventory_selectors.known_recipes(pk)),
    "recipe": lambda pk: _answered(inventory_selectors.recipe_get(pk)),
    "listings": lambda pk: _answered(market_selectors.listings_page(resource_id=pk)),
    "sky": lambda _: _answered(environment_selectors.environment_current()),
    "weather": lambda _: _answered(environment_selectors.weather_current()),
    "resources": lambda kind: _answered(inventory_selectors.resources_list(kind=kind)),
    "resource": lambda pk: _answered(inventory_selectors.resource_get(pk)),
    "session": _session,
}


# --- Writing it ---------------------------------------------------------------------------------------------


def _saved(row: Model, values: Mapping[str, Any], how: str) -> None:
    """Writes columns of a locked row in one of Django's ways."""
    model = type(row)._default_manager
    for name, value in values.items():
        setattr(row, name, value)
    if how == "save":
        row.save(update_fields=list(values))
    elif how == "update":
        model.filter(pk=row.pk).update(**values)
    else:
        model.bulk_update([row], list(values))


@atomic
def _multiplier_raise(*, model: type[Weather | Season], how: str) -> int:
    row: Any = model._default_manager.select_for_update().order_by("pk")[0]
    version = multipliers_version(row.gathering_multiplier, row.crafting_multiplier) + 1
    gathering, crafting = (Decimal(part) / 100 for part in divmod(version, 10_000))
    values = {"gathering_multiplier": gathering, "crafting_multiplier": crafting}
    _saved(row, values, how)
    return version


@atomic
def _base_value_raise(*, resource_id: int, how: str) -> int:
    row = Resource.objects.select_for_update().get(pk=resource_id)
    _saved(row, {"base_value": row.base_value + 1}, how)
    return row.base_value


@atomic
def _rename(*, resource_id: int, how: str) -> int:
    row = Resource.objects.select_for_update().get(pk=resource_id)
    version = name_version(row.name) + 1
    _saved(row, {"name": f"{row.slug.title()} {version}"}, how)
    return version


@atomic
def _ingredient_raise(*, recipe_id: int, how: str) -> int:
    row = RecipeIngredient.objects.select_for_update().get(recipe_id=recipe_id)
    _saved(row, {"quantity": row.quantity + 1}, how)
    return row.quantity


@atomic
def _listing_buy(*, listing_id: int, buyer_id: int) -> int:
    market.listing_buy(buyer_id=buyer_id, listing_id=listing_id, quantity=1)
    row = Listing.objects.get(pk=listing_id)
    return row.quantity - row.remaining


def _grant(player_id: int) -> int:
    login = Player.objects.values_list("login", flat=True).get(pk=player_id)
    granted = inventory.player_grant(login=login, coins=0, items={"checker-item": 1})
    return int(granted["items"]["checker-item"])


def write(register: str, how: str, buyer: int) -> int:
    """Writes a register once. `how` is save, update or bulk_update where there is a choice. Returns its new version."""
    family, _, name = register.partition(":")
    if family == "inventory":
        return _grant(int(name))
    if family == "recipe":
        return _ingredient_raise(recipe_id=int(name), how=how)
    if family == "name":
        return _rename(resource_id=int(name), how=how)
    if family == "market":
        return _listing_buy(listing_id=int(name), buyer_id=buyer)
    if family == "environment":
        return _multiplier_raise(model=Weather if name == "weather" else Season, how=how)
    return _base_value_raise(resource_id=int(name), how=how)


def session_open(player_id: int) -> dict[str, str]:
    """Signs a player in. Returns the session's id and its access token."""
    player = Player.objects.get(pk=player_id)
    pair = accounts.session_open(player=player, user_agent="the consistency checker", address="127.0.0.1")
    return {"session_id": pair.session_id, "token": pair.access_token}


def session_end(player_id: int, session_id: str) -> None:
    """Ends a session as a logout does."""
    accounts.session_end(player_id=player_id, session_id=session_id)
