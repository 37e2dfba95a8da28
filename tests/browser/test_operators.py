"""What operators do at the admin, in a real browser, and that players see it at once."""

import re

from django.urls import reverse
from playwright.sync_api import Browser, expect

from bcraftd.cache import background, families
from environment.models import Weather
from market.models import Listing
from tests.browser.conftest import visiting
from tests.browser.visitor import Visitor
from tests.operators import PASSWORD, Operator
from tests.support import Api


def test_a_wrong_password_is_told_and_a_right_one_lets_in(visitor: Visitor) -> None:
    Operator.make("mona", "moderator")
    visitor.page.goto("/admin/")
    visitor.page.fill("input[name=username]", "mona")
    visitor.page.fill("input[name=password]", "something else")
    visitor.page.click("button[type=submit]")
    expect(visitor.page.locator("body")).to_contain_text("Please enter the correct login and password")

    visitor.page.fill("input[name=username]", "mona")
    visitor.page.fill("input[name=password]", PASSWORD)
    visitor.page.click("button[type=submit]")
    expect(visitor.page.locator("h1, header").first).to_contain_text("Overview")


def test_the_first_page_says_how_the_world_stands(olga: Visitor) -> None:
    text = olga.see("/admin/")

    assert "No worker runs" in text
    assert "Set the weather" in text
    olga.page.click("text=See what the cache does")
    expect(olga.page).to_have_url(re.compile("/admin/cache/$"))


def test_the_weather_is_set_and_players_see_it(ada: Api, olga: Visitor) -> None:
    before = ada.get("/api/environment/current").json()["weather"]["name"]
    other = Weather.objects.exclude(name=before).order_by("name")[0]
    olga.see(reverse("admin:environment_weather_change", args=[other.pk]))

    olga.page.click("text=Set now")
    olga.page.click("#dialog button[type=submit]")

    expect(olga.page.locator("body")).to_contain_text(f"The weather is {other} now.")
    assert ada.get("/api/environment/current").json()["weather"]["name"] == other.name


def test_a_player_is_banned_and_his_token_is_refused(ada: Api, olga: Visitor) -> None:
    assert ada.get("/api/inventory").status_code == 200
    olga.see(reverse("admin:accounts_player_change", args=[ada.id]))

    olga.page.click("text=Ban")
    # Asked for a reason first, and again without one.
    olga.page.click("#dialog button[type=submit]")
    expect(olga.page.locator("#dialog")).to_contain_text("This field is required")
    assert ada.get("/api/inventory").status_code == 200
    olga.page.fill("#dialog input[name=reason]", "a bot")
    olga.page.click("#dialog button[type=submit]")

    expect(olga.page.locator("body")).to_contain_text("Banned: a bot")
    assert ada.get("/api/inventory").json()["code"] == "session_expired"
    assert "Banned: a bot" in olga.see("/admin/admin/logentry/")


def test_coins_and_items_are_granted(ada: Api, olga: Visitor) -> None:
    olga.see(reverse("admin:accounts_player_change", args=[ada.id]))

    olga.page.click("text=Grant")
    olga.page.fill("#dialog input[name=coins]", "250")
    olga.page.select_option("#dialog select[name=resource]", label="Mutterwood Log")
    olga.page.fill("#dialog input[name=quantity]", "4")
    olga.page.click("#dialog button[type=submit]")

    expect(olga.page.locator("body")).to_contain_text("ada was given 250 coins, 4 mutterwood-log.")
    assert (ada.coins(), ada.holds("mutterwood-log")) == (1250, 4)


def test_a_listing_is_cancelled_and_its_items_are_back(ada: Api, olga: Visitor) -> None:
    ada.grant(mutterwood_log=3)
    ada.sells("mutterwood-log", 3, 9)
    olga.see("/admin/market/listing/")

    olga.page.check("input[name=_selected_action]")
    olga.page.select_option("select[name=action]", "cancel")
    olga.page.click("button[name=index], button:has-text('Run')")

    expect(olga.page.locator("body")).to_contain_text("Cancelled: 1")
    assert Listing.objects.get().status == "cancelled"
    assert ada.holds("mutterwood-log") == 3


# --- The cache observatory --------------------------------------------------------------------------------


def test_the_overview_brings_itself_up_to_date(ada: Api, olga: Visitor) -> None:
    families.flush("inventory")
    olga.see("/admin/cache/")
    hits = olga.page.locator("#obs-inventory-hits")
    before = int(hits.inner_text())
    olga.page.focus("a[aria-label='Flush market']")

    for _ in range(5):
        ada.get("/api/inventory")
    background.flush()

    expect(hits).to_have_text(str(before + 4), timeout=20_000)
    focused = olga.page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert focused == "Flush market", "what somebody was about to press is still under his hand"
    assert olga.page.evaluate("Chart.getChart(document.querySelector('canvas')).data.datasets.length") >= 7


def test_a_key_is_found_looked_at_and_dropped(ada: Api, olga: Visitor) -> None:
    ada.get("/api/environment/current")
    olga.see("/admin/cache/keys/")
    olga.page.fill("input[name=pattern]", "env:*")
    olga.page.click("button:has-text('Look')")
    olga.page.click("text=env:current")
    expect(olga.page.locator("pre")).to_contain_text('"weather"')
    expect(olga.page.locator("body")).to_contain_text("served")

    olga.page.click("text=Drop")
    expect(olga.page.locator("body")).to_contain_text("Drop this key")
    assert ada.get("/api/environment/current")["X-Cache"] == "HIT", "it was only asked"
    olga.page.click("button:has-text('Drop')")

    expect(olga.page.locator("body")).to_contain_text("Dropped: 1")
    assert ada.get("/api/environment/current")["X-Cache"] == "MISS"


def test_a_family_is_flushed_after_asking(ada: Api, olga: Visitor) -> None:
    for path in ("/api/inventory", "/api/resources", "/api/market/listings"):
        ada.get(path)
    olga.see("/admin/cache/")

    olga.page.click("a[aria-label='Flush catalogue']")
    expect(olga.page.locator("body")).to_contain_text("Nothing is lost")
    olga.page.click("button:has-text('Flush catalogue')")

    expect(olga.page.locator("body")).to_contain_text("Flushed catalogue")
    assert [ada.get(path)["X-Cache"] for path in ("/api/inventory", "/api/resources", "/api/market/listings")] == [
        "HIT", "MISS", "HIT",
    ]  # fmt: skip


def test_it_fits_a_phone_and_the_dark(ada: Api, olga: Visitor, browser: Browser, site: str) -> None:
    ada.get("/api/environment/current")
    phone = {"color_scheme": "dark", "is_mobile": True, "has_touch": True}
    for window in visiting(browser, site, **phone):
        window.page.set_viewport_size({"width": 390, "height": 844})
        window.sign_in("Olga")
        for path in ("/admin/", "/admin/cache/", "/admin/cache/keys/", "/admin/cache/keys/one/?key=env:current",
                     "/admin/cache/flush/sessions/"):  # fmt: skip
            window.see(path)
            assert window.fits(), path
            assert window.page.evaluate("document.documentElement.classList.contains('dark')")
