#!/bin/sh
# Starts PostgreSQL of compose.ha.yml. NODE is its name as a standby and that of its slot.
#
# Where FOLLOW names another server and the volume is empty, that server is copied first, and this one follows it. What
# it is afterwards, primary or standby, is said by its data folder alone, so that a promotion outlives a restart.
set -eu

if [ -n "${FOLLOW:-}" ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    # Read by libpq itself: no command line has it.
    export PGPASSWORD="$REPLICATION_PASSWORD"
    until pg_isready --quiet --host="$FOLLOW" --username=replicator --dbname=postgres; do sleep 1; done
    # The slot keeps what this server has not got yet. It may be there already, of an earlier volume.
    psql --no-psqlrc --quiet --output=/dev/null --set=ON_ERROR_STOP=1 --set=node="$NODE" \
        --host="$FOLLOW" --username=replicator --dbname=postgres <<'SQL'
SELECT pg_create_physical_replication_slot(:'node')
WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = :'node');
SQL
    # Under another name until it is whole: a copy that was interrupted is begun anew.
    rm -rf "$PGDATA.copy"
    mkdir -p "$(dirname "$PGDATA")"
    pg_basebackup --host="$FOLLOW" --username=replicator --pgdata="$PGDATA.copy" --slot="$NODE" \
        --wal-method=stream --checkpoint=fast --write-recovery-conf
    # The copy has this from its original; promoted with it, it would wait for itself with the first commit.
    echo "synchronous_standby_names = ''" >>"$PGDATA.copy/postgresql.auto.conf"
    rm -rf "$PGDATA"
    mv "$PGDATA.copy" "$PGDATA"
    unset PGPASSWORD
fi

# The name by which the primary knows it, and waits for it.
[ "$1" != postgres ] || set -- "$@" --cluster-name="$NODE"
exec docker-entrypoint.sh "$@"
