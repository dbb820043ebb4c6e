-- Tells that a gateway is there, and how many are. KEYS: the set. ARGV: who, and for how many seconds it counts.
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('EXPIRE', KEYS[1], tonumber(ARGV[2]) * 10)
return { redis.call('ZCARD', KEYS[1]) }
