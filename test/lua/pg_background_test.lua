-- The logic of pg_background against the fake primitives.
local lu = require 'luaunit'
local core = require 'fake_core'
require 'bg'
local note = require 'pg_background.note'
local pgb = require 'pg_background'

local function assert_error(sqlstate, pattern, fn, ...)
    local ok, err = pcall(fn, ...)
    lu.assertFalse(ok)
    lu.assertEquals(err.sqlstate, sqlstate)
    lu.assertStrContains(err.message, pattern)
end

local function outcome_state(handle)
    return pgb.outcome(handle.pid, handle.cookie).state
end

-- A table that can be called as an array of the server.
local function array(list)
    return setmetatable(list, {__call = function(_, options)
        for i = 1, #list do options.map(list[i]) end
    end})
end

TestNote = {}

function TestNote:test_round_trip()
    local fields = {text = 'a\0b', empty = '', yes = true, no = false, whole = -5,
        broken = 0.5, ['kept.tag'] = 'SELECT 1'}
    lu.assertEquals(note.decode(note.encode(fields)), fields)
    lu.assertEquals(note.decode(note.encode({})), {})
end

TestPgBackground = {}

function TestPgBackground:setUp()
    for number in pairs(core.sessions) do core.sessions[number] = nil end
    core.log = {}
    core.settings = {max_workers = 3, worker_timeout = 0, default_queue_size = 65536}
end

function TestPgBackground:test_launch()
    local handle = pgb.launch('ok 1', 0, 'mine')
    lu.assertEquals(core.log, {'last', 'ok 1'})
    local record = core.sessions[core.find(handle.pid)]
    lu.assertEquals(record.options.queue_size, '65536')
    lu.assertEquals(record.options.name, 'mine')
    lu.assertEquals(outcome_state(handle), 'stopped')
    lu.assertEquals(pgb.full_sql(handle.pid, handle.cookie), 'ok 1')
    pgb.submit('ok 1')
    lu.assertEquals(core.log[3], 'last, quiet')
end

function TestPgBackground:test_long_label_is_no_name()
    local handle = pgb.launch('ok 1', 0, ('x'):rep(64))
    lu.assertNil(core.sessions[core.find(handle.pid)].options.name)
    lu.assertEquals(#pgb.outcome(handle.pid, handle.cookie).label, 64)
end

function TestPgBackground:test_arguments()
    assert_error('22023', 'queue size', pgb.launch, 'ok 1', 4095)
    assert_error('22004', 'sql', pgb.launch, nil)
    assert_error('22004', 'handle', pgb.wait, nil, 1)
end

function TestPgBackground:test_max_workers()
    for _ = 1, 3 do pgb.submit('ok 1 after 10') end
    assert_error('53400', 'too many', pgb.launch, 'ok 1')
    core.time = core.time + 10
    pgb.launch('ok 1')
end

function TestPgBackground:test_worker_timeout_is_a_statement_timeout()
    core.settings.worker_timeout = 5
    local handle = pgb.launch('ok 1')
    local options = core.sessions[core.find(handle.pid)].options
    lu.assertEquals(options.names, {'statement_timeout'})
    lu.assertEquals(options.values, {'5'})
end

function TestPgBackground:test_cookie_counts()
    local handle = pgb.launch('ok 1')
    assert_error('42704', 'cookie mismatch', pgb.wait, handle.pid, handle.cookie + 1)
    assert_error('42704', 'not attached', pgb.wait, 1, handle.cookie)
    lu.assertEquals(pgb.outcome(handle.pid, handle.cookie + 1).sqlstate, '42704')
end

function TestPgBackground:test_wait()
    local handle = pgb.launch('ok 1 after 10')
    lu.assertFalse(pgb.wait_timeout(handle.pid, handle.cookie, 0))
    lu.assertFalse(pgb.wait(handle.pid, handle.cookie, 5000))
    lu.assertTrue(pgb.wait(handle.pid, handle.cookie, 0))
end

function TestPgBackground:test_wait_any()
    local slow, fast = pgb.launch('ok 1 after 10'), pgb.launch('ok 1 after 5')
    local stale = {pid = slow.pid, cookie = slow.cookie + 1}
    lu.assertIs(pgb.wait_any(array{stale, slow, {}, fast}, 0), fast)
    lu.assertNil(pgb.wait_any(array{slow, stale}, 1000))
    lu.assertNil(pgb.wait_any(array{stale}, 0))
    lu.assertNil(pgb.wait_any(array{}, 0))
end

function TestPgBackground:test_cancel()
    local handle = pgb.launch('ok 1 after 10')
    pgb.cancel(handle.pid, handle.cookie, 1000)
    lu.assertEquals(outcome_state(handle), 'canceled')
    lu.assertNotEquals(core.log[#core.log], 'terminate')
end

function TestPgBackground:test_grace_then_terminate()
    local handle = pgb.launch('ok 1 after 10')
    local cancel_command = core.cancel_command
    core.cancel_command = function() return true end
    pgb.cancel(handle.pid, handle.cookie, 0)
    lu.assertEquals(outcome_state(handle), 'running')
    local begun = core.time
    pgb.cancel(handle.pid, handle.cookie, 2000)
    core.cancel_command = cancel_command
    lu.assertEquals(core.time - begun, 2)
    lu.assertEquals(core.log[#core.log], 'terminate')
    lu.assertEquals(outcome_state(handle), 'canceled')
end

function TestPgBackground:test_an_error_is_not_a_cancel()
    local handle = pgb.launch('fail oops')
    lu.assertEquals(outcome_state(handle), 'error')
    lu.assertEquals(pgb.error_info(handle.pid, handle.cookie).message, 'oops')
end

function TestPgBackground:test_stats_count_once()
    local before = pgb.stats()
    local handle = pgb.launch('ok 1')
    for _ = 1, 3 do
        outcome_state(handle)
        pgb.stats()
    end
    pgb.detach(handle.pid, handle.cookie)
    local after = pgb.stats()
    lu.assertEquals(after.workers_launched, before.workers_launched + 1)
    lu.assertEquals(after.workers_completed, before.workers_completed + 1)
end

function TestPgBackground:test_run_times_out()
    local before = pgb.stats()
    local outcome = pgb.run('ok 1 after 10', 0, 3000)
    lu.assertTrue(outcome.timed_out)
    lu.assertEquals(outcome.state, 'canceled')
    lu.assertEquals(outcome.elapsed_ms, 3000)
    lu.assertEquals(pgb.stats().workers_timed_out, before.workers_timed_out + 1)
    lu.assertEquals(#core.numbers(), 0)
end

function TestPgBackground:test_purge_keeps_the_active()
    pgb.submit('ok 1')
    local active = pgb.submit('ok 1 after 10')
    lu.assertEquals(pgb.purge(), 1)
    lu.assertEquals(outcome_state(active), 'running')
    lu.assertEquals(pgb.detach_all(), 1)
end

function TestPgBackground:test_progress_outside_of_a_worker()
    assert_error('0A000', 'background worker', pgb.report_progress, 1)
end

function TestPgBackground:test_progress_is_a_percentage()
    local task = pgb.submit('ok 1 after 10')
    local function percent_of(progress)
        core.sessions[task.cookie // 7].progress = progress
        local told = pgb.progress(task.pid, task.cookie)
        return told and told.progress_pct, told and told.progress_msg
    end
    lu.assertNil(percent_of(nil))
    lu.assertEquals({percent_of({done = 1, total = 3, message = 'm'})}, {33, 'm'})
    lu.assertEquals(percent_of({done = 50, total = 100}), 50)
    lu.assertEquals(percent_of({done = 4, total = 3}), 100)
    lu.assertEquals(percent_of({done = -4, total = 3}), 0)
    lu.assertEquals(percent_of({done = 4, total = 0}), 0)
    lu.assertEquals(percent_of({done = 4}), 0)
    lu.assertEquals(math.type(percent_of({done = 50.0, total = 100.0})), 'integer')
    pgb.detach_all()
end

os.exit(lu.LuaUnit.run())
