-- What the scheduler makes of crashes of the server.
local lu = require 'luaunit'
local core = require 'fake_core'
local fake = require 'fake_jobs'

TestCrashes = {}

local own

function TestCrashes:setUp() own = fake.reset() end

local function work() fake.work(own) end

-- Another scheduler begins; the sessions of the one before are gone.
local function begin_again()
    for number in pairs(core.sessions) do core.sessions[number] = nil end
    own = fake.start()
end

-- The server crashes, and starts again.
local function crash()
    fake.crash_time, fake.started = fake.now() + 0.1, {}
    core.time = core.time + 0.2
    begin_again()
end

-- What ran when the server crashed is suspected: it runs alone, and is given up in the end.
function TestCrashes:test_a_job_that_brings_the_server_down()
    fake.settings.workers = 4
    local poison, innocent = fake.submit('ok after 5'), {}
    for i = 1, 3 do innocent[i] = fake.submit('ok after 5') end
    local crashes = 0
    while fake.jobs[poison] do
        crashes = crashes + 1
        lu.assertTrue(crashes < 7)
        crash()
        local suspects = 0
        for _ = 1, 200 do
            own:sleep(own:step())
            local running = own.ready.jobs[poison]
            if not running or running.state == 'running' then break end
        end
        for _, job in pairs(own.ready.jobs) do
            if job.state == 'running' and job.is_suspect then suspects = suspects + 1 end
        end
        lu.assertTrue(suspects <= 1)
    end
    work()
    lu.assertEquals(crashes, 4)
    table.sort(fake.done, function(a, b) return a.id < b.id end)
    lu.assertEquals(fake.outcomes(), ('%df %dd %dd %dd'):format(poison, table.unpack(innocent)))
    lu.assertEquals(fake.done[1].error.sqlstate, '57P02')
end

-- Whoever ran at a crash is left alone for a while: crashes in quick succession are not all counted.
function TestCrashes:test_crashes_in_quick_succession()
    local id = fake.submit('ok after 0.01')
    for _ = 1, 10 do
        crash()
        own:step()
        own:step()
    end
    lu.assertEquals({fake.jobs[id].crashes, fake.started}, {1, {}})
    work()
    lu.assertEquals(fake.outcomes(), id .. 'd')
end

-- Whoever waits behind a job that takes long, and is taken back, does not run.
function TestCrashes:test_who_is_taken_back_is_not_suspected()
    fake.settings.workers = 1
    for _ = 1, 100 do fake.submit('ok after 0.001') end
    for _ = 1, 100 do fake.submit('ok after 100') end
    crash()
    local function suspects_after(seconds)
        local stop, n = fake.now() + seconds, 0
        while fake.now() < stop do own:sleep(own:step()) end
        for _ in pairs(fake.suspects) do n = n + 1 end
        return n
    end
    lu.assertEquals(suspects_after(5), 16)
    fake.settings.workers = 2
    lu.assertEquals(suspects_after(20), 2)
end

-- Only the server's crash counts, not the scheduler's.
function TestCrashes:test_a_scheduler_that_is_killed_suspects_nobody()
    local id = fake.submit('ok after 5')
    crash()
    for _ = 1, 10 do
        begin_again()
        for _ = 1, 4 do own:sleep(own:step()) end
    end
    lu.assertEquals(fake.jobs[id].crashes, 0)
    work()
    lu.assertEquals(fake.outcomes(), id .. 'd')
    lu.assertEquals(fake.suspects, {})
end

os.exit(lu.LuaUnit.run())
