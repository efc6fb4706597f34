-- bg.retry, against the fake primitives.
local lu = require 'luaunit'
local core = require 'fake_core'
local bg = require 'bg'

TestRetry = {}

function TestRetry:setUp()
    for number in pairs(core.sessions) do core.sessions[number] = nil end
    core.time = 0
end

-- A function that raises these one after the other, then returns its argument; and how often it was called.
local function failing(...)
    local errors, calls = table.pack(...), {n = 0}
    return function(attempt)
        calls.n = calls.n + 1
        local err = errors[calls.n]
        if type(err) == 'string' and #err == 5 then core.raise(err, 'no') end
        if err ~= nil then error(err, 0) end
        return attempt, nil, 'more', nil
    end, calls
end

-- How often it is called that raises `err`, and the error that comes out of it.
local function calls_of(err, options)
    local fn, calls = failing(err, err, err, err, err)
    local ok, out = pcall(bg.retry, fn, options)
    lu.assertFalse(ok)
    return calls.n, out
end

function TestRetry:test_returns_what_the_function_returns()
    lu.assertEquals(table.pack(bg.retry((failing()))), {1, nil, 'more', nil, n = 4})
    lu.assertEquals((bg.retry((failing('40001', '40P01')))), 3)
    lu.assertEquals((bg.retry((failing('08006', '53300', '55P03', '57P01')), {attempts = 5})), 5)
end

function TestRetry:test_the_last_error_is_raised_with_its_attempt()
    local calls, err = calls_of('40001')
    lu.assertEquals({calls, err.sqlstate, err.message, err.context}, {3, '40001', 'no', 'attempt 3 of bg.retry'})
    calls, err = calls_of('22012')
    lu.assertEquals({calls, err.sqlstate, err.context}, {1, '22012', 'attempt 1 of bg.retry'})
    lu.assertEquals((calls_of('40001', {attempts = 1})), 1)
    lu.assertEquals(core.time < 1, true)
end

function TestRetry:test_which_errors()
    for _, err in ipairs{'22012', '42601', 'a text', 1, false, {}} do lu.assertEquals((calls_of(err)), 1) end
    lu.assertEquals((calls_of('23505', {on = {'23505'}})), 3)
    lu.assertEquals((calls_of('23505', {on = {'40001', '23'}})), 3)
    lu.assertEquals((calls_of('40001', {on = {'23505'}})), 1)
    lu.assertEquals((calls_of('40001', {on = {}})), 1)
    local seen = {}
    lu.assertEquals((calls_of('a text', {on = function(err) seen[#seen + 1] = err return #seen < 2 end})), 2)
    lu.assertEquals(seen, {'a text', 'a text'})
    local _, err = calls_of('40001', {on = function() error('of the condition', 0) end})
    lu.assertEquals(err, 'of the condition')
end

function TestRetry:test_a_cancel_is_never_tried_again()
    local function always() return true end
    for _, on in ipairs{{'57'}, always} do lu.assertEquals((calls_of('57014', {on = on})), 1) end
    lu.assertEquals((calls_of('57P01', {on = {'57'}})), 3)
    local ok, err = pcall(bg.retry, always, {on = {'57014'}})
    lu.assertEquals({ok, err.sqlstate}, {false, '22023'})
end

-- The pauses after each of four attempts.
local function pauses(backoff)
    local list, before = {}, core.time
    pcall(bg.retry, function(attempt)
        if attempt > 1 then list[#list + 1] = core.time - before end
        before = core.time
        core.raise('40001', 'again')
    end, {attempts = 10, backoff = backoff})
    return list
end

function TestRetry:test_pauses()
    lu.assertEquals(pauses(2), {2, 2, 2, 2, 2, 2, 2, 2, 2})
    lu.assertEquals(pauses(0)[9], 0)
    lu.assertAlmostEquals(pauses('linear')[9], 0.45, 1e-9)
    lu.assertEquals(pauses(function(attempt) return attempt * 10.0 end), {10, 20, 30, 40, 50, 60, 70, 80, 90})
    for _, kind in ipairs{'exp', false} do
        for i, pause in ipairs(pauses(kind or nil)) do
            local middle = math.min(0.05 * 2 ^ (i - 1), 5)
            lu.assertTrue(pause >= 0.87 * middle - 1e-9 and pause <= 1.13 * middle + 1e-9)
        end
    end
    local ok, err = pcall(bg.retry, (failing('40001')), {backoff = function() return 'soon' end})
    lu.assertEquals({ok, err.sqlstate}, {false, '22023'})
end

function TestRetry:test_other_tasks_run_meanwhile()
    local s = bg.launch()
    local order = {}
    bg.scope(function(sc)
        sc:go(function()
            bg.retry(function(attempt)
                s:exec('ok 1 after 1')
                order[#order + 1] = 'attempt ' .. attempt .. ' ends at ' .. bg.now()
                if attempt < 2 then core.raise('40001', 'again') end
            end, {backoff = 2})
        end)
        sc:go(function()
            for _ = 1, 2 do
                bg.sleep(1.5)
                order[#order + 1] = 'other at ' .. bg.now()
            end
        end)
    end)
    lu.assertEquals(order, {'attempt 1 ends at 1.0', 'other at 1.5', 'other at 3.0', 'attempt 2 ends at 4.0'})
end

function TestRetry:test_a_task_that_is_cancelled_does_not_try_again()
    local calls = 0
    bg.scope(function(sc)
        local t = sc:go(function()
            bg.retry(function()
                calls = calls + 1
                bg.sleep(10)
            end, {on = function() return true end})
        end)
        bg.sleep(1)
        t:cancel()
    end)
    lu.assertEquals({calls, core.time}, {1, 1})
    lu.assertEquals({bg.scope(function()
        bg.retry(function() core.raise('40001', 'again') end, {attempts = 100, backoff = 1})
    end, {timeout = 5.5})}, {nil, 'timeout'})
    lu.assertEquals(core.time, 6.5)
end

function TestRetry:test_misuse()
    local function state(...)
        local ok, err = pcall(bg.retry, ...)
        lu.assertFalse(ok)
        return err.sqlstate
    end
    local fn = failing()
    for _, options in ipairs{{attempts = 0}, {attempts = 'x'}, {backoff = 'fast'}, {backoff = -1}, {on = '40001'},
        {on = {'4000'}}, {on = {40001}}, {on = {'4000x'}}, {tries = 3}, 5} do
        lu.assertEquals(state(fn, options), '22023')
    end
    lu.assertEquals(state(nil), '22023')
    lu.assertEquals(state('select 1'), '22023')
end

os.exit(lu.LuaUnit.run())
