-- Plays a plan: wrk -s play.lua URL -- PLAN PLAYERS RUN [ANSWERS]
--
-- PLAN has a request a line, its parts set apart by tabs: kind, player (a line of PLAYERS, 0 for nobody), method, path,
-- whether it takes an Idempotency-Key (1 or 0), body. PLAYERS has an access token a line. RUN makes the keys of one run
-- differ from those of another. Where the file ANSWERS is named, each request carries an X-Request-ID, which the server
-- sends back: then every answer's kind, status and time is written there. That is wanted because wrk itself counts only
-- good and bad ones, and corrects its percentiles by what it expects a latency to be, which a mix of fast and slow does
-- not fit.
-- The last line on standard output is JSON; times are in microseconds.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } bench_time;
  int clock_gettime(int clock, bench_time *now);
]]

local steps, heads = {}, {}
local run, answers = "", nil
local place, number = 0, 0
local started = {}

local clock = ffi.new("bench_time")
local function now()
  ffi.C.clock_gettime(1, clock)
  return tonumber(clock.seconds) * 1e6 + tonumber(clock.nanoseconds) / 1e3
end

local function answered(status, headers)
  local id = headers["X-Request-ID"] or headers["x-request-id"] or headers["X-Request-Id"]
  local sent = id and started[id]
  if not sent then
    return
  end
  started[id] = nil
  answers:write(string.format("%s %d %d\n", string.match(id, "^%a+"), status, now() - sent))
end

function init(arguments)
  run = arguments[3]
  local head = "Host: " .. wrk.headers["Host"] .. "\r\n"
  heads[0] = head
  for token in io.lines(arguments[2]) do
    heads[#heads + 1] = head .. "Authorization: Bearer " .. token .. "\r\n"
  end
  for line in io.lines(arguments[1]) do
    local kind, player, method, path, key, body = string.match(line, "^(.-)\t(.-)\t(.-)\t(.-)\t(.-)\t(.*)$")
    local tail = "\r\n"
    if method == "POST" then
      tail = "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
    end
    steps[#steps + 1] = {
      kind = kind, first = method .. " " .. path .. " HTTP/1.1\r\n", head = heads[tonumber(player)],
      key = key == "1", tail = tail,
    }
  end
  if arguments[4] then
    -- Never closed: what is in its buffer is written when wrk ends.
    answers = assert(io.open(arguments[4], "w"))
    response = answered
  end
end

function request()
  place = place % #steps + 1
  number = number + 1
  local step = steps[place]
  local text = step.first .. step.head
  if step.key then
    text = text .. "Idempotency-Key: " .. run .. "-" .. number .. "\r\n"
  end
  if answers then
    local id = string.format("%s-%09d", step.kind, number)
    started[id] = now()
    text = text .. "X-Request-ID: " .. id .. "\r\n"
  end
  return text .. step.tail
end

function done(summary, latency)
  local percentiles = { string.format('"100":%d', latency.max) }
  for _, percent in ipairs({ 0.1, 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9 }) do
    percentiles[#percentiles + 1] = string.format('"%g":%d', percent, latency:percentile(percent))
  end
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"us":%d,"bytes":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d,' ..
      '"latency":{%s}}\n',
    summary.requests, summary.duration, summary.bytes, errors.connect, errors.read, errors.write, errors.timeout,
    errors.status, table.concat(percentiles, ",")
  ))
end
