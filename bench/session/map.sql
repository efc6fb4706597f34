-- bench/session/map.sql: many tiny items over two sessions, against the same statements one after the other: in one session,
-- through dblink, and in this backend.
--   psql variables: map_turns, items
select set_config('bench.turns', :'map_turns', false), set_config('bench.items', :'items', false) \g /dev/null
do language pllua_bg $lua$
local function setting(name) return tonumber(bench.value('select current_setting($1)', name)) end
local n = setting('bench.items')
local items = {}
for i = 1, n do items[i] = i end
local function check(results)
    if #results ~= n or results[1].value ~= 2 or results[n].value ~= n + 1 then error('wrong results') end
end
local function one_by_one(call)
    return function()
        local results = {}
        for i = 1, n do results[i] = call(items[i]) end
        check(results)
    end
end
local add = bench.session:prepare('select $1 + 1', {'int4'})
local here = spi.prepare('select $1 + 1', {'int4'})
local remote = spi.prepare("select * from dblink('open', 'select ' || $1 || ' + 1') as t(x int)", {'text'})
local us = bench.figures('map, for each item', 'us', setting('bench.turns'), {
    {'bg.map over 2 sessions', function() check(bg.map(items, 'select $1 + 1', {workers = 2})) end, items = n},
    {'prepared in one session, one by one', one_by_one(function(i) return add:exec(i) end), items = n},
    {'dblink, one by one', one_by_one(function(i) return remote:execute(tostring(i)) end), items = n},
    {'prepared in this backend, one by one', one_by_one(function(i) return here:execute(i) end), items = n},
})
add:close()
bench.ratio('map', 'bg.map over 2 sessions', 'dblink, one by one')
bench.ratio('map', 'prepared in one session, one by one', 'dblink, one by one')
bench.target('bg.map of ' .. n .. ' tiny items over 2 sessions, for each', us['bg.map over 2 sessions'], 'at most', 15, 'us')
$lua$;
