-- Tasks that launch sessions where there are not slots enough, against the fake primitives.
local lu = require 'luaunit'
local core = require 'fake_core'
local bg = require 'bg'

TestLaunchLine = {}

local launch = core.launch
local slots, refused, longest

local function count_sessions()
    local n = 0
    for _ in pairs(core.sessions) do n = n + 1 end
    return n
end

function TestLaunchLine:setUp()
    for number in pairs(core.sessions) do core.sessions[number] = nil end
    core.time, slots, refused, longest = 0, 3, 0, 0
    function core.launch(how)
        if count_sessions() < slots then return launch(how) end
        local blocked = how.wait or core.launch_wait()
        longest = math.max(longest, blocked)
        core.time = core.time + blocked
        if how.asks_again then return nil end
        refused = refused + 1
        core.raise('53000', 'no slot')
    end
end

function TestLaunchLine:tearDown()
    core.launch = launch
end

-- A task that has a session for a second, and notes when it had it.
local function work(order, i, options)
    local s <close> = bg.launch(options)
    order[#order + 1] = i
    bg.sleep(1)
    return s
end

function TestLaunchLine:test_tasks_take_turns()
    local order = {}
    bg.scope(function(sc)
        for i = 1, 10 do sc:go(work, order, i) end
    end)
    lu.assertEquals(order, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    lu.assertEquals(refused, 0)
    lu.assertTrue(longest < 0.05, 'the others run meanwhile')
    lu.assertTrue(core.time < 4.3, core.time)
    lu.assertEquals(count_sessions(), 0)
end

function TestLaunchLine:test_a_launch_outside_tasks_waits_at_once()
    slots = 0
    local ok, err = pcall(bg.launch)
    lu.assertFalse(ok)
    lu.assertEquals({err.sqlstate, core.time, longest}, {'53000', 5, 5})
end

function TestLaunchLine:test_each_waits_as_long_as_it_would_alone()
    slots = 0
    local ended = {}
    bg.scope(function(sc)
        for i, limit in ipairs{3, 1, 0, 2, false} do
            sc:go(function()
                local ok, err = pcall(bg.launch, {wait = limit or nil})
                ended[#ended + 1] = {i, not ok and err.sqlstate, math.floor(core.time * 10 + 0.5) / 10}
            end)
        end
    end)
    lu.assertEquals(ended,
        {{3, '53000', 0.0}, {2, '53000', 1.0}, {4, '53000', 2.0}, {1, '53000', 3.0}, {5, '53000', 5.0}})
    lu.assertEquals(refused, 5)
end

function TestLaunchLine:test_who_is_cancelled_leaves_the_line()
    local order = {}
    bg.scope(function(sc)
        slots = 1
        local tasks = {}
        for i = 1, 5 do tasks[i] = sc:go(work, order, i) end
        bg.sleep(0.5)
        tasks[2]:cancel() -- the first in the line
        tasks[4]:cancel() -- in its middle
    end)
    lu.assertEquals(order, {1, 3, 5})
    lu.assertTrue(core.time < 3.2, core.time)
end

function TestLaunchLine:test_another_error_ends_the_wait()
    slots = 0
    local asked = core.launch
    function core.launch(how)
        if core.time > 0.5 then core.raise('42501', 'no right any more') end
        return asked(how)
    end
    local ok, err = pcall(bg.scope, function(sc)
        for i = 1, 3 do sc:go(work, {}, i) end
    end)
    lu.assertFalse(ok)
    lu.assertEquals(err.sqlstate, '42501')
    core.launch, slots = asked, 1
    local order = {}
    bg.scope(function(sc) sc:go(work, order, 'next') end)
    lu.assertEquals(order, {'next'})
end

function TestLaunchLine:test_a_map_begins_with_the_session_there_is()
    slots = 1
    local values
    bg.scope(function(sc)
        sc:go(work, {}, 1)
        sc:go(function()
            values = bg.map({1, 2, 3, 4}, function(s, item) return item * s:exec('one').n end, {workers = 4})
        end)
    end)
    lu.assertEquals(values, {1, 2, 3, 4, n = 4})
    lu.assertEquals(refused, 0)
    lu.assertTrue(core.time < 1.5, core.time)
    lu.assertEquals(count_sessions(), 0)
end

os.exit(lu.LuaUnit.run())
