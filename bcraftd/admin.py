"""Other packages' pages, in the admin's looks and without what could do harm here."""

from typing import Any

from axes.admin import AccessAttemptAdmin as AxesAttemptAdmin
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.html import format_html_join
from django_q.admin import FailAdmin, TaskAdmin, resubmit_task
from django_q.admin import QueueAdmin as QQueueAdmin
from django_q.admin import ScheduleAdmin as QScheduleAdmin
from django_q.models import Failure, OrmQ, Schedule, Success

from bcraftd import windows
from bcraftd.adminbase import BaseAdmin, NoAdd, NoChange, NoDelete, ReadOnlyAdmin, action, display
from bcraftd.models import BackupRun, EconomyAudit

# The last two are never written: settings turn both logs off.
for model in (Group, Schedule, Success, Failure, OrmQ, AccessAttempt, AccessLog, AccessFailureLog):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


@admin.register(Group)
class GroupAdmin(BaseAdmin, DjangoGroupAdmin):
    """What moderators may do. For admins only: who may edit a group could give it everything."""

    # The two lists of permissions need the whole width.
    compressed_fields = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)


@admin.register(Schedule)
class ScheduleAdmin(NoAdd, NoDelete, BaseAdmin, QScheduleAdmin):
    """What runs and how often is the code's to say (schedules.py): a task typed in here would be code run from here."""

    list_display = ["name", "func", "minutes", "repeats", "next_run", "get_last_run", "get_success"]
    list_display_links = ["name"]
    list_filter: Any = []
    fields = ["name", "func", "minutes", "repeats", "next_run"]
    readonly_fields = ["name", "func", "minutes"]
    actions = ["run_now"]

    @action(description="Run now", permissions=["change"])
    def run_now(self, request: HttpRequest, queryset: Any) -> None:
        def due(row: Schedule) -> None:
            Schedule.objects.filter(pk=row.pk).update(next_run=timezone.now())

        self.each_row(request, queryset, due, "Due now; the worker looks every 30 seconds")


class _DoneAdmin(NoAdd, NoChange, BaseAdmin):
    """Runs that have ended."""

    list_filter: Any = []
    ordering = ["-stopped"]


@admin.register(Success)
class SuccessAdmin(_DoneAdmin, TaskAdmin):
    list_display = ["name", "func", "started", "stopped", "time_taken"]
    actions: Any = []


@admin.register(Failure)
class FailureAdmin(_DoneAdmin, FailAdmin):
    list_display = ["name", "func", "started", "stopped", "short_result"]
    actions = ["resubmit"]

    def has_resubmit_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("django_q.change_failure")

    @action(description="Run again", permissions=["resubmit"])
    def resubmit(self, request: HttpRequest, queryset: Any) -> None:
        def again(row: Failure) -> None:
            # It deletes the failure itself.
            resubmit_task(self, request, [row])

        self.each_row(request, queryset, again, "Put into the queue again")


@admin.register(OrmQ)
class QueueAdmin(NoAdd, NoChange, BaseAdmin, QQueueAdmin):
    """What waits to be run."""

    list_display = ["id", "name", "func", "lock"]
    list_filter: Any = []


@admin.register(AccessAttempt)
class AccessAttemptAdmin(NoAdd, NoChange, BaseAdmin, AxesAttemptAdmin):
    """Failed logins. Deleting a row lets that login in again at once, from wherever."""

    list_display = ["username", "ip_address", "failures_since_start", "attempt_time", "path_info", "user_agent"]
    list_filter: Any = []
    search_fields = ["username", "ip_address"]
    date_hierarchy = None
    actions: Any = []

    def delete_model(self, request: HttpRequest, obj: AccessAttempt) -> None:
        super().delete_model(request, obj)
        windows.forget((windows.LOGIN_FAILURES, obj.username or ""))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        names = set(queryset.values_list("username", flat=True))
        super().delete_queryset(request, queryset)
        for name in names:
            windows.forget((windows.LOGIN_FAILURES, name or ""))


@admin.register(EconomyAudit)
class EconomyAuditAdmin(ReadOnlyAdmin):
    """What the audits of the economy found."""

    list_display = ["started_at", "is_whole", "problem_count", "seconds"]
    list_filter: Any = []
    fields = ["started_at", "is_whole", "problem_count", "first_problems", "figures", "seconds"]
    readonly_fields = fields

    @display(description="Whole", boolean=True)
    def is_whole(self, row: EconomyAudit) -> bool:
        return row.ok

    @display(description="The first problems of each kind")
    def first_problems(self, row: EconomyAudit) -> str:
        return format_html_join("", "<p>{}: {}</p>", ((each["kind"], each["detail"]) for each in row.problems)) or "-"

    @display(description="Totals")
    def figures(self, row: EconomyAudit) -> str:
        named = {name: value for name, value in row.totals.items() if name != "problems"}
        return format_html_join("", "<p>{}: {}</p>", ((name.replace("_", " "), named[name]) for name in named))


@admin.register(BackupRun)
class BackupRunAdmin(ReadOnlyAdmin):
    """How the backups went."""

    list_display = ["started_at", "ok", "folder", "size", "seconds", "detail"]
    list_filter: Any = ["ok"]
    fields = ["started_at", "ok", "folder", "size", "seconds", "detail"]
    readonly_fields = fields

    @display(description="Size")
    def size(self, row: BackupRun) -> str:
        return filesizeformat(row.bytes)


@admin.register(LogEntry)
class AuditTrailAdmin(ReadOnlyAdmin):
    """Who did what: every change that an operator made here."""

    list_display = ["action_time", "user", "shown_action", "shown_kind", "shown_object", "shown_message"]
    list_display_links = ["action_time"]
    list_filter: Any = ["action_flag", ("content_type", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["user", "content_type"]
    search_fields = ["user__login__iexact", "object_repr__istartswith"]
    search_help_text = "An operator's whole login, or the beginning of what was changed"
    fields = ["action_time", "user", "shown_action", "shown_kind", "shown_object", "shown_message"]
    readonly_fields = fields

    @display(description="kind")
    def shown_kind(self, row: LogEntry) -> str:
        return row.content_type.name if row.content_type else "-"

    @display(description="of")
    def shown_object(self, row: LogEntry) -> str:
        return row.object_repr

    @display(description="action", label={"Added": "success", "Changed": "info", "Deleted": "danger"})
    def shown_action(self, row: LogEntry) -> str:
        return {ADDITION: "Added", CHANGE: "Changed", DELETION: "Deleted"}[row.action_flag]

    @display(description="what")
    def shown_message(self, row: LogEntry) -> str:
        return str(row.get_change_message()) or "-"
