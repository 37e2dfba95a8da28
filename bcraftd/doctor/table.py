"""Every check, in the order of what depends on what. docs/troubleshooting.md has a section of each one's name."""

from bcraftd.doctor import Check, database, host, replicas, server, work

_POSTGRESQL = ("postgresql",)
_TABLES = ("postgresql", "migrations")
_REDIS = ("redis",)

CHECKS = [
    Check("settings", host.configuration),
    Check("disk", host.disk),
    Check("postgresql", database.postgresql),
    Check("postgresql version", database.version, _POSTGRESQL),
    Check("postgresql connections", database.connections, _POSTGRESQL),
    Check("postgresql clock", database.clock, _POSTGRESQL),
    Check("postgresql replicas", replicas.replicas, _POSTGRESQL),
    Check("migrations", database.migrations, _POSTGRESQL),
    Check("catalogue", database.catalogue, _TABLES),
    Check("redis", server.redis),
    Check("redis version", server.version, _REDIS),
    Check("redis writes", server.writes, _REDIS),
    Check("redis memory", server.memory, _REDIS),
    Check("redis eviction", server.policy, _REDIS),
    Check("redis persistence", server.persistence, _REDIS),
    Check("redis clock", server.clock, _REDIS),
    Check("breaker", server.breaker, _REDIS),
    Check("hit rate", server.hit_rate, _REDIS),
    Check("refused fills", server.refused_fills, _REDIS),
    Check("outbox", server.waiting, _TABLES),
    Check("worker", work.worker, _REDIS),
    Check("schedules", work.schedule_table, _TABLES),
    Check("tasks", work.tasks, _TABLES),
    Check("queue", work.queue, _TABLES),
    Check("economy", work.economy, _TABLES),
    Check("leaderboard", work.leaderboard, _TABLES),
    Check("backups", work.backups, _TABLES),
]
