-- What one role submits in great number keeps the scheduler from nothing: against tables in memory.
local lu = require 'luaunit'
require 'fake_core'
local fake = require 'fake_jobs'
local learning = require 'bg.jobs.learning'
local parents = require 'bg.jobs.parents'
local ready = require 'bg.jobs.ready'

TestMany = {}

local own

function TestMany:setUp() own = fake.reset() end

local function work(seconds) fake.work(own, seconds) end

-- Whoever has submitted very many of one key keeps nobody waiting: they are sorted out some at a time.
function TestMany:test_many_of_one_key()
    local store, most, largest = fake.store, learning.MOST_OF_KEYS, 0
    local read, bury = store.jobs_of_keys, store.bury
    function store.jobs_of_keys(...)
        local rows = read(...)
        largest = math.max(largest, #rows)
        return rows
    end
    function store.bury(records)
        lu.assertTrue(#records < 10)
        bury(records)
    end
    learning.MOST_OF_KEYS = 5
    for mode, stays in pairs{r = 50, k = 1} do
        own = fake.reset()
        local ids = {}
        for i = 1, 50 do ids[i] = fake.submit('ok', {key = 'k', key_mode = mode, run_at = fake.now() + 5}) end
        work()
        lu.assertEquals(fake.started, {ids[stays]})
        lu.assertEquals(#fake.done, 50)
    end
    lu.assertEquals(largest, 5)
    learning.MOST_OF_KEYS, store.jobs_of_keys, store.bury = most, read, bury
end

-- However many jobs a role has, in however many queues, memory has room for others, and each runs once.
function TestMany:test_many_in_many_queues()
    local most = ready.MOST_KNOWN
    ready.MOST_KNOWN = 50
    for i = 1, 100 do fake.submit('ok', {queue = 'q' .. i, run_at = i % 3 == 0 and fake.now() + i or nil}) end
    local other = fake.submit('ok after 1', {owner = 11})
    own:sleep(own:step())
    lu.assertTrue(own.ready.n <= 51)
    lu.assertNotNil(own.ready.jobs[other])
    work()
    table.sort(fake.started)
    for i, id in ipairs(fake.started) do lu.assertEquals(id, other - 101 + i) end
    lu.assertEquals({#fake.started, own.ready.shares.crowded, own.ready.shares.weights}, {101, {}, {}})
    ready.MOST_KNOWN = most
end

function TestMany:test_many_after_others()
    local most = parents.MOST_KNOWN
    parents.MOST_KNOWN = 30
    local first, second = fake.submit('ok after 5'), fake.submit('ok after 9')
    for _ = 1, 100 do fake.submit('ok', {after = {first, second}}) end
    fake.submit('ok', {owner = 11, after = {first}})
    own:sleep(own:step())
    own:sleep(own:step())
    lu.assertTrue(own.parents.shares.weights[10] <= 90)
    lu.assertEquals({own.parents.shares.crowded, own.parents.shares.weights[11]}, {{[10] = true}, 2})
    work()
    lu.assertEquals(#fake.started, 103)
    lu.assertEquals({own.parents.shares.crowded, own.parents.shares.weights, own.parents.owners}, {{}, {}, {}})
    parents.MOST_KNOWN = most
end

os.exit(lu.LuaUnit.run())
