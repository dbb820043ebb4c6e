-- Counts on every key, or on none. The same sums are in state.rs.
-- KEYS: the limits. ARGV: mode ("take", "charge", "lease"), the time in microseconds (0: the server's), then for each key:
-- algorithm, limit, period, capacity, cost; what the caller last knew: a, b, at, generation; what it admitted since, of a
-- and of b.
-- c: a window that begins at what stands in limit's place.
-- A key holds "algorithm a b at generation"; the generation is when it was made, so that one that was lost shows. g: a was owed at that time. f, s: a counts from then on, b in the window before.
local mode, now = ARGV[1], tonumber(ARGV[2])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local function brought(kind, limit, period, a, b, at)
  if kind == 'g' then
    if now > at then a, at = math.max(0, a - (now - at) * limit / period), now end
    return a, 0, at
  end
  local start = kind == 'c' and limit or now - now % period
  if at >= start then return a, b, at end
  if kind == 's' and at == start - period then return 0, a, start end
  return 0, 0, start
end

local function used(kind, period, a, b, at)
  if kind ~= 's' then return a end
  return a + b * (1 - math.min(1, math.max(0, now - at) / period))
end

local function wait(kind, limit, period, capacity, cost, a, b, at)
  local over = used(kind, period, a, b, at) + cost - capacity
  if over <= 0.000001 then return 0 end
  if kind == 'g' then return over * period / limit end
  local rest = at + period - now
  -- A calendar's window may be over by this clock and not by the caller's.
  if kind ~= 's' then return math.max(1, rest) end
  if b > 0 and over * period / b <= rest then return over * period / b end
  over = a + cost - capacity
  if over <= 0 or a == 0 then return rest end
  return rest + over * period / a
end

local rows, refused, longest = {}, 0, -1
for i = 1, #KEYS do
  local o = 2 + (i - 1) * 11
  local kind, limit, period, capacity, cost = ARGV[o + 1], tonumber(ARGV[o + 2]), tonumber(ARGV[o + 3]), tonumber(ARGV[o + 4]), tonumber(ARGV[o + 5])
  local a, b, at = brought(kind, limit, period, tonumber(ARGV[o + 6]), tonumber(ARGV[o + 7]), tonumber(ARGV[o + 8]))
  local stored, generation = redis.call('GET', KEYS[i]), now
  if stored then
    local k, sa, sb, sat, made = string.match(stored, '^(%a) (%S+) (%S+) (%S+) (%S+)$')
    if k == kind then
      generation = tonumber(made)
      sa, sb, sat = brought(kind, limit, period, tonumber(sa), tonumber(sb), tonumber(sat))
      if generation == tonumber(ARGV[o + 9]) or sat > at then a, b, at = sa, sb, sat elseif sat == at then a, b = math.max(a, sa), math.max(b, sb) end
    end
  end
  a, b = a + tonumber(ARGV[o + 10]), b + tonumber(ARGV[o + 11])
  if mode == 'lease' then
    cost = math.max(1, math.min(cost, math.floor(capacity - used(kind, period, a, b, at) + 0.000001)))
  end
  local needed = wait(kind, limit, period, capacity, cost, a, b, at)
  if mode ~= 'charge' and needed > longest and needed > 0 then refused, longest = i, needed end
  rows[i] = { kind, limit, period, capacity, cost, a, b, at, needed, generation, stored }
end

local answer = { refused, string.format('%.0f', now) }
for i, row in ipairs(rows) do
  local kind, limit, period, capacity, cost, a, b, at, needed, generation, stored = unpack(row)
  if refused == 0 then a = math.max(0, a + cost) else cost = 0 end
  local reset
  if kind == 'g' then reset = a * period / limit
  elseif kind == 's' and a > 0 then reset = at + 2 * period - now
  else reset = at + period - now end
  if a > 0 or b > 0 or stored then
    local value = string.format('%s %.9f %.9f %.0f %.0f', kind, a, b, at, generation)
    redis.call('SET', KEYS[i], value, 'PX', math.max(0, math.ceil(reset / 1000)) + 1000)
  end
  local room = capacity - used(kind, period, a, b, at)
  for _, number in ipairs({ a, b, at, room, refused == 0 and 0 or needed, reset, cost, generation }) do
    answer[#answer + 1] = string.format('%.9f', number)
  end
end
return answer
