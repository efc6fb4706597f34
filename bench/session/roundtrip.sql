-- bench/session/roundtrip.sql: round trips of tiny statements in an open session against dblink on an open connection over
-- the Unix socket.
--   psql variables: turns; cores: two processors for this backend and for the processes it talks to, or one twice;
--   place: how to call that; part: its name in PARTS; limit, prepared_limit: the largest ratio to dblink of a statement,
--   and of a prepared one
select pg_backend_pid() as "BACKEND", pid as "SESSION", remote as "REMOTE"
from bg.sessions, dblink('open', 'select pg_backend_pid()') as d(remote int) where name = 'bench' \gset
\setenv PIDS :BACKEND' ':SESSION' ':REMOTE
\setenv CORES :cores
\! set -- $CORES; first=$1 second=$2; set -- $PIDS; taskset -pc "$first" "$1" >/dev/null; shift; for pid; do taskset -pc "$second" "$pid" >/dev/null; done

select set_config('bench.place', :'place', false), set_config('bench.part', :'part', false), set_config('bench.turns', :'turns', false),
    set_config('bench.limit', :'limit', false), set_config('bench.prepared_limit', :'prepared_limit', false) \g /dev/null
do language pllua_bg $lua$
local function setting(name) return bench.value('select current_setting($1)', name) end
local place = setting('bench.place')
local session = bench.session
local add = session:prepare('select $1 + $2', {'int4', 'int4'})
session:exec('select 1')
spi.execute([[select dblink_exec('open', 'prepare adds(int4, int4) as select $1 + $2')]])
local function remote(sql)
    local statement = spi.prepare("select * from dblink('open', '" .. sql .. "') as t(x int)")
    return function() return statement:execute() end
end
local us = bench.figures('round trip, ' .. place, 'us', tonumber(setting('bench.turns')), {
    {"session:exec 'select 1'", function() session:exec('select 1') end, batch = 100},
    {"session:run 'select 1', then get", function() session:run('select 1'):get() end, batch = 100},
    {"dblink 'select 1'", remote('select 1'), batch = 100},
    {"session:exec 'select $1::int4 + $2::int4'", function() session:exec('select $1::int4 + $2::int4', 3, 4) end, batch = 100},
    {'prepared in the session, two parameters', function() add:exec(3, 4) end, batch = 100},
    {"dblink 'select 3 + 4'", remote('select 3 + 4'), batch = 100},
    {"dblink 'execute adds(3, 4)'", remote('execute adds(3, 4)'), batch = 100},
})
spi.execute([[select dblink_exec('open', 'deallocate adds')]])
add:close()
local function ratio(limit, what, mine, peer)
    bench.target(what .. ' / ' .. peer .. ', ' .. place, us[mine] / us[peer], 'at most', tonumber(setting(limit)), 'of the time')
end
ratio('bench.limit', "'select 1'", "session:exec 'select 1'", "dblink 'select 1'")
ratio('bench.prepared_limit', 'prepared, two parameters', 'prepared in the session, two parameters', "dblink 'select 3 + 4'")
ratio('bench.prepared_limit', 'prepared, two parameters', 'prepared in the session, two parameters', "dblink 'execute adds(3, 4)'")
for _, mine in ipairs{"session:exec 'select 1'", "session:run 'select 1', then get", "session:exec 'select $1::int4 + $2::int4'",
    'prepared in the session, two parameters'} do
    bench.ratio(setting('bench.part'), mine, "dblink 'select 1'")
end
$lua$;
\setenv CORES :all_cores
\! for pid in $PIDS; do taskset -pc "$CORES" "$pid" >/dev/null; done
