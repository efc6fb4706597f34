-- bg.scope: tasks that wait together and end together.
create table scope_log (v int);

-- waits of every kind yield: the two meet only when both run
do language pllua_bg $$
    local a <close> = bg.launch()
    local b <close> = bg.launch()
    local order = {}
    local function note(text) order[#order + 1] = text end
    print(bg.scope(function(sc)
        local slow = sc:go(function()
            for row in a:rows('select i, pg_advisory_lock_shared(7001, i) from generate_series(1, 2) i') do order.last = row.i end
            note('slow ' .. order.last)
            return 1
        end)
        local quick = sc:go(function(n, m)
            note(b:exec('select $1::int + $2', n, m).value)
            note(b:run('select 4'):get().value)
            local st = b:prepare('select $1 + 1')
            note(st:exec(4).value)
            local f = b:run('select 6')
            note(bg.wait{f, bg.timer(1000)}:get().value)
            note(bg.all{b:run('select 7')}[1].value)
            b:atomic(function() note(b:exec('select 8').value) end)
            note(b:result())
            spi.execute('select pg_advisory_unlock(7001, 2)')
            return 2
        end, 1, 2)
        note('body')
        spi.execute('select pg_advisory_lock(7001, 2)')
        return slow:get() + quick:get(), slow:done(), tostring(quick)
    end))
    print(table.concat(order, ' | '))
$$;

-- what fn returns; arguments; nothing to do; callable objects; results of tasks of tasks
do language pllua_bg $$
    print(bg.scope(function() end), bg.scope(function() return nil, 2, nil end))
    print(bg.scope(setmetatable({}, {__call = function(_, sc) return type(sc.go) end})))
    print(bg.scope(function(sc)
        local t = sc:go(function()
            return sc:go(setmetatable({}, {__call = function(_, x) bg.sleep(0.001) return x end}), 5):get() + 1
        end)
        return (t:get())
    end))
    -- leaving waits for all, also for what nobody has asked for
    local done = 0
    bg.scope(function(sc)
        for i = 1, 10 do sc:go(function() bg.sleep(0.001 * (i % 3)) done = done + 1 end) end
    end)
    print(done)
    -- tasks and futures in one list
    bg.scope(function(sc)
        local s <close> = bg.launch()
        local t = sc:go(function() bg.sleep(0.001) return 't' end)
        local slow = s:run('select pg_sleep(1000)') -- workload
        print(select(2, bg.wait{slow, t}), t:try())
        slow:cancel()
        local u = sc:go(function() bg.sleep(1000) end)
        print(bg.any{u, t}, u:wait(0), u:wait(0.001), u:try(0), u:cancel(), u:cancel(), u:try())
        print(bg.all{t, s:run('select 1')}[2].value, bg.settled{t}[1].value)
    end)
$$;

-- limit: so many at a time, in order
do language pllua_bg $$
    for _, limit in ipairs{1, 2, 100} do
        local now, most, order = 0, 0, {}
        bg.scope(function(sc)
            for i = 1, 5 do
                sc:go(function()
                    now = now + 1
                    most = math.max(most, now)
                    order[#order + 1] = i
                    while #order < math.min(5, i + limit - 1) do bg.sleep(0.001) end -- as many run as may
                    now = now - 1
                end)
            end
        end, {limit = limit})
        print(limit, most, table.concat(order))
    end
$$;

-- an error of a task, or of the body, ends the others; what they have open is closed, what they wait for cancelled
do language pllua_bg $$
    local a <close> = bg.launch()
    local b <close> = bg.launch()
    local function closing(name) return setmetatable({}, {__close = function() print('closed', name) end}) end
    print(pcall(bg.scope, function(sc)
        local body <close> = closing('body')
        sc:go(function()
            local inner <close> = closing('first')
            local own <close> = bg.launch{name = 'own'}
            own:exec('select pg_sleep(1000)') -- workload
        end)
        sc:go(function()
            local inner <close> = closing('second')
            a:run('select pg_sleep(1000)'):get() -- workload
        end)
        sc:go(function()
            local inner <close> = closing('failing')
            bg.sleep(0.01)
            b:exec('select 1/0')
        end)
        bg.sleep(1000)
    end))
    print(a:exec('select 1').value, #bg.sessions())
    print(pcall(bg.scope, function(sc)
        sc:go(function() local t <close> = closing('task') bg.sleep(1000) end)
        bg.sleep(0.001)
        error('of the body', 0)
    end))
    -- errors while closing do not hide the first one
    print(select(2, pcall(bg.scope, function(sc)
        sc:go(function() local t <close> = setmetatable({}, {__close = function() error('second', 0) end}) bg.sleep(1000) end)
        sc:go(function() bg.sleep(0.001) error({'first'}) end)
    end))[1])
    -- a wait in what is closed
    print(pcall(bg.scope, function(sc)
        sc:go(function()
            local t <close> = setmetatable({}, {__close = function() print('still', a:exec('select 2').value) end})
            bg.sleep(1000)
        end)
        bg.sleep(0.001)
        error('x', 0)
    end))
    -- an error that nobody asks for is raised all the same, one that is caught is not
    print(pcall(bg.scope, function(sc) sc:go(function() b:exec('select 1/0') end) end))
    print(bg.scope(function(sc)
        local t = sc:go(function() return pcall(b.exec, b, 'select 1/0') end)
        return (t:get())
    end))
$$;

-- an error of the server in a task: what the task did is undone with the pcall around the scope
do language pllua_bg $$
    print(pcall(bg.scope, function(sc)
        sc:go(function() local t <close> = setmetatable({}, {__close = function() print('closed') end}) bg.sleep(1000) end)
        sc:go(function()
            spi.execute('insert into scope_log values (1)')
            bg.sleep(0.001)
            spi.execute('select 1/0')
        end)
    end))
    print(spi.execute('select count(*) from scope_log').value)
    bg.scope(function(sc)
        sc:go(function() spi.execute('insert into scope_log values (2)') bg.sleep(0.001) spi.execute('insert into scope_log values (3)') end)
        print(pcall(function() spi.execute('insert into scope_log values (4)') error('x', 0) end))
    end)
    print(spi.execute('select sum(v) from scope_log').value)
$$;

-- pcall: waits inside yield until it has used the database; then they block, and a task cannot be waited for
do language pllua_bg $$
    local a <close> = bg.launch()
    local function run(use)
        local order = {}
        bg.scope(function(sc)
            local other = sc:go(function() bg.sleep(0) order[#order + 1] = 'other' end)
            print(pcall(function()
                if use then spi.execute('select 1') end
                a:exec('select pg_sleep(0.01)') -- workload
                order[#order + 1] = 'body'
                return other:get()
            end))
            print(table.concat(order, ' '))
            other:get()
        end)
    end
    run(false)
    run(true)
    -- a scope inside such a pcall is whole
    print(pcall(function()
        spi.execute('select 1')
        return bg.scope(function(sc)
            local t = sc:go(function() return a:exec('select 3').value end)
            return (t:get())
        end)
    end))
    bg.scope(function(sc)
        sc:go(function()
            print(pcall(function()
                spi.execute('select 1')
                return bg.scope(function(inner)
                    local t = inner:go(function() return a:exec('select 4').value end)
                    return (t:get())
                end)
            end))
        end)
    end)
$$;

-- scopes in tasks; coroutines of the user's own; other functions
create function scope_inner(n int) returns int language pllua_bg as $$
    return bg.scope(function(sc)
        local t = sc:go(function() bg.sleep(0.001) return n end)
        return t:get() + 1
    end)
$$;
create function scope_rows() returns setof int language pllua_bg as $$
    bg.scope(function(sc)
        local t = sc:go(function() bg.sleep(0.001) return 2 end)
        coroutine.yield(1)
        coroutine.yield((t:get()))
        coroutine.yield(3)
    end)
$$;
select * from scope_rows();
select scope_rows() limit 1;
do language pllua_bg $$
    print(bg.scope(function(sc)
        local outer = sc:go(function()
            return bg.scope(function(inner)
                local a = inner:go(function() bg.sleep(0.002) return 1 end)
                return a:get() + 1
            end)
        end)
        local other = sc:go(function() bg.sleep(0.001) return 10 end)
        -- a task of the outer scope awaited in the inner
        local waits = sc:go(function() return bg.scope(function() return (other:get()) end) end)
        return outer:get() + waits:get()
    end))
    print(bg.scope(function(sc)
        local t = sc:go(function() return spi.execute('select scope_inner(1) as v')[1].v end)
        return (t:get())
    end))
    bg.scope(function(sc)
        local s <close> = bg.launch()
        local generator = coroutine.wrap(function()
            coroutine.yield(s:exec('select 1').value)
            for row in s:rows('select generate_series(2, 3) as i') do coroutine.yield(row.i) end
            print(pcall(function() return sc:go(bg.sleep, 0):get() end))
        end)
        sc:go(bg.sleep, 0)
        print(generator(), generator(), generator(), generator())
    end)
    print(pcall(bg.scope, function(sc)
        sc:go(function() bg.scope(function(inner) inner:go(function() bg.sleep(0.001) error('deep', 0) end) bg.sleep(1000) end) end)
        bg.sleep(1000)
    end))
    print(pcall(bg.scope, function(sc) sc:go(function() coroutine.yield(1) end) end))
    -- a body in a coroutine yields to whoever resumes it
    local co = coroutine.wrap(function(x)
        return bg.scope(function(sc)
            local t = sc:go(function() return 'task' end)
            local y = coroutine.yield(x + 1)
            return y, (t:get())
        end)
    end)
    print(co(1))
    print(co('again'))
$$;

-- timeouts
do language pllua_bg $$
    local s <close> = bg.launch()
    print(bg.scope(function(sc)
        sc:go(function() s:exec('select pg_sleep(1000)') end) -- workload
        sc:go(function() bg.scope(function() bg.sleep(1000) end) end)
    end, {timeout = 0.01}))
    print(s:exec('select 1').value)
    print(bg.scope(function(sc)
        local t = sc:go(function() return bg.scope(function() bg.sleep(1000) end, {timeout = 0.001}) end)
        return t:get(), 'outer'
    end, {timeout = 1000}))
    print(bg.scope(function() return s:exec('select 2').value end, {timeout = math.huge}))
$$;

-- a cancel of the query is a cancel of everything
\set SHOW_CONTEXT never
do language pllua_bg $$
    local me = spi.execute('select pg_backend_pid() as pid')[1].pid
    local function closing(name) return setmetatable({}, {__close = function() print('closed', name) end}) end
    bg.scope(function(sc)
        local body <close> = closing('body')
        for i = 1, 3 do
            sc:go(function()
                local t <close> = closing(i)
                local s <close> = bg.launch()
                s:exec('select case when $1 = 3 then pg_cancel_backend($2) end, pg_sleep(1000)', i, me) -- workload
            end)
        end
        pcall(bg.sleep, 1000)
    end)
$$;
select count(*) from bg.backend_sessions();

-- misuse
do language pllua_bg $$
    local function try(fn, ...)
        local ok, err = pcall(fn, ...)
        if type(err) == 'string' then print(ok, err) return end
        print(ok, err.sqlstate, err.message, err.hint)
    end
    local function nothing() end
    try(bg.scope)
    try(bg.scope, 'select 1')
    try(bg.scope, nothing, 1)
    try(bg.scope, nothing, {timeout = 'x'})
    try(bg.scope, nothing, {limit = 0})
    try(bg.scope, nothing, {limit = 1.5})
    try(bg.scope, nothing, {workers = 1})
    local kept, task
    bg.scope(function(sc) kept = sc task = sc:go(nothing) try(sc.go, sc) try(sc.go, sc, 1) try(task.get, task, -1) end)
    try(kept.go, kept, nothing)
    print(task:get(), task:wait(), task:cancel(), tostring(task))
    pcall(bg.scope, function(sc) task = sc:go(error, 'gone', 0) end)
    try(task.get, task)
    print(task:try())
    -- tasks that wait for each other
    try(bg.scope, function(sc)
        local a, b
        a = sc:go(function() b:get() end)
        b = sc:go(function() a:get() end)
    end)
    try(bg.scope, function(sc) local a a = sc:go(function() a:get() end) end)
    try(bg.scope, function(sc)
        sc:go(function() sc:go(nothing):get() end)
    end, {limit = 1})
    try(bg.scope, function(sc) local a a = sc:go(function() a:cancel() end) end)
    bg.scope(function(sc) print(sc:go(error, 'never'):cancel()) end)
    print(#bg.sessions())
$$;
drop function scope_inner, scope_rows;
drop table scope_log;
