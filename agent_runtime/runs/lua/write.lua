-- One fenced write of a worker: journal, events, and how the run goes on.
-- ARGV: id, fence, seq, step, worker, ending, limit and ttl of the memory, field, value, data,
-- expires in ms, then counted lists: journal (field, value)…, events (type, data)…, remembered…,
-- approvals….
local id, fence, seq = ARGV[1], ARGV[2], tonumber(ARGV[3])
local run = get(id, 'fence', 'state', 'seq', 'ended')
local ending = ARGV[6]
if ending ~= '' and run[4] == fence .. '#' .. seq then return {'repeated'} end
if run[1] ~= fence or run[2] ~= 'running' then return {'stale'} end
-- the reply to this very write was lost, and it was sent again
if tonumber(run[3]) >= seq then return {'repeated'} end
redis.call('HSET', run_key(id), 'seq', seq, 'step', ARGV[4], 'updated', NOW)
local at = 13
local function list()
  local n = tonumber(ARGV[at])
  local items = {}
  for i = 1, n do items[i] = ARGV[at + i] end
  at = at + n + 1
  return items
end
local journal, events, remembered, approvals = list(), list(), list(), list()
if #journal > 0 then redis.call('HSET', journal_key(id), unpack(journal)) end
local ids = {}
for i = 1, #events, 2 do ids[#ids + 1] = log(id, events[i], events[i + 1]) end
if ending == '' then return {'ok', ids} end
redis.call('HSET', run_key(id), 'ended', fence .. '#' .. seq)
if ending == 'completed' or ending == 'failed' then
  remember(get(id, 'memory')[1], ARGV[7], ARGV[8], remembered)
  ids[#ids + 1] = finish(id, ending, ARGV[9], ARGV[10], ARGV[11])
  return {'ok', ids}
end
let_go(id, ARGV[5])
redis.call('HINCRBY', run_key(id), 'attempt', -1)
redis.call('HINCRBY', run_key(id), 'fence', 1)
if ending == 'waiting_input' then
  for _, approval in ipairs(approvals) do
    redis.call('HSET', journal_key(id), 'a:' .. approval, '1')
  end
  redis.call('HSET', run_key(id), 'state', ending, 'worker', '', 'open', #approvals,
    'result', ARGV[10])
  redis.call('ZADD', P .. 'waiting', ARGV[12], id)
  ids[#ids + 1] = log(id, 'run.waiting_input', ARGV[11])
  if get(id, 'outbox')[1] == '1' then redis.call('RPUSH', P .. 'outbox', id) end
else
  log(id, 'step.restarted', ARGV[11])
  enqueue(id, true)
end
return {'ok', ids}
