-- What a finalizer of Lua code brings back from garbage that was finalized with it: each use is an error, or works; none crashes.
\set VERBOSITY terse
create type finalized_pair as (a int, b text[]);
-- leaves as garbage one of each, in an object whose finalizer keeps them
create function finalized_make() returns void language pllua_bg as $$
    local o = setmetatable({}, {__gc = function(o) _G.kept = o.all _G.attempt(o.all) end})
    local a = {}
    o.all = a
    a.result = spi.execute([[select 1 as a, array[1, 2] as b, row(1, array[2])::finalized_pair as c, 1.5::numeric as d, null as e,
        now() as f, int4range(1, 2) as g, jsonb_build_object($1::text, 1) as h from generate_series(1, 3)]], 'x')
    a.row = a.result[1]
    a.next_column = pairs(a.row)
    for _, name in ipairs{'b', 'c', 'd', 'f', 'g', 'h'} do a['value_' .. name] = a.row[name] end
    a.type = pgtype.finalized_pair
    a.statement = spi.prepare('select $1::int as x')
    a.cursor = a.statement:getcursor(1)
    a.rows = spi.rows('select generate_series(1, 3) as x, 2 as y')
    a.rows()
    a.session, a.other = bg.launch(), bg.launch()
    a.future = a.session:run('select 1 as a')
    a.done = a.session:run('select 1 as a, 2 as b')
    a.done:wait()
    a.session_result = a.session:exec('select 1 as a, array[1] as b')
    a.session_rows = a.session:rows('select 1 as a, 2 as b from generate_series(1, 100)')
    a.session_rows()
    a.prepared = a.other:prepare('select $1::int as x')
    a.prepared:exec(1)
    a.results = a.other:results()
    a.wrapped = coroutine.wrap(function() for row in a.session_rows do coroutine.yield(row) end end)
    a.thread = coroutine.create(function() for row in spi.rows('select 1') do coroutine.yield(row) end end)
    coroutine.resume(a.thread)
$$;
create temp table seen (error text);
-- uses them in all ways there are; the errors, each once
do language pllua_bg $$
    local names = {'a', 'n', 'columns', 'tag', 'value', 'notices', 'x', 'execute', 'rows', 'getcursor', 'fetch', 'move', 'close', 'run',
        'exec', 'result', 'results', 'wait', 'get', 'try', 'cancel', 'detach', 'status', 'pid', 'name', 'prepare', 'atomic', 'terminate',
        'lower', 'upper', 'isempty', 'isopen', 'open', 'progress', 'id'}
    local function uses(x)
        local list = {
            function() return x() end, function() return x(function(_, v) return v end) end, function() return tostring(x) end,
            function() for _ in pairs(x) do end end, function() for _ in ipairs(x) do end end, function() return #x end,
            function() return x < x end, function() return x == {} end, function() return x + x end, function() return x .. x end,
            function() return pgtype(x) end, function() return spi.execute('select $1::text', x) end,
            function() return coroutine.resume(x) end, function() return coroutine.close(x) end, function() return bg.all{x} end,
            function() return bg.wait{x} end, function() local y <close> = x end,
        }
        for _, type in ipairs{'finalized_pair', '_int4', 'text', 'jsonb'} do list[#list + 1] = function() return pgtype[type](x) end end
        for _, name in ipairs(names) do
            list[#list + 1] = function() return x[name] end
            list[#list + 1] = function() return x[name](x) end
            list[#list + 1] = function() return x[name](x, 'select 1') end
            list[#list + 1] = function() x[name] = 1 end
        end
        return list
    end
    function _G.attempt(objects)
        local errors = {}
        for _, x in pairs(objects) do
            for _, use in ipairs(uses(x)) do
                local ok, e = pcall(use)
                if not ok then errors[tostring(e)] = true end
            end
        end
        return errors
    end
$$;
set client_min_messages = error; -- sessions that were forgotten
do language pllua_bg $$
    local all = {}
    for _ = 1, 5 do
        spi.execute('select finalized_make()')
        collectgarbage()
        for e in pairs(attempt(kept)) do all[e] = true end
        kept = nil
        _G.kept = nil
    end
    for e in pairs(all) do if e:find('finalization') then spi.execute('insert into pg_temp.seen values ($1)', e) end end
$$;
reset client_min_messages;
select distinct error from seen order by 1;
-- rows that are left are not taken for the end
do language pllua_bg $$
    do
        local o = setmetatable({}, {__gc = function(o) _G.kept = o.rows end})
        local s = bg.launch()
        o.rows = {s:rows('select generate_series(1, 100)'), spi.rows('select generate_series(1, 100)')}
        for _, row in ipairs(o.rows) do row() end
    end
    collectgarbage()
    for _, row in ipairs(kept) do print(pcall(row)) end
    _G.kept = nil
$$;
-- the collector runs finalizers while an error is copied for Lua; errors of theirs leave it as it is
do language pllua_bg $$
    local finalized = 0
    local function bait()
        setmetatable({}, {__gc = function()
            finalized = finalized + 1
            pcall(spi.execute, 'select 1')
            if finalized < 1000 then bait() end
        end})
    end
    for _ = 1, 10 do bait() end
    for i = 1, 300 do
        local ok, err = pcall(spi.execute, [[do 'begin raise exception ''%'', repeat(''x'', 100000); end']])
        if err.message ~= string.rep('x', 100000) then error('the message of an error has changed') end
    end
    print(finalized > 0)
$$;
drop function finalized_make();
drop type finalized_pair;
do language pllua_bg $$ _G.attempt = nil $$;
