-- ARGV: worker, lease in ms, then run and fence in turn. Gives the runs that are this worker's no
-- more, and the entries it holds without knowing.
redis.call('SET', beat_key(ARGV[1]), NOW, 'PX', ARGV[2])
redis.call('SADD', P .. 'workers', ARGV[1])
local lost, known, strays = {}, {}, {}
for i = 3, #ARGV, 2 do
  local run = get(ARGV[i], 'fence', 'state')
  known[entry_of(ARGV[i])] = true
  if run[1] ~= ARGV[i + 1] or run[2] ~= 'running' then lost[#lost + 1] = ARGV[i] end
end
for _, entry in ipairs(redis.call('LRANGE', hold_key(ARGV[1]), 0, -1)) do
  if not known[entry] then strays[#strays + 1] = entry end
end
return {lost, strays}
