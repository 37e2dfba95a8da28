"""GET /api/resources and /api/resources/{id}: the catalogue of resources."""

import pytest

from inventory.models import Resource
from inventory.tests.support import assert_read_once, life_ms, stored
from tests.support import Api, assert_problem, profession_id, queries, resource_id

RESOURCES = "/api/resources"


def slugs(api: Api, query: str = "") -> set[str]:
    return {row["slug"] for row in api.get(f"{RESOURCES}{query}").json()["resources"]}


def test_it_lists_the_whole_catalogue(api: Api) -> None:
    # Queries of a miss: the resources.
    answer = assert_read_once(api, RESOURCES, budget=1)
    assert list(answer) == ["source", "resources"]
    rows = answer["resources"]
    assert len(rows) == Resource.objects.count() >= 40
    assert rows == sorted(rows, key=lambda row: row["id"])


def test_a_gathered_and_a_crafted_resource_look_like_this(api: Api) -> None:
    rows = {row["slug"]: row for row in api.get(RESOURCES).json()["resources"]}
    assert rows["sleepers-molar"] == {
        "id": resource_id("sleepers-molar"), "slug": "sleepers-molar", "name": "Sleeper's Molar", "kind": "ore",
        "rarity": "legendary", "base_value": 130, "stack_size": 20, "tradeable": True, "gatherable": True,
        "profession_id": profession_id("pitdelver"),
    }  # fmt: skip
    assert rows["waking-bell"] == {
        "id": resource_id("waking-bell"), "slug": "waking-bell", "name": "Waking Bell", "kind": "tool",
        "rarity": "mythic", "base_value": 667, "stack_size": 1, "tradeable": False, "gatherable": False,
        "profession_id": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "keep"),
    [
        ("?kind=wood", {"kind": "wood"}),
        ("?rarity=mythic", {"rarity": "mythic"}),
        ("?gatherable=true", {"gatherable": True}),
        ("?gatherable=false", {"gatherable": False}),
        ("?kind=ore&rarity=rare&gatherable=true", {"kind": "ore", "rarity": "rare", "gatherable": True}),
    ],
)
def test_filters_keep_what_matches_all_of_them(api: Api, query: str, keep: dict[str, object]) -> None:
    everything = api.get(RESOURCES).json()["resources"]
    expected = [row for row in everything if all(row[name] == value for name, value in keep.items())]
    assert 0 < len(expected) < len(everything)
    assert assert_read_once(api, f"{RESOURCES}{query}", budget=1)["resources"] == expected


def test_a_filter_that_nothing_matches_gives_an_empty_list_which_hits(api: Api) -> None:
    assert assert_read_once(api, f"{RESOURCES}?kind=wood&rarity=mythic", budget=1)["resources"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("kind=stone", "kind"),
        ("kind=", "kind"),
        ("kind=WOOD", "kind"),
        ("kind=wood%00", "kind"),
        ("kind=%ED%A0%80", "kind"),
        ("kind=wood&kind=ore", "kind"),
        ("rarity=shiny", "rarity"),
        ("rarity=Common", "rarity"),
        ("gatherable=yes", "gatherable"),
        ("gatherable=1", "gatherable"),
        ("gatherable=True", "gatherable"),
        ("gatherable=", "gatherable"),
        ("tradeable=true", "tradeable"),
        ("limit=5", "limit"),
    ],
)
def test_an_unknown_value_or_parameter_is_refused(api: Api, query: str, field: str) -> None:
    assert_problem(api.get(f"{RESOURCES}?{query}"), 400, "invalid", field)


def test_the_order_of_the_filters_makes_no_second_copy(api: Api) -> None:
    assert api.get(f"{RESOURCES}?kind=ore&rarity=rare")["X-Cache"] == "MISS"
    assert api.get(f"{RESOURCES}?rarity=rare&kind=ore")["X-Cache"] == "HIT"


def test_redis_holds_each_filter_as_json_in_one_hash_for_at_most_an_hour(api: Api) -> None:
    everything = api.get(RESOURCES).json()["resources"]
    wood = api.get(f"{RESOURCES}?kind=wood").json()["resources"]
    one = api.get(f"{RESOURCES}/{wood[0]['id']}").json()
    assert stored("catalogue:resources") == {
        "{}": {"resources": everything},
        '{"kind":"wood"}': {"resources": wood},
        f'{{"id":{one["id"]}}}': one,
    }
    assert 0 < life_ms("catalogue:resources") <= 3_600_000


def test_one_resource_is_what_the_list_shows_of_it(api: Api) -> None:
    listed = next(row for row in api.get(RESOURCES).json()["resources"] if row["slug"] == "yawnwort")
    # Queries of a miss: the resource.
    assert assert_read_once(api, f"{RESOURCES}/{listed['id']}", budget=1) == listed


@pytest.mark.parametrize("path", ["0", "-1", "x", "1.0", "true", str(2**31), str(2**63), "1" + "0" * 30, "%00", "1%00"])
def test_an_id_that_names_nothing_is_not_found(api: Api, path: str) -> None:
    for _ in range(2):
        assert_problem(api.get(f"{RESOURCES}/{path}"), 404, "not_found")


def test_what_is_not_there_is_found_as_soon_as_it_is(api: Api) -> None:
    following = Resource.objects.latest("pk").pk + 1
    assert_problem(api.get(f"{RESOURCES}/{following}"), 404, "not_found")
    before = slugs(api)
    Resource.objects.create(pk=following, slug="pebble", name="Pebble", kind="ore", rarity_id="common", base_value=1)
    assert api.get(f"{RESOURCES}/{following}").json()["slug"] == "pebble"
    assert slugs(api) == before | {"pebble"}
    Resource.objects.get(slug="pebble").delete()
    assert slugs(api) == before
    assert_problem(api.get(f"{RESOURCES}/{following}"), 404, "not_found")


def test_an_operators_edit_is_in_the_very_next_read_of_every_list(api: Api) -> None:
    resource = Resource.objects.get(slug="yawnwort")
    paths = [RESOURCES, f"{RESOURCES}?kind=plant", f"{RESOURCES}?rarity=common", f"{RESOURCES}/{resource.pk}"]
    for path in paths:
        api.get(path)
        assert api.get(path)["X-Cache"] == "HIT"
    resource.name = "Yawnwort of the Moor"
    resource.save()
    for path in paths:
        after = api.get(path)
        assert after["X-Cache"] == "MISS"
        assert b"Yawnwort of the Moor" in after.content
    resource.kind = "food"
    resource.save()
    assert "yawnwort" not in slugs(api, "?kind=plant")
    assert "yawnwort" in slugs(api, "?kind=food")


def test_a_change_that_is_rolled_back_leaves_the_cache_alone(api: Api) -> None:
    from django.db import transaction

    before = api.get(RESOURCES).json()["resources"]
    with transaction.atomic():
        resource = Resource.objects.get(slug="yawnwort")
        resource.name = "Never"
        resource.save()
        transaction.set_rollback(True)
    again = api.get(RESOURCES)
    assert (again["X-Cache"], again.json()["resources"]) == ("HIT", before)


def test_an_unknown_parameter_of_one_resource_and_a_wrong_method_are_refused(api: Api) -> None:
    path = f"{RESOURCES}/{resource_id('yawnwort')}"
    with queries() as sql:
        assert_problem(api.get(f"{path}?kind=plant"), 400, "invalid", "kind")
    assert sql == []
    assert_problem(api.delete(path), 405, "method_not_allowed")
    assert_problem(api.post(RESOURCES), 405, "method_not_allowed")


def test_an_old_token_shuts_nobody_out_of_the_catalogue(api: Api) -> None:
    assert Api("not-a-token").get(RESOURCES).status_code == 200
