-- The scheduler of jobs against tables in memory and a clock that stands still.
local lu = require 'luaunit'
local core = require 'fake_core'
local fake = require 'fake_jobs'

TestScheduler = {}

local own

function TestScheduler:setUp() own = fake.reset() end

local function work(seconds) fake.work(own, seconds) end

function TestScheduler:test_runs_a_job()
    local id = fake.submit('ok')
    work()
    lu.assertEquals(fake.outcomes(), id .. 'd')
    lu.assertEquals(fake.settled, {id .. 'd'})
    lu.assertEquals(own.ready.jobs, {})
end

function TestScheduler:test_priorities()
    local low, high = fake.submit('ok', {priority = 5}), fake.submit('ok', {priority = -5})
    fake.settings.workers = 1
    work()
    lu.assertEquals(fake.started, {high, low})
end

function TestScheduler:test_failure_is_tried_again()
    local id = fake.submit('fail P0001', {attempts = 3, backoff = '7'})
    local start = core.time
    work()
    lu.assertEquals(fake.started, {id, id, id})
    lu.assertEquals(fake.outcomes(), id .. 'f')
    lu.assertAlmostEquals(core.time - start, 14, 1.5)
    lu.assertEquals(fake.done[1].error.attempt, 3)
    lu.assertEquals(fake.settled, {id .. 'f'})
end

function TestScheduler:test_conflicts_are_tried_again_at_once()
    local id = fake.submit('fail 40001', {attempts = 1})
    work()
    lu.assertEquals(#fake.started, 4)
    lu.assertEquals(fake.outcomes(), id .. 'f')
end

function TestScheduler:test_errors_of_statements_are_final()
    local id = fake.submit('fail 42P01')
    work()
    lu.assertEquals(fake.started, {id})
    lu.assertEquals(fake.outcomes(), id .. 'f')
end

function TestScheduler:test_delay()
    local id = fake.submit('ok', {run_at = fake.now() + 100})
    local start = core.time
    work()
    lu.assertEquals(fake.outcomes(), id .. 'd')
    lu.assertAlmostEquals(core.time - start, 100, 1.1) -- the session is looked after for a while
end

-- What is due is told by the server's clock, which may be set; what the scheduler does now and then is not.
function TestScheduler:test_the_clock_is_set()
    local server_time, set = core.server_time, 0
    function core.server_time() return server_time() + set end
    local id = fake.submit('ok', {run_at = fake.now() + 5000})
    work(10)
    set = 5000
    local start = core.time
    work(100)
    lu.assertEquals(fake.outcomes(), id .. 'd')
    lu.assertTrue(core.time - start <= 61)
    set = -90000
    local at_once, held = fake.submit('ok'), fake.submit('ok', {owner = 11})
    fake.holds[11] = 'role "ann" is not permitted to log in'
    work(10)
    fake.holds[11] = nil
    work(10)
    core.server_time = server_time
    lu.assertEquals(fake.outcomes(), ('%dd %dd %dd'):format(id, at_once, held))
end

function TestScheduler:test_recurring()
    local id = fake.submit('ok', {every = '10 s', run_at = fake.now()})
    work(95)
    lu.assertEquals(#fake.started, 10)
    lu.assertNotNil(fake.jobs[id])
    lu.assertEquals(fake.outcomes(), (id .. 'd '):rep(10):sub(1, -2))
end

function TestScheduler:test_recurring_runs_collapse_and_never_overlap()
    fake.submit('ok after 25', {every = '10 s', run_at = fake.now()})
    work(89)
    lu.assertEquals(#fake.started, 4) -- at 0, 25, 50, 75
end

function TestScheduler:test_a_schedule_outlives_its_failures()
    local id = fake.submit('fail P0001', {every = '10 s', run_at = fake.now(), attempts = 2, backoff = '1'})
    work(25)
    lu.assertEquals(fake.outcomes(), (id .. 'f '):rep(3):sub(1, -2))
    lu.assertEquals(fake.jobs[id].attempt % 2, 0)
end

-- As when a time zone is no more: it does not take the scheduler down.
function TestScheduler:test_a_schedule_that_is_none()
    local id, outside = fake.submit('ok', {every = 'nonsense'}), fake.submit('ok', {every = '9', outside = true})
    local other = fake.submit('ok')
    work()
    table.sort(fake.done, function(a, b) return a.id < b.id end)
    lu.assertEquals(fake.outcomes(), ('%df %df %dd'):format(id, outside, other))
    lu.assertEquals(fake.done[1].error.sqlstate, '22023')
end

function TestScheduler:test_workers()
    fake.settings.workers = 3
    for _ = 1, 9 do fake.submit('ok after 10') end
    local start = core.time
    work()
    lu.assertAlmostEquals(core.time - start, 30, 1)
    lu.assertEquals(#own.lanes.list, 3)
end

function TestScheduler:test_idle_sessions_are_given_back()
    fake.submit('ok')
    work()
    lu.assertEquals(#own.lanes.list, 1)
    for _ = 1, 15 do own:sleep(own:step()) end
    lu.assertEquals(#own.lanes.list, 0)
end

function TestScheduler:test_sends_ahead_and_takes_back_from_behind_a_slow_one()
    for _ = 1, 30 do fake.submit('ok') end
    work()
    local first = own.lanes.list[1]
    lu.assertTrue(first.depth > 1)
    local slow = fake.submit('ok after 100')
    local start = core.time
    for _ = 1, 3 do fake.submit('ok') end
    own:sleep(own:step())
    lu.assertEquals(fake.jobs[slow] ~= nil, true)
    while #fake.done < 33 do own:sleep(own:step()) end
    lu.assertTrue(core.time - start < 1.1)
    work()
    lu.assertEquals(#fake.done, 34)
end

-- It is said once.
function TestScheduler:test_the_history_cannot_be_emptied()
    local store = own.store
    local rotate, tries = store.rotate, 0
    function store.rotate()
        tries = tries + 1
        return true, {message = 'a foreign key'}
    end
    local id = fake.submit('ok', {run_at = fake.now() + 100})
    work()
    store.rotate = rotate
    lu.assertEquals(fake.outcomes(), id .. 'd')
    lu.assertEquals(#fake.warnings, 1)
    lu.assertTrue(tries >= 2 and tries <= 4)
end

function TestScheduler:test_paused()
    fake.settings.paused = true
    fake.queues = {{name = 'slow', paused = true}}
    fake.submit('ok')
    fake.submit('ok', {queue = 'slow'})
    work(30)
    lu.assertEquals(fake.outcomes(), '')
    fake.settings.paused = false
    fake.rescan = true
    work(30)
    lu.assertEquals(#fake.done, 1)
    fake.queues = {{name = 'slow', workers = 1}}
    fake.rescan = true
    work(30)
    lu.assertEquals(#fake.done, 2)
end

function TestScheduler:test_cancel_and_retry()
    local waits, runs = fake.submit('ok', {run_at = fake.now() + 50}), fake.submit('ok after 100')
    work(1)
    fake.order('cancel', waits)
    fake.order('cancel', runs)
    work()
    lu.assertEquals(fake.outcomes(), waits .. 'c ' .. runs .. 'c')
    lu.assertEquals(fake.orders, {})
    fake.order('retry', waits)
    fake.order('cancel', 123456)
    work()
    lu.assertEquals(fake.outcomes(), waits .. 'c ' .. runs .. 'c ' .. waits .. 'd')
    lu.assertEquals(fake.orders, {})
end

function TestScheduler:test_run_now()
    local id = fake.submit('ok', {run_at = fake.now() + 500})
    work(1)
    fake.order('run', id)
    local start = core.time
    work()
    lu.assertEquals(fake.outcomes(), id .. 'd')
    lu.assertTrue(core.time - start < 1.1)
end

function TestScheduler:test_keys()
    local first = fake.submit('ok', {key = 'k', run_at = fake.now() + 5})
    work(1)
    local second = fake.submit('ok', {key = 'k', run_at = fake.now() + 5})
    local third = fake.submit('ok', {key = 'k', key_mode = 'k'})
    work()
    lu.assertEquals(fake.outcomes(), ('%ds %ds %dd'):format(first, third, second))
    lu.assertEquals(fake.done[1].superseded_by, second)
    lu.assertEquals(fake.done[2].superseded_by, second)
end

function TestScheduler:test_key_of_one_that_runs()
    local first = fake.submit('ok after 10', {key = 'k'})
    work(1)
    local second, third = fake.submit('ok', {key = 'k'}), fake.submit('ok', {key = 'k', key_mode = 'u'})
    work(2)
    lu.assertEquals(fake.outcomes(), third .. 's')
    work()
    lu.assertEquals(fake.outcomes(), ('%ds %dd %dd'):format(third, first, second))
end

function TestScheduler:test_diamond()
    local top = fake.submit('ok after 5')
    local left, right = fake.submit('ok after 5', {after = {top}}), fake.submit('ok', {after = {top}})
    local bottom = fake.submit('ok', {after = {left, right}})
    work()
    lu.assertEquals(fake.outcomes(), ('%dd %dd %dd %dd'):format(top, right, left, bottom))
    local late = fake.submit('ok', {after = {bottom, left}})
    work()
    lu.assertEquals(fake.done[5], {id = late, state = 'd'})
    lu.assertEquals({own.parents.left, own.parents.children, own.parents.n}, {{}, {}, 0})
end

function TestScheduler:test_failed_parent()
    local top = fake.submit('fail 42P01')
    local child = fake.submit('ok', {after = {top}})
    local stubborn = fake.submit('ok', {after = {top}, after_failed = 'run'})
    local grandchild = fake.submit('ok', {after = {child}})
    work()
    table.sort(fake.done, function(a, b) return a.id < b.id end)
    lu.assertEquals(fake.outcomes(), ('%df %dc %dd %dc'):format(top, child, stubborn, grandchild))
    lu.assertStrContains(fake.done[2].note, 'job ' .. top)
end

function TestScheduler:test_outside_a_transaction()
    local id = fake.submit('ok', {outside = true})
    local other = fake.submit('ok')
    work()
    table.sort(fake.done, function(a, b) return a.id < b.id end)
    lu.assertEquals(fake.outcomes(), ('%dd %dd'):format(id, other))
    local failing = fake.submit('fail no', {outside = true, attempts = 1})
    work()
    lu.assertEquals(fake.done[3].state, 'f')
    lu.assertEquals(fake.done[3].id, failing)
    lu.assertEquals(fake.done[3].error.message, 'no')
end

function TestScheduler:test_lost_session()
    local id = fake.submit('ok after 100', {attempts = 2, backoff = '1'})
    work(1)
    local lane = own.lanes.list[1]
    core.terminate(lane.session)
    core.sessions[lane.session.number].gone = true
    work()
    lu.assertEquals(fake.started, {id, id})
    lu.assertEquals(fake.outcomes(), id .. 'd')
end

function TestScheduler:test_idle_session_that_was_ended()
    fake.submit('ok')
    work()
    core.sessions[own.lanes.list[1].session.number] = nil
    local id = fake.submit('ok')
    work()
    lu.assertNil(fake.jobs[id])
    lu.assertEquals(#own.lanes.list, 1)
end

-- Many times more than are kept in memory of one limit.
function TestScheduler:test_many_of_one_limit()
    for _ = 1, 5500 do fake.submit('ok', {limit_key = 'l', limit_n = 1}) end
    work()
    lu.assertEquals({#fake.started, own.ready.jobs, own.ready.gates}, {5500, {}, {}})
end

function TestScheduler:test_many_that_were_not_announced()
    for i = 1, 3000 do fake.submit('ok', {silent = true, priority = i % 3}) end
    fake.rescan, fake.lowest = true, 1
    work()
    lu.assertEquals(#fake.done, 3000)
    lu.assertEquals(own.ready.jobs, {})
end

-- What waits behind a job that takes long, and can go nowhere, is no reason to wake.
function TestScheduler:test_sleeps_while_all_workers_are_busy()
    fake.settings.workers = 1
    for _ = 1, 100 do fake.submit('ok after 0.001') end
    for _ = 1, 16 do fake.submit('ok after 100') end
    local start, rounds = fake.now(), 0
    while fake.now() < start + 20 do
        own:sleep(own:step())
        rounds = rounds + 1
    end
    lu.assertTrue(rounds < 150, rounds)
end

-- One that its run does not find, though it is there, is not tried for ever.
function TestScheduler:test_gone_and_there()
    local id = fake.submit('gone', {attempts = 2, backoff = '1'})
    work()
    lu.assertEquals(#fake.started, 4)
    lu.assertEquals(fake.outcomes(), id .. 'f')
end

function TestScheduler:test_retires()
    fake.submit('ok')
    work()
    local start = core.time
    while not own:may_retire() do
        own:sleep(own:step())
        assert(core.time < start + 200)
    end
    lu.assertTrue(core.time - start > 55)
end

os.exit(lu.LuaUnit.run())
