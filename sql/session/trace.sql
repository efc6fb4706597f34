-- bg.trace: what ran where and when.
\set SHOW_CONTEXT never
create function seen() returns table (kind text, task int, scope int, name text, sql text,
    state text, sqlstate text, error text, in_order bool, pid int, started_at timestamptz) language pllua_bg as $$
    for _, row in ipairs(bg.last_trace()) do
        coroutine.yield(row.kind, row.task, row.scope, row.name, row.sql, row.state, row.sqlstate, row.error,
            row.waited >= 0 and (row.elapsed or 0) >= 0, row.pid, row.started_at)
    end
$$;

-- commands of each kind, with and without tasks; what fn returns
do language pllua_bg $$
    local t, x, y, n = bg.trace(function()
        local s <close> = bg.launch{name = 'mine'}
        s:exec('select 1')
        local st = s:prepare('select $1::int')
        st:exec(7)
        for row in s:rows('select generate_series(1, 2)') do end
        s:run('select 1/0'):try()
        bg.scope(function(sc)
            sc:go(function() s:exec("select 'task'") end)
            sc:go(function() bg.autonomous("select 'autonomous'") end)
        end)
        bg.map({1, 2}, 'select $1 + 1', {workers = 1})
        bg.map({1}, function(m) return m:exec("select 'map'") end)
        return 'x', nil, 3
    end)
    print(x, y, n, t.n, t.dropped, t.elapsed > 0, t.started_at ~= nil)
$$;
select kind, task, scope, name, sql, state, sqlstate, error, in_order, pid > 0 as pid, started_at <= clock_timestamp() as at
    from seen() order by task nulls first, started_at;

-- the format of viewers: each row that began, and names of its lines
create function viewed() returns jsonb language pllua_bg as $$ return bg.last_trace():json() $$;
select e ->> 'ph' as ph, e ->> 'cat' as cat, count(*), bool_and((e ->> 'dur')::float8 >= 0) as good
    from jsonb_array_elements(viewed() -> 'traceEvents') e where e ->> 'ph' = 'X' group by 1, 2 order by 1, 2;
do language pllua_bg $$
    local chart = bg.last_trace():gantt{width = 70}
    local n = 0
    for line in chart:gmatch('[^\n]+') do
        n = n + 1
        if n > 1 then print(line:gsub('%d%d%d+', 'PID'):match('^ *%S+ %S+'), line:match('[#!]+') ~= nil) end
    end
$$;

-- an error is raised as it is, and the trace is there afterwards
do language pllua_bg $$
    bg.trace(function()
        local a <close> = bg.launch()
        local b <close> = bg.launch()
        bg.scope(function(sc)
            sc:go(function() a:exec('select pg_sleep(1000)') end) -- workload
            while a:status().state ~= 'busy' do bg.sleep(0.001) end
            b:exec("select 'well'")
            b:exec("do $x$ begin raise exception 'no' using errcode = 'XX123'; end $x$")
        end)
    end)
$$;
-- whether the end of what was canceled is seen depends
select kind, task, sql, replace(state, 'left', 'failed') as state,
    case when sql ~ 'sleep' then null else sqlstate end as sqlstate, case when sql ~ 'sleep' then null else error end as error
    from seen() order by task, started_at;
-- also after a cancel, and after an error of this database
do language pllua_bg $$
    local me = spi.execute('select pg_backend_pid()').value
    bg.trace(function()
        local s <close> = bg.launch()
        s:exec("select 'before'")
        s:exec('select pg_cancel_backend($1), pg_sleep(1000)', me) -- workload
    end)
$$;
select sql, state in ('left', 'failed') as over from seen() order by started_at;
do language pllua_bg $$
    bg.trace(function()
        bg.autonomous("select 'first'")
        spi.execute('select 1/0')
    end)
$$;
select sql, state, sqlstate from seen();
do language pllua_bg $$
    print(pcall(bg.trace, function()
        spi.execute('create table never ()')
        bg.autonomous("select 'second'")
        error('mine', 0)
    end))
    print(bg.last_trace()[1].sql, spi.execute("select to_regclass('never')").value)
$$;

-- a session that is lost; one that is let go; one that has not ended
do language pllua_bg $$
    local kept = bg.launch()
    local t = bg.trace(function()
        local lost, left = bg.launch(), bg.launch()
        local f = lost:run("select 'lost', pg_sleep(1000)") -- workload
        while lost:status().state ~= 'busy' do bg.sleep(0.001) end
        lost:terminate()
        print(select(2, f:try()).sqlstate)
        left:run("select 'left', pg_sleep(0.5)") -- workload
        left:detach()
        kept:run("select 'running', pg_sleep(1000)") -- workload
        kept:run("select 'waiting'")
    end)
    kept:close()
    for _, row in ipairs(t) do print(row.sql, row.state, row.sqlstate, row.started ~= nil, row.elapsed ~= nil) end
$$;

-- a set-returning function that is not read to its end ends its trace
create function traced_rows() returns setof int language pllua_bg as $$
    bg.trace(function()
        local s <close> = bg.launch()
        for row in s:rows('select generate_series(1, 1000000) i') do coroutine.yield(row.i) end
    end)
$$;
select n from (select traced_rows() n) r limit 2;
select sql, state in ('left', 'failed') as over from seen();
do language pllua_bg $$ bg.autonomous("select 'not seen'") $$;
select sql from seen();

-- what is kept has a limit
do language pllua_bg $$
    local items = {}
    for i = 1, 20000 do items[i] = i end
    local t = bg.trace(function() bg.map(items, 'select $1 + 0', {workers = 2}) end, {limit = 100})
    print(t.n, t.dropped > 19900 and t.dropped < 20010, t[100].state, t:gantt{lines = 1}:match('\n(and %d+ more)'))
    print(pcall(bg.trace, print, {limit = 0}))
    print(pcall(bg.trace))
$$;
-- and counts as memory of sessions
set pllua_bg.memory_limit = '32MB';
do language pllua_bg $$
    local text = ('x'):rep(900)
    local t = bg.trace(function()
        local s <close> = bg.launch()
        for i = 1, 20000 do s:exec(string.format('select -- %d %s', i, text)) end
    end, {limit = 100000})
    print(t.n + t.dropped, t.n > 1000, t.dropped > 1000, t[t.n].state)
$$;
reset pllua_bg.memory_limit;

-- what runs as another role is seen, but not what it says
create role regress_traced login;
create role regress_tracer login;
grant usage on schema bg to regress_traced, regress_tracer;
create function secret_work() returns void security definer language pllua_bg as $$
    local s <close> = bg.launch()
    s:exec("select 'a secret'")
    s:run("select 'a secret'::int"):try()
$$;
alter function secret_work() owner to regress_traced;
set role regress_tracer;
do language pllua_bg $$
    local t = bg.trace(function() spi.execute('select secret_work()') end)
    for _, row in ipairs(t) do print(row.sql, row.state, row.sqlstate, row.error) end
$$;
reset role;
grant regress_traced to regress_tracer;
set role regress_tracer;
do language pllua_bg $$
    local t = bg.trace(function() spi.execute('select secret_work()') end)
    for _, row in ipairs(t) do print(row.sql, row.state, row.sqlstate, row.error) end
$$;
reset role;
drop function secret_work, traced_rows, viewed, seen;
drop owned by regress_traced, regress_tracer;
drop role regress_traced, regress_tracer;
