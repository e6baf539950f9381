-- Removes the keys whose time has come, embedded server only.
-- KEYS: candidates
for _, key in ipairs(KEYS) do
  if redis.call('STEPWISE.EXPIRED', key) == 1 then
    redis.call('DEL', key)
  end
end
return #KEYS
