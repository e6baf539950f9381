-- Returns a record, or the current one, and what is remembered: two arrays,
-- either of them empty where there is nothing.
-- KEYS: record or current[, memory]
-- ARGV: now, id or '' for the current one, prefix of records
local now = tonumber(ARGV[1])

local function live(expiry)
  return expiry and tonumber(expiry) > now
end

local id, key = ARGV[2], KEYS[1]
if id == '' then
  id = redis.call('GET', KEYS[1]) or ''
  key = ARGV[3] .. id
end

local record = {}
local held = id ~= '' and redis.call('GET', key)
if held then
  local _, last, v, st, e, x = string.find(held, '^(%d+) (%d) (%-?%d+) (%-?%d+) ')
  if not last then
    error('not a record')
  end
  if live(x) then
    record = {id, v, st, e, x, string.sub(held, last + 1)}
  end
end

local memory = {}
if KEYS[2] then
  local m = redis.call('HMGET', KEYS[2], 'x', 'a', 'f', 'o')
  if live(m[1]) then
    memory = {m[2], m[3], m[4]}
  end
end

return {record, memory}
