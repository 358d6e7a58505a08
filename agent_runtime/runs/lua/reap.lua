-- ARGV: max_attempts, lease in ms (a run is looked at again after as long), how many at once, expired
-- decision, worker. Finds runs that nobody works on: of lost workers, and any that fell through.
-- Whoever looks is alive, however late its own heartbeat is.
redis.call('SET', beat_key(ARGV[5]), NOW, 'PX', ARGV[2])
redis.call('SADD', P .. 'workers', ARGV[5])
local given_back, dead = 0, 0
local function back(id)
  local what = give_back(id, ARGV[1], 'worker lost')
  if what == 'queued' then given_back = given_back + 1 end
  if what == 'dead' then dead = dead + 1 end
end
local alive = {}
for _, worker in ipairs(redis.call('SMEMBERS', P .. 'workers')) do
  if redis.call('EXISTS', beat_key(worker)) == 1 then
    alive[#alive + 1] = worker
  else
    local entries = redis.call('LRANGE', hold_key(worker), 0, -1)
    redis.call('DEL', hold_key(worker))
    redis.call('SREM', P .. 'workers', worker)
    for _, entry in ipairs(entries) do back(string.match(entry, '([^/]+)$')) end
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'waiting', '-inf', NOW, 'LIMIT', 0, ARGV[3])) do
  local journal = journal_key(id)
  for _, field in ipairs(redis.call('HKEYS', journal)) do
    if string.sub(field, 1, 2) == 'a:' then
      redis.call('HSETNX', journal, 'd:' .. string.sub(field, 3), ARGV[4])
      redis.call('HDEL', journal, field)
    end
  end
  redis.call('ZREM', P .. 'waiting', id)
  redis.call('HDEL', run_key(id), 'result')
  redis.call('HSET', run_key(id), 'open', 0)
  enqueue(id, false)
  log(id, 'run.queued', '{"state":"queued"}')
end
local function held(entry)
  for _, worker in ipairs(alive) do
    if redis.call('LPOS', hold_key(worker), entry) then return true end
  end
  return false
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'live', '-inf', NOW - ARGV[2], 'LIMIT', 0, ARGV[3])) do
  local run = get(id, 'state', 'worker', 'tenant', 'session')
  redis.call('ZADD', P .. 'live', NOW, id)
  if not run[1] or terminal(run[1]) then
    redis.call('ZREM', P .. 'live', id)
  elseif run[1] == 'running' then
    if not held(entry_of(id)) then back(id) end
  elseif run[1] == 'queued' and not held(entry_of(id)) and not redis.call('LPOS', QUEUE, entry_of(id)) then
    local turns = turn_key(run[3], run[4])
    if not redis.call('LPOS', turns, id) then redis.call('RPUSH', turns, id) end
    local head = redis.call('LINDEX', turns, 0)
    local state = get(head, 'state')[1]
    if head ~= id and (not state or terminal(state)) then
      leave_session(head, run[3], run[4])
    elseif head == id then
      back(id)
    end
  elseif run[1] == 'waiting_input' and not redis.call('ZSCORE', P .. 'waiting', id) then
    redis.call('ZADD', P .. 'waiting', NOW, id)
  end
end
return {given_back, dead, redis.call('LLEN', QUEUE)}
