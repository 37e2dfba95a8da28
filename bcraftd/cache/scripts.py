"""What Redis does in one step, in its own language. Each script touches only the keys that it is given."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from redis import Redis
from redis.exceptions import NoScriptError, ResponseError

# Filters and pages of one list that are kept at a time, and their bytes. A client that makes up query strings fills
# this, not Redis; the variants that everybody asks for have places of their own.
MAX_VARIANTS = 200
MAX_USUAL_VARIANTS = 200
MAX_MADE_UP_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Script:
    """A script's text and the name under which Redis remembers it."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        # Redis names scripts by SHA-1; nothing is secured by it.
        object.__setattr__(self, "sha", hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest())


def run(redis: "Redis", script: Script, keys: list[str], args: list[Any]) -> Any:
    """Runs a script by its name and, once per server and script, by its text. Raises RedisError or OSError.

    On a connection of the client's pool, without the client: its retries, which are off here, its events and its
    formats take as long as the call itself (docs/performance.md).
    """
    pool = redis.connection_pool
    connection = pool.get_connection()
    try:
        try:
            connection.send_command("EVALSHA", script.sha, len(keys), *keys, *args)
            return connection.read_response()
        except NoScriptError:
            connection.send_command("EVAL", script.text, len(keys), *keys, *args)
            return connection.read_response()
    except ResponseError:
        # An answer like any other: the connection is in step.
        raise
    except BaseException:
        # An answer may still be on its way, and would be taken for the next caller's.
        connection.disconnect()
        raise
    finally:
        pool.release(connection)


READ_VARIANT = Script("""
return {redis.call('HGET', KEYS[1], ARGV[1]), redis.call('GET', KEYS[2])}
""")

# KEYS value, lease, generation ('' where the family has none), fence of the value, fence of the generation ('').
# ARGV variant, token, milliseconds, new generation, hashed, run. Answers {0} somebody else fills, {1, generation}
# granted, {2, generation, value} it has been filled since the caller looked: without that look a reader that was slow
# to ask would fill a second time; {3} a write to what it shows is being committed, and nobody may fill.
# A lease is '<expiry> <token>' in a hash field, because several variants of one key may be filled at once and
# a field has no expiry of its own in Redis 7.2. A fence is a hash too, writer's mark to expiry.
LEASE = Script("""
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
for i = 4, 5 do
  if KEYS[i] ~= '' then
    for _, expiry in ipairs(redis.call('HVALS', KEYS[i])) do
      if tonumber(expiry) > now then
        return {3}
      end
    end
  end
end
local generation = ''
if KEYS[3] ~= '' then
  redis.call('SET', KEYS[3], ARGV[4], 'NX')
  generation = redis.call('GET', KEYS[3])
end
local value
if ARGV[5] == '0' then
  value = redis.call('GET', KEYS[1])
else
  value = redis.call('HGET', KEYS[1], ARGV[1])
end
local proof = ',"cached":"' .. ARGV[6] .. '-' .. (generation ~= '' and generation or '----------------') .. '-'
if value and string.sub(value, -52, -16) == proof then
  return {2, generation, value}
end
local held = redis.call('HGET', KEYS[2], ARGV[1])
if held and tonumber(string.match(held, '^%d+')) > now then
  return {0}
end
redis.call('HSET', KEYS[2], ARGV[1], string.format('%d %s', now + ARGV[3], ARGV[2]))
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return {1, generation}
""")

RELEASE = Script("""
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and string.match(held, ' (.*)$') == ARGV[2] then
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return 1
""")

# KEYS value, lease, generation. ARGV variant, token, body, ttl ms, hashed, generation, most variants, most bytes (0: as
# many as come).
# All variants of a key live no longer than the first that was stored: a field has no expiry of its own.
FILL = Script("""
local held = redis.call('HGET', KEYS[2], ARGV[1])
if not held or string.match(held, ' (.*)$') ~= ARGV[2] then
  return 0
end
redis.call('HDEL', KEYS[2], ARGV[1])
if KEYS[3] ~= '' and redis.call('GET', KEYS[3]) ~= ARGV[6] then
  return 0
end
if ARGV[5] == '0' then
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
  return 1
end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[7]) then
    return 0
  end
  if ARGV[8] ~= '0' and (redis.call('MEMORY', 'USAGE', KEYS[1]) or 0) + #ARGV[3] > tonumber(ARGV[8]) then
    return 0
  end
end
local left = redis.call('PTTL', KEYS[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
if left < 0 or tonumber(ARGV[4]) < left then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return 1
""")

# Before a commit. KEYS n values, their n leases, their n fences. ARGV n, the writer's mark, milliseconds.
# Values and leases go first: a script that has deleted something may then write, even where memory is full.
# A generation is a value like any other: without it everything of its family is a miss.
FENCE = Script("""
local n = tonumber(ARGV[1])
for i = 1, 2 * n do
  redis.call('UNLINK', KEYS[i])
end
local now = redis.call('TIME')
local expiry = string.format('%d', now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[3])
for i = 2 * n + 1, 3 * n do
  redis.call('HSET', KEYS[i], ARGV[2], expiry)
  redis.call('PEXPIRE', KEYS[i], ARGV[3])
end
return n
""")

# After a commit. KEYS n values, their n leases, their n fences. ARGV n, then the marks to lift: the writer's own, or
# those of the writers whose outbox rows are replayed.
# Another writer's mark stays, and keeps its key closed until that writer is through too.
DROP = Script("""
local n = tonumber(ARGV[1])
local dropped = 0
for i = 1, n do
  dropped = dropped + redis.call('UNLINK', KEYS[i])
  redis.call('UNLINK', KEYS[n + i])
  if #ARGV > 1 then
    redis.call('HDEL', KEYS[2 * n + i], unpack(ARGV, 2))
  end
end
return dropped
""")

# After a rollback. KEYS fences. ARGV the writer's mark.
LIFT = Script("""
for i = 1, #KEYS do
  redis.call('HDEL', KEYS[i], ARGV[1])
end
return #KEYS
""")

COUNT = Script("""
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[1])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {count, left}
""")

# KEYS hash. Takes everything out at once, so that what is written afterwards is counted for the next time.
TAKE = Script("""
local all = redis.call('HGETALL', KEYS[1])
redis.call('UNLINK', KEYS[1])
return all
""")


def caps(usual: bool) -> list[int]:
    """FILL's last two arguments: how many variants a key may have when one more comes, and how many bytes."""
    return [MAX_VARIANTS + MAX_USUAL_VARIANTS, 0] if usual else [MAX_VARIANTS, MAX_MADE_UP_BYTES]


# One round trip for a request that hits. KEYS value, generation ('' where the family has none), session ('' for
# nobody), counter ('' where the limit is off). ARGV the stamp's start for this Redis, variant ('' for a string), the
# session's stamp, what the session has to say of its player, its life in ms, the limit, its window in ms.
# Where anything is not as it should be nothing is counted and nothing slid on: {} hands the request to Django, which
# does all of it. Answers {value, count, ms left}.
HOT = Script("""
local value
if ARGV[2] == '' then
  value = redis.call('GET', KEYS[1])
else
  value = redis.call('HGET', KEYS[1], ARGV[2])
end
if not value then
  return {}
end
local generation = '----------------'
if KEYS[2] ~= '' then
  generation = redis.call('GET', KEYS[2])
  if not generation then
    return {}
  end
end
if string.sub(value, -52, -16) ~= ARGV[1] .. generation .. '-' then
  return {}
end
if KEYS[3] ~= '' then
  local session = redis.call('GET', KEYS[3])
  if not session or string.sub(session, -52, -16) ~= ARGV[3] or not string.find(session, ARGV[4], 1, true) then
    return {}
  end
end
local count, left = 0, 0
if KEYS[4] ~= '' then
  if tonumber(redis.call('GET', KEYS[4]) or '0') >= tonumber(ARGV[6]) then
    return {}
  end
  count = redis.call('INCR', KEYS[4])
  left = redis.call('PTTL', KEYS[4])
  if left < 0 then
    left = tonumber(ARGV[7])
    redis.call('PEXPIRE', KEYS[4], left)
  end
end
if KEYS[3] ~= '' then
  redis.call('PEXPIRE', KEYS[3], ARGV[5])
end
return {value, count, left}
""")
