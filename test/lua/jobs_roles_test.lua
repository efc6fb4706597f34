-- How the scheduler shares sessions among roles, and what it makes of those that may not run.
local lu = require 'luaunit'
local core = require 'fake_core'
local fake = require 'fake_jobs'

TestRoles = {}

local own

function TestRoles:setUp() own = fake.reset() end

local function work(seconds) fake.work(own, seconds) end

function TestRoles:test_lanes_are_shared_by_roles()
    fake.settings.workers = 2
    for _ = 1, 10 do fake.submit('ok after 1') end
    own:sleep(own:step())
    own:sleep(own:step())
    local other = fake.submit('ok', {owner = 11, owner_name = 'ann'})
    local start = core.time
    while fake.jobs[other] do own:sleep(own:step()) end
    lu.assertTrue(core.time - start < 2.5)
    work()
    lu.assertEquals(#fake.done, 11)
end

function TestRoles:test_a_renamed_role_has_its_new_name_in_all_rows()
    local later = {owner = 11, owner_name = 'ann', run_at = fake.now() + 1000}
    local early = fake.submit('ok', later)
    fake.submit('ok', {owner = 12, owner_name = 'bob', run_at = fake.now() + 1000})
    own:sleep(own:step())
    lu.assertEquals(fake.renamed, {})
    fake.names[11] = 'eve'
    work(100)
    lu.assertEquals(fake.jobs[early].owner_name, 'eve')
    lu.assertEquals(fake.renamed, {11})
    local late = fake.submit('ok', later) -- was submitted before, and committed after
    work(100)
    lu.assertEquals(fake.jobs[late].owner_name, 'eve')
    lu.assertEquals(fake.renamed, {11, 11})
end

function TestRoles:test_one_lane_is_shared_by_roles()
    fake.settings.workers = 1
    for i = 1, 30 do fake.submit('ok after 0.1', {owner = 10 + i % 3}) end
    local start = core.time
    work()
    lu.assertEquals(#fake.done, 30)
    lu.assertTrue(core.time - start < 6)
end

function TestRoles:test_no_room()
    local launch, calls = core.launch, 0
    function core.launch(options)
        calls = calls + 1
        if calls < 200 then core.raise('53000', 'no slot', 'raise the limit') end
        return launch(options)
    end
    local id = fake.submit('ok')
    work()
    core.launch = launch
    lu.assertEquals(fake.outcomes(), id .. 'd')
    lu.assertEquals(calls, 200)
    lu.assertTrue(#fake.warnings >= 3 and #fake.warnings <= 5)
end

-- Works until the job has ended; the time then.
local function until_done(id)
    while true do
        local due = own:step()
        if not fake.jobs[id] then return core.time end
        own:sleep(due)
    end
end

-- Where there are fewer slots than there may be lanes, these are shared all the same.
function TestRoles:test_no_room_for_another_role()
    fake.settings.workers = 8
    local launch = core.launch
    function core.launch(options)
        if #own.lanes.list >= 2 then core.raise('53000', 'no slot', 'raise the limit') end
        return launch(options)
    end
    for _ = 1, 40 do fake.submit('ok after 1') end
    while #own.lanes.list < 2 do own:sleep(own:step()) end
    local other, start = fake.submit('ok', {owner = 11}), core.time
    local took = until_done(other) - start
    work()
    core.launch = launch
    lu.assertTrue(took < 4)
    lu.assertEquals(#fake.done, 41)
end

-- That one role has all the sessions it may have keeps nobody else from getting one.
function TestRoles:test_role_with_all_its_sessions()
    fake.settings.workers = 4
    local launch = core.launch
    function core.launch(options)
        if options.user == 10 and #own.lanes.list > 0 then
            core.raise('53400', 'too many background sessions for role "joe"')
        end
        return launch(options)
    end
    for _ = 1, 10 do fake.submit('ok after 1') end
    work(4.5)
    local other, start = fake.submit('ok', {owner = 11}), core.time
    local took = until_done(other) - start
    work()
    core.launch = launch
    lu.assertEquals(took, 0)
    lu.assertEquals(#fake.done, 11)
end

function TestRoles:test_workers_per_role()
    fake.settings.workers, fake.settings.workers_per_role = 4, 3
    for _ = 1, 10 do fake.submit('ok after 1000') end
    for _ = 1, 10 do own:sleep(own:step()) end
    lu.assertEquals(#own.lanes.list, 3)
    local other, start = fake.submit('ok', {owner = 11}), core.time
    lu.assertEquals(until_done(other) - start, 0)
    fake.settings.workers_per_role = 1
    work(1100)
    lu.assertEquals(#own.lanes.list, 1)
end

-- After 1, 2, 4, 8 seconds, though nothing else happens.
function TestRoles:test_a_session_that_does_not_start_is_tried_again()
    fake.starts_fail = 4
    local id, start = fake.submit('ok'), core.time
    work()
    lu.assertEquals(fake.outcomes(), id .. 'd')
    lu.assertAlmostEquals(core.time - start, 15, 1)
    lu.assertEquals(#fake.warnings, 1)
    lu.assertEquals(own.again_at, nil)
end

function TestRoles:test_a_session_that_never_starts_costs_nothing()
    fake.starts_fail = math.huge
    fake.submit('ok')
    local rounds, limit = 0, core.time + 1000
    while core.time < limit do
        rounds = rounds + 1
        own:sleep(own:step())
    end
    lu.assertTrue(rounds < 100)
end

function TestRoles:test_held()
    fake.holds[10] = 'role "joe" is not permitted to log in'
    local id, other = fake.submit('ok'), fake.submit('ok', {owner = 11})
    work(30)
    lu.assertEquals(fake.outcomes(), other .. 'd')
    lu.assertEquals(#fake.warnings, 1)
    fake.holds[10] = nil
    work(30)
    lu.assertEquals(fake.outcomes(), other .. 'd ' .. id .. 'd')
end

-- A session of it is still there, and meets the lack of rights first.
function TestRoles:test_held_while_it_has_a_session()
    fake.submit('ok')
    work()
    fake.holds[10] = 'role "joe" has no USAGE on schema bg'
    local id = fake.submit('fail 42501')
    work(2)
    lu.assertNotNil(fake.jobs[id])
    lu.assertEquals(fake.jobs[id].attempt, 0)
    lu.assertEquals(#own.lanes.list, 0)
    fake.holds[10], fake.jobs[id].sql = nil, 'ok'
    work(60)
    lu.assertNil(fake.jobs[id])
end

os.exit(lu.LuaUnit.run())
