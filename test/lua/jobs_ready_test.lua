-- What is known of jobs: heaps, windows, limits, keys, queues.
local lu = require 'luaunit'
require 'fake_core'
local heap = require 'bg.jobs.heap'
local ready = require 'bg.jobs.ready'
local window = require 'bg.jobs.window'

local SIZE = window.SIZE

local function job_of(id, fields)
    local job = {id = id, priority = 0, queue = 'default', owner = 10, attempt = 0}
    for name, value in pairs(fields or {}) do job[name] = value end
    return job
end

local function lane_of(owner) return {owner = owner or 10, counts = {}} end

-- The ids that run one after the other in a session.
local function drain(known, lane)
    local ids = {}
    for job in function() return known:first(lane.owner, lane) end do
        known:start(job, lane)
        known:stop(job)
        ids[#ids + 1] = job.id
    end
    return ids
end

TestHeap = {}

function TestHeap:test_comes_out_sorted()
    math.randomseed(7)
    local own, expected = heap.new(), {}
    for i = 1, 500 do
        expected[i] = i % 3 == 0 and math.random(100) or i
        own:push('item ' .. expected[i], expected[i])
        if i % 7 == 0 then
            local first = own:pop()
            own:push(first, tonumber(first:match('%d+')))
        end
        lu.assertEquals(own:size(), i)
    end
    table.sort(expected)
    lu.assertEquals(#own:add_to({'x'}), 501)
    for _, value in ipairs(expected) do
        lu.assertEquals(own:peek(), 'item ' .. value)
        lu.assertEquals(own:pop(), 'item ' .. value)
    end
    lu.assertNil(own:pop())
    lu.assertEquals({own:size(), own.items, own.ranks, own.row, own.row_ranks}, {0, {}, {}, {}, {}})
end

TestReady = {}

function TestReady:setUp() window.SIZE = 8 end
function TestReady:tearDown() window.SIZE = SIZE end

function TestReady:test_smaller_priorities_first_then_ids()
    local known = ready.new()
    known:add(job_of(3), 0)
    known:add(job_of(1, {priority = 1}), 0)
    known:add(job_of(2), 0)
    known:add(job_of(4, {priority = -1}), 0)
    known:add(job_of(4), 0) -- is known
    lu.assertEquals(drain(known, lane_of()), {4, 2, 3, 1})
    lu.assertEquals(known.jobs, {})
    lu.assertEquals(known.queues, {})
end

function TestReady:test_time()
    local known = ready.new()
    known:add(job_of(1, {run_at = 20}), 10)
    known:add(job_of(2, {run_at = 15, owner = 11}), 10)
    known:add(job_of(3, {run_at = 10}), 10)
    lu.assertEquals(known:wake(10), 15)
    lu.assertEquals(drain(known, lane_of()), {3})
    lu.assertEquals(known:wake(16), 20)
    lu.assertEquals(known:owners(), {11})
    lu.assertNil(known:wake(20))
    lu.assertEquals(known:owners(), {10, 11})
end

function TestReady:test_window_keeps_the_first()
    local known = ready.new()
    for id = 40, 1, -1 do known:add(job_of(id, {run_at = id == 38 and 5 or nil}), 10) end
    local own = known:window('default', 10)
    lu.assertTrue(own.more)
    lu.assertTrue(own.n < 16)
    lu.assertEquals(known.due, {38}) -- it has to be marked, to be found with those that are ready
    local bound = own.bound.id
    known:add(job_of(100), 10) -- behind it
    lu.assertNil(known.jobs[100])
    local ids = drain(known, lane_of())
    lu.assertEquals(ids[1], 1)
    lu.assertEquals(#ids, bound)
    lu.assertEquals(own:room(), 8)
    -- The rest is read from the table.
    for id = bound + 1, bound + 8 do known:add_again(job_of(id)) end
    own:refilled(job_of(bound + 8), false)
    known:add(job_of(bound + 9), 10)
    known:add(job_of(0), 10)
    lu.assertEquals(drain(known, lane_of()), {0, table.unpack((function()
        local list = {}
        for id = bound + 1, bound + 8 do list[#list + 1] = id end
        return list
    end)())})
    own:refilled(nil, true)
    known:add(job_of(bound + 9), 10)
    lu.assertEquals(drain(known, lane_of()), {bound + 9})
    lu.assertEquals(known.queues, {})
end

-- Of each owner the first jobs are known, however many another one has, and with whatever priority.
function TestReady:test_windows_of_owners()
    local known = ready.new()
    for id = 1, 100 do known:add(job_of(id, {priority = -1}), 0) end
    known:add(job_of(101, {owner = 11}), 0)
    lu.assertNil(known.jobs[100])
    lu.assertEquals(known:owners(), {10, 11})
    lu.assertEquals(drain(known, lane_of(11)), {101})
    lu.assertNil(known.queues.default.windows[11])
end

function TestReady:test_times_have_a_window_too()
    local known = ready.new()
    for id = 1, 100 do known:add(job_of(id, {run_at = 1000 - id}), 10) end
    lu.assertTrue(known.later.more)
    lu.assertEquals(known.due, {})
    lu.assertEquals(known:wake(10), 900)
    lu.assertEquals(known.later:first().id, 100)
end

function TestReady:test_what_was_replaced_does_not_gather()
    local known = ready.new()
    for id = 1, 10000 do
        known:add(job_of(id, {run_at = 1000}), 10)
        if id > 1 then known:remove(known.jobs[id - 1]) end
    end
    lu.assertEquals(known.later.n, 1)
    lu.assertTrue(known.later.heap:size() < 1100)
    lu.assertNil(known:wake(1000))
    lu.assertEquals(drain(known, lane_of()), {10000})
end

function TestReady:test_one_of_a_key_at_a_time()
    local known, lane, other = ready.new(), lane_of(), lane_of(11)
    known:add(job_of(1, {key = 'k'}), 0)
    local first = known:first(10, lane)
    known:start(first, lane)
    known:add(job_of(2, {key = 'k'}), 0)
    known:add(job_of(3, {key = 'k', owner = 11}), 0) -- of somebody else
    lu.assertNil(known:first(10, lane))
    lu.assertEquals(known.jobs[2].state, 'parked')
    lu.assertEquals(known:first(11, other).id, 3)
    known:stop(first)
    lu.assertEquals(known:first(10, lane).id, 2)
    lu.assertEquals(drain(known, lane), {2})
    lu.assertEquals(drain(known, other), {3})
    lu.assertEquals(known.gates, {})
end

function TestReady:test_limits()
    local known, lane = ready.new(), lane_of()
    for id = 1, 5 do known:add(job_of(id, {limit_key = 'api', limit_n = 2}), 0) end
    known:add(job_of(6), 0)
    local running = {}
    for i = 1, 3 do
        running[i] = known:first(10, lane)
        known:start(running[i], lane)
    end
    lu.assertEquals({running[1].id, running[2].id, running[3].id}, {1, 2, 6})
    lu.assertNil(known:first(10, lane))
    known:stop(running[3])
    lu.assertNil(known:first(10, lane))
    known:stop(running[2])
    lu.assertEquals(known:first(10, lane).id, 3)
    known:remove(known.jobs[3]) -- cancelled, the next one has its place
    lu.assertEquals(known:first(10, lane).id, 4)
    known:stop(running[1])
    lu.assertEquals(drain(known, lane), {4, 5})
    lu.assertEquals(known.gates, {})
end

function TestReady:test_parked_ones_that_were_left_come_again()
    local most = ready.MOST_PARKED
    ready.MOST_PARKED = 2
    window.SIZE = 100
    local known, lane = ready.new(), lane_of()
    for id = 1, 10 do known:add(job_of(id, {limit_key = 'api', limit_n = 1, run_at = id == 9 and 1 or nil}), 5) end
    local first = known:first(10, lane)
    known:start(first, lane)
    lu.assertNil(known:first(10, lane))
    lu.assertEquals(known.due, {9})
    known:stop(first)
    lu.assertEquals(drain(known, lane), {2, 3})
    lu.assertEquals(known.again, {{queue = 'default', owner = 10, limit_key = 'api'}})
    ready.MOST_PARKED = most
end

function TestReady:test_a_slot_is_not_lost_in_a_paused_queue()
    local known, lane = ready.new(), lane_of()
    for id = 1, 3 do
        known:add(job_of(id, {limit_key = 'api', limit_n = 1, queue = id == 2 and 'slow' or 'default'}), 0)
    end
    local first = known:first(10, lane)
    known:start(first, lane)
    lu.assertNil(known:first(10, lane))
    known:set_queues{{name = 'slow', paused = true}}
    known:stop(first)
    known:unpark()
    lu.assertEquals(known:first(10, lane).id, 3)
end

function TestReady:test_workers_of_a_queue()
    local known, one, two = ready.new(), lane_of(), lane_of()
    known:set_queues{{name = 'q', workers = 1}}
    for id = 1, 3 do known:add(job_of(id, {queue = 'q'}), 0) end
    known:add(job_of(4), 0)
    local first = known:first(10, one)
    known:start(first, one)
    lu.assertEquals(known:first(10, one).id, 2) -- behind the other in the same session
    lu.assertEquals(known:first(10, two).id, 4)
    lu.assertEquals(known:first(10).id, 4)
    known:stop(first)
    lu.assertEquals(known:first(10, two).id, 2)
    known:set_queues{{name = 'q', workers = 1, paused = true}}
    lu.assertEquals(known:first(10, two).id, 4)
    lu.assertEquals(drain(known, two), {4})
    lu.assertEquals(known:owners(), {})
    known:set_queues{{name = 'q', workers = 1}}
    lu.assertEquals(drain(known, two), {2, 3})
end

function TestReady:test_hold()
    local known, lane = ready.new(), lane_of()
    known:add(job_of(1), 0)
    local first = known:first(10, lane)
    known:start(first, lane)
    known:add(job_of(2), 0)
    known:add(job_of(3, {run_at = 9}), 0)
    known:add(job_of(4, {owner = 11}), 0)
    known:hold(10, 'no role')
    known:add(job_of(5), 0)
    lu.assertEquals(known:owners(), {11})
    lu.assertEquals(known:wake(100), nil)
    known:stop(first)
    lu.assertEquals(drain(known, lane), {})
    known:let_go(10)
    known:add(job_of(2), 0)
    lu.assertEquals(drain(known, lane), {2})
end

local function is_before(a, b)
    if a.priority ~= b.priority then return a.priority < b.priority end
    return a.id < b.id
end

-- What the scheduler does with the table, on `rows`, by id.
local function read_more(known, rows)
    for own in pairs(known.behind) do
        local room, bound, list = own:room(), own.bound, {}
        for _, row in pairs(room > 0 and rows or {}) do
            local is_own = row.queue == own.queue and row.owner == own.owner
            if is_own and is_before(bound, row) then list[#list + 1] = row end
        end
        table.sort(list, is_before)
        for i = 1, math.min(room, #list) do known:add_again(job_of(list[i].id, list[i])) end
        if room > 0 then own:refilled(list[math.min(room, #list)], #list <= room) end
        if not own.more then known.behind[own] = nil end
    end
    for _, what in ipairs(known.again) do
        for _, row in pairs(rows) do
            if row.queue == what.queue and row.owner == what.owner and row.limit_key == what.limit_key then
                known:add_again(job_of(row.id, row))
            end
        end
    end
    known.again = {}
end

local function random_rows()
    math.randomseed(11)
    local rows = {}
    for id = 1, 10000 do
        local limit = math.random(4)
        rows[id] = {id = id, priority = math.random(3), queue = 'q' .. math.random(3), owner = 9 + math.random(2),
            limit_key = limit < 4 and 'l' .. limit or nil, limit_n = limit < 4 and limit or nil,
            key = math.random(4) == 1 and 'k' .. id or nil}
    end
    return rows
end

-- 10,000 jobs in four sessions of two owners, in a table that is larger than the window: no limit is exceeded, and
-- each job runs once.
function TestReady:test_many()
    window.SIZE = 100
    local known, rows, highest = ready.new(), random_rows(), {}
    local lanes, running = {lane_of(10), lane_of(10), lane_of(11), lane_of(11)}, {}
    local left = #rows
    for id = 1, left do known:add(job_of(id, rows[id]), 1) end
    while left > 0 do
        for _, lane in ipairs(lanes) do
            local job = math.random(2) == 1 and known:first(lane.owner, lane)
            if job then
                known:start(job, lane)
                running[#running + 1] = job
                for _, own in ipairs(job.gates or {}) do
                    local inside = known.gates[own.id].running
                    highest[own.id] = math.max(highest[own.id] or 0, inside)
                    lu.assertTrue(inside <= own.most)
                end
            end
        end
        for _ = 1, math.random(0, math.min(4, #running)) do
            local job = table.remove(running, math.random(#running))
            lu.assertNotNil(rows[job.id])
            rows[job.id], left = nil, left - 1
            known:stop(job)
        end
        read_more(known, rows)
        if #running == 0 then known:unpark() end
    end
    lu.assertEquals(highest['limit 10 l2'], 2)
    lu.assertEquals({known.jobs, known.gates}, {{}, {}})
end

function TestReady:test_many_queues()
    window.SIZE = SIZE
    local known, lane = ready.new(), lane_of()
    for id = 1, 20000 do known:add(job_of(id, {queue = 'q' .. id % 10000, priority = -(id % 7)}), 0) end
    local ids = drain(known, lane)
    lu.assertEquals(#ids, 20000)
    for i = 2, #ids do
        local a, b = -(ids[i - 1] % 7), -(ids[i] % 7)
        lu.assertTrue(a < b or a == b and ids[i - 1] < ids[i])
    end
    lu.assertEquals({known.queues, known.heads}, {{}, {}})
end

function TestReady:test_speed()
    window.SIZE = SIZE
    local known, lane = ready.new(), lane_of()
    for id = 1, 100000 do
        known:add(job_of(id), 0)
        if id % 10 == 0 then drain(known, lane) end
    end
    lu.assertEquals(known.jobs, {})
end

os.exit(lu.LuaUnit.run())
