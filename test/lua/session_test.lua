-- Sessions and futures against the fake primitives.
local lu = require 'luaunit'
local core = require 'fake_core'
local bg = require 'bg'

local function assert_error(sqlstate, pattern, fn, ...)
    local ok, err = pcall(fn, ...)
    lu.assertFalse(ok)
    lu.assertEquals(err.sqlstate, sqlstate)
    lu.assertStrContains(err.message, pattern)
    return err
end

TestSession = {}

function TestSession:setUp()
    for number in pairs(core.sessions) do core.sessions[number] = nil end
    core.log = {}
end

function TestSession:test_exec()
    local s <close> = bg.launch()
    local r = s:exec('ok 7')
    lu.assertEquals(r.value, '7')
    lu.assertEquals(r.tag, 'SELECT 1')
end

function TestSession:test_run_returns_at_once()
    local s <close> = bg.launch()
    local f = s:run('ok 1 after 5')
    lu.assertFalse(f:done())
    lu.assertEquals(f:get().value, '1')
    lu.assertTrue(f:done())
    lu.assertEquals(f:get().value, '1')
end

function TestSession:test_handler_gets_notifications_when_something_is_awaited()
    local heard = {}
    local s <close> = bg.launch{on_notify = function(...) heard[#heard + 1] = table.pack(...) end}
    local other <close> = bg.launch()
    core.notify(s, 'news', 'one')
    core.notify(s, 'news', 'two')
    lu.assertEquals(heard, {})
    other:run('ok 1 after 5'):get()
    lu.assertEquals(heard, {{'news', 'one', 1, n = 3}, {'news', 'two', 1, n = 3}})
    assert_error('55000', 'on_notify', s.notification, s, 0)
end

function TestSession:test_handler_that_waits_or_raises_loses_nothing()
    local heard, other = {}, bg.launch()
    local s = bg.launch{on_notify = function(_, payload)
        other:run('ok 1 after 1'):get()
        heard[#heard + 1] = payload
        if payload == 'bad' then error('bad', 0) end
    end}
    for _, payload in ipairs {'one', 'bad', 'two'} do core.notify(s, 'news', payload) end
    lu.assertErrorMsgEquals('bad', bg.sleep, 1)
    lu.assertEquals(heard, {'one', 'bad'})
    bg.sleep(1)
    lu.assertEquals(heard, {'one', 'bad', 'two'})
    core.notify(s, 'news', 'late')
    s:close()
    bg.sleep(1)
    lu.assertEquals(#heard, 3)
    other:close()
end

function TestSession:test_notification()
    local s <close> = bg.launch()
    core.notify(s, 'news', 'one')
    core.notify(s, 'news', 'two')
    lu.assertEquals(s:notification(0), {channel = 'news', payload = 'one', pid = 1})
    for n in s:notifications() do lu.assertEquals(n.payload, 'two') end
    lu.assertNil(s:notifications()())
    s:close()
    lu.assertEquals({s:notification()}, {nil, 'closed'})
end

function TestSession:test_result_is_last_in_first_out()
    local s <close> = bg.launch()
    s:run('ok 1')
    s:run('ok 2')
    s:run('ok 3')
    local seen = {}
    for _ = 1, 3 do seen[#seen + 1] = s:result().value end
    lu.assertEquals(seen, {'3', '2', '1'})
    lu.assertNil(s:result())
end

function TestSession:test_results_is_first_in_first_out()
    local s <close> = bg.launch()
    s:run('ok 1')
    s:run('ok 2')
    local seen = {}
    for r in s:results() do seen[#seen + 1] = r.value end
    lu.assertEquals(seen, {'1', '2'})
end

function TestSession:test_future_and_result_agree()
    local s <close> = bg.launch()
    local f = s:run('ok 1')
    local r = s:result()
    lu.assertIs(f:get(), r)
    lu.assertNil(s:result())
end

function TestSession:test_prepare()
    local s <close> = bg.launch()
    local st = s:prepare('ok 7', {'int4'})
    lu.assertEquals(st.types, {'int4'})
    lu.assertNil(s:result())
    lu.assertEquals(st:exec().value, '7')
    lu.assertEquals(st:run():get().value, '7')
    lu.assertNil(s:result())
    lu.assertTrue(st:close())
    lu.assertFalse(st:close())
end

function TestSession:test_exec_leaves_other_runs_alone()
    local s <close> = bg.launch()
    s:run('ok 1')
    lu.assertEquals(s:exec('ok 2').value, '2')
    lu.assertEquals(s:result().value, '1')
end

function TestSession:test_error_is_raised_when_taken_and_session_survives()
    local s <close> = bg.launch()
    local f = s:run('fail broken')
    lu.assertTrue(f:wait())
    assert_error('P0001', 'broken', f.get, f)
    assert_error('P0001', 'broken', f.get, f)
    local value, err = f:try()
    lu.assertNil(value)
    lu.assertEquals(err.message, 'broken')
    lu.assertEquals(s:exec('ok 2').value, '2')
end

function TestSession:test_timeout()
    local s <close> = bg.launch()
    local f = s:run('ok 1 after 5')
    lu.assertFalse(f:wait(1))
    lu.assertEquals({f:get(1)}, {nil, 'timeout'})
    lu.assertEquals({f:try(1)}, {nil, 'timeout'})
    lu.assertEquals({s:result(1)}, {nil, 'timeout'})
    lu.assertEquals(s:result(2).value, '1')
end

function TestSession:test_multi_statement()
    local s <close> = bg.launch()
    local f = s:run('many 1 2 3')
    lu.assertEquals(f:get().value, '3')
    lu.assertEquals(#f:all(), 3)
    lu.assertEquals(#s:run('ok 1'):all(), 1)
end

function TestSession:test_close()
    local s = bg.launch()
    local f = s:run('ok 1')
    lu.assertTrue(s:close())
    lu.assertFalse(s:close())
    lu.assertEquals({f:get()}, {nil, 'closed'})
    lu.assertEquals({s:result()}, {nil, 'closed'})
    lu.assertEquals(s:status().state, 'gone')
    lu.assertNil(s.pid)
    assert_error('08003', 'closed', s.run, s, 'ok 1')
    lu.assertStrContains(tostring(s), 'gone')
end

function TestSession:test_scope_closes()
    local outer
    do
        local s <close> = bg.launch()
        outer = s
    end
    lu.assertEquals(outer:status().state, 'gone')
end

function TestSession:test_find_by_pid()
    local s <close> = bg.launch {name = 'worker'}
    lu.assertEquals(s.name, 'worker')
    lu.assertIs(bg.session(s.pid), s)
    lu.assertNil(bg.session(1))
    lu.assertEquals(#bg.sessions(), 1)
    lu.assertIs(bg.sessions()[1], s)
    bg.run(s.pid, 'ok 4')
    lu.assertEquals(bg.result(s.pid).value, '4')
    lu.assertEquals(bg.status(s.pid).state, 'idle')
    lu.assertEquals(bg.status(1).state, 'gone')
    assert_error('42704', 'PID 1 is not attached to this session', bg.run, 1, 'ok 4')
    assert_error('22023', 'a session or its pid is expected', bg.run, 'x', 'ok 4')
    assert_error('22023', 'a pid must be an integer', bg.session, 'x')
end

function TestSession:test_session_outlives_its_handle()
    local pid = bg.launch().pid
    collectgarbage()
    lu.assertEquals(bg.session(pid):exec('ok 1').value, '1')
    bg.detach(pid)
    lu.assertNil(bg.session(pid))
end

function TestSession:test_launch_options()
    local s <close> = bg.launch {name = 'n',
        settings = {work_mem = '64MB', enable_sort = false, x = 3, y = 0.5},
        queue_size = '1MB', wait = 5, idle_timeout = 1.5, on_exit = 'cancel'}
    local o = core.sessions[s.number].options
    lu.assertEquals(o.names, {'enable_sort', 'work_mem', 'x', 'y'})
    lu.assertEquals(o.values, {'off', '64MB', '3', '0.5'})
    lu.assertEquals(o.idle_timeout, 1500)
    lu.assertEquals(o.wait, 5)
    lu.assertTrue(o.cancel_on_exit)
    assert_error('22023', 'has no option "nmae"', bg.launch, {nmae = 'x'})
    assert_error('22023', 'takes a table', bg.launch, 'x')
    assert_error('22023', 'option name must be a string', bg.launch, {name = 1})
    assert_error('22023', 'option wait must be a number', bg.launch, {wait = -1})
    assert_error('22023', "must be 'finish' or 'cancel'", bg.launch, {on_exit = 'stay'})
    assert_error('22023', 'setting a must be', bg.launch, {settings = {a = {}}})
    assert_error('22023', 'names of settings', bg.launch, {settings = {'a'}})
    assert_error('22023', 'option on_notice must be a function', bg.launch, {on_notice = 1})
    assert_error('22023', 'queue_size', bg.launch, {queue_size = 1.5})
    assert_error('22023', 'server', bg.launch, {server = 1})
end

function TestSession:test_on_notice()
    local seen = {}
    local s <close> = bg.launch {on_notice = function(notice) seen[#seen + 1] = notice.message end}
    s:run('notice hello'):get()
    lu.assertEquals(seen, {'hello'})
end

function TestSession:test_bad_timeouts()
    local s <close> = bg.launch()
    local f = s:run('ok 1')
    assert_error('22023', 'timeout must be a number of seconds', f.wait, f, 'x')
    assert_error('22023', 'timeout must be a number of seconds', f.get, f, -1)
    assert_error('22023', 'timeout must be a number of seconds', f.get, f, 0 / 0)
end

function TestSession:test_autonomous()
    lu.assertEquals(bg.autonomous('ok 5').value, '5')
    lu.assertEquals(core.log, {'ok 5', 'detach'})
    core.log = {}
    assert_error('P0001', 'x', bg.autonomous, 'fail x')
    lu.assertEquals(core.log, {'fail x', 'close'})
end

function TestSession:test_on_commit()
    bg.on_commit('ok 1', 2, nil)
    lu.assertEquals(core.committed()[1], {'ok 1', 2, nil, n = 3})
    assert_error('22023', 'must be a string', bg.on_commit, 1)
end

TestTransaction = {setUp = TestSession.setUp}

function TestTransaction:test_begin_options()
    local s <close> = bg.launch()
    s:begin {isolation = 'SERIALIZABLE', readonly = true, deferrable = false}
    lu.assertEquals(core.log[1], 'begin isolation level serializable, read only, not deferrable')
    assert_error('22023', 'option isolation', s.begin, s, {isolation = 'x'})
    assert_error('22023', 'has no option "level"', s.begin, s, {level = 'x'})
end

function TestTransaction:test_commit_of_a_failed_transaction_raises()
    local s <close> = bg.launch()
    s:begin()
    pcall(s.exec, s, 'fail x')
    assert_error('25P02', 'rolled back', s.commit, s)
end

function TestTransaction:test_atomic_commits_and_returns()
    local s <close> = bg.launch()
    local a, b, c = s:atomic(function(inner)
        lu.assertIs(inner, s)
        inner:exec('ok 1')
        return 1, nil, 3
    end)
    lu.assertEquals({a, b, c}, {1, nil, 3})
    lu.assertEquals(core.log, {'', 'begin', 'ok 1', 'commit'})
end

function TestTransaction:test_atomic_rolls_back()
    local s <close> = bg.launch()
    assert_error('P0001', 'x', s.atomic, s, function(inner) inner:exec('fail x') end)
    lu.assertEquals(core.log, {'', 'begin', 'fail x', 'rollback'})
end

function TestTransaction:test_nested_atomic_is_a_savepoint()
    local s <close> = bg.launch()
    s:atomic(function()
        pcall(s.atomic, s, function() s:exec('fail y') end)
        s:atomic(function() s:exec('ok z') end)
    end)
    local log = table.concat(core.log, ';'):gsub('atomic_%d+', 'atomic')
    log = log:gsub('^;', ''):gsub(';;', ';')
    lu.assertEquals(log, 'begin;savepoint bg_atomic;fail y;rollback to savepoint bg_atomic; ' ..
        'release savepoint bg_atomic;savepoint bg_atomic;ok z;release savepoint bg_atomic;commit')
end

os.exit(lu.LuaUnit.run())
