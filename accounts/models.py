"""Players, their sessions, their coins' ledger and their statistics."""

import uuid
from typing import Any, ClassVar

import pgtrigger
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils import timezone

from bcraftd.tracked import Tracked, TrackedQuerySet, outside_triggers
from bcraftd.triggers import append_only

# The largest whole number that every JSON client keeps exactly.
MAX_AMOUNT = 2**53 - 1
MAX_LEVEL = 100


def bounded(amount: int) -> int:
    """A signed amount, or the next one that is too much for any balance: PostgreSQL's columns end not far behind."""
    return max(-MAX_AMOUNT - 1, min(amount, MAX_AMOUNT + 1))


class Role(models.TextChoices):
    PLAYER = "player"
    MODERATOR = "moderator"
    ADMIN = "admin"


class PlayerManager(BaseUserManager["Player"]):
    """Players by login, without regard to case."""

    def get_queryset(self) -> TrackedQuerySet["Player"]:
        return TrackedQuerySet(self.model, using=self._db)

    def get_by_natural_key(self, username: str | None) -> "Player":
        # PostgreSQL takes some letters outside ASCII for the capitals of others, and their failures count apart.
        if username is None or not username.isascii():
            raise self.model.DoesNotExist
        return self.get(login__iexact=username)

    def create_user(self, login: str, email: str, password: str | None = None, **fields: Any) -> "Player":
        """A player without coins; accounts.services.player_register is what gives the starting coins."""
        player = self.model(login=login, email=self.normalize_email(email), **fields)
        player.set_password(password)
        player.save(using=self._db)
        return player

    def create_superuser(self, login: str, email: str, password: str | None = None, **fields: Any) -> "Player":
        """An operator who may do everything."""
        return self.create_user(login, email, password, role=Role.ADMIN, **fields)


class Player(Tracked, AbstractBaseUser, PermissionsMixin):
    """Who plays. `coins` is kept beside the ledger and always equals the sum of the player's entries."""

    login = models.CharField(max_length=32)
    email = models.EmailField()
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.PLAYER)
    coins = models.BigIntegerField(default=0, editable=False)
    experience = models.BigIntegerField(default=0, editable=False)
    level = models.PositiveSmallIntegerField(default=1, editable=False)
    is_active = models.BooleanField(default=True, help_text="Off: the account is closed and its sessions end at once.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[PlayerManager] = PlayerManager()  # type: ignore[assignment]

    # Not columns: what accounts.signals works with while a save runs.
    ends_sessions: bool = False
    session_kept: str | None = None

    USERNAME_FIELD = "login"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["email"]

    class Meta:
        permissions = [("grant_player", "Can grant coins and items")]
        constraints = [
            models.UniqueConstraint(Upper("login"), name="player_login_unique"),
            models.UniqueConstraint(Upper("email"), name="player_email_unique"),
            models.CheckConstraint(condition=Q(login__regex=r"^[A-Za-z0-9_-]{3,32}$"), name="player_login_form"),
            models.CheckConstraint(condition=Q(coins__gte=0, coins__lte=MAX_AMOUNT), name="player_coins_range"),
            models.CheckConstraint(
                condition=Q(experience__gte=0, experience__lte=MAX_AMOUNT), name="player_experience_range"
            ),
            models.CheckConstraint(condition=Q(level__gte=1, level__lte=MAX_LEVEL), name="player_level_range"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="player_role_known"),
        ]
        triggers = [
            *outside_triggers(),
            # However a player comes to be, the statistics are there.
            pgtrigger.Trigger(
                name="statistics_created",
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                func="INSERT INTO accounts_playerstatistics (player_id, items_crafted, items_gathered, sales_count,"
                " sales_value, purchases_count, purchases_value) VALUES (NEW.id, 0, 0, 0, 0, 0, 0); RETURN NULL;",
            ),
        ]

    def __str__(self) -> str:
        return self.login

    def save(self, *args: Any, **options: Any) -> None:
        """As Django's, but what the ledger and the game keep is written only by those who name it: a shell or a
        form that saves the whole row must not bring back the coins of a moment ago."""
        if not self._state.adding and options.get("update_fields") is None:
            kept = {"id", "coins", "experience", "level"}
            options["update_fields"] = [field.name for field in self._meta.concrete_fields if field.name not in kept]
        super().save(*args, **options)

    # The role decides; Django's own flags are only other names for it.
    is_superuser = property(lambda self: self.is_active and self.role == Role.ADMIN)
    is_staff = property(lambda self: self.is_active and self.role in (Role.ADMIN, Role.MODERATOR))

    def check_password(self, raw_password: str | None) -> bool:
        """As Django's, but a hash that is only brought up to date does not count as a new password."""

        def upgrade(password: str) -> None:
            upgraded = make_password(password)
            # By a queryset that says nothing: a changed password would end the player's sessions (accounts.signals).
            if models.QuerySet(Player).filter(pk=self.pk, password=self.password).update(password=upgraded):
                self.password = upgraded

        return check_password(raw_password, self.password, upgrade)

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        """Admins may do everything; moderators see everything, and do what their groups allow."""
        if self.is_staff and perm.partition(".")[2].startswith("view_"):
            return True
        return super().has_perm(perm, obj)

    def has_module_perms(self, app_label: str) -> bool:
        return bool(self.is_staff)


class PlayerSession(Tracked):
    """What a login opens. It lives CACHE_SESSION_TTL seconds from its last use; ended ones are deleted."""

    session_id = models.CharField(max_length=64, unique=True)
    player = models.ForeignKey(Player, on_delete=models.CASCADE, related_name="sessions")
    role = models.CharField(max_length=16, choices=Role.choices)
    created_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now, db_index=True)
    user_agent = models.CharField(max_length=256, blank=True)
    address = models.GenericIPAddressField(null=True)
    refresh_id = models.CharField(max_length=64, help_text="The one refresh token that may still be used.")

    class Meta:
        triggers = [
            *outside_triggers(),
            pgtrigger.ReadOnly(name="opened_for_one", fields=["session_id", "player"]),
        ]

    def __str__(self) -> str:
        return f"{self.player_id} since {self.created_at:%Y-%m-%d %H:%M}"


class SystemAccount(models.TextChoices):
    """The ends of the economy: where coins come from and where they go."""

    MINT = "mint"
    MARKET_FEE = "market_fee"


class LedgerTransfer(models.Model):
    """One movement of coins: two or more entries that sum to zero."""

    operation_id = models.UUIDField(unique=True, default=uuid.uuid4)
    reason = models.CharField(max_length=32)
    reference = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        triggers = [
            *append_only(),
            pgtrigger.Trigger(
                name="transfer_has_two_sides",
                level=pgtrigger.Row,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                timing=pgtrigger.Deferred,
                func="IF (SELECT count(*) FROM accounts_ledgerentry WHERE transfer_id = NEW.id) < 2 THEN"
                " RAISE EXCEPTION 'ledger transfer % has fewer than two entries', NEW.id USING ERRCODE = '23514';"
                " END IF; RETURN NULL;",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reason} {self.reference}".strip()


class LedgerEntry(models.Model):
    """One side of a transfer: coins into (positive) or out of (negative) one account."""

    transfer = models.ForeignKey(LedgerTransfer, on_delete=models.PROTECT, related_name="entries")
    player = models.ForeignKey(Player, on_delete=models.PROTECT, null=True, related_name="ledger_entries")
    system_account = models.CharField(max_length=16, choices=SystemAccount.choices, blank=True)
    amount = models.BigIntegerField()

    class Meta:
        verbose_name_plural = "ledger entries"
        indexes = [models.Index(fields=["player", "-id"], name="ledgerentry_player_newest")]
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="ledgerentry_amount_not_zero"),
            models.CheckConstraint(
                condition=Q(player__isnull=False, system_account="")
                | Q(player__isnull=True, system_account__in=SystemAccount.values),
                name="ledgerentry_one_account",
            ),
        ]
        triggers = [
            *append_only(),
            # Looked at when the transaction commits, so that entries may come one after the other.
            pgtrigger.Trigger(
                name="transfer_sums_to_zero",
                level=pgtrigger.Row,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                timing=pgtrigger.Deferred,
                func="IF (SELECT sum(amount) FROM accounts_ledgerentry WHERE transfer_id = NEW.transfer_id) <> 0 THEN"
                " RAISE EXCEPTION 'ledger transfer % does not sum to zero', NEW.transfer_id USING ERRCODE = '23514';"
                " END IF; RETURN NULL;",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount:+d}"


class PlayerStatistics(models.Model):
    """What a player has done so far. Created by the database with the player, so that it is never missing."""

    player = models.OneToOneField(Player, on_delete=models.CASCADE, primary_key=True, related_name="statistics")
    items_crafted = models.BigIntegerField(default=0)
    items_gathered = models.BigIntegerField(default=0)
    sales_count = models.BigIntegerField(default=0)
    sales_value = models.BigIntegerField(default=0)
    purchases_count = models.BigIntegerField(default=0)
    purchases_value = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "player statistics"
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    items_crafted__gte=0, items_gathered__gte=0, sales_count__gte=0,
                    sales_value__gte=0, purchases_count__gte=0, purchases_value__gte=0,
                ),
                name="playerstatistics_not_negative",
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"statistics of {self.player_id}"
