"""The observatory's key browser: pages, values, what is hidden, and what is dropped."""

import json
from typing import Any, cast

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from accounts.models import PlayerSession, Role
from bcraftd.cache import background, families, looking, stamp, store
from market.cache import LISTINGS
from tests.operators import Operator, admin, messages_of
from tests.support import Api, resource_id

LISTED = "market:listings:active:all"


@pytest.fixture
def olga(world: None) -> Operator:
    return admin()


def everything() -> dict[str, set[str]]:
    # What is written behind is on its way for a second.
    background.flush()
    return {family: set(families.keys(family)) for family in families.all_names()}


def walk(operator: Operator, **query: str) -> list[dict[str, Any]]:
    """Every page of the browser, from the first to the last."""
    rows: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(100):
        page = operator.get("cache_keys", cursor=cursor, **query)
        assert page.status_code == 200
        rows += page.context["found"].keys
        cursor = page.context["found"].cursor
        if not cursor:
            return rows
    raise AssertionError("no end")


def drop(operator: Operator, *keys: str, confirmed: bool = True) -> Any:
    given: dict[str, Any] = {"key": list(keys)} | ({"confirmed": "yes"} if confirmed else {})
    return operator.client.post(reverse("admin:cache_drop"), given)


# --- Looking ----------------------------------------------------------------------------------------------


def test_each_family_shows_its_keys_and_no_others(busy: Api, olga: Operator) -> None:
    for family in families.names():
        rows = walk(olga, family=family)
        assert {row["family"] for row in rows} == {family}
        if family != families.SESSIONS:
            assert {row["key"] for row in rows} == set(families.keys(family))
        for row in rows:
            assert row["type"] in ("string", "hash")
            assert row["size"] > 0


def test_a_pattern_finds_what_matches(busy: Api, olga: Operator) -> None:
    assert {row["key"] for row in walk(olga, pattern="catalogue:*")} == set(families.keys("catalogue"))
    assert {row["key"] for row in walk(olga, pattern=LISTED)} <= {LISTED}
    assert walk(olga, pattern="catalogue:*", family="market") == []


def test_pages_go_through_a_large_keyspace_without_asking_for_it_whole(world: None, olga: Operator) -> None:
    names = {f"inventory:user:{number}" for number in range(3_000)}
    with store.client().pipeline(transaction=False) as pipe:
        for number in range(40_000):
            pipe.set(f"cached:{number}", b"{}")
        for name in names:
            pipe.set(name, b"{}")
        pipe.execute()

    first = looking.page(families.patterns("inventory"))

    assert first.cursor
    assert first.looked_at <= looking.PAGE_STEPS * 1000
    assert {row["key"] for row in walk(olga, family="inventory")} == names


@pytest.mark.parametrize("pattern", ["[", "[a", "\\", "***", "?", "☃*", "a" * 200, "{}", "inventory:user:[0-9"])
def test_no_pattern_is_too_odd(busy: Api, olga: Operator, pattern: str) -> None:
    page = olga.get("cache_keys", pattern=pattern)

    assert page.status_code == 200
    assert not page.context["trouble"]


@pytest.mark.parametrize("pattern", ["\0", "a\0*", "a" * 201])
def test_a_pattern_that_is_none_is_refused_in_words(olga: Operator, pattern: str) -> None:
    assert "A pattern has at most" in olga.get("cache_keys", pattern=pattern).content.decode()


@pytest.mark.parametrize("cursor", ["x", "1", "0.x", "-1.0", "9.0", "0." + "9" * 30, "0.٣", "."])
def test_a_cursor_that_is_none_is_not_found(olga: Operator, cursor: str) -> None:
    assert olga.get("cache_keys", family="market", cursor=cursor).status_code == 404


def test_a_family_that_is_none_is_not_found(olga: Operator) -> None:
    assert olga.get("cache_keys", family="nothing").status_code == 404
    assert olga.client.get("/admin/cache/flush/nothing/").status_code == 404


def test_a_value_is_shown_as_json_with_its_stamp_apart(busy: Api, olga: Operator) -> None:
    page = olga.get("cache_key", key="env:current")

    (part,) = page.context["parts"]
    assert part.served is True
    assert part.run == store.server.run
    assert json.loads(part.text) == busy.get("/api/environment/current").json()
    assert "cached" not in json.loads(part.text)
    assert "\n  " in part.text


def test_a_hash_shows_its_variants(busy: Api, olga: Operator) -> None:
    (key,) = set(families.keys("leaderboard"))

    page = olga.get("cache_key", key=key)

    fields = {str(name, "utf-8") for name in cast("list[bytes]", store.client().hkeys(key))}
    assert {part.name for part in page.context["parts"]} == fields
    assert all(part.served for part in page.context["parts"])


def test_a_value_of_another_run_is_said_not_to_be_served(busy: Api, olga: Operator) -> None:
    store.client().set("env:current", stamp.put(b'{"a":1}', "0" * 8, ""))

    page = olga.get("cache_key", key="env:current")

    assert page.context["parts"][0].served is False
    assert "not served" in page.content.decode()


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        (b"\xff\xfe\x00", "\\xff\\xfe\\x00"),
        (b"[" * 100_000, "["),
        (b"", "<pre"),
    ],
)
def test_odd_values_are_shown_and_never_run(olga: Operator, raw: bytes, shown: str) -> None:
    store.client().set("cached:odd", raw)

    page = olga.get("cache_key", key="cached:odd")

    assert page.status_code == 200
    assert shown in page.content.decode()
    assert b"<script>alert" not in page.content


def test_a_large_value_is_cut(olga: Operator) -> None:
    store.client().set("cached:large", json.dumps({"a": "x" * 200_000}))

    page = olga.get("cache_key", key="cached:large")

    (part,) = page.context["parts"]
    assert (part.cut, len(part.text)) == (True, looking.SHOWN_BYTES)
    assert part.size > 200_000


@pytest.mark.parametrize("kind", ["list", "set", "zset"])
def test_other_types_are_shown_too(olga: Operator, kind: str) -> None:
    redis: Any = store.client()
    {
        "list": lambda: redis.rpush("cached:other", "one"),
        "set": lambda: redis.sadd("cached:other", "one"),
        "zset": lambda: redis.zadd("cached:other", {"one": 1}),
    }[kind]()

    (part,) = olga.get("cache_key", key="cached:other").context["parts"]

    assert part.text == "one"


def test_a_key_that_is_gone_is_said_to_be(olga: Operator) -> None:
    for key in ("cached:nothing", "", "\0", "☃"):
        assert "not there" in olga.get("cache_key", key=key).content.decode()


# --- What is hidden ---------------------------------------------------------------------------------------


def test_ids_of_sessions_are_shown_nowhere(ada: Api, olga: Operator) -> None:
    ada.get("/api/auth/me")
    session = PlayerSession.objects.get().session_id
    admins = list(store.scan("admin:session:*"))
    assert admins
    secrets = [session, *(key.rpartition(":")[2] for key in admins)]

    pages = [olga.get("cache_keys"), olga.get("cache_keys", family="sessions"), olga.get("cache_overview")]
    pages += [
        olga.get("cache_keys", pattern=f"{prefix}*") for prefix in ("", "session:", "admin:", f"session:{session[:4]}")
    ]

    for page in pages:
        for secret in secrets:
            assert secret not in page.content.decode()
    assert looking.HIDDEN in pages[1].content.decode()
    for pattern in ("session:*", f"session:{session[:4]}*", "admin:session:*", "lease:session:*"):
        assert walk(olga, pattern=pattern) == []


@pytest.mark.parametrize(
    "key", ["session:x", "admin:session:x", "activity:last_seen", "lease:session:x", "fence:session:x"]
)
def test_secret_keys_cannot_be_opened_or_dropped(world: None, olga: Operator, key: str) -> None:
    redis = store.client()
    redis.hset(key, "a", "b") if "last_seen" in key else redis.set(key, "value")

    assert olga.get("cache_key", key=key).status_code == 403
    assert "is not a cached value" in messages_of(drop(olga, key))[0]
    assert redis.exists(key)


# --- Dropping ---------------------------------------------------------------------------------------------


def test_dropping_asks_first(busy: Api, olga: Operator) -> None:
    before = everything()

    asked = [olga.get("cache_drop", key="env:current"), drop(olga, "env:current", confirmed=False)]

    for page in asked:
        assert page.status_code == 200
        assert "Drop this key" in page.content.decode()
    assert everything() == before
    assert not LogEntry.objects.exists()


def test_chosen_keys_go_and_the_others_stay(busy: Api, olga: Operator) -> None:
    before = everything()

    answer = drop(olga, "env:current", "catalogue:resources")

    assert messages_of(answer) == ["Dropped: 2. Whatever was being filled meanwhile is refused."]
    gone = {"environment": {"env:current"}, "catalogue": {"catalogue:resources"}}
    assert everything() == {family: keys - gone.get(family, set()) for family, keys in before.items()}
    assert busy.get("/api/environment/current")["X-Cache"] == "MISS"


def test_what_was_dropped_stands_in_the_audit_trail(busy: Api, olga: Operator) -> None:
    drop(olga, "env:current")
    olga.client.post("/admin/cache/flush/market/", {"confirmed": "yes"})

    dropped, flushed = LogEntry.objects.order_by("pk")
    assert (dropped.user.login, dropped.object_repr) == ("Olga", "env:current")
    assert dropped.change_message == "Dropped 1 of 1 chosen keys."
    assert flushed.object_repr == "market"
    assert "Flushed the family market" in flushed.change_message
    assert "Flushed the family market" in olga.get("index").content.decode()


def test_a_fill_that_runs_is_refused(busy: Api, olga: Operator) -> None:
    key, generation = LISTINGS.name({"resource_id": "all"}), LISTINGS.generation_key
    acts = [lambda: drop(olga, key), lambda: olga.client.post("/admin/cache/flush/market/", {"confirmed": "yes"})]
    for act in [lambda: None, *acts]:
        lease = store.lease(key, "v", "token", hashed=True, generation_key=generation, new_generation="g" * 16)
        assert lease.granted
        act()
        stored = store.fill(key, "v", "token", b'{"a":1}', 9999, hashed=True, generation_key=generation, lease=lease)
        assert stored is (act not in acts)
        store.client().hdel(key, "v")


@pytest.mark.parametrize(
    "key", ["nothing:of:ours", "gen:market", "stats:market", "rl:x", "fence:env:current", "*", "\0"]
)
def test_what_is_no_cached_value_cannot_be_dropped(busy: Api, olga: Operator, key: str) -> None:
    if key.startswith(("nothing", "rl")):
        store.client().set(key, "1")

    answer = drop(olga, "env:current", key)

    assert "is not a cached value" in messages_of(answer)[0]
    assert store.client().exists("env:current")
    assert not LogEntry.objects.exists()


def test_none_and_too_many_keys_are_refused(olga: Operator) -> None:
    assert messages_of(drop(olga)) == ["Choose 1 to 100 keys."]
    assert messages_of(drop(olga, *(f"inventory:user:{n}" for n in range(101)))) == ["Choose 1 to 100 keys."]


def test_flushing_a_family_empties_just_that(busy: Api, olga: Operator) -> None:
    for family in families.names():
        if family in families.KEPT:
            continue
        before = everything()
        assert before[family], family
        asked = olga.client.get(f"/admin/cache/flush/{family}/")
        assert "Nothing is lost" in asked.content.decode()
        assert everything() == before

        answer = olga.client.post(f"/admin/cache/flush/{family}/", {"confirmed": "yes"})

        assert messages_of(answer) == [f"Flushed {family}: {len(before[family])} keys dropped."]
        assert everything() == {**before, family: set()}


@pytest.mark.parametrize("family", families.KEPT)
def test_what_is_no_cache_is_flushed_only_by_who_says_so_twice(busy: Api, olga: Operator, family: str) -> None:
    store.client().set("rl:somebody", 1)
    before = everything()

    once = olga.client.post(f"/admin/cache/flush/{family}/", {"confirmed": "yes"})
    assert "Not a cache" in once.content.decode()
    assert everything()[family] == before[family]

    olga.client.post(f"/admin/cache/flush/{family}/", {"confirmed": "yes", "sure": "yes"})
    assert everything()[family] == set()
    assert busy.get("/api/auth/me").status_code == 200, "nobody is signed out"


def test_a_moderator_without_the_permission_drops_nothing(busy: Api) -> None:
    mona = Operator.make("mona", Role.MODERATOR, "bcraftd.observe_cache")
    before = everything()

    assert drop(mona, "env:current").status_code == 403
    assert mona.client.post("/admin/cache/flush/market/", {"confirmed": "yes"}).status_code == 403

    assert {**everything(), "sessions": set()} == {**before, "sessions": set()}


def test_another_site_cannot_send_the_form(busy: Api, olga: Operator) -> None:
    olga.client.handler.enforce_csrf_checks = True

    assert drop(olga, "env:current").status_code == 403
    assert store.client().exists("env:current")


def test_the_market_is_the_family_of_a_resources_listings(world: None) -> None:
    assert families.of(f"market:listings:active:{resource_id('mutterwood-log')}") == "market"
    assert families.of("nothing") == ""
