"""What follows from a player's row changing, whoever changed it: the API, the admin or a shell."""

from collections.abc import Iterable
from typing import Any

from django.db.models.signals import post_save, pre_save
from django.dispatch import receiver

from accounts import services
from accounts.models import Player
from bcraftd import sessions
from bcraftd.tracked import rows_changed

# A change of any of these kills every token at once, and what is open in the admin.
ENDING = frozenset({"role", "is_active", "password"})


@receiver(pre_save, sender=Player)
def compare_before(instance: Player, update_fields: frozenset[str] | None, **rest: Any) -> None:
    """Notes whether the save will change what the sessions rest on."""
    instance.ends_sessions = False
    if instance.pk is None or (update_fields is not None and not ENDING & update_fields):
        return
    before = Player.objects.filter(pk=instance.pk).values(*ENDING).first()
    instance.ends_sessions = before is not None and any(before[name] != getattr(instance, name) for name in ENDING)


@receiver(post_save, sender=Player)
def end_sessions(instance: Player, **rest: Any) -> None:
    """Ends the sessions of a player whose role, password or standing has changed."""
    if instance.ends_sessions:
        services.sessions_end(player_id=instance.pk, keep=instance.session_kept)
        sessions.sessions_end(user_id=instance.pk)
        instance.session_kept = None


@receiver(rows_changed, sender=Player)
def end_sessions_of_all(rows: Iterable[Player], columns: frozenset[str] | None, created: bool, **rest: Any) -> None:
    """The same for update() and its like, which call no save."""
    if not created and (columns is None or ENDING & columns):
        for player in rows:
            services.sessions_end(player_id=player.pk)
            sessions.sessions_end(user_id=player.pk)
