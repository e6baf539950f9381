-- Registers a sign-up under the time when it is due. The empty member has the
-- time when the register itself expires, which only ever moves ahead.
-- KEYS: register
-- ARGV: due at, member, register expires at
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
local kept = redis.call('ZSCORE', KEYS[1], '')
if not kept or tonumber(kept) < tonumber(ARGV[3]) then
  redis.call('ZADD', KEYS[1], ARGV[3], '')
  redis.call('PEXPIREAT', KEYS[1], ARGV[3])
end
return 'registered'
