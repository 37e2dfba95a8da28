#!/bin/sh
# Starts Redis or a Sentinel of compose.ha.yml: `start.sh redis NAME` or `start.sh sentinel NAME`.
#
# Which of the two is the primary is in no file. Whoever starts asks those who know, so that a former primary comes back
# as a replica, and a Sentinel that forgot everything watches the right one. Passwords are in the environment
# (REDIS_PASSWORD, REDIS_SENTINEL_PASSWORD) and reach no command line.
set -eu
# Sentinel's configuration holds passwords. Redis' files are not for others either.
umask 077
role=$1 self=$2

ask() { # password, host, port, command...
    password=$1 host=$2 port=$3
    shift 3
    REDISCLI_AUTH=$password timeout 2 redis-cli -h "$host" -p "$port" "$@" 2>/dev/null || true
}

primary() {
    for name in sentinel-1 sentinel-2 sentinel-3; do
        [ "$name" != "$self" ] || continue
        found=$(ask "$REDIS_SENTINEL_PASSWORD" "$name" 26379 sentinel get-master-addr-by-name bcraftd | head -n 1)
        case $found in redis-1 | redis-2) echo "$found" && return ;; esac
    done
    # No Sentinel lives. Whoever serves as the primary is it, else whom a replica follows: it may be the one that starts here.
    followed=
    for name in redis-1 redis-2; do
        [ "$name" != "$self" ] || continue
        found=$(ask "$REDIS_PASSWORD" "$name" 6379 role | head -n 2 | tr '\n' ' ')
        case $found in
            "master "*) echo "$name" && return ;;
            "slave redis-1 " | "slave redis-2 ") followed=${found#slave } ;;
        esac
    done
    # Nobody lives: it is a first start.
    echo "${followed:-redis-1}"
}

primary=$(primary)
primary=${primary% }
echo "$self: the primary is $primary"

if [ "$role" = sentinel ]; then
    { cat /etc/redis/sentinel.conf && cat <<CONF; } >/run/sentinel/sentinel.conf
dir /run/sentinel
requirepass $REDIS_SENTINEL_PASSWORD
sentinel sentinel-pass $REDIS_SENTINEL_PASSWORD
sentinel announce-ip $self
sentinel monitor bcraftd $primary 6379 2
sentinel auth-pass bcraftd $REDIS_PASSWORD
CONF
    exec redis-server /run/sentinel/sentinel.conf --sentinel
fi

follow=
[ "$primary" = "$self" ] || follow="replicaof $primary 6379"
# The server's standard input is no file and in no list of processes.
exec redis-server /etc/redis/redis.conf - <<CONF
port 6379
bind * -::*
dir /data
requirepass $REDIS_PASSWORD
masterauth $REDIS_PASSWORD
replica-announce-ip $self
# A primary that has long been without its replica would otherwise take another identity, which empties the cache (docs/scaling.md).
repl-backlog-ttl 0
$follow
CONF
