-- A worker that is about to exit. ARGV: worker, max_attempts. What it still holds goes back.
local hold = hold_key(ARGV[1])
while true do
  local entry = redis.call('RPOP', hold)
  if not entry then break end
  give_back(string.match(entry, '([^/]+)$'), ARGV[2])
end
redis.call('DEL', beat_key(ARGV[1]))
redis.call('SREM', P .. 'workers', ARGV[1])
return 'ok'
