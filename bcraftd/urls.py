"""Every path of the project."""

from typing import Any

from django.contrib import admin
from django.urls import include, path, register_converter

from bcraftd import operations
from bcraftd.converters import IdConverter, SessionConverter
from bcraftd.documents import DocsView, SchemaView

register_converter(IdConverter, "id")
register_converter(SessionConverter, "session")

api: list[Any] = [
    path("", include("accounts.api.urls")),
    path("", include("environment.api.urls")),
    path("", include("inventory.api.urls")),
    path("", include("market.api.urls")),
    path("", include("leaderboard.api.urls")),
    path("schema", SchemaView.as_view(), name="schema"),
    path("docs", DocsView.as_view(url_name="schema"), name="docs"),
]

urlpatterns = [
    path("healthz", operations.healthz),
    path("readyz", operations.readyz),
    path("metrics", operations.metrics),
    path("admin/", admin.site.urls),
    path("api/", include(api)),
]

handler400 = "bcraftd.errors.handler400"
handler403 = "bcraftd.errors.handler403"
handler404 = "bcraftd.errors.handler404"
handler500 = "bcraftd.errors.handler500"
