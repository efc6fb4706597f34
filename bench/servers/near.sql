-- bench/servers/near.sql: a session on another server that is near (the socket of this one), against dblink and postgres_fdw.
--   psql variables: host, port of the server; turns, rows (of each connection), row_turns, ahead
create extension if not exists postgres_fdw;
create server near foreign data wrapper postgres_fdw options (host :'host', port :'port', dbname 'postgres');
create user mapping for current_user server near;
create table bench.one (x int);
insert into bench.one values (1);
create unlogged table bench.r as select i::int4 as i, repeat(chr(97 + i % 26), 50) as t from generate_series(1, :rows) i;
create unlogged table bench.w as select i::int4 as i, i * 1000::int8 as j, i * 1.5::float8 as f, now() + i * interval '1 s' as at, i % 2 = 0 as b, repeat(chr(97 + i % 26), 20) as t
    from generate_series(1, :rows) i;
vacuum analyze bench.r, bench.w;
create foreign table bench.one_there (x int) server near options (schema_name 'bench', table_name 'one');
create table bench.r_there (part int, i int4, t text) partition by list (part);
create table bench.w_there (part int, i int4, j int8, f float8, at timestamptz, b bool, t text) partition by list (part);
select format('create server near_%s foreign data wrapper postgres_fdw options (host %L, port %L, dbname %L, async_capable %L, fetch_size %L)', n, :'host', :'port', 'postgres', 'true', '10000'),
    format('create user mapping for current_user server near_%s', n),
    format('create foreign table bench.r_there_%s partition of bench.r_there for values in (%s) server near_%s options (schema_name %L, table_name %L)', n, n, n, 'bench', 'r_of_' || n),
    format('create view bench.r_of_%s as select %s as part, i, t from bench.r', n, n),
    format('create foreign table bench.w_there_%s partition of bench.w_there for values in (%s) server near_%s options (schema_name %L, table_name %L)', n, n, n, 'bench', 'w_of_' || n),
    format('create view bench.w_of_%s as select %s as part, w.* from bench.w', n, n)
from generate_series(1, 4) n \gexec
select dblink_connect('c' || n, :'connection') from generate_series(1, 4) n \g /dev/null
select set_config('bench.turns', :'turns', false), set_config('bench.rows', :'rows', false), set_config('bench.row_turns', :'row_turns', false),
    set_config('bench.ahead', :'ahead', false) \g /dev/null

do language pllua_bg $lua$
local function setting(name) return tonumber(bench.value('select current_setting($1)', 'bench.' .. name)) end
local turns, rows, ahead = setting('turns'), setting('rows'), setting('ahead')
local session = bg.launch{server = 'near', name = 'near'}
session:exec('select 1')
local dblink = spi.prepare("select * from dblink('open', 'select x from bench.one') as t(x int)")
local fdw = spi.prepare('select x from bench.one_there')
local us = bench.figures('round trip', 'us', turns, {
    {'session on a server', function() session:exec('select x from bench.one') end, batch = 50},
    {'dblink', function() dblink:execute() end, batch = 50},
    {'postgres_fdw, a foreign table', function() fdw:execute() end, batch = 50},
})
bench.target('round trip / dblink', us['session on a server'] / us['dblink'], 'at most', 2, 'of the time')

-- Statements that are sent without waiting for one another.
local function sent_ahead()
    local futures = {}
    for i = 1, ahead do futures[i] = session:run('select x from bench.one') end
    for i = 1, ahead do futures[i]:get() end
end
bench.figures('statements one after the other and sent ahead', 'us', turns, {
    {'session, each waited for', function() for _ = 1, ahead do session:exec('select x from bench.one') end end, items = ahead},
    {'session, sent ahead', sent_ahead, items = ahead},
    {'dblink', function() for _ = 1, ahead do dblink:execute() end end, items = ahead},
})
session:close()

-- Rows of four connections at once.
local sessions = {}
for i = 1, 4 do
    sessions[i] = bg.launch{server = 'near', name = 'rows'}
    sessions[i]:exec('select 1')
end
local function check(n) if n ~= 4 * rows then error('got ' .. tostring(n) .. ' rows') end end
local function count_of(sources) return bench.value('select count(t) from (' .. table.concat(sources, ' union all ') .. ') s') end
-- The ways to the rows of a table; `definition`: of its columns.
local function ways_to(name, definition)
    local query = 'select ' .. definition:gsub('(%w+) %w+', '%1') .. ' from bench.' .. name
    local function with_sessions()
        local sources = {}
        for i, one in ipairs(sessions) do
            spi.execute('select bg.run($1, $2)', one.pid, query)
            sources[i] = string.format('select t from bg.result(%d) as r(%s)', one.pid, definition)
        end
        check(count_of(sources))
    end
    local function with_dblink()
        local sources = {}
        for i = 1, 4 do
            spi.execute('select dblink_send_query($1, $2)', 'c' .. i, query)
            sources[i] = string.format("select t from dblink_get_result('c%d') as r(%s)", i, definition)
        end
        check(count_of(sources))
        for i = 1, 4 do spi.execute(string.format("select * from dblink_get_result('c%d') as r(%s)", i, definition)) end
    end
    return {
        {'four sessions', with_sessions},
        {'four connections of dblink', with_dblink},
        {'postgres_fdw, asynchronous, t only', function() check(count_of{'select t from bench.' .. name .. '_there offset 0'}) end},
    }
end
-- Processor time of all processes of the server, with that of the other server, which is the same in all ways.
local function processor_time()
    return bench.value([[select sum(s[12]::bigint + s[13]::bigint) * 10000.0 from (select string_to_array(regexp_replace(pg_read_file('/proc/' || pid || '/stat', 0, 4000), '^.*\) ', ''), ' ') s
        from pg_stat_activity where backend_type in ('client backend', 'pllua_bg session')) p]])
end
for _, kind in ipairs{{'rows of four connections', 'r', 'i int4, t text'}, {'rows of six types', 'w', 'i int4, j int8, f float8, at timestamptz, b bool, t text'}} do
    local what, ways = kind[1], ways_to(kind[2], kind[3])
    local figures = bench.figures(what, 'M rows/s', setting('row_turns'), ways, 4 * rows)
    bench.target(what .. ', of sessions / of dblink', figures['four sessions'] / figures['four connections of dblink'], 'at least', 1.7, 'times')
    for _, way in ipairs(ways) do
        local before = processor_time()
        for _ = 1, setting('row_turns') do way[2]() end
        bench.figure(what .. ': processor time a row', way[1], (processor_time() - before) / (4 * rows) / setting('row_turns'), nil, 'us')
    end
end
for _, one in ipairs(sessions) do one:close() end
$lua$;
