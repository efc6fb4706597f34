-- bg.map and bg.each: work on items in several sessions at once.
create table map_log (item int, pid int);

-- a statement for each item
do language pllua_bg $$
    local function values(results)
        local list = {}
        for i = 1, results.n do list[i] = tostring(results[i] and results[i].value) end
        return table.concat(list, ' ')
    end
    local function double(items, options) return values(bg.map(items, 'select $1::int * 2', options)) end
    print(double{1, 2, 3}, double({3, 2, 1}, {workers = 1}), double({1, nil, 3, n = 4}))
    local list = {}
    for i = 1, 2000 do list[i] = i end
    local r = bg.map(list, 'select $1 + 1', {workers = 3})
    local sum = 0
    for i = 1, r.n do assert(r[i].value == i + 1) sum = sum + r[i].value end
    print(r.n, sum)
    -- iterators: a function, a callable object, rows
    local n = 0
    print(double(function() n = n + 1 if n <= 5 then return n end end, {workers = 2}))
    print(double(setmetatable({}, {__call = function() n = n + 1 if n <= 8 then return n end end})))
    local s <close> = bg.launch()
    print(values(bg.map(s:rows('select i, i * i as square from generate_series(1, 4) i'), 'select $1::int + $2',
        {args = function(row) return row.i, row.square end})))
    print(values(bg.map(spi.execute('select 1 as a union all select 2'), 'select $1::int', {args = function(row) return row.a end})))
    -- nothing to do starts nothing
    s:close()
    local before = #bg.sessions()
    print(bg.map({}, 'select $1').n, bg.map(function() end, 'no statement at all').n, #bg.sessions() - before)
    -- rows, several columns, commands
    r = bg.map({2, 0}, "select i, 'row ' || i as t from generate_series(1, $1) i")
    print(r[1].n, r[1][2].t, r[2].n, #r[2].columns)
    print(bg.map({1, 2, 3}, 'insert into map_log values ($1, pg_backend_pid())')[3].tag)
    print(spi.execute('select count(*), sum(item) from map_log')[1])
$$;
truncate map_log;

-- a function for each item, with a session of its task's own
do language pllua_bg $$
    local start, now, most = bg.now(), 0, 0
    local r = bg.map({5, 6, 7, 8, 9}, function(s, item)
        now = now + 1
        most = math.max(most, now)
        while most < 3 and bg.now() - start < 60 do bg.sleep(0.01) end -- until all sessions have started
        local value = s:exec('select $1 + 1', item).value
        for row in s:rows('select generate_series(1, 3) as i') do value = value + row.i end
        now = now - 1
        return value
    end, {workers = 3})
    print(r.n, table.concat(r, ' '), most)
    r = bg.map({1, 2, 3}, function(s, item) if item ~= 2 then return item end end)
    print(r.n, r[1], r[2], r[3])
    local pids, n = {}, 0
    bg.map(function() n = n + 1 if n <= 20 then return n end end, function(s) pids[s.pid] = true end, {workers = 2})
    n = 0
    for _ in pairs(pids) do n = n + 1 end
    print(n <= 2, #bg.sessions())
    -- inside a scope, next to other tasks; a map in the work of a map
    print(bg.scope(function(sc)
        local a = sc:go(bg.map, {1, 2}, 'select $1 + 1', {workers = 1})
        local b = sc:go(bg.map, {3, 4}, function(s, i) return s:exec('select $1 + 1', i).value end, {workers = 1})
        return a:get()[2].value, b:get()[2]
    end))
    r = bg.map({1, 2}, function(s, i) return bg.map({i, i + 1}, 'select $1 * 2', {workers = 1})[2].value end)
    print(r[1], r[2])
$$;

-- errors = 'raise': the first one ends all, and tells whose it is
do language pllua_bg $$
    local function try(...)
        local ok, err = pcall(bg.map, ...)
        print(ok, err, err.context and err.context:match('item.*'))
        print(#bg.sessions())
    end
    try({1, 2, 0, 4}, 'select 10 / $1')
    try({1, 0}, function(s, i) return s:exec('select 10 / $1', i).value end)
    try({1, 2}, function(s, i) if i == 2 then error('a string') end bg.sleep(i) end)
    try({1, 2}, function(s, i) error(setmetatable({}, {__tostring = function() return 'a table' end})) end)
    try({1}, 'selec $1')
    try({1}, 'select 1; select 2')
    try({'x', 'y'}, 'select $1::int', {workers = 1}) -- two may fail in either order
    try({1, print}, 'select $1::int')
    try({1}, 'select 1')
    try({1}, 'select $1', {args = function() error('args') end})
    try(function() error('iterator', 0) end, 'select $1')
    -- the others are cancelled
    local start = bg.now()
    try({1000, -1}, function(s, i) return s:exec(i < 0 and 'select 1 / ($1 + 1)' or 'select pg_sleep($1)', i) end) -- workload
    try({'1000', '0'}, "select pg_sleep($1::float8), 1 / $1::int") -- workload
    print(bg.now() - start < 100)
$$;

-- errors = 'collect'
do language pllua_bg $$
    for _, work in ipairs{'select 10 / $1', function(s, i) return s:exec('select 10 / $1', i) end} do
        local r, e = bg.map({1, 0, 5, 0, 'x'}, work, {errors = 'collect', workers = 2})
        print(r.n, r[1].value, r[2], r[3].value, r[4], r[5], e.n)
        print(e[1], e[2].sqlstate, e[4].context:match('item.*'), e[5].message)
    end
    local r, e = bg.map({1, 2}, 'select $1 + 1', {errors = 'collect'})
    print(r[2].value, e.n, select('#', bg.map({1}, 'select $1 + 1')))
    -- what the function has done here is undone, its session's transaction too
    r, e = bg.map({1, 2, 3}, function(s, i)
        spi.execute('insert into map_log values ($1)', i)
        s:begin()
        s:exec('insert into map_log values ($1)', 10 * i)
        if i == 2 then s:exec('select 1/0') end
        s:commit()
        return i
    end, {errors = 'collect', workers = 1})
    print(r[1], r[2], r[3], e[2].sqlstate)
$$;
select item from map_log order by 1;
truncate map_log;

-- retry: of errors that may not come again; a lost session is replaced
create sequence map_tries;
create function map_flaky(i int, state text) returns int language plpgsql as $$
begin
    if i = 2 and nextval('map_tries') < 3 then raise exception using errcode = state, message = 'flaky'; end if;
    return i;
end $$;
do language pllua_bg $$
    for _, work in ipairs{"select map_flaky($1, '40001')", function(s, i) return s:exec("select map_flaky($1, '40001')", i) end} do
        spi.execute("select setval('map_tries', 1, false)")
        local r = bg.map({1, 2, 3}, work, {retry = 2})
        print(r[1].value, r[2].value, r[3].value, spi.execute("select nextval('map_tries')").value)
        spi.execute("select setval('map_tries', 1, false)")
        local ok, err = pcall(bg.map, {1, 2, 3}, work, {retry = 1})
        print(ok, err)
        ok, err = pcall(bg.map, {0, 1}, type(work) == 'string' and 'select 1 / $1' or function(s, i) s:exec('select 1 / $1', i) end, {retry = 5})
        print(ok, err, spi.execute("select nextval('map_tries')").value)
    end
    for _, work in ipairs{'select $1::int + pg_terminate_backend(pg_backend_pid())::int where nextval(\'map_tries\') = 1 union all select $1::int limit 1',
        function(s, i) return s:exec('select $1::int + pg_terminate_backend(pg_backend_pid())::int where nextval(\'map_tries\') = 1 union all select $1::int limit 1', i) end} do
        spi.execute("select setval('map_tries', 1, false)")
        local r = bg.map({1, 2, 3, 4, 5, 6}, work, {retry = 2, workers = 1})
        for i = 1, 6 do assert(r[i].value == i) end
        spi.execute("select setval('map_tries', 1, false)")
        local r, e = bg.map({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, work, {errors = 'collect', workers = 1})
        print(r.n, r[10].value, e[1].sqlstate, e.n < 10)
        spi.execute("select setval('map_tries', 1, false)")
        local ok, err = pcall(bg.map, {1}, work)
        print(ok, err.sqlstate, err.context:match('item.*'))
    end
$$;
drop function map_flaky;
drop sequence map_tries;

-- fewer sessions than asked for do the work, too
do language pllua_bg $$
    local held = {}
    for i = 1, 15 do
        local ok, s = pcall(bg.launch, {wait = 0})
        if not ok then break end
        held[i] = s
    end
    held[#held]:close()
    local list = {}
    for i = 1, 50 do list[i] = i end
    print(bg.map(list, 'select $1 + 1', {workers = 8})[50].value)
    print(bg.map(list, function(s, i) return s:exec('select $1 + 1', i).value end, {workers = 8})[50])
    for _, s in ipairs(held) do s:close() end
$$;

-- each: as they come, no more than asked for ahead
do language pllua_bg $$
    for _, work in ipairs{'select $1 + 1', function(s, i) return s:exec('select $1 + 1', i) end} do
        local sum, seen, taken = 0, {}, 0
        for r, item, i in bg.each({10, 20, 30}, work) do
            sum = sum + r.value
            seen[i] = item
        end
        print(sum, table.concat(seen, ' '), #bg.sessions())
        local function endless() taken = taken + 1 return taken end
        for r, item, i in bg.each(endless, work, {workers = 2}) do
            if item >= 3 then break end
        end
        -- of a statement, at most 64 in each session are on their way; of a function, one
        print(taken <= (type(work) == 'string' and 200 or 4), #bg.sessions())
        for r, item, i, err in bg.each({1, 'x'}, work, {errors = 'collect', workers = 1}) do print(r and r.value, item, i, err) end
        -- what came before the error; a function that need not wait would fail before its first result is taken
        local first_seen = false
        local ordered = type(work) == 'string' and work or function(s, i)
            while i == 'x' and not first_seen do bg.sleep(0.001) end
            return work(s, i)
        end
        print(pcall(function()
            for r in bg.each({1, 'x'}, ordered, {workers = 1}) do
                first_seen = true
                print(r.value)
            end
        end))
        print(#bg.sessions())
    end
    for r, item, i, err in bg.each({1}, function() end) do print(r, item, i, err) end
    for r in bg.each(function() return 1 end, function(s, i) return i end) do print(r) break end
    for r in bg.each({}, 'select 1') do print(r) end
$$;

-- a session that is lost while it prepares the statement
do language pllua_bg $$
    local told = 0
    local function lose(i)
        told = told + 1
        if told == 2 then for _, s in ipairs(bg.sessions()) do s:close() end end
        return i
    end
    local r, e = bg.map({1, 2, 3, 4}, 'select $1 + 1', {workers = 2, errors = 'collect', args = lose})
    local good = 0
    for i = 1, 4 do if r[i] then good = good + 1 end end
    print(r.n, good + e.n, e.n > 0, e.n < 4)
    told = 0
    print(bg.map({1, 2, 3, 4}, 'select $1 + 1', {workers = 2, retry = 1, args = lose})[4].value, #bg.sessions())
$$;

-- progress is told to a function
do language pllua_bg $$
    bg.map({1, 2, 3}, 'select $1 + 1', {progress = print})
    for _ in bg.each(coroutine.wrap(function() coroutine.yield(1) end), function() end, {progress = print}) do end
$$;

-- sessions have the name and the settings; there is a time for all of it
do language pllua_bg $$
    local asked = "select current_setting('application_name') || ' ' || current_setting('work_mem') || ' ' || $1"
    local function ask(s, i) return s:exec(asked, i) end
    for _, work in ipairs{asked, ask} do
        print(bg.map({1}, work, {name = 'mapper', settings = {work_mem = '1MB'}})[1].value)
        for r in bg.each({2}, work, {name = 'mapper', settings = {work_mem = '1MB'}, timeout = 1000}) do print(r.value) end
    end
    local function sleep(s, i) return s:exec('select pg_sleep($1)', i) end -- workload
    for _, work in ipairs{'select pg_sleep($1)', sleep} do -- workload
        print(bg.map({0, 1000}, work, {timeout = 0.1, workers = 2, errors = 'collect', retry = 2}))
        local n = 0
        local ok, e = pcall(function() for _ in bg.each({0, 1000}, work, {timeout = 0.3, workers = 2}) do n = n + 1 end end)
        print(ok, e.sqlstate, e.message, n < 2, #bg.sessions())
    end
$$;

-- a cancel of the query leaves nothing behind
\set SHOW_CONTEXT never
set statement_timeout = '100ms';
do language pllua_bg $$ bg.map({1, 2, 3}, 'select pg_sleep(1000 * $1)', {errors = 'collect', retry = 3}) $$; -- workload
do language pllua_bg $$ bg.map({1, 2, 3}, function(s, i) s:exec('select pg_sleep(1000 * $1)', i) end, {errors = 'collect', retry = 3}) $$; -- workload
reset statement_timeout;
select count(*) from bg.backend_sessions();

-- misuse
do language pllua_bg $$
    local function try(fn, ...)
        local ok, err = pcall(fn, ...)
        print(ok, err.sqlstate, err.message, err.hint)
    end
    try(bg.map)
    try(bg.map, 1, 'select 1')
    try(bg.each, 'x', 'select 1')
    try(bg.map, {})
    try(bg.each, {}, 1)
    try(bg.map, {}, 'select 1', 1)
    try(bg.map, {}, 'select 1', {workers = 0})
    try(bg.map, {}, 'select 1', {errors = 'ignore'})
    try(bg.map, {}, 'select 1', {retry = -1})
    try(bg.map, {}, 'select 1', {progress = 1})
    try(bg.map, {}, 'select 1', {snapshot = 1})
    try(bg.map, {}, 'select 1', {args = 1})
    try(bg.map, {}, print, {args = print})
    try(bg.map, {}, 'select 1', {timeout = 'soon'})
    try(bg.map, {}, 'select 1', {name = 1})
    try(bg.map, {}, 'select 1', {settings = {work_mem = print}})
    try(bg.map, {1}, 'select 1', {settings = {no_such = 1}})
    try(bg.each, {}, 'select 1', {worker = 1})
$$;
drop table map_log;

-- snapshot: all sessions see one state, also those that take the place of a failed one
create table map_state (v int);
insert into map_state values (1);
do language pllua_bg $$
    for _, work in ipairs{'select sum(v) / $1 from map_state', function(s, i) return s:exec('select sum(v) / $1 from map_state', i) end} do
        local first = true
        local function args(i)
            if first then bg.autonomous('insert into map_state values (100)') end
            first = false
            return i
        end
        local r = bg.map({1, 1, 1, 1, 1, 1}, work, {snapshot = true, workers = 3, args = type(work) == 'string' and args or nil})
        print(r.n, r[1].value, r[6].value)
        local r, e = bg.map({1, 0, 1, 0, 1, 1}, work, {snapshot = true, workers = 2, errors = 'collect'})
        print(r.n, r[1].value, r[2], r[6].value, e.n, e[4].sqlstate)
        r = bg.map({5}, type(work) == 'string' and 'insert into map_state values ($1 - 5)' or
            function(s, i) return s:exec('insert into map_state values ($1 - 5)', i) end, {snapshot = true})
        print(r[1].tag)
    end
$$;
select count(*), sum(v) from map_state;
drop table map_state;

-- with retry, too, any value may be raised
do language pllua_bg $$
    for _, value in ipairs{17, true, 'text', {sqlstate = 5}, print} do
        local r, e = bg.map({1}, function() error(value, 0) end, {errors = 'collect', retry = 2})
        local _, f = bg.map({1}, 'select $1', {errors = 'collect', retry = 2, args = function() error(value, 0) end})
        print(r.n, e.n, type(e[1]), f.n, type(f[1]))
    end
    print(select(2, bg.map({1}, function() error(nil, 0) end, {errors = 'collect', retry = 2})).n)
$$;
