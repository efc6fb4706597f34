-- What code with sessions can hold is counted: pllua_bg.memory_limit, max_queued, max_notifications.
-- Each case in a backend of its own, so that its peak is that of the case.
\set VERBOSITY terse
create schema session_memory;
create function session_memory.peak(most_mb int) returns text language sql as $$
    select case when peak < most_mb then 'below ' || most_mb || ' MB' else peak || ' MB' end
    from (select (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s*(\d+)'))[1]::int / 1024 as peak) s
$$;

-- commands nobody asks the results of
\c -
set pllua_bg.memory_limit = '16MB';
do language pllua_bg $$ local s = bg.launch() local _ = s.pid while true do s:run('select 1') end $$;
do language pllua_bg $$ print(spi.execute('select 1 as n')[1].n, #bg.sessions()) $$;
select session_memory.peak(80);
-- what is fetched makes room
do language pllua_bg $$
    local s, n = bg.sessions()[1], 0
    for result in s:results() do n = n + 1 end
    print(n > 1000, s:exec('select 2 as n')[1].n)
    s:close()
$$;

-- failed ones
\c -
set pllua_bg.memory_limit = '16MB';
set log_min_messages = panic;
do language pllua_bg $$ local s = bg.launch() local _ = s.pid while true do s:run('select 1/0') end $$;
do language pllua_bg $$ for _ in bg.sessions()[1]:results() do end $$;
do language pllua_bg $$ bg.sessions()[1]:close() print(bg.autonomous('select 3 as n')[1].n) $$;
select session_memory.peak(80);

-- kept futures, in several sessions, caught
\c -
set pllua_bg.memory_limit = '16MB';
do language pllua_bg $$
    local sessions, kept = {bg.launch(), bg.launch()}, {}
    local ok, e = pcall(function() while true do for _, s in ipairs(sessions) do kept[#kept + 1] = s:run('select 1') end end end)
    print(ok, e.sqlstate, #kept > 1000)
    kept = nil
    for _, s in ipairs(sessions) do s:close() end
    print(bg.autonomous('select 4 as n')[1].n)
$$;
select session_memory.peak(80);

-- results that nobody reads: small ones, large ones
\c -
set pllua_bg.memory_limit = '16MB';
set work_mem = '1MB';
do language pllua_bg $$ local s = bg.launch() local _ = s.pid while true do s:run('select repeat(md5(i::text), 10) from generate_series(1, 100) i'):wait() end $$;
do language pllua_bg $$ local s = bg.sessions()[1] print(#s:results()()) s:close() $$;
do language pllua_bg $$ local s = bg.launch() local _ = s.pid while true do s:run('select repeat(md5(i::text), 10) from generate_series(1, 20000) i'):wait() end $$;
do language pllua_bg $$ local s = bg.sessions()[1] s:close() print(bg.autonomous('select 5 as n')[1].n) $$;
select session_memory.peak(90);

-- messages nobody reads
\c -
set pllua_bg.memory_limit = '16MB';
do language pllua_bg $$
    local s <close> = bg.launch()
    s:exec [[do $b$ begin for i in 1 .. 300000 loop raise notice 'number %', i; end loop; end $b$]]
$$;
do language pllua_bg $$ print(bg.autonomous('select 6 as n')[1].n) $$;
select session_memory.peak(80);

-- without Lua
\c -
set pllua_bg.memory_limit = '16MB';
do $$ declare pid int = bg.launch(); begin loop perform bg.run(pid, 'select 1'); end loop; end $$;
select bg.close(pid) from bg.backend_sessions();
do $$ begin loop perform bg.on_commit('select 1', repeat('x', 1000)); end loop; end $$;
select session_memory.peak(80);

-- work for after the commit; what is rolled back is given back
\c -
set pllua_bg.memory_limit = '16MB';
do language pllua_bg $$ while true do bg.on_commit('select 1') end $$;
do language pllua_bg $$
    for i = 1, 5000 do pcall(function() bg.on_commit('select $1', ('x'):rep(10000)) error 'no' end) end
    print(bg.autonomous('select 7 as n')[1].n)
$$;
select session_memory.peak(80);

-- sessions that have ended and were not closed
\c -
set pllua_bg.memory_limit = '4MB';
do language pllua_bg $$
    local ok, e = pcall(function()
        while true do
            local s = bg.launch()
            local _ = s.pid -- who is told it may come back: the session stays
            s:run('select pg_terminate_backend(pg_backend_pid())'):wait()
        end
    end)
    print(ok, e.sqlstate, #bg.sessions() > 10)
    for _, s in ipairs(bg.sessions()) do s:close() end
    print(bg.autonomous('select 8 as n')[1].n)
$$;

-- statements that a session keeps: in its worker; closed ones make room
\c -
set pllua_bg.memory_limit = '4MB';
\set VERBOSITY default
do language pllua_bg $$
    local s, kept = bg.launch({settings = {['pllua_bg.memory_limit'] = '4MB'}}), {}
    local ok, e = pcall(function() while true do kept[#kept + 1] = s:prepare('select ' .. #kept) end end)
    print(e.sqlstate, e.message, e.hint, #kept > 50)
    print(s:exec('select 1 as n')[1].n, kept[1]:exec()[1][1])
    for i = 1, 20 do kept[i]:close() end
    for i = 1, 1000 do local p <close> = s:prepare('select ' .. i) p:run() end
    print(s:exec('select 2 as n')[1].n)
    print(s:exec("select sum(total_bytes) < 8 * 1024 * 1024 as few from pg_backend_memory_contexts where name like 'CachedPlan%'")[1].few)
    s:close()
$$;
-- their plans for all values
do language pllua_bg $$
    local s <close> = bg.launch({settings = {plan_cache_mode = 'force_generic_plan'}})
    local kept = {}
    local ok, e = pcall(function()
        while true do
            kept[#kept + 1] = s:prepare('select ' .. ('(select count(*) from pg_class where oid = $1) + '):rep(10) .. #kept)
            kept[#kept]:exec(1)
        end
    end)
    print(e.sqlstate, e.message)
    print(s:exec("select sum(total_bytes) < 8 * 1024 * 1024 as few from pg_backend_memory_contexts where name like 'CachedPlan%'")[1].few)
$$;
\set VERBOSITY terse

-- what commands with parameters need on their way does not stay until the end of the statement that sends them
\c -
do language pllua_bg $$
    local function held()
        return spi.execute([[select sum(used_bytes)::int8 as n from pg_backend_memory_contexts
            where name in ('PortalContext', 'TopTransactionContext', 'CurTransactionContext', 'pllua_bg parameters')]])[1].n
    end
    local s <close> = bg.launch()
    local anonymous = spi.execute('select array[row(1, 2)] as a')[1].a
    local sent = {
        exec = function(i) s:exec('select $1, $2', i, 'text') end,
        run = function(i) s:run('select $1', i):get() end,
        ['a parameter that is refused'] = function(i) assert(not pcall(s.exec, s, 'select $1, $2', i, anonymous)) end,
        ['the same on commit'] = function(i) assert(not pcall(bg.on_commit, 'select $1, $2', i, anonymous)) end,
        on_commit = function(i) pcall(function() bg.on_commit('select $1', i) error('caught') end) end,
    }
    for name, send in pairs(sent) do
        for i = 1, 100 do send(i) end
        local before = held()
        for i = 1, 2000 do send(i) end
        local grown = held() - before
        assert(grown < 256 * 1024, name .. ': ' .. grown)
    end
$$;

-- how many commands a session may have to do
\c -
set pllua_bg.max_queued = 10;
\set VERBOSITY default
do language pllua_bg $$
    local s = bg.launch()
    s:exec('select 1') -- it has a pid
    s:run('select pg_sleep(600)') -- workload
    for i = 2, 10 do s:run('select $1 as n', i) end
    local ok, e = pcall(s.run, s, 'select 11')
    print(e.sqlstate, e.message, e.detail, e.hint)
    print(select(2, pcall(s.exec, s, 'select 11')).sqlstate, select(2, pcall(s.prepare, s, 'select 11')).sqlstate,
        select(2, pcall(s.rows, s, 'select 11')).sqlstate)
$$;
select bg.run(pid, 'select 11') from bg.backend_sessions();
do language pllua_bg $$
    bg.sessions()[1]:cancel()
$$;
select bg.wait(pid) from bg.backend_sessions();
do language pllua_bg $$ print(bg.sessions()[1]:exec('select 11 as n')[1].n) $$;
do language pllua_bg $$ bg.sessions()[1]:close() $$;

-- notifications nobody takes: the oldest make room
\c -
set pllua_bg.max_notifications = 10;
\set VERBOSITY terse
do language pllua_bg $$
    local s <close> = bg.launch()
    local function notify(n)
        s:exec("select pg_notify('memory_test', i::text) from generate_series(1, $1) i", n)
        bg.sessions()
        local got = {}
        repeat got[#got + 1] = s:notification().payload until got[#got] == tostring(n)
        print(table.concat(got, ' '))
    end
    s:exec('listen memory_test')
    notify(100)
    notify(10)
$$;
reset pllua_bg.max_notifications;
set pllua_bg.memory_limit = '16MB';
do language pllua_bg $$
    local s <close> = bg.launch()
    s:exec('listen memory_test')
    for _ = 1, 20 do s:exec([[select pg_notify('memory_test', repeat('x', 7000) || i) from generate_series(1, 400) i]]) end
    s:exec([[notify memory_test, 'end']])
    local n = 0
    repeat n = n + 1 until s:notification().payload == 'end'
    print(n > 400 and n < 2000 or n)
$$;
select session_memory.peak(80);

set client_min_messages = warning;
drop schema session_memory cascade;
