# Run once by the image, when it makes the primary's volume: the standby's login, its slot, and that commits wait for it.
# The last is not an option of the server, because this very script would then wait for a standby.
psql --no-psqlrc --quiet --output=/dev/null --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
\getenv password REPLICATION_PASSWORD
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'password';
SELECT pg_create_physical_replication_slot('postgres_replica');
ALTER SYSTEM SET synchronous_standby_names = 'postgres_replica';
SQL
# The image lets everybody with a password into databases; replication is not among them.
echo "host replication replicator samenet scram-sha-256" >>"$PGDATA/pg_hba.conf"
