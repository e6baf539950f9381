-- Strikes a sign-up out of the register.
-- KEYS: register
-- ARGV: member
return redis.call('ZREM', KEYS[1], ARGV[1])
