-- ARGV: worker, entry (already in the worker's list), how much of the memory. Gives what the run needs, or why not.
local worker, entry = ARGV[1], ARGV[2]
local agent, id = string.match(entry, '^(.*)/([^/]+)$')
if agent ~= AGENT then
  redis.call('LREM', hold_key(worker), 1, entry)
  redis.call('LPUSH', QUEUE, entry)
  return {'foreign', agent or ''}
end
local run = get(id, 'state', 'worker', 'memory')
if run[1] == 'running' and run[2] == worker then
  -- the reply to this very claim was lost, and it was sent again
  redis.call('HINCRBY', run_key(id), 'attempt', -1)
elseif run[1] ~= 'queued' then
  redis.call('LREM', hold_key(worker), 1, entry)
  return {'gone'}
end
local fence, attempt, event = take(id, worker)
return {'taken', id, fence, attempt, event, redis.call('HGETALL', run_key(id)),
  redis.call('HGETALL', journal_key(id)), history(run[3], ARGV[3])}
