-- Store a run; start it here if this worker has room and nobody waits before it.
-- ARGV: as JSON a list of the texts that are named here.
local a, given = {}, cjson.decode(ARGV[1])
for i, name in ipairs({'id', 'tenant', 'session', 'user', 'request', 'digest', 'idem', 'on_busy',
    'worker', 'max_queue', 'memory', 'limit', 'memory_ttl', 'ttl', 'outbox', 'trace', 'idem_ttl',
    'asked'}) do
  a[name] = given[i]
end
if redis.call('EXISTS', run_key(a.id)) == 1 then
  -- the reply to this very submission was lost, and it was sent again
  local run = get(a.id, 'state', 'worker', 'created')
  if run[1] == 'running' and run[2] == a.worker then
    redis.call('HINCRBY', run_key(a.id), 'attempt', -1)
    local fence, attempt, event = take(a.id, a.worker)
    return {'taken', event, tonumber(run[3]), fence, attempt, event, history(a.memory, a.limit)}
  end
  return {'queued', '0-0', tonumber(run[3])}
end
local idem = P .. 'i:' .. a.tenant .. ':' .. a.idem
if a.idem ~= '' then
  local same = redis.call('GET', idem)
  if same and redis.call('EXISTS', run_key(same)) == 1 then
    return {'same', same, get(same, 'digest')[1]}
  end
end
local turns = turn_key(a.tenant, a.session)
if redis.call('LLEN', turns) > 0 then
  if a.on_busy == 'reject' then return {'busy', redis.call('LINDEX', turns, 0)} end
  if a.on_busy ~= 'enqueue' then
    for _, other in ipairs(redis.call('LRANGE', turns, 0, -1)) do
      if a.on_busy == 'interrupt' then
        local asked = cjson.decode(get(other, 'asked')[1] or '[]')
        remember(a.memory, a.limit, a.memory_ttl, asked)
      end
    end
    -- the last first, so that no canceled run passes its turn to one that is canceled next
    local others = redis.call('LRANGE', turns, 0, -1)
    for i = #others, 1, -1 do cancel(others[i], a.on_busy) end
  end
end
if redis.call('LLEN', QUEUE) >= tonumber(a.max_queue) then return {'full'} end
redis.call('HSET', run_key(a.id), 'state', 'queued', 'tenant', a.tenant, 'session', a.session,
  'user', a.user, 'request', a.request, 'digest', a.digest, 'created', NOW, 'updated', NOW,
  'fence', 0, 'attempt', 0, 'step', 0, 'ttl', a.ttl, 'outbox', a.outbox, 'trace', a.trace,
  'asked', a.asked, 'memory', a.memory, 'worker', '', 'seq', 0)
if a.idem ~= '' then redis.call('SET', idem, a.id, 'EX', a.idem_ttl) end
redis.call('ZADD', P .. 'live', NOW, a.id)
local index = P .. 't:' .. a.tenant
redis.call('ZADD', index, NOW, a.id)
redis.call('ZREMRANGEBYRANK', index, 0, -10001)
redis.call('RPUSH', turns, a.id)
local queued = log(a.id, 'run.queued', '{"state":"queued"}')
if redis.call('LINDEX', turns, 0) ~= a.id then return {'queued', queued, NOW} end
if a.worker == '' or redis.call('LLEN', QUEUE) > 0
    or redis.call('EXISTS', beat_key(a.worker)) == 0 then
  enqueue(a.id, false)
  return {'queued', queued, NOW}
end
redis.call('LPUSH', hold_key(a.worker), entry_of(a.id))
local fence, attempt, event = take(a.id, a.worker)
return {'taken', queued, NOW, fence, attempt, event, history(a.memory, a.limit)}
