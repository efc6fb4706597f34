-- bench/servers/far.sql: a session on a server that is `delay` milliseconds away, there and back.
--   psql variables: delay; far: the folder of the socket; ahead
select format('create server far_%s foreign data wrapper postgres_fdw options (host %L, port %L, dbname %L)', :'delay', :'far', :'port', 'postgres'),
    format('create user mapping for current_user server far_%s', :'delay'),
    format('create foreign table bench.one_far_%s (x int) server far_%s options (schema_name %L, table_name %L)', :'delay', :'delay', 'bench', 'one') \gexec
select dblink_connect('far', format('host=%s port=%s dbname=postgres', :'far', :'port')) \g /dev/null
select set_config('bench.delay', :'delay', false) \g /dev/null

do language pllua_bg $lua$
local delay, ahead = bench.value("select current_setting('bench.delay')"), tonumber(bench.value("select current_setting('bench.ahead')"))
local session = bg.launch{server = 'far_' .. delay, name = 'far'}
session:exec('select 1')
local some = math.max(10, ahead // 10)
local dblink = spi.prepare("select * from dblink('far', 'select x from bench.one') as t(x int)")
local fdw = spi.prepare('select x from bench.one_far_' .. delay)
local part = string.format('statements, %s ms away', delay)
local us = bench.figures(part, 'us', 3, {
    {'session, each waited for', function() for _ = 1, some do session:exec('select x from bench.one') end end, items = some},
    {'session, sent ahead', function()
        local futures = {}
        for i = 1, ahead do futures[i] = session:run('select x from bench.one') end
        for i = 1, ahead do futures[i]:get() end
    end, items = ahead},
    {'dblink', function() for _ = 1, some do dblink:execute() end end, items = some},
    {'postgres_fdw', function() for _ = 1, some do fdw:execute() end end, items = some},
})
bench.target(string.format('statements a second sent ahead / waited for, %s ms away', delay), us['session, each waited for'] / us['session, sent ahead'], 'at least', 10, 'times')
session:close()
$lua$;
select dblink_disconnect('far') \g /dev/null
