"""Players, their sessions and their coins in the admin."""

import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm, BaseDialogForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts import services
from accounts.models import (
    LedgerEntry,
    LedgerTransfer,
    Player,
    PlayerSession,
    PlayerStatistics,
    Role,
)
from bcraftd import idempotency
from bcraftd.adminbase import (
    BaseAdmin,
    NoAdd,
    NoChange,
    NoDelete,
    PasswordAlone,
    ReadOnlyAdmin,
    ReadOnlyInline,
    action,
    display,
)
from bcraftd.errors import CODES, Refusal
from bcraftd.transactions import atomic
from inventory.models import Resource
from inventory.services import player_grant

OWN_ACCOUNT = "You cannot close your own account or take your own role away."


class _UniqueForm(forms.ModelForm):
    """Says which name is taken, before the database does it in its own words."""

    def clean_login(self) -> str:
        return self._free("login")

    def clean_email(self) -> str:
        return self._free("email")

    def _free(self, name: str) -> str:
        value = str(self.cleaned_data[name])
        if Player.objects.filter(**{f"{name}__iexact": value}).exclude(pk=self.instance.pk).exists():
            raise ValidationError(f"{CODES[f'{name}_taken'][1]}.")
        return value


class PlayerCreationForm(_UniqueForm, UserCreationForm):
    """A new player: what registering asks for, and the role."""

    login = forms.RegexField(
        r"^[A-Za-z0-9_-]{3,32}\Z",
        max_length=32,
        help_text="3 to 32 of A-Z, a-z, 0-9, _ and -.",
        error_messages={"invalid": "A login has 3 to 32 of A-Z, a-z, 0-9, _ and -."},
        widget=UnfoldAdminTextInputWidget(),
    )
    # Django offers accounts without a password; ours all have one.
    usable_password = None

    class Meta:
        model = Player
        fields = ["login", "email", "role"]

    def __init__(self, *args: Any, **rest: Any) -> None:
        super().__init__(*args, **rest)
        for name in ("password1", "password2"):
            self.fields[name].required = True


class PlayerChangeForm(_UniqueForm, UserChangeForm):
    class Meta:
        model = Player
        fields = ["email", "role", "is_active", "groups"]


class PlayerPasswordForm(PasswordAlone, AdminPasswordChangeForm):
    def __init__(self, user: Player, *args: Any, **rest: Any) -> None:
        super().__init__(user, *args, **rest)
        self.fields.pop("usable_password", None)
        for name in ("password1", "password2"):
            self.fields[name].required = True


class BanForm(BaseDialogForm):
    """Why; it stays in the player's history."""

    reason = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget())


class GrantForm(BaseDialogForm):
    """Coins from the mint, items of one resource, or both."""

    coins = forms.IntegerField(
        min_value=0,
        max_value=2**53 - 1,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="From the mint.",
    )
    resource = forms.ModelChoiceField(
        Resource.objects.order_by("name"), required=False, widget=UnfoldAdminSelectWidget()
    )
    quantity = forms.IntegerField(
        min_value=1,
        max_value=10**6,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="Of the resource.",
    )
    # Names this dialog: sent twice, by a double click or a browser that repeats, it gives once.
    once = forms.UUIDField(initial=uuid.uuid4, widget=forms.HiddenInput())

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if bool(given.get("resource")) != bool(given.get("quantity")):
            raise ValidationError("A resource needs a quantity, and a quantity a resource.")
        if not given.get("coins") and not given.get("quantity"):
            raise ValidationError("Nothing to grant: name coins, or a resource and how many.")
        return given

    def items(self) -> dict[str, int]:
        """What is given beside the coins, by slug."""
        resource = self.cleaned_data["resource"]
        return {resource.slug: self.cleaned_data["quantity"]} if resource else {}


@admin.register(Player)
class PlayerAdmin(NoDelete, BaseAdmin, UserAdmin):
    """Players stay for their histories' sake: accounts are closed, not deleted. Coins and levels have ledgers."""

    form = PlayerChangeForm
    add_form = PlayerCreationForm
    change_password_form = PlayerPasswordForm
    list_display = ["id", "login", "email", "shown_role", "is_active", "level", "coins", "created_at"]
    list_display_links = ["id", "login"]
    list_filter = ["role", "is_active"]
    sortable_by = ["id"]
    ordering = ["-id"]
    search_fields = ["login__istartswith", "email__istartswith"]
    search_help_text = "The beginning of a login or an email address"
    filter_horizontal = []
    autocomplete_fields = ["groups"]
    fieldsets = [
        (None, {"fields": ["login", "email", "password"]}),
        ("Standing", {"fields": ["role", "groups", "is_active"]}),
        ("Economy", {"fields": ["coins", "level", "experience"]}),
        ("Times", {"fields": ["created_at", "last_login"]}),
    ]
    add_fieldsets = [(None, {"fields": ["login", "email", "role", "password1", "password2"]})]
    readonly_fields = ["login", "coins", "level", "experience", "created_at", "last_login"]
    actions = ["close", "open", "end_sessions"]
    actions_detail = ["grant", "ban"]

    @display(description="role", label={"player": "info", "moderator": "warning", "admin": "danger"})
    def shown_role(self, player: Player) -> str:
        return player.role

    # Who may do what: only admins touch accounts that can get in here, or let one in.

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if isinstance(obj, Player) and obj.role != Role.PLAYER and not request.user.is_superuser:
            return False
        return bool(super().has_change_permission(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        if obj is None:
            return [] if request.user.is_superuser else ["role"]
        return self.readonly_fields if request.user.is_superuser else [*self.readonly_fields, "role", "groups"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without the password's hash for those who may only look."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        return [
            (name, {**options, "fields": [field for field in options["fields"] if field != "password"]})
            for name, options in fieldsets
        ]

    # Writing.

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """New ones register as everybody does, starting coins included; changes go through accounts.signals."""
        if change:
            if obj.pk == request.user.pk and {"role", "is_active"} & set(form.changed_data):
                raise Refusal("conflict", OWN_ACCOUNT)
            super().save_model(request, obj, form, change)
            return
        made = services.player_register(login=obj.login, email=obj.email, password=form.cleaned_data["password1"])
        if obj.role != made.role:
            made.role = obj.role
            made.save(update_fields=["role"])
        obj.__dict__.update(made.__dict__)

    def has_grant_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("accounts.grant_player")

    @action(
        description="Grant",
        permissions=["grant"],
        icon="redeem",
        dialog={
            "title": "Grant coins or items",
            "description": "They come from nowhere, on the record: the ledger and the histories show it.",
            "form_class": GrantForm,
            "form_submit_text": "Grant",
        },
    )
    def grant(self, request: HttpRequest, form: GrantForm, object_id: str) -> HttpResponse:
        page = reverse("admin:accounts_player_change", args=[object_id])
        player = Player.objects.get(pk=object_id)
        coins, items = form.cleaned_data["coins"] or 0, form.items()

        def perform() -> idempotency.Kept:
            player_grant(login=player.login, coins=coins, items=items)
            return idempotency.Kept(200, b"")

        call = idempotency.fingerprint("grant", object_id, {"coins": coins, **items})
        key = idempotency.Key(f"admin:{form.cleaned_data['once']}", call)
        try:
            kept = idempotency.once(player_id=int(request.user.pk or 0), once=key, perform=perform)
        except Refusal as refusal:
            self.message_user(request, refusal.detail, messages.ERROR)
            return self.back(request, page)
        given = [f"{coins} coins"] * bool(coins) + [f"{quantity} {slug}" for slug, quantity in items.items()]
        if not kept.replayed:
            self.log_change(request, player, f"Granted {', '.join(given)}.")
        self.message_user(request, f"{player} was given {', '.join(given)}.", messages.SUCCESS)
        return self.back(request, page)

    @action(
        description="Ban",
        permissions=["change"],
        icon="block",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Ban: close the account",
            "description": "Its sessions end at once. What the player offers stays on the market until you cancel it.",
            "form_class": BanForm,
            "form_submit_text": "Ban",
        },
    )
    def ban(self, request: HttpRequest, form: BanForm, object_id: str) -> HttpResponse:
        self._activate(request, Player.objects.filter(pk=object_id), False, f"Banned: {form.cleaned_data['reason']}")
        return self.back(request, reverse("admin:accounts_player_change", args=[object_id]))

    def _activate(self, request: HttpRequest, queryset: Any, active: bool, done: str) -> None:
        @atomic
        def act(row: Player) -> None:
            player = services.players_lock([row.pk])[row.pk]
            if not self.has_change_permission(request, player):
                raise Refusal("permission_denied")
            if player.pk == request.user.pk:
                raise Refusal("conflict", OWN_ACCOUNT)
            player.is_active = active
            player.save(update_fields=["is_active"])

        self.each_row(request, queryset, act, done)

    @action(description="Ban: close the account, end its sessions", permissions=["change"])
    def close(self, request: HttpRequest, queryset: Any) -> None:
        self._activate(request, queryset, False, "Closed")

    @action(description="Open the account again", permissions=["change"])
    def open(self, request: HttpRequest, queryset: Any) -> None:
        self._activate(request, queryset, True, "Opened")

    @action(description="End all sessions", permissions=["change"])
    def end_sessions(self, request: HttpRequest, queryset: Any) -> None:
        def act(player: Player) -> None:
            if not self.has_change_permission(request, player):
                raise Refusal("permission_denied")
            services.sessions_end(player_id=player.pk)

        self.each_row(request, queryset, act, "Sessions ended")


@admin.register(PlayerSession)
class PlayerSessionAdmin(NoAdd, NoChange, BaseAdmin):
    """Open sessions. Deleting one ends it at once; the ids and tokens themselves are nobody's to see."""

    list_display = ["id", "player", "role", "address", "user_agent", "created_at", "last_seen_at"]
    list_select_related = ["player"]
    list_filter = ["role"]
    sortable_by = ["id", "last_seen_at"]
    ordering = ["-id"]
    search_fields = ["player__login__iexact"]
    search_help_text = "The player's whole login"
    fields = ["player", "role", "address", "user_agent", "created_at", "last_seen_at"]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """What no page shows is not filtered by either: `?session_id__startswith=` would spell it out."""
        return not lookup.startswith(("session_id", "refresh_id")) and bool(
            super().lookup_allowed(lookup, value, request)
        )


class EntryInline(ReadOnlyInline):
    model = LedgerEntry
    fields = ["player", "system_account", "amount"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("player")


@admin.register(LedgerTransfer)
class LedgerTransferAdmin(ReadOnlyAdmin):
    list_display = ["id", "reason", "reference", "operation_id", "created_at"]
    search_fields = ["operation_id__exact"]
    search_help_text = "The whole operation id"
    inlines = [EntryInline]


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = ["id", "player", "system_account", "amount", "transfer", "created_at"]
    list_filter = ["system_account"]
    list_select_related = ["player", "transfer"]
    search_fields = ["player__login__iexact"]
    search_help_text = "The player's whole login"

    @display(description="created at")
    def created_at(self, entry: LedgerEntry) -> Any:
        return entry.transfer.created_at


@admin.register(PlayerStatistics)
class PlayerStatisticsAdmin(ReadOnlyAdmin):
    list_display = [
        "player", "items_crafted", "items_gathered", "sales_count", "sales_value", "purchases_count", "purchases_value",
    ]  # fmt: skip
    list_select_related = ["player"]
    search_fields = ["player__login__iexact"]
    search_help_text = "The player's whole login"
