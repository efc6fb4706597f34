-- bench/session/rows.sql: rows (int4, text of 50 characters) of a table from another session, into Lua and into SQL, against
-- dblink, a parallel Gather and loops in this backend.
--   psql variables: row_turns, rows
create unlogged table bench.r as
    select i::int4 as i, repeat(chr(97 + i % 26), 50) as t from generate_series(1, :rows) i;
vacuum analyze bench.r;
create unlogged table bench.sink (i int4, t text);
create function bench.plpgsql_loop() returns bigint language plpgsql as $$
declare n bigint := 0; r record;
begin
    for r in select i, t from bench.r loop n := n + 1; end loop;
    return n;
end $$;
select set_config('bench.turns', :'row_turns', false), set_config('bench.rows', :'rows', false) \g /dev/null

do language pllua_bg $lua$
local function setting(name) return tonumber(bench.value('select current_setting($1)', name)) end
local turns, rows = setting('bench.turns'), setting('bench.rows')
local session = bench.session
local kSelect = 'select i, t from bench.r'
local kRemote = "select i, t from dblink('open', '" .. kSelect .. "') as r(i int4, t text)"
local kResult = 'select i, t from bg.result(' .. session.pid .. ') as r(i int4, t text)'
session:exec(kSelect .. ' limit 1')
local function check(n) if n ~= rows then error('got ' .. tostring(n) .. ' rows') end end
local function loop(iterator, ...)
    local n = 0
    for row in iterator, ... do if row.i and row.t then n = n + 1 end end
    check(n)
end
local function count(sql) return function() check(bench.value('select count(t) from (' .. sql .. ') as s')) end end
local function run() return bench.value("select bg.run($1, $2)", session.pid, kSelect) end
local function insert(sql) spi.execute('insert into bench.sink ' .. sql) end
local function empty() spi.execute('truncate bench.sink') end

local lua = bench.figures('rows into Lua', 'M rows/s', turns, {
    {'session:rows, a table for each row', function() loop(session:rows(kSelect)) end},
    {'session:exec, all rows in one result', function() check(session:exec(kSelect).n) end},
    {'spi.rows of dblink', function() loop(spi.rows(kRemote)) end},
    {'spi.rows in this backend', function() loop(spi.rows(kSelect)) end},
}, rows)
spi.execute('set parallel_leader_participation = off')
local sql = bench.figures('rows into SQL', 'M rows/s', turns, {
    {'count of bg.result', function() run() count(kResult)() end},
    {'count of dblink', count(kRemote)},
    {'count above a parallel Gather', count(kSelect .. ' offset 0'),
        before = function() spi.execute('set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set max_parallel_workers_per_gather = 1') end,
        after = function() spi.execute('reset parallel_setup_cost; reset parallel_tuple_cost; set max_parallel_workers_per_gather = 0') end},
    {'loop in plpgsql', function() bench.value('select bench.plpgsql_loop()') end},
    {'insert of bg.result', function() run() insert(kResult) end, after = empty},
    {'insert of dblink', function() insert(kRemote) end, after = empty},
    {'insert of a local select', function() insert(kSelect) end, after = empty},
}, rows)
spi.execute('reset max_parallel_workers_per_gather; reset parallel_leader_participation')

bench.target('session:rows into Lua tables', lua['session:rows, a table for each row'], 'at least', 3, 'M rows/s')
bench.target('count of bg.result / count of dblink', sql['count of bg.result'] / sql['count of dblink'], 'at least', 2, 'times')
-- No target for the insert: it takes longer than bringing the rows, and as long for everybody.

bench.ratio('rows', 'session:rows, a table for each row', 'spi.rows of dblink')
bench.ratio('rows', 'session:exec, all rows in one result', 'spi.rows of dblink')
bench.ratio('rows', 'count of bg.result', 'count of dblink')
bench.ratio('rows', 'insert of bg.result', 'insert of dblink')
$lua$;
