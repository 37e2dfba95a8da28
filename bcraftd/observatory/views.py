"""The observatory's pages. Looking needs `bcraftd.observe_cache`, dropping also `bcraftd.flush_cache`.

Whoever drops something is asked first, and what was dropped stands in the audit trail and in the log.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.models import DELETION
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from bcraftd.adminbase import record
from bcraftd.cache import families, looking, store
from bcraftd.models import OutboxRow
from bcraftd.observatory import figures

# structlog's own logger: its fields stand in the line by their names.
log = structlog.stdlib.get_logger(__name__)

OBSERVE = "bcraftd.observe_cache"
FLUSH = "bcraftd.flush_cache"
View = Callable[..., HttpResponse]

# What is lost with a family that is not a cache.
CONSEQUENCES = {
    families.SESSIONS: "Every player's next request asks PostgreSQL who he is. Nobody is signed out.",
    families.RATE_LIMITS: "Everybody's requests are counted from zero, those of who guesses passwords too.",
    families.ACTIVITY: "What the last minute said of when players were seen and of views of listings is lost.",
}
LONGEST_CHOICE = 100
# What figures.charts() gives, its title, and the unit of its values.
CHARTS = (
    ("hit_rate", "Hit rate", " %"),
    ("reads", "Reads a minute", ""),
    ("misses", "Misses a minute", ""),
    ("fill_ms", "Time of a fill", " ms"),
    ("bypasses", "Bypasses a minute", ""),
    ("refused_fills", "Refused fills a minute", ""),
)


def urls(site: AdminSite) -> list[URLPattern]:
    """The pages, below the admin's own address."""
    pages: list[tuple[str, View, str]] = [
        ("cache/", overview, "cache_overview"),
        ("cache/figures/", fragment, "cache_figures"),
        ("cache/keys/", keys, "cache_keys"),
        ("cache/keys/one/", one, "cache_key"),
        ("cache/keys/drop/", drop, "cache_drop"),
        ("cache/flush/<str:family>/", flush, "cache_flush"),
    ]
    return [path(route, site.admin_view(_within(site, view)), name=name) for route, view, name in pages]


def _within(site: AdminSite, view: View) -> View:
    @wraps(view)
    @never_cache
    def page(request: HttpRequest, **rest: Any) -> HttpResponse:
        request.current_app = site.name
        return view(request, site, **rest)

    return page


def _needs(request: HttpRequest, *permissions: str) -> None:
    if not request.user.has_perms(permissions):
        raise PermissionDenied


def _page(request: HttpRequest, site: AdminSite, template: str, title: str, **context: Any) -> HttpResponse:
    shown = {**site.each_context(request), "title": title, "may_flush": request.user.has_perm(FLUSH), **context}
    return TemplateResponse(request, f"observatory/{template}.html", shown)


@require_safe
def overview(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """What the cache does."""
    _needs(request, OBSERVE)
    return _page(request, site, "overview", "Cache", **_figures())


@require_safe
def fragment(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """The same without the page around it: what the page asks for by itself, again and again."""
    _needs(request, OBSERVE)
    may_flush = request.user.has_perm(FLUSH)
    return TemplateResponse(request, "observatory/figures.html", {"may_flush": may_flush, **_figures()})


def _figures() -> dict[str, Any]:
    # What is no cache and has no row among the families.
    kept = [name for name in families.KEPT if name not in families.names()]
    return {"figures": figures.gather(), "kept": kept, "charts": CHARTS}


@require_safe
def keys(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """A page of keys: of one family, or of all, or those that match a pattern."""
    _needs(request, OBSERVE)
    family, pattern = request.GET.get("family", ""), request.GET.get("pattern", "").strip()
    cursor = request.GET.get("cursor", "")
    known = families.all_names()
    trouble = ""
    found = looking.Page([], "", 0)
    if family and family not in known:
        raise Http404
    if "\0" in pattern or len(pattern) > looking.LONGEST_PATTERN:
        trouble = f"A pattern has at most {looking.LONGEST_PATTERN} characters, and none of them is NUL."
    else:
        try:
            found = _found(family, pattern, cursor)
        except ValueError as error:
            raise Http404 from error
        except store.StoreDown as error:
            trouble = f"Redis does not answer: {error}"
    following = urlencode({"family": family, "pattern": pattern, "cursor": found.cursor}) if found.cursor else ""
    context = {"found": found, "family": family, "pattern": pattern, "known": known, "following": following}
    return _page(request, site, "keys", "Keys", trouble=trouble, is_first=not cursor, **context)


def _found(family: str, pattern: str, cursor: str) -> looking.Page:
    """Where both are given, a family's keys that match: the pattern is looked for and the family sifts."""
    if not pattern:
        return looking.page(families.patterns(family) if family else ["*"], cursor, secrets=True)
    found = looking.page([pattern], cursor)
    if family:
        found = looking.Page([row for row in found.keys if row["family"] == family], found.cursor, found.looked_at)
    return found


@require_safe
def one(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """One key and its value."""
    _needs(request, OBSERVE)
    key = request.GET.get("key", "")
    if looking.is_secret(key):
        raise PermissionDenied
    try:
        found = looking.value(key) if key else None
    except store.StoreDown as error:
        return _page(request, site, "key", "Key", key=key, trouble=f"Redis does not answer: {error}")
    if found is None:
        return _page(request, site, "key", "Key", key=key, trouble="This key is not there, or no longer.")
    row, parts = found
    return _page(request, site, "key", "Key", key=key, row=row, parts=parts, shown=looking.SHOWN_MEMBERS)


def drop(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Drops chosen keys, after asking. GET changes nothing."""
    _needs(request, OBSERVE, FLUSH)
    chosen = list(
        dict.fromkeys(request.POST.getlist("key") if request.method == "POST" else request.GET.getlist("key"))
    )
    back = reverse("admin:cache_keys")
    if not chosen or len(chosen) > LONGEST_CHOICE:
        messages.error(request, f"Choose 1 to {LONGEST_CHOICE} keys.")
        return HttpResponseRedirect(back)
    if not _confirmed(request):
        return _page(request, site, "ask", "Drop keys", chosen=chosen, back=back, action=reverse("admin:cache_drop"))
    try:
        dropped = looking.drop(chosen)
    except (ValueError, store.StoreDown) as error:
        messages.error(request, f"Nothing more was dropped: {error}")
        return HttpResponseRedirect(back)
    _record(request, ", ".join(chosen), f"Dropped {dropped} of {len(chosen)} chosen keys.", keys=chosen)
    messages.success(request, f"Dropped: {dropped}. Whatever was being filled meanwhile is refused.")
    return HttpResponseRedirect(back)


def flush(request: HttpRequest, site: AdminSite, family: str) -> HttpResponse:
    """Drops a family's keys, after asking. GET changes nothing."""
    _needs(request, OBSERVE, FLUSH)
    if family not in families.all_names():
        raise Http404
    back = reverse("admin:cache_overview")
    loss = CONSEQUENCES.get(family, "")
    if not _confirmed(request) or (loss and request.POST.get("sure") != "yes"):
        action = reverse("admin:cache_flush", args=[family])
        title = f"Flush {family}"
        return _page(request, site, "ask", title, family=family, loss=loss, back=back, action=action)
    try:
        dropped = families.flush(family)
    except store.StoreDown as error:
        messages.error(request, f"Redis does not answer, nothing more was dropped: {error}")
        return HttpResponseRedirect(back)
    _record(request, family, f"Flushed the family {family}: {dropped} keys.", family=family)
    messages.success(request, f"Flushed {family}: {dropped} keys dropped.")
    return HttpResponseRedirect(back)


def _confirmed(request: HttpRequest) -> bool:
    return request.method == "POST" and request.POST.get("confirmed") == "yes"


def _record(request: HttpRequest, what: str, message: str, **facts: Any) -> None:
    """In the audit trail, and in the log."""
    record(request, OutboxRow, what, message, DELETION)
    log.warning("cache_dropped", operator=request.user.pk, message=message, **facts)
