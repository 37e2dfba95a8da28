"""What accounts keep in Redis."""

from collections.abc import Iterator, Mapping

from accounts.models import Player, PlayerSession
from bcraftd import replicas
from bcraftd.cache import Entry, When, WriteBehind

# Write-through: the row and the value are written together, and a request only reads the value. When a session was
# last seen is written behind, and so differs.
SESSION = Entry(
    family="sessions",
    key="session:{session_id}",
    ttl="CACHE_SESSION_TTL",
    slides=True,
    volatile=frozenset({"last_seen_at"}),
)

# Write-behind: session_id -> seconds since the epoch.
LAST_SEEN = WriteBehind("activity:last_seen", latest=True)


def _of(session: PlayerSession) -> list[Mapping[str, str]]:
    return [{"session_id": session.session_id}]


def _all_of(player: Player) -> Iterator[Mapping[str, str]]:
    for session_id in PlayerSession.objects.filter(player=player).values_list("session_id", flat=True):
        yield {"session_id": session_id}


ENTRIES = [SESSION]
TABLE = [
    # Nobody can have asked for a session before its unguessable id existed.
    When(PlayerSession, SESSION, _of, columns=frozenset({"role", "player", "created_at"}), creation=False),
    When(Player, SESSION, _all_of, columns=frozenset({"login", "is_active"}), creation=False),
]
# Profiles; a ledger entry is written with each change of what a player has.
LAGGING = [replicas.shown(Player, lambda player: [(replicas.PLAYER, player.pk)])]
