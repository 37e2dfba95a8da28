"""What the project itself keeps: the outbox, the answers under idempotency keys, what the audits found, and counts."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class OutboxRow(models.Model):
    """Something that is stale in Redis until a replay has dropped it there (bcraftd.cache.outbox).

    Written in the transaction that made it stale: by the project with the keys, by a trigger of the database (for a
    change from outside) with the table and the row as it was or is.
    """

    created_at = models.DateTimeField(db_default=Now())
    names = models.JSONField(db_default=models.Value({}, models.JSONField()), help_text="Key to family.")
    mark = models.CharField(max_length=16, db_default="", help_text="Of the fence that timed out.")
    table_name = models.CharField(max_length=63, db_default="", help_text="Where it came from outside.")
    changed = models.JSONField(null=True)

    class Meta:
        verbose_name = "cache invalidation"
        # It has no page of its own: what a group can be given is the observatory, which shows and drops cached values.
        default_permissions = ()
        permissions = [
            ("observe_cache", "Can see what the cache does and holds"),
            ("flush_cache", "Can drop cached values"),
        ]

    def __str__(self) -> str:
        return f"{self.table_name or ', '.join(self.names)}"


class RedisTerm(models.Model):
    """Which Redis counts, where Sentinels may make another one the primary: one row (bcraftd.cache.term)."""

    run = models.CharField(max_length=8, help_text="The server's identity, learned from itself.")
    stamp = models.CharField(max_length=8, help_text="What values of this term carry.")
    trusted = models.BooleanField(help_text="Whether anybody may serve from it.")
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        # No page, and nothing to grant: what changes it is the processes' own agreement.
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.run}, {'trusted' if self.trusted else 'not trusted'} since {self.changed_at:%Y-%m-%d %H:%M:%S}"


class IdempotencyKey(models.Model):
    """The first good answer under a player's key, written in the transaction of its effect (bcraftd.idempotency)."""

    player = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the call and its body.")
    status = models.PositiveSmallIntegerField()
    body = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["player", "key"], name="idempotencykey_once_a_player")]

    def __str__(self) -> str:
        return f"{self.key} of player {self.player_id}"


class EconomyAudit(models.Model):
    """What one run of the economy's audit found (bcraftd.economy)."""

    started_at = models.DateTimeField()
    seconds = models.FloatField(help_text="How long it took.")
    problem_count = models.PositiveBigIntegerField()
    problems = models.JSONField(help_text="The first of them: kind and detail.")
    totals = models.JSONField(help_text="What was counted, and what the world holds.")

    class Meta:
        ordering = ["-id"]
        get_latest_by = "id"

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}: {self.problem_count} problems"

    @property
    def ok(self) -> bool:
        return self.problem_count == 0


class BackupRun(models.Model):
    """How one run of `manage.py backup` went (bcraftd.backups)."""

    started_at = models.DateTimeField()
    seconds = models.FloatField(help_text="How long it took.")
    ok = models.BooleanField()
    bytes = models.PositiveBigIntegerField(default=0, help_text="What it takes on the disk.")
    folder = models.CharField(max_length=32, blank=True, help_text="Its name below the backups' directory.")
    detail = models.TextField(blank=True, help_text="Why it failed.")

    class Meta:
        ordering = ["-id"]
        get_latest_by = "id"

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}: {'made' if self.ok else 'failed'}"


class LimitWindow(models.Model):
    """A count that all processes share and that ends by itself (bcraftd.windows)."""

    # The kind and a keyed hash of who or what is counted: a copy of the table names no player and no address.
    key = models.CharField(max_length=100, primary_key=True)
    count = models.PositiveIntegerField()
    ends_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.key}: {self.count}"
