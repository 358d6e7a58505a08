-- Fenced writes of a worker, in order, each of one run: journal, events, and how the run goes on.
-- ARGV: worker, limit and ttl of the memory, then as JSON a list of writes, each
-- [id, fence, seq, step, ending, field, value, data, expires in ms, journal {field, value…},
-- events {type, data…}, remembered {…}, approvals {…}]. Gives an answer for each.
local function write(worker, limit, ttl, w)
  local id, fence, seq, step, ending = w[1], w[2], w[3], w[4], w[5]
  local journal, events, remembered, approvals = w[10], w[11], w[12], w[13]
  local run = get(id, 'fence', 'state', 'seq', 'ended')
  if ending ~= '' and run[4] == fence .. '#' .. seq then return {'repeated'} end
  if run[1] ~= fence or run[2] ~= 'running' then return {'stale'} end
  -- the reply to this very write was lost, and it was sent again
  if tonumber(run[3]) >= tonumber(seq) then return {'repeated'} end
  redis.call('HSET', run_key(id), 'seq', seq, 'step', step, 'updated', NOW)
  if #journal > 0 then redis.call('HSET', journal_key(id), unpack(journal)) end
  local ids = {}
  for i = 1, #events, 2 do ids[#ids + 1] = log(id, events[i], events[i + 1]) end
  if ending == '' then return {'ok', ids} end
  redis.call('HSET', run_key(id), 'ended', fence .. '#' .. seq)
  if ending == 'completed' or ending == 'failed' then
    remember(get(id, 'memory')[1], limit, ttl, remembered)
    ids[#ids + 1] = finish(id, ending, w[6], w[7], w[8])
    return {'ok', ids}
  end
  let_go(id, worker)
  redis.call('HINCRBY', run_key(id), 'attempt', -1)
  redis.call('HINCRBY', run_key(id), 'fence', 1)
  if ending == 'waiting_input' then
    for _, approval in ipairs(approvals) do
      redis.call('HSET', journal_key(id), 'a:' .. approval, '1')
    end
    redis.call('HSET', run_key(id), 'state', ending, 'worker', '', 'open', #approvals,
      'result', w[7])
    redis.call('ZADD', P .. 'waiting', w[9], id)
    ids[#ids + 1] = log(id, 'run.waiting_input', w[8])
    if get(id, 'outbox')[1] == '1' then redis.call('RPUSH', P .. 'outbox', id) end
  else
    log(id, 'step.restarted', w[8])
    enqueue(id, true)
  end
  return {'ok', ids}
end

local answers = {}
for i, each in ipairs(cjson.decode(ARGV[4])) do
  answers[i] = write(ARGV[1], ARGV[2], ARGV[3], each)
end
return answers
