-- Scopes, bg.map and bg.each against the fake primitives.
local lu = require 'luaunit'
local core = require 'fake_core'
local bg = require 'bg'

TestScope = {}

function TestScope:setUp()
    for number in pairs(core.sessions) do core.sessions[number] = nil end
    core.time, core.log = 0, {}
end

function TestScope:test_tasks_wait_at_the_same_time()
    local a, b = bg.launch(), bg.launch()
    local sum, order = bg.scope(function(sc)
        local order = {}
        local x = sc:go(function()
            local v = a:exec('ok 1 after 3').value
            order[#order + 1] = 'x'
            return tonumber(v)
        end)
        local y = sc:go(function(script)
            local v = b:exec(script).value
            order[#order + 1] = 'y'
            return tonumber(v)
        end, 'ok 2 after 2')
        return x:get() + y:get(), order
    end)
    lu.assertEquals(sum, 3)
    lu.assertEquals(order, {'y', 'x'})
    lu.assertEquals(core.time, 3)
end

function TestScope:test_many_tasks_share_a_session()
    local a = bg.launch()
    local order = {}
    bg.scope(function(sc)
        for i = 1, 50 do
            sc:go(function() order[i] = tonumber(a:exec('ok ' .. i .. ' after 1').value) end)
        end
    end)
    for i = 1, 50 do lu.assertEquals(order[i], i) end
    lu.assertEquals(core.time, 50)
end

function TestScope:test_error_cancels_the_rest()
    local a, b = bg.launch(), bg.launch()
    local slow
    local ok, err = pcall(bg.scope, function(sc)
        slow = sc:go(function() a:exec('ok 1 after 100') end)
        sc:go(function() b:exec('fail early after 1') end)
    end)
    lu.assertFalse(ok)
    lu.assertEquals(err.message, 'early')
    lu.assertEquals(core.time, 1)
    lu.assertEquals({slow:try()}, {nil, 'cancelled'})
    lu.assertFalse(core.status(a).state == 'gone')
end

function TestScope:test_timeout()
    local a = bg.launch()
    lu.assertEquals({bg.scope(function() a:exec('ok 1 after 100') end, {timeout = 5})}, {nil, 'timeout'})
    lu.assertEquals(core.time, 5)
end

function TestScope:test_limit()
    local now, most = 0, 0
    bg.scope(function(sc)
        for _ = 1, 6 do
            sc:go(function()
                now = now + 1
                most = math.max(most, now)
                bg.sleep(1)
                now = now - 1
            end)
        end
    end, {limit = 2})
    lu.assertEquals(most, 2)
    lu.assertEquals(core.time, 3)
end

function TestScope:test_waits_know_a_scheduler_only_while_a_scope_is_open()
    bg.scope(function()
        bg.scope(function() lu.assertNotNil(core.cooperative) end)
        lu.assertNotNil(core.cooperative)
    end)
    lu.assertNil(core.cooperative)
    pcall(bg.scope, error)
    lu.assertNil(core.cooperative)
end

function TestScope:test_tasks_that_wait_for_each_other()
    local ok, err = pcall(bg.scope, function(sc)
        local a, b
        a = sc:go(function() b:get() end)
        b = sc:go(function() a:get() end)
    end)
    lu.assertFalse(ok)
    lu.assertEquals(err.sqlstate, '40P01')
end

function TestScope:test_the_command_that_a_cancelled_task_waits_for_is_cancelled()
    local s = bg.launch()
    local slow = s:run('ok 1 after 100')
    bg.scope(function(sc)
        local t = sc:go(function() slow:get() end)
        bg.sleep(1)
        t:cancel()
    end)
    lu.assertEquals({slow:done(), select(2, slow:try()).sqlstate}, {true, '57014'})
end

TestMap = {setUp = TestScope.setUp}

local function values(results)
    local list = {}
    for i = 1, results.n do list[i] = results[i] and results[i].value end
    return list
end

function TestMap:test_statement()
    local items = {1, 2, 3, 4, 5}
    local r = bg.map(items, 'ok done after 1', {workers = 2})
    lu.assertEquals(values(r), {'done', 'done', 'done', 'done', 'done'})
    lu.assertEquals(core.time, 4) -- to prepare it takes as long here
    lu.assertEquals(#bg.sessions(), 0)
end

function TestMap:test_long_items_are_spread()
    bg.map({1, 2, 3}, 'ok x after 10', {workers = 3})
    lu.assertEquals(core.time, 20)
end

function TestMap:test_errors_and_retry()
    local ok, err = pcall(bg.map, {1, 2}, 'fail always')
    lu.assertFalse(ok)
    lu.assertEquals(err.context, 'item 1 (1) of bg.map')
    local r, e = bg.map({1, 2}, 'fail always', {errors = 'collect'})
    lu.assertEquals({r.n, e.n, e[2].message}, {2, 2, 'always'})
    local tries = 0
    r = bg.map({1}, function()
        tries = tries + 1
        if tries < 3 then core.raise('40001', 'again') end
        return tries
    end, {retry = 2})
    lu.assertEquals(r[1], 3)
    tries = 0
    lu.assertFalse((pcall(bg.map, {1}, function() tries = tries + 1 core.raise('22012', 'no') end, {retry = 2})))
    lu.assertEquals(tries, 1)
end

function TestMap:test_each_takes_no_more_than_it_needs()
    local taken = 0
    local function endless() taken = taken + 1 return taken end
    for _, item in bg.each(endless, function(s) return s:exec('ok 1 after 1') end, {workers = 2}) do
        if item >= 4 then break end
    end
    lu.assertTrue(taken <= 7)
    lu.assertEquals(#bg.sessions(), 0)
end

-- Neither work that never waits nor sessions that answer at once run ahead of the loop, or alone.
function TestMap:test_each_takes_no_more_than_it_needs_when_nothing_has_to_be_waited_for()
    for _, work in ipairs{function(_, item) return item end, function(s) return s:exec('ok 1') end} do
        local taken, seen, most = 0, 0, 0
        local function endless() taken = taken + 1 return taken end
        for _ in bg.each(endless, work, {workers = 2}) do
            seen = seen + 1
            lu.assertTrue(taken <= seen + 1)
            most = math.max(most, #bg.sessions())
            if seen == 10 then break end
        end
        lu.assertEquals(most, 2)
    end
end

-- The lines that are printed while fn runs.
local function printed(fn)
    local lines, before = {}, print
    print = function(line) lines[#lines + 1] = line end -- luacheck: ignore 121
    local ok, err = pcall(fn)
    print = before -- luacheck: ignore 121
    assert(ok, err)
    return lines
end

function TestScope:test_progress_is_told_once_a_second_and_at_the_end()
    local items = {}
    for i = 1, 10 do items[i] = i end
    local lines = printed(function() bg.map(items, 'ok x after 0.4', {workers = 1, progress = true}) end)
    lu.assertEquals(#lines, 4)
    lu.assertEquals(lines[1], 'bg.map: [####................] 2 of 10, 1.7/s, 5 s left')
    lu.assertEquals(lines[3], 'bg.map: [################....] 8 of 10, 2.2/s, 1 s left')
    lu.assertEquals(lines[4], 'bg.map: [####################] 10 of 10, 2.3/s, 4 s')
    lines = printed(function()
        for _ in bg.each(coroutine.wrap(function()
            for i = 1, 3 do coroutine.yield(i) end
        end), 'ok x after 60', {workers = 1, progress = true, name = 'index builds'}) do end
    end)
    lu.assertEquals(lines, {'index builds: 1 done, 2:00 min each, 2:00 min',
        'index builds: 2 done, 1:30 min each, 3:00 min', 'index builds: 3 done, 1:20 min each, 4:00 min',
        'index builds: 3 done, 1:20 min each, 4:00 min'})
    local left = 2
    local counted = setmetatable({n = 2}, {__call = function()
        left = left - 1
        return left >= 0 and left or nil
    end})
    lu.assertEquals(printed(function() bg.map(counted, 'ok x after 1', {workers = 1, progress = true}) end)[1],
        'bg.map: [##########..........] 1 of 2, 0.5/s, 2 s left')
    lu.assertEquals(printed(function() bg.map({}, 'ok x', {progress = true}) end),
        {'bg.map: [####################] 0 of 0, 0 s'})
    lines = printed(function()
        local results, why = bg.map({1, 2}, 'ok x after 5', {timeout = 11, workers = 1, progress = true})
        lu.assertEquals({results == nil, why}, {true, 'timeout'})
    end)
    lu.assertEquals(#lines, 1)
end

function TestScope:test_an_error_names_its_item()
    local function context(item)
        local _, errors = bg.map({item}, function() core.raise('22012', 'no') end, {errors = 'collect'})
        return errors[1].context
    end
    lu.assertEquals(context('a text'), 'item 1 (a text) of bg.map')
    lu.assertEquals(context(string.rep('é', 30)), 'item 1 (' .. string.rep('é', 18) .. '...) of bg.map')
    lu.assertEquals(context({lo = 1, hi = 5}), 'item 1 (hi = 5, lo = 1) of bg.map')
    lu.assertEquals(context({{}}), 'item 1 of bg.map')
    lu.assertEquals(context(print), 'item 1 of bg.map')
    lu.assertEquals(context(setmetatable({}, {__tostring = error})), 'item 1 of bg.map')
end

os.exit(lu.LuaUnit.run())
