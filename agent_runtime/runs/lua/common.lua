-- Shared by every script. KEYS[1]: prefix of this agent's keys; KEYS[2]: the queue.
-- Keys are made from the prefix, so the store must not be sharded (no cluster mode).
local P, QUEUE = KEYS[1], KEYS[2]
local AGENT = string.match(P, '^run:(.+):$')

local function run_key(id) return P .. 'r:' .. id end
local function journal_key(id) return P .. 'j:' .. id end
local function events_key(id) return P .. 'e:' .. id end
local function hold_key(worker) return P .. 'p:' .. worker end
local function beat_key(worker) return P .. 'w:' .. worker end
local function turn_key(tenant, session) return P .. 's:' .. tenant .. ':' .. session end
local function entry_of(id) return AGENT .. '/' .. id end

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local NOW = now_ms()

local function get(id, ...) return redis.call('HMGET', run_key(id), ...) end

local function log(id, kind, data)
  return redis.call('XADD', events_key(id), 'MAXLEN', '~', 20000, '*', 't', kind, 'd', data)
end

local function terminal(state)
  return state == 'completed' or state == 'failed' or state == 'canceled' or state == 'rejected'
end

local function enqueue(id, at_head)
  redis.call('HSET', run_key(id), 'state', 'queued', 'worker', '', 'updated', NOW)
  redis.call(at_head and 'RPUSH' or 'LPUSH', QUEUE, entry_of(id))
end

-- A session's turn list holds its unfinished runs, the one whose turn it is first.
local function leave_session(id, tenant, session)
  local turns = turn_key(tenant, session)
  local had_turn = redis.call('LINDEX', turns, 0) == id
  redis.call('LREM', turns, 1, id)
  if not had_turn then return end
  while true do
    local following = redis.call('LINDEX', turns, 0)
    if not following then return end
    if get(following, 'state')[1] == 'queued' then
      enqueue(following, false)
      return
    end
    redis.call('LPOP', turns)
  end
end

local function let_go(id, worker)
  if worker and worker ~= '' then redis.call('LREM', hold_key(worker), 1, entry_of(id)) end
end

-- The one way in which a run ends. `field` is 'result' or 'error', or nil.
local function finish(id, state, field, value, data)
  local run = get(id, 'tenant', 'session', 'worker', 'ttl', 'outbox')
  redis.call('HINCRBY', run_key(id), 'fence', 1)
  redis.call('HSET', run_key(id), 'state', state, 'updated', NOW, 'worker', '')
  if field then redis.call('HSET', run_key(id), field, value) end
  local event = log(id, 'run.' .. state, data)
  let_go(id, run[3])
  redis.call('ZREM', P .. 'live', id)
  redis.call('ZREM', P .. 'waiting', id)
  redis.call('DEL', journal_key(id))
  redis.call('EXPIRE', run_key(id), run[4])
  redis.call('EXPIRE', events_key(id), run[4])
  leave_session(id, run[1], run[2])
  if run[5] == '1' then redis.call('RPUSH', P .. 'outbox', id) end
  return event
end

local function cancel(id, reason)
  local run = get(id, 'state', 'worker')
  if run[1] == 'queued' then redis.call('LREM', QUEUE, 1, entry_of(id)) end
  return finish(id, 'canceled', nil, nil, cjson.encode({state = 'canceled', reason = reason}))
end

local function remember(memory, limit, ttl, entries)
  limit = tonumber(limit)
  if limit == 0 or #entries == 0 then return end
  redis.call('RPUSH', memory, unpack(entries))
  redis.call('LTRIM', memory, -limit, -1)
  redis.call('EXPIRE', memory, ttl)
end

local function history(memory, limit)
  limit = tonumber(limit)
  if limit == 0 then return {} end
  return redis.call('LRANGE', memory, -limit, -1)
end

-- Hand the run to `worker`; the fence it gets is the only one that may write from here on.
local function take(id, worker)
  local fence = redis.call('HINCRBY', run_key(id), 'fence', 1)
  local attempt = redis.call('HINCRBY', run_key(id), 'attempt', 1)
  redis.call('HSET', run_key(id), 'state', 'running', 'worker', worker, 'updated', NOW, 'seq', 0)
  redis.call('HSETNX', run_key(id), 'started', NOW)
  local event = log(id, 'run.running', '{"state":"running","attempt":' .. attempt .. '}')
  return fence, attempt, event
end

-- A run whose worker is gone: again to the front of the queue, or dead after too many attempts.
local function give_back(id, max_attempts, reason)
  local run = get(id, 'state', 'attempt', 'step')
  if run[1] == 'queued' then
    enqueue(id, true)
    return 'queued'
  end
  if run[1] ~= 'running' then return 'left' end
  if tonumber(run[2] or '0') >= tonumber(max_attempts) then
    local problem = {code = 'attempts_exhausted', status = 500,
      message = 'the run was given up after ' .. run[2] .. ' workers were lost with it'}
    redis.call('LPUSH', QUEUE .. ':dead', entry_of(id))
    redis.call('LTRIM', QUEUE .. ':dead', 0, 999)
    finish(id, 'failed', 'error', cjson.encode(problem),
      cjson.encode({state = 'failed', error = problem}))
    return 'dead'
  end
  redis.call('HINCRBY', run_key(id), 'fence', 1)
  local again = {step = tonumber(run[3] or '0'), attempt = tonumber(run[2]) + 1,
    reason = reason}
  log(id, 'step.restarted', cjson.encode(again))
  enqueue(id, true)
  return 'queued'
end
