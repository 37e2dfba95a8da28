"""What the project itself keeps: the outbox of invalidations that Redis has not taken yet."""

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

    def __str__(self) -> str:
        return f"{self.table_name or ', '.join(self.names)}"
