"""Every page of the admin, in light and in dark: nothing in the console, nothing from elsewhere, nothing that axe-core
finds serious."""

from typing import Any

import pytest
from django.contrib import admin as django_admin
from django.urls import reverse
from playwright.sync_api import Browser

from tests.browser.conftest import visiting
from tests.browser.visitor import Visitor
from tests.operators import admin, populate
from tests.support import Api

MODELS = sorted(django_admin.site._registry, key=lambda model: model._meta.label)
OTHERS = ["/admin/", "/admin/password_change/", "/admin/cache/", "/admin/cache/keys/",
          "/admin/cache/keys/one/?key=env:current", "/admin/cache/flush/market/"]  # fmt: skip


def test_the_login_is_accessible(visitor: Visitor) -> None:
    visitor.see("/admin/login/")

    assert visitor.accessible() == []


# In the dark nothing differs but the colours.
@pytest.mark.parametrize(("scheme", "rules"), [("light", ()), ("dark", ("color-contrast",))])
def test_every_page_is_accessible(
    ada: Api, bob: Api, browser: Browser, site: str, scheme: Any, rules: tuple[str, ...]
) -> None:
    populate(ada, bob)
    ada.get("/api/environment/current")
    admin()
    paths = list(OTHERS)
    for model in MODELS:
        label = f"{model._meta.app_label}_{model._meta.model_name}"
        paths.append(reverse(f"admin:{label}_changelist"))
        paths.append(reverse(f"admin:{label}_change", args=[model._default_manager.all()[0].pk]))
    faults = []
    for window in visiting(browser, site, color_scheme=scheme):
        window.sign_in("Olga")
        for path in paths:
            window.see(path)
            faults += window.accessible(*rules)
    assert not faults, "\n".join(sorted(set(faults)))
