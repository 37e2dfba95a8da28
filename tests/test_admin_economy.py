"""Catalogue, market, environment and leaderboard in the admin: the very next GET shows what was done."""

from typing import Any

import pytest
from django.urls import reverse

from bcraftd import economy
from environment.models import Season, Weather
from inventory.models import Recipe, Resource
from market.models import Listing
from tests.audit_world import by_hand
from tests.operators import Operator, admin, errors_of, messages_of
from tests.support import Api, resource_id


@pytest.fixture
def olga(world: None) -> Operator:
    return admin()


# Catalogue.


def test_a_renamed_resource_has_its_new_name_everywhere_at_once(olga: Operator, ada: Api) -> None:
    wood = resource_id("mutterwood-log")
    ada.grant(mutterwood_log=3)
    ada.sells("mutterwood-log", 1, 5)
    reads = ("/api/resources", f"/api/resources/{wood}", "/api/inventory", "/api/market/listings")
    for path in [*reads, *reads]:
        assert "Mutterling" not in ada.get(path).content.decode()

    answer = olga.save("inventory_resource_change", wood, name="Mutterling")

    assert answer.status_code == 302, errors_of(answer)
    for path in reads:
        assert "Mutterling" in ada.get(path).content.decode(), path


def test_a_recipe_with_another_ingredient_is_served_at_once(olga: Operator, api: Api) -> None:
    recipe = Recipe.objects.order_by("pk").first()
    assert recipe is not None
    row = recipe.ingredients.order_by("pk")[0]
    api.get(f"/api/recipes/{recipe.pk}")
    api.get("/api/recipes")

    answer = olga.save("inventory_recipe_change", recipe.pk, **{"ingredients-0-quantity": str(row.quantity + 7)})

    assert answer.status_code == 302, errors_of(answer)
    one = api.get(f"/api/recipes/{recipe.pk}").json()
    assert {"resource_id": row.resource_id, "quantity": row.quantity + 7} in one["ingredients"]
    assert one in api.get("/api/recipes").json()["recipes"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"gatherable": "on", "profession": ""}, "profession"),
        ({"base_value": "0"}, "__all__"),
        ({"base_value": "9" * 30}, "base_value"),
        ({"base_value": "-1"}, "base_value"),
        ({"stack_size": "0"}, "__all__"),
        ({"name": ""}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"rarity": "gold"}, "rarity"),
    ],
    ids=str,
)
def test_a_resource_that_breaks_the_rules_is_not_saved(olga: Operator, changes: dict[str, Any], field: str) -> None:
    row = Resource.objects.filter(gatherable=False)[0]
    before = Resource.objects.filter(pk=row.pk).values().get()

    answer = olga.save("inventory_resource_change", row.pk, **changes)

    assert list(errors_of(answer)) == [field]
    assert Resource.objects.filter(pk=row.pk).values().get() == before


def test_a_slug_is_given_once(olga: Operator) -> None:
    form = olga.get("inventory_resource_change", resource_id("mutterwood-log")).context["adminform"].form

    assert "slug" not in form.fields
    assert "slug" in olga.get("inventory_resource_add").context["adminform"].form.fields


def test_what_somebody_holds_cannot_be_deleted(olga: Operator, ada: Api) -> None:
    ada.grant(mutterwood_log=1)
    wood = resource_id("mutterwood-log")

    olga.client.post(reverse("admin:inventory_resource_delete", args=[wood]), {"post": "yes"})

    assert Resource.objects.filter(pk=wood).exists()
    assert ada.holds("mutterwood-log") == 1


# Market.


def test_an_operator_cancels_and_the_items_come_back(olga: Operator, ada: Api) -> None:
    ada.grant(mutterwood_log=20)
    listing = ada.sells("mutterwood-log", 20, 30)
    assert ada.holds("mutterwood-log") == 0
    assert len(ada.get("/api/market/listings").json()["listings"]) == 1

    answer = olga.act("market_listing", "cancel", listing["id"])

    assert messages_of(answer) == ["Cancelled: 1"]
    assert ada.holds("mutterwood-log") == 20
    assert ada.get("/api/market/listings").json()["listings"] == []
    assert ada.get(f"/api/market/listings/{listing['id']}").json()["status"] == "cancelled"


def test_a_closed_listing_is_refused_in_words_and_the_others_go_on(olga: Operator, ada: Api) -> None:
    ada.grant(mutterwood_log=20)
    first, second = ada.sells("mutterwood-log", 5, 30), ada.sells("mutterwood-log", 6, 30)
    messages_of(olga.act("market_listing", "cancel", first["id"]))

    answer = olga.act("market_listing", "cancel", first["id"], second["id"])

    assert messages_of(answer) == [f"listing {first['id']}: The listing is closed already.", "Cancelled: 1"]
    assert ada.holds("mutterwood-log") == 20


def test_a_moderator_cancels_only_where_a_group_lets_him(olga: Operator, ada: Api) -> None:
    ada.grant(mutterwood_log=20)
    listing = ada.sells("mutterwood-log", 20, 30)

    Operator.make("mona", "moderator").act("market_listing", "cancel", listing["id"])
    assert Listing.objects.get(pk=listing["id"]).status == "active"

    Operator.make("mark", "moderator", "market.change_listing").act("market_listing", "cancel", listing["id"])
    assert Listing.objects.get(pk=listing["id"]).status == "cancelled"


# Environment.


def set_now(operator: Operator, weather: Weather | int) -> Any:
    key = weather if isinstance(weather, int) else weather.pk
    page = reverse("admin:environment_weather_set_now", args=[key])
    return operator.client.post(page, {"_form_submitted": "True"})


def test_the_weather_that_was_set_holds_at_the_very_next_read(olga: Operator, api: Api) -> None:
    stormy = Weather.objects.get(name="Stormy")
    assert api.get("/api/environment/weather").json()["name"] != "Stormy"
    assert api.get("/api/environment/current").json()["weather"]["name"] != "Stormy"

    answer = set_now(olga, stormy)

    assert (answer.status_code, answer["Location"]) == (302, reverse("admin:environment_weather_changelist"))
    assert messages_of(answer) == ["The weather is Stormy now."]
    assert api.get("/api/environment/weather").json()["name"] == "Stormy"
    assert api.get("/api/environment/current").json()["weather"]["name"] == "Stormy"
    assert Weather.objects.filter(is_active=True).count() == 1


def test_opening_the_dialog_sets_nothing(olga: Operator) -> None:
    stormy = Weather.objects.get(name="Stormy")

    shown = olga.get("environment_weather_set_now", stormy.pk)

    assert shown.status_code == 200
    assert not Weather.objects.get(pk=stormy.pk).is_active


def test_htmx_is_told_where_to_go(olga: Operator) -> None:
    page = reverse("admin:environment_weather_set_now", args=[Weather.objects.get(name="Stormy").pk])

    answer = olga.client.post(page, {"_form_submitted": "True"}, headers={"HX-Request": "true"})

    assert answer["HX-Redirect"] == reverse("admin:environment_weather_changelist")


def test_a_weather_that_is_not_there_is_refused_in_words(olga: Operator) -> None:
    assert messages_of(set_now(olga, 999)) == ["There is no weather 999."]


def test_a_moderator_sets_the_weather_only_where_a_group_lets_him(olga: Operator) -> None:
    stormy = Weather.objects.get(name="Stormy")

    assert set_now(Operator.make("mona", "moderator"), stormy).status_code == 403
    assert not Weather.objects.get(pk=stormy.pk).is_active

    set_now(Operator.make("mark", "moderator", "environment.change_weather"), stormy)
    assert Weather.objects.get(pk=stormy.pk).is_active


def test_an_edited_season_and_weather_are_served_at_once(olga: Operator, api: Api) -> None:
    before = api.get("/api/environment/current").json()
    for kind in ("season", "weather"):
        name = f"environment_{kind}_change"
        answer = olga.save(name, before[kind]["id"], gathering_multiplier="9.75")
        assert answer.status_code == 302, errors_of(answer)
        assert api.get("/api/environment/current").json()[kind]["gathering_multiplier"] == 9.75


def test_saving_a_weather_does_not_bring_back_one_that_has_passed(
    olga: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schedule may move on between the form's reading and its writing."""
    from environment import services

    sunny, rainy = Weather.objects.get(name="Sunny"), Weather.objects.get(name="Rainy")
    services.weather_set(weather_id=sunny.pk)
    clean = Weather.clean

    def passed(self: Weather) -> None:
        services.weather_set(weather_id=rainy.pk)
        clean(self)

    monkeypatch.setattr(Weather, "clean", passed)
    answer = olga.save("environment_weather_change", sunny.pk, duration_minutes="77")

    assert answer.status_code == 302, errors_of(answer)
    assert Weather.objects.get(is_active=True) == rainy
    assert Weather.objects.get(pk=sunny.pk).duration_minutes == 77


def test_the_weather_that_holds_cannot_be_deleted(olga: Operator, api: Api) -> None:
    active = Weather.objects.get(is_active=True)
    other = Weather.objects.filter(is_active=False)[0]

    for row in (active, other):
        olga.client.post(reverse("admin:environment_weather_delete", args=[row.pk]), {"post": "yes"})
    olga.client.post(
        reverse("admin:environment_weather_changelist"),
        {"action": "delete_selected", "_selected_action": [active.pk], "post": "yes"},
    )

    assert Weather.objects.get(is_active=True) == active
    assert not Weather.objects.filter(pk=other.pk).exists()


def test_a_month_without_a_season_is_said(olga: Operator) -> None:
    winter = Season.objects.get(name="Winter")

    answer = olga.save("environment_season_change", winter.pk, end_month="12")

    assert "No season holds in these months: 1, 2." in messages_of(answer)


@pytest.mark.parametrize("field", ["start_month", "end_month"])
@pytest.mark.parametrize("month", ["0", "13", "x", "", "9" * 30])
def test_a_season_has_months_of_the_year(olga: Operator, field: str, month: str) -> None:
    answer = olga.save("environment_season_change", Season.objects.get(name="Winter").pk, **{field: month})

    assert list(errors_of(answer)) == [field]


# Leaderboard.


def test_the_leaderboard_is_refreshed_from_its_page(olga: Operator, ada: Api) -> None:
    assert ada.get("/api/leaderboard").json()["leaderboard"] == []
    page = reverse("admin:leaderboard_leaderboardrow_refresh_now")

    assert olga.client.get(page).status_code == 200
    assert ada.get("/api/leaderboard").json()["leaderboard"] == []
    answer = olga.client.post(page, {"_form_submitted": "True"})

    assert messages_of(answer) == ["Refreshed: 2 players."]
    assert {row["login"] for row in ada.get("/api/leaderboard").json()["leaderboard"]} == {"ada", "Olga"}


def test_a_moderator_refreshes_only_where_a_group_lets_him(olga: Operator) -> None:
    page = reverse("admin:leaderboard_leaderboardrow_refresh_now")
    form = {"_form_submitted": "True"}

    assert Operator.make("mona", "moderator").client.post(page, form).status_code == 403
    mark = Operator.make("mark", "moderator", "leaderboard.change_leaderboardrow")
    assert mark.client.post(page, form).status_code == 302


# Audits.


def test_an_audit_names_the_first_problems_and_says_so_in_the_list(olga: Operator, ada: Api) -> None:
    whole = economy.record(economy.audit())
    by_hand("UPDATE accounts_ledgertransfer SET reason = '<b>gift</b>'")
    broken = economy.record(economy.audit())

    listed = olga.get("bcraftd_economyaudit_changelist")
    assert list(listed.context["cl"].result_list) == [broken, whole]
    shown = olga.get("bcraftd_economyaudit_change", broken.pk).content.decode()
    assert "reason_unknown: transfer " in shown
    assert "&lt;b&gt;gift&lt;/b&gt;" in shown
    assert "<b>gift" not in shown
    assert "coins minted: 1000" in shown
    assert "reason_unknown" not in olga.get("bcraftd_economyaudit_change", whole.pk).content.decode()
