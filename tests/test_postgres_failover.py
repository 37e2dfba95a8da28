"""The PostgreSQL primary dies while players play, and its synchronous standby takes its place."""

import time
from pathlib import Path

from bcraftd.embedded.postgres import PostgresServer
from tests.drill.__main__ import NOTICED_AFTER
from tests.drill.players import playing
from tests.drill.pooler import Pooler
from tests.drill.stage import Stage
from tests.drill.standby import following, promote

BACK_WITHIN = 15.0


def test_the_primary_dies_under_load_and_every_answered_write_is_there(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path.parent):
        folder.chmod(0o755)
    stage = Stage(tmp_path, durable=True)
    others: list[PostgresServer | Pooler] = []
    try:
        stage.start_servers()
        standby = following(stage.postgres, tmp_path / "standby")
        others.append(standby)
        pooler = Pooler(tmp_path / "pooler", stage.postgres.url, size=8)
        others.append(pooler)
        pooler.start()
        stage.database_url = pooler.url
        stage.serve(DATABASE_POOLED="true")
        with playing(stage.instances) as record:
            time.sleep(5)
            began = record.now
            stage.postgres.kill()
            time.sleep(NOTICED_AFTER)
            promote(standby)
            pooler.point_at(standby.url)
            time.sleep(BACK_WITHIN)
        audit = stage.manage("economy_audit", DATABASE_POOLED="true")
    finally:
        stage.stop()
        for other in others:
            other.stop()
    assert record.lost == []
    assert record.stale == []
    assert record.failed, "it was noticed"
    assert max(at for at, _ in record.failed) - began < BACK_WITHIN
    assert audit.returncode == 0, audit.stdout
