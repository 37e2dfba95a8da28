"""What all admin pages share: the site, read-only histories, refusals as messages, counting that stays cheap."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar, cast

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.views import PasswordChangeView
from django.contrib.contenttypes.models import ContentType
from django.core.paginator import Paginator
from django.db import DataError, IntegrityError
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin
from unfold.admin import TabularInline as UnfoldTabularInline
from unfold.decorators import action as unfold_action
from unfold.decorators import display as unfold_display
from unfold.forms import AdminOwnPasswordChangeForm
from unfold.sites import UnfoldAdminSite
from unfold.views import ChangeList

from bcraftd import replicas
from bcraftd.errors import CODES, Refusal

# Rows that a list counts before it says "as many as one can page through": a COUNT over millions takes seconds.
COUNT_LIMIT = 10_000

F = TypeVar("F", bound=Callable[..., Any])


def action(**options: Any) -> Callable[[F], F]:
    """Unfold's decorator of an action, with a type."""
    return cast("Callable[[F], F]", unfold_action(**options))


def display(**options: Any) -> Callable[[F], F]:
    """Unfold's decorator of a list's column, with a type."""
    return cast("Callable[[F], F]", unfold_display(**options))


class PasswordAlone:
    """For Django's password forms: saves the password and no other column.

    Django's own save() writes the whole row as it was read, and would take back a trade that ended in between.
    """

    def set_password_and_save(self, user: Any, *args: Any, commit: bool = True, **rest: Any) -> Any:
        super().set_password_and_save(user, *args, commit=False, **rest)  # type: ignore[misc]
        if commit:
            user.save(update_fields=["password"])
        return user


class OwnPasswordForm(PasswordAlone, AdminOwnPasswordChangeForm):
    """An operator's own password."""


class OperatorsSite(UnfoldAdminSite):
    """Unfold's site with the cache observatory's pages, and where two of its own would fail here."""

    index_template = "dashboard.html"

    def admin_view(self, view: Callable[..., HttpResponseBase], cacheable: bool = False) -> Any:
        """As Django's; after what an operator has done, lists show it."""

        @wraps(view)
        def run(request: HttpRequest, *args: Any, **rest: Any) -> HttpResponseBase:
            try:
                return view(request, *args, **rest)
            finally:
                if request.method not in ("GET", "HEAD"):
                    replicas.written(int(request.user.pk or 0))

        return super().admin_view(run, cacheable)

    def extra_urls(self) -> list[URLPattern]:
        """What unfold asks for pages that belong to no model."""
        from bcraftd.observatory import views

        return views.urls(self)

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """What Ctrl+K asks: pages by name. Unfold keeps the answers in Redis, as objects that JSON cannot hold."""
        term = request.GET.get("s", "").lower()
        found = self._search_apps(self.get_app_list(request), term) if term else []
        template = "command_results" if "extended" in request.GET else "search_results"
        results = Paginator(found, max(len(found), 1))
        context = {"page_obj": results, "results": results.page(1), "page_counter": 0, "execution_time": 0}
        return TemplateResponse(request, f"unfold/helpers/{template}.html", context, headers={"HX-Trigger": "search"})

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        request.current_app = self.name
        return PasswordChangeView.as_view(
            form_class=OwnPasswordForm,
            success_url=reverse(f"{self.name}:password_change_done", current_app=self.name),
            template_name="registration/password_change_form.html",
            extra_context={**self.each_context(request), **(extra_context or {})},
        )(request)


def record(request: HttpRequest, model: type[Model], what: str, message: str, flag: int = CHANGE) -> None:
    """Puts into the audit trail what an operator did to no single row."""
    LogEntry.objects.create(
        user_id=int(request.user.pk or 0),
        content_type=ContentType.objects.get_for_model(model),
        object_id="",
        object_repr=what[:200],
        action_flag=flag,
        change_message=message,
    )


class CappedPaginator(Paginator):
    """Pages through the first COUNT_LIMIT rows and never counts more."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[:COUNT_LIMIT].count()) if isinstance(rows, QuerySet) else len(rows)


class CappedChangeList(ChangeList):
    """An unfiltered list shows all there is: without the other count, unfold would offer to "show all" on it."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.query and not self.get_filters_params():
            self.full_result_count = self.result_count


class BaseAdmin(ModelAdmin):
    """The base of every page here."""

    paginator: type[Any] = CappedPaginator
    show_full_result_count = False
    # Facets count every choice of every filter over the whole table.
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_filter_sheet = False
    warn_unsaved_form = True

    def get_changelist(self, request: HttpRequest, **rest: Any) -> type[ChangeList]:
        return CappedChangeList

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        """Writes the columns that the form changed and no others, so that what changed beside it stays."""
        if not change:
            super().save_model(request, obj, form, change)
        elif columns := self.changed_columns(form):
            obj.save(update_fields=columns)

    def changed_columns(self, form: ModelForm) -> list[str]:
        columns = {field.name for field in self.opts.concrete_fields}
        return [name for name in form.changed_data if name in columns]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """PostgreSQL has no NUL in its texts: nothing can match it."""
        if "\0" in search_term:
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)  # type: ignore[no-any-return]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """A filter that no value can match is dropped, as Django drops one that it does not know."""
        without = HttpResponseRedirect(f"{request.path}?e=1")
        if any("\0" in text for pair in request.GET.lists() for text in (pair[0], *pair[1])):
            return without
        try:
            if request.method != "GET":
                return super().changelist_view(request, extra_context)  # type: ignore[no-any-return]
            operator = int(request.user.pk or 0)
            page = partial(self._list, request, extra_context)
            return replicas.at_replica(page, kind=replicas.PLAYER, id=operator, models=[self.model])
        except DataError:
            return without

    def _list(self, request: HttpRequest, extra_context: dict[str, Any] | None) -> HttpResponse:
        """The list, written: a template asks for its rows late, when they would come from elsewhere."""
        page: HttpResponse = super().changelist_view(request, extra_context)
        return page.render() if isinstance(page, TemplateResponse) else page

    def changeform_view(self, request: HttpRequest, *args: Any, **rest: Any) -> HttpResponse:
        return self._said(request, lambda: super(BaseAdmin, self).changeform_view(request, *args, **rest))

    def delete_view(self, request: HttpRequest, *args: Any, **rest: Any) -> HttpResponse:
        return self._said(request, lambda: super(BaseAdmin, self).delete_view(request, *args, **rest))

    def _said(self, request: HttpRequest, view: Callable[[], HttpResponse]) -> HttpResponse:
        """A refusal as a message above the same page; its transaction has been rolled back by then."""
        try:
            return view()
        except Refusal as refusal:
            self.message_user(request, refusal.detail, messages.ERROR)
        except IntegrityError:
            # Somebody was quicker: what the form had found free or unused no longer is.
            self.message_user(request, CODES["conflict"][1], messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())

    def each_row(self, request: HttpRequest, rows: Any, act: Callable[[Any], object], done: str) -> None:
        """Runs an action on each row by itself: a refusal is said and leaves the others to go on."""
        count = 0
        for row in rows:
            try:
                act(row)
            except Refusal as refusal:
                self.message_user(request, f"{row}: {refusal.detail}", messages.ERROR)
                continue
            self.log_change(request, row, done)
            count += 1
        if count:
            self.message_user(request, f"{done}: {count}", messages.SUCCESS)

    def back(self, request: HttpRequest, page: str) -> HttpResponse:
        """To a page from a dialog, which htmx sent or, without scripts, the browser."""
        if "HX-Request" in request.headers:
            return HttpResponse(headers={"HX-Redirect": page})
        return HttpResponseRedirect(page)


class NoDelete:
    """Rows that stay."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class NoAdd:
    """Rows that only the system makes."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class NoChange:
    """Rows whose columns nobody edits."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(NoAdd, NoChange, NoDelete, BaseAdmin):
    """To be looked at only. Newest first, and sorted by nothing else: these tables grow without end."""

    ordering = ["-pk"]
    sortable_by: Any = ()


class ReadOnlyInline(NoAdd, NoChange, NoDelete, UnfoldTabularInline):
    """Rows of another table, to be looked at only."""

    extra = 0
    can_delete = False
    show_change_link = False
    hide_title = True
