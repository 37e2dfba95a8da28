"""Helpers of the admin's tests: operators who are signed in, forms filled in as a browser would, rows of every kind."""

from html.parser import HTMLParser
from typing import Any

from axes.models import AccessAttempt
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, Success
from django_q.tasks import async_task

from accounts.models import Player, Role
from bcraftd import economy, schedules
from bcraftd.models import BackupRun, EconomyAudit
from tests.support import Api, profession_id

PASSWORD = "correct horse battery"


class _Form(HTMLParser):
    """What a browser would send of a page's forms if nobody touched them."""

    def __init__(self) -> None:
        super().__init__()
        self.data: dict[str, Any] = {}
        self._select = self._textarea = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "select":
            self._select = name
        elif tag == "option" and "selected" in given and self._select:
            self.data.setdefault(self._select, []).append(given.get("value") or "")
        elif tag == "textarea":
            self._textarea = name
        elif tag == "input" and name:
            kind = given.get("type")
            if kind not in ("submit", "button") and (kind not in ("checkbox", "radio") or "checked" in given):
                self.data[name] = given.get("value") or ("on" if kind == "checkbox" else "")

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self.data[self._textarea] = self.data.get(self._textarea, "") + data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._textarea = ""


class Operator:
    """Somebody at the admin's pages."""

    def __init__(self, login: str) -> None:
        self.login = login
        self.client = Client()
        page = reverse("admin:login")
        self.entered = self.client.post(page, {"username": login, "password": PASSWORD, "next": "/admin/"})

    @classmethod
    def make(cls, login: str, role: str, *permissions: str) -> "Operator":
        """`Operator.make("mona", Role.MODERATOR, "market.change_listing")`."""
        player = Player.objects.create_user(login, f"{login}@example.org", PASSWORD, role=role)
        if permissions:
            group = Group.objects.create(name=f"group of {login}")
            for permission in permissions:
                label, codename = permission.split(".")
                group.permissions.add(Permission.objects.get(content_type__app_label=label, codename=codename))
            player.groups.add(group)
        return cls(login)

    def get(self, name: str, *args: Any, **query: str) -> Any:
        """`get("market_listing_changelist", q="ada")`."""
        return self.client.get(reverse(f"admin:{name}", args=args), query)

    def save(self, name: str, /, *args: Any, **changes: Any) -> Any:
        """Opens a form, changes some of it and sends it. None unchecks a box. Fails where a field is not there."""
        page = self.get(name, *args)
        assert page.status_code == 200, page
        form = _Form()
        form.feed(page.content.decode())
        for field, value in changes.items():
            if value is None:
                del form.data[field]
            else:
                form.data[field] = value
        return self.client.post(page.request["PATH_INFO"], form.data)

    def act(self, model: str, action: str, *ids: int) -> Any:
        """Runs an action on chosen rows of a list."""
        page = reverse(f"admin:{model}_changelist")
        return self.client.post(page, {"action": action, "_selected_action": list(ids)})


def messages_of(response: Any) -> list[str]:
    """What the page after this answer says on top. Opens it, so that it is said once."""
    said = [str(message) for message in get_messages(response.wsgi_request)]
    response.client.get(reverse("admin:index"))
    return said


def errors_of(response: Any) -> dict[str, Any]:
    """The errors of a form that came back."""
    assert response.status_code == 200, response
    return dict(response.context["adminForm" if "adminForm" in response.context else "adminform"].form.errors)


def admin() -> Operator:
    """An operator who may do everything, signed in."""
    return Operator.make("Olga", Role.ADMIN)


def populate(ada: Api, bob: Api) -> None:
    """At least one row of every table that has a page."""
    from leaderboard.services import leaderboard_refresh

    ada.grant(mutterwood_log=20)
    listing = ada.sells("mutterwood-log", 20, 30)
    assert bob.post(f"/api/market/listings/{listing['id']}/buy", quantity=7).status_code == 200
    assert ada.post(f"/api/professions/{profession_id('timberhand')}/join").status_code == 201
    leaderboard_refresh(wait=True)
    schedules.upsert()
    economy.record(economy.audit())
    Group.objects.create(name="market wardens")
    AccessAttempt.objects.create(
        username="ada", ip_address="192.0.2.7", failures_since_start=3, attempt_time=timezone.now()
    )
    for number, kind in enumerate((Success, Failure)):
        kind.objects.create(
            id=str(number) * 32, name=f"run {number}", func="bcraftd.tasks.activity_write", success=kind is Success,
            started=timezone.now(), stopped=timezone.now(), result="a text",
        )  # fmt: skip
    async_task("bcraftd.tasks.activity_write")
    EconomyAudit.objects.create(
        started_at=timezone.now(), seconds=0.5, problem_count=1, totals={"players": 2},
        problems=[{"kind": "coins", "detail": "a sentence"}],
    )  # fmt: skip
    LogEntry.objects.create(
        user_id=ada.id, action_flag=CHANGE, change_message="a sentence", object_repr="a thing",
        content_type=ContentType.objects.get_for_model(BackupRun), object_id="",
    )  # fmt: skip
    BackupRun.objects.create(started_at=timezone.now(), seconds=1.5, ok=True, bytes=12345, folder="20260131T180000Z")
