-- A worker that is about to exit. ARGV: worker, max_attempts. What it still holds goes back: a claim
-- whose reply it no longer waited for, a run that it could not hand back itself. It was not lost with
-- them, so they cost no attempt.
local hold = hold_key(ARGV[1])
while true do
  local entry = redis.call('RPOP', hold)
  if not entry then break end
  local id = string.match(entry, '([^/]+)$')
  if get(id, 'state')[1] == 'running' then redis.call('HINCRBY', run_key(id), 'attempt', -1) end
  give_back(id, ARGV[2], 'worker stopped')
end
redis.call('DEL', beat_key(ARGV[1]))
redis.call('SREM', P .. 'workers', ARGV[1])
return 'ok'
