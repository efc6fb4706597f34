-- bench/session/launch.sql: starting sessions, new ones and from the pool, against dblink_connect.
--   psql variables: launches
select set_config('bench.turns', :'launches', false) \g /dev/null
do language pllua_bg $lua$
local turns = tonumber(bench.value("select current_setting('bench.turns')"))
local connection = bench.value("select current_setting('bench.connection')")
local others = bench.others()
local function settle() bench.settle(others) end

local connect = spi.prepare('select dblink_connect($1, $2)', {'text', 'text'})
local disconnect = spi.prepare('select dblink_disconnect($1)', {'text'})
local first = {}
for i = 1, 8 do first[i] = spi.prepare("select * from dblink('c" .. i .. "', 'select 1') as t(x int)") end
local open = spi.prepare("select * from dblink('open', 'select 1') as t(x int)")
local function connect_all(n, result)
    for i = 1, n do
        connect:execute('c' .. i, connection)
        if result then first[i]:execute() end
    end
end
local function disconnect_all(n) for i = 1, n do disconnect:execute('c' .. i) end settle() end
local sessions
-- A session that answers an empty command is ready, as a connection is when dblink_connect returns.
local function launch_all(n, sql)
    local futures = {}
    sessions = {}
    for i = 1, n do
        sessions[i] = bg.launch()
        futures[i] = sessions[i]:run(sql or 'select 1')
    end
    for i = 1, n do futures[i]:get() end
end
-- Without a pool; not while launching, for a session takes over what its launcher has set.
local function close_all()
    spi.execute('set pllua_bg.pool_size = 0')
    for _, session in ipairs(sessions) do session:close() end
    settle()
    spi.execute('reset pllua_bg.pool_size')
end

local returns = bench.figures('launch', 'us', turns * 4, {
    {'bg.launch returns', function() sessions = {bg.launch()} end,
        after = function() sessions[1]:exec('select 1') close_all() end},
})
local ms = bench.figures('launch', 'ms', turns, {
    {'bg.launch and first result', function() launch_all(1) end, after = close_all},
    {'dblink_connect', function() connect_all(1) end, after = function() disconnect_all(1) end},
    {'dblink_connect and first result', function() connect_all(1, true) end, after = function() disconnect_all(1) end},
    {'8 times bg.launch, then all are ready', function() launch_all(8, '') end, after = close_all},
    {'8 times dblink_connect', function() connect_all(8) end, after = function() disconnect_all(8) end},
    {'8 times bg.launch, then all first results', function() launch_all(8) end, after = close_all},
    {'8 times dblink_connect and first result', function() connect_all(8, true) end, after = function() disconnect_all(8) end},
})
local pooled = bench.figures('launch', 'us', turns * 4, {
    {'bg.launch from the pool and first result, the worker asleep', function() launch_all(1) end,
        after = function() sessions[1]:close() bg.sleep(0.0005) end},
    {'bg.launch from the pool, first result, close', function() launch_all(1) sessions[1]:close() end, batch = 25},
    {"dblink 'select 1'", function() open:execute() end, batch = 25},
})
close_all()
bench.ratio('launch', 'bg.launch and first result', 'dblink_connect and first result')
bench.ratio('launch', '8 times bg.launch, then all are ready', '8 times dblink_connect')
bench.ratio('launch', '8 times bg.launch, then all first results', '8 times dblink_connect and first result')
bench.ratio('launch', 'bg.launch from the pool, first result, close', "dblink 'select 1'")

bench.target('bg.launch of a new worker returns', returns['bg.launch returns'], 'at most', 200, 'us')
bench.target('8 launches ready / 8 dblink_connects', ms['8 times bg.launch, then all are ready'] / ms['8 times dblink_connect'],
    'at most', 0.6, 'of the time')
bench.target('launch from the pool, first result, close', pooled['bg.launch from the pool, first result, close'], 'at most', 50, 'us')
$lua$;
