-- Futures: get, try, wait, done, all, cancel; waiting for several.
create function slow(seconds float8, v int) returns int language sql as
    'select v from pg_sleep(seconds)'; -- workload

do language pllua_bg $$
    local s <close> = bg.launch()
    local f = s:run('select 1')
    print(f:wait(), f:done(), f:get().value, f:get() == f:get(), f:try().value, f:wait(0))
    f = s:run('select 1; select 2; select 3 as x')
    local values = {}
    for _, r in ipairs(f:all()) do values[#values + 1] = r.value end
    print(f:get().value, table.concat(values, ' '))
    f = s:run('select 4')
    print(#f:all(), s:result())
    f = s:run('select 5')
    local r = s:result()
    print(f:get() == r)
$$;

-- timeouts are values, not errors
do language pllua_bg $$
    local s <close> = bg.launch()
    s:exec('select 0')
    local f = s:run('select slow(30, 1)')
    print(f:wait(0.01), f:done())
    print(f:get(0))
    print(f:try(0.01))
    print(s:result(0.01))
    print(s:status().state, s:status().sql)
    -- cancel ends the statement and not the session
    print(f:cancel(), f:wait(30))
    local r, err = f:try()
    print(r, err.sqlstate, err.message)
    print(f:cancel(), s:exec('select 2').value)
    -- a command that has not begun can be cancelled, too
    local gate <close> = bg.launch()
    gate:exec('select pg_advisory_lock(4712)')
    local one, two, three = s:run('select 1 from pg_advisory_lock(4712)'), s:run('select 2'), s:run('select 3')
    print(two:cancel(), two:done())
    gate:exec('select pg_advisory_unlock(4712)')
    print(one:get(30).value, select(2, two:try(30)).sqlstate, three:get(30).value)
    print(s:cancel(), s:exec('select 4').value)
$$;

-- waiting for several
do language pllua_bg $$
    local a <close> = bg.launch()
    local b <close> = bg.launch()
    local c <close> = bg.launch()
    local never, soon = a:run('select slow(30, 1)'), b:run('select 2')
    local f, i = bg.wait({never, soon}, 30)
    print(f == soon, i, f:get().value)
    print(bg.wait({never}, 0))
    f, i = bg.wait({never, c}, 30)
    print(f == c, i)
    f, i = bg.wait({never, bg.timer(0)})
    print(i, f:done())
    local value, index = bg.any {never, b:run('select 1 / 0'), c:run('select 3')}
    print(value.value, index)
    for _, o in ipairs(bg.settled {b:run('select 1 / 0'), c:run('select 4')}) do
        print(o.ok, o.value and o.value.value, o.error and o.error.sqlstate)
    end
    -- the first error cancels the rest
    print(pcall(bg.all, {never, b:run('select 1 / 0')}))
    print(never:wait(30), select(2, never:try()).sqlstate)
    print(bg.all({}).n, bg.all({a:run('select slow(30, 1)')}, 0.01))
    local n = 0
    for done, result, err in bg.completed {b:run('select 1'), c:run('select 1 / 0')} do
        n = n + 1
        assert(done:done() and (result or err))
    end
    print(n)
$$;

-- futures outlive a rollback of what sent them
do language pllua_bg $$
    local s <close> = bg.launch()
    local f
    pcall(function()
        spi.execute('select 1')
        f = s:run('select 5')
        error('x')
    end)
    print(f:get().value)
$$;

-- a wait inside pcall inside a coroutine may yield afterwards
do language pllua_bg $$
    local s <close> = bg.launch()
    local co = coroutine.wrap(function()
        print(pcall(function()
            local r = s:exec('select 1')
            coroutine.yield(r.value)
            return s:exec('select 2').value
        end))
    end)
    print(co())
    co()
$$;

-- statement_timeout reaches a wait, which cancels the statement waited for
do language pllua_bg $$ bg.launch{name = 'timed'}:exec('select 1') $$;
set statement_timeout = '200ms';
do language pllua_bg $$
    for _, s in ipairs(bg.sessions()) do
        if s.name == 'timed' then s:exec('select slow(30, 1)') end
    end
$$;
reset statement_timeout;
do language pllua_bg $$
    for _, s in ipairs(bg.sessions()) do
        if s.name == 'timed' then print(s:exec('select 6').value) s:close() end
    end
$$;
drop function slow;

-- misuse
do language pllua_bg $$
    local s <close> = bg.launch()
    local f = s:run('select 1')
    local function try(fn, ...)
        local ok, err = pcall(fn, ...)
        if type(err) == 'string' then print(ok, err) return end
        print(ok, err.sqlstate, err.message, err.hint)
    end
    try(f.wait, f, 'x')
    try(f.get, f, -1)
    try(bg.all, 1)
    try(bg.all, {1})
    try(bg.wait, {})
    try(bg.sleep, -1)
    try(bg.run, 'x', 'select 1')
    try(bg.run, 1, 'select 1')
    try(bg.session, 'x')
    try(s.run, s)
    try(s.run, s, 5)
    try(s.exec, s, {})
    try(s.exec, s, 'select 1\0')
    try(s.exec, s, 'select \'\xff\'')
    try(s.exec, 5, 'select 1')
    try(bg.launch, 1)
    try(bg.launch, {nmae = 'x'})
    try(bg.launch, {name = 1})
    try(bg.launch, {wait = 'x'})
    try(bg.launch, {queue_size = 'x'})
    try(bg.launch, {queue_size = 1})
    try(bg.launch, {on_exit = 'x'})
    try(bg.launch, {on_notice = 'x'})
    try(bg.launch, {settings = 'x'})
    try(bg.launch, {settings = {work_mem = {}}})
    try(bg.launch, {idle_timeout = -1})
    try(bg.launch, {snapshot = 1})
    try(bg.launch, {server = 'x'})
    try(bg.launch, {name = string.rep('x', 64)})
    try(s.begin, s, {isolation = 'x'})
    print(#bg.sessions())
$$;
