-- What the LISTEN of a session brings: to a handler, or asked for.
\set SHOW_CONTEXT never
SET statement_timeout = '60s';

-- session:notification, session:notifications
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch()
    local other <close> = bg.launch()
    print(s:notification(0))
    print(s:notification(0.01))
    s:exec('listen news; listen "Weather Report"')
    print(s:notification(0), s:notifications()())
    other:exec("notify news, 'one'; notify \"Weather Report\"; notify nothing, 'unheard'")
    local n = s:notification(30)
    print(n.channel, n.payload, n.pid == other.pid)
    n = s:notification()
    print(n.channel, n.payload == '', n.pid == other.pid)
    print(s:notification(0.01))
    -- its own too, in the order they were sent
    for i = 1, 3 do s:exec("select pg_notify('news', $1)", 'own ' .. i) end
    for n in s:notifications() do print(n.channel, n.payload, n.pid == s.pid) end
    print(s:notification(0))
    -- a session in a transaction gets them when it ends
    s:begin()
    other:exec("notify news, 'later'")
    print(s:notification(0.05))
    s:commit()
    print(s:notification(30).payload)
    -- functions of a session or its pid
    other:exec("notify news, 'again'")
    print(bg.notification(s.pid, 30).payload, bg.notifications(s)())
    -- of several waits the notification may be the first
    s:exec('unlisten *')
    other:exec("notify news, 'unheard'")
    print(s:notification(0.05))
    print(pcall(s.notification, s, 'soon'))
    s:close()
    print(s:notification())
    print(pcall(bg.notification, 1))
$$;
-- a wait that ends because the session does
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch()
    s:exec('listen news')
    s:run('select pg_terminate_backend(pg_backend_pid())')
    print(s:notification())
    print(s:notification(0))
$$;
-- and by statement_timeout
SET statement_timeout = '50ms';
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch()
    s:notification()
$$;
SET statement_timeout = '60s';

-- on_notify: called while Lua code waits for anything
DO LANGUAGE pllua_bg $$
    local other <close> = bg.launch()
    local heard = {}
    local s <close> = bg.launch{on_notify = function(channel, payload, pid)
        heard[#heard + 1] = channel .. ' ' .. payload .. ' ' .. tostring(pid == other.pid)
    end}
    local function show(how)
        print(how, table.concat(heard, ', '))
        heard = {}
    end
    s:exec('listen news')
    other:exec("notify news, 'a'")
    while #heard == 0 do bg.sleep(0.001) end
    show('bg.sleep')
    other:exec("notify news, 'b'")
    while #heard == 0 do s:exec('select 1') end
    show('exec')
    other:exec("notify news, 'c'")
    while #heard == 0 do other:run('select 1'):get() end
    show('another session')
    other:exec("notify news, 'd'")
    -- workload
    while #heard == 0 do for _ in other:rows('select 1 from pg_sleep(0.01)') do end end
    show('rows')
    s:exec("notify news, 'e'; notify news, 'f'")
    show('its own')
    other:exec("notify news, 'g'")
    while #heard == 0 do pcall(s.exec, s, 'select 1/0') end
    show('a command that fails')
    print(pcall(s.notification, s, 0))
    print(pcall(s.notifications, s))
$$;
-- at once, not when the wait is over: the handler ends what is waited for
DO LANGUAGE pllua_bg $$
    local other <close> = bg.launch()
    local worker <close> = bg.launch()
    local long
    local s <close> = bg.launch{on_notify = function(_, payload) long:cancel() print('stop', payload) end}
    s:exec('listen stop')
    for _, wait in ipairs{
        function() return select(2, long:try()).sqlstate end,
        function() return select(2, bg.wait{bg.timer(1000), long}) end,
        function() return bg.settled{long}[1].error.sqlstate end,
        function() return select(2, pcall(bg.all, {long})).sqlstate end,
    } do
        long = worker:run('select pg_sleep(1000)') -- workload
        other:run("select pg_notify('stop', 'now')")
        print(wait())
    end
    -- a timeout is one for the whole wait, whatever comes meanwhile
    local count, done = 0, nil
    local t <close> = bg.launch{on_notify = function() count = count + 1 other:run("notify tick") end}
    t:exec('listen tick')
    other:exec('notify tick')
    long = worker:run('select pg_sleep(1000)') -- workload
    repeat -- until it came twice in one wait
        count = 0
        done = long:wait(0.2)
    until count > 1
    print(done, count > 1)
$$;
-- a handler may use sessions, its own too, close it, and raise; nothing is lost
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch()
    local t
    t = bg.launch{on_notify = function(_, payload)
        print('got', payload, s:exec('select $1 || $2', payload, '!').value, t:exec('select 1').value)
        if payload == 'raise' then error('in the handler', 0) end
        if payload == 'close' then print(t:close()) end
    end}
    t:exec('listen news')
    print(pcall(t.exec, t, "notify news, 'one'; notify news, 'raise'; notify news, 'two'"))
    print(t:exec('select 2').value, pcall(t.exec, t, "notify news, 'raise'; select 1/0; notify news, 'undone'"))
    print(pcall(function() return t:exec("notify news, 'close'; notify news, 'never'").tag end))
    print(t:status().state, s:exec('select 3').value)
$$;
-- it stays with the session from statement to statement
DO LANGUAGE pllua_bg $$ bg.launch{name = 'stays', on_notify = function(_, payload) print('heard', payload) end}:exec('listen news') $$;
SELECT pid FROM bg.backend_sessions() WHERE name = 'stays' \gset
NOTIFY news, 'from the launcher';
DO LANGUAGE pllua_bg $$ bg.sessions()[1]:exec('select 1') $$;
-- the next use of its worker knows nothing of it
SET pllua_bg.pool_size = 0;
SET pllua_bg.pool_size = 1;
SELECT bg.close(:pid);
DO LANGUAGE pllua_bg $$
    local s <close> = bg.launch()
    s:exec('listen news')
    s:exec("notify news, 'not handled'")
    print(s:notification(30).payload)
$$;
RESET pllua_bg.pool_size;
DO LANGUAGE pllua_bg $$ bg.launch{on_notify = 'x'} $$;
RESET statement_timeout;
