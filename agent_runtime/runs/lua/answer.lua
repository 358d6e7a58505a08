-- ARGV: id, tenant, then approval id and decision in turn. All or nothing; the first answer stands.
local id, tenant = ARGV[1], ARGV[2]
local run = get(id, 'tenant', 'state')
if run[1] ~= tenant then return 'unknown' end
local journal = journal_key(id)
local fresh = 0
for i = 3, #ARGV, 2 do
  local given = redis.call('HGET', journal, 'd:' .. ARGV[i])
  if given and given ~= ARGV[i + 1] then return 'answered' end
  if not given then
    if run[2] ~= 'waiting_input' then return 'idle' end
    if redis.call('HEXISTS', journal, 'a:' .. ARGV[i]) == 0 then return 'no_approval' end
    fresh = fresh + 1
  end
end
if fresh == 0 then return 'ok' end
for i = 3, #ARGV, 2 do
  if redis.call('HSETNX', journal, 'd:' .. ARGV[i], ARGV[i + 1]) == 1 then
    redis.call('HDEL', journal, 'a:' .. ARGV[i])
  end
end
if redis.call('HINCRBY', run_key(id), 'open', -fresh) <= 0 then
  redis.call('ZREM', P .. 'waiting', id)
  redis.call('HDEL', run_key(id), 'result')
  enqueue(id, false)
  log(id, 'run.queued', '{"state":"queued"}')
end
return 'ok'
