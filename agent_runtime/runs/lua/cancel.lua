-- ARGV: id, tenant, reason.
local run = get(ARGV[1], 'tenant', 'state')
if run[1] ~= ARGV[2] then return 'unknown' end
if terminal(run[2]) then return 'ended' end
cancel(ARGV[1], ARGV[3])
return 'ok'
