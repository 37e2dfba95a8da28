"""/api/docs as a developer tries it."""

import json

from playwright.sync_api import expect

from tests.browser.visitor import Visitor
from tests.support import Api


def test_a_call_is_tried_out(visitor: Visitor) -> None:
    visitor.see("/api/docs")
    call = visitor.page.locator(".opblock", has=visitor.page.locator("[data-path='/api/environment/current']"))
    call.locator(".opblock-summary").click()
    call.get_by_role("button", name="Try it out").click()
    call.get_by_role("button", name="Execute").click()

    expect(call.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
    expect(call.locator(".live-responses-table .microlight, .live-responses-table code").first).to_contain_text(
        "weather"
    )


def test_a_player_signs_in_and_asks_who_he_is(ada: Api, visitor: Visitor) -> None:
    visitor.see("/api/docs")
    login = visitor.page.locator(".opblock", has=visitor.page.locator("[data-path='/api/auth/login']"))
    login.locator(".opblock-summary").click()
    login.get_by_role("button", name="Try it out").click()
    login.locator("textarea").first.fill(json.dumps({"login": "ada", "password": ada.password}))
    with visitor.page.expect_response("**/api/auth/login") as answered:
        login.get_by_role("button", name="Execute").click()
    token = answered.value.json()["access_token"]

    visitor.page.get_by_role("button", name="Authorize").first.click()
    visitor.page.locator(".modal-ux input[type=text], .modal-ux input[type=password]").first.fill(token)
    visitor.page.locator(".modal-ux").get_by_role("button", name="Apply credentials").click()
    visitor.page.locator(".modal-ux").get_by_role("button", name="Close").last.click()
    me = visitor.page.locator(".opblock", has=visitor.page.locator("[data-path='/api/auth/me']"))
    me.locator(".opblock-summary").click()
    me.get_by_role("button", name="Try it out").click()
    with visitor.page.expect_response("**/api/auth/me") as answered:
        me.get_by_role("button", name="Execute").click()

    assert answered.value.status == 200
    assert answered.value.json()["login"] == "ada"
