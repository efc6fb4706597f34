-- All orders in which few things can end that somebody waits for together: with bg.all, bg.any, bg.wait, bg.settled and
-- bg.completed, bg.map and bg.retry; each choice of those that fail, a timeout or a cancel at each moment between. What
-- comes out is compared with a model that knows nothing of how it is done. Scopes and channels: interleavings_test.lua.
local lu = require 'luaunit'
local core = require 'fake_core'
local bg = require 'bg'
local permutations = require 'permutations'

-- Calls fn(set) for each choice of those of 1..n that fail.
local function choices(n, fn)
    for choice = 0, 2 ^ n - 1 do
        local fails = {}
        for i = 1, n do fails[i] = choice & 1 << i - 1 ~= 0 end
        fn(fails)
    end
end

-- The members of a plan {times =, fails =, cancelled =, cancel_at =} in the order in which they end: {i =, at =, ok =}.
local function ends_of(plan)
    local list = {}
    for i, at in ipairs(plan.times) do
        local cancelled = plan.cancelled == i and plan.cancel_at < at
        list[i] = {i = i, at = cancelled and plan.cancel_at or at, ok = not cancelled and not plan.fails[i],
            text = cancelled and 'canceled' or tostring(i)}
    end
    table.sort(list, function(a, b) return a.at < b.at end)
    return list
end

-- What each is to give, as text, and when.
local MODELS = {}

function MODELS.all(ends, timeout)
    local values = {}
    for _, one in ipairs(ends) do
        if one.at > timeout then return 'nil timeout', timeout end
        if not one.ok then return 'error ' .. one.text, one.at end
        values[one.i] = one.text
    end
    return table.concat(values, ' '), ends[#ends].at
end

function MODELS.any(ends, timeout)
    for _, one in ipairs(ends) do
        if one.at > timeout then return 'nil timeout', timeout end
        if one.ok then return one.text .. ' ' .. one.i, one.at end
    end
    return 'error ' .. ends[1].text, ends[#ends].at
end

function MODELS.wait(ends, timeout)
    if ends[1].at > timeout then return 'nil timeout', timeout end
    return 'first ' .. ends[1].i, ends[1].at
end

function MODELS.settled(ends, timeout)
    local list, at = {}, 0
    for _, one in ipairs(ends) do
        list[one.i] = one.at > timeout and 'timeout' or (one.ok and 'ok ' or 'error ') .. one.text
        at = math.min(timeout, one.at)
    end
    return table.concat(list, ', '), at
end

function MODELS.completed(ends, timeout)
    local list, at = {}, 0
    for _, one in ipairs(ends) do
        at = math.min(timeout, one.at)
        if one.at <= timeout then list[#list + 1] = (one.ok and 'ok ' or 'error ') .. one.text end
    end
    return table.concat(list, ', '), at
end

-- The same, done.
local CALLS = {}

local function text_of(err) return type(err) == 'table' and err.message or tostring(err) end

function CALLS.all(list, timeout)
    local ok, results, why = pcall(bg.all, list, timeout)
    if not ok then return 'error ' .. text_of(results) end
    if not results then return 'nil ' .. why end
    local values = {}
    for i = 1, results.n do values[i] = results[i].value end
    return table.concat(values, ' ')
end

function CALLS.any(list, timeout)
    local ok, result, why = pcall(bg.any, list, timeout)
    if not ok then return 'error ' .. text_of(result) end
    if not result then return 'nil ' .. why end
    return result.value .. ' ' .. why
end

function CALLS.wait(list, timeout)
    local first, why = bg.wait(list, timeout)
    if not first then return 'nil ' .. why end
    assert(list[why] == first)
    return 'first ' .. why
end

function CALLS.settled(list, timeout)
    local texts = {}
    for i, one in ipairs(bg.settled(list, timeout)) do
        texts[i] = one.ok and 'ok ' .. one.value.value or one.error == 'timeout' and 'timeout'
            or 'error ' .. text_of(one.error)
    end
    return table.concat(texts, ', ')
end

function CALLS.completed(list, timeout)
    local texts = {}
    for _, result, err in bg.completed(list, timeout) do
        texts[#texts + 1] = result and 'ok ' .. result.value or 'error ' .. text_of(err)
    end
    return table.concat(texts, ', ')
end

-- The list of futures of a plan; sessions: gets theirs.
local function start(plan, sessions)
    local list = {}
    for i, at in ipairs(plan.times) do
        sessions[i] = bg.launch()
        list[i] = sessions[i]:run(string.format('%s %d after %d', plan.fails[i] and 'fail' or 'ok', i, at))
    end
    return list
end

-- Also in a scope, beside a task that always has something to do, and perhaps one that cancels a member.
local function perform(name, plan, in_scope)
    local sessions, list = {}, nil
    local got, at
    local function call()
        list = start(plan, sessions)
        got = CALLS[name](list, plan.timeout)
        at = core.time
        if name == 'all' and got:find('^error') then -- what is not needed any more was cancelled
            for _, one in ipairs(list) do assert(one:done()) end
        end
    end
    if in_scope then
        bg.scope(function(sc)
            local ticker = sc:go(function() while true do bg.sleep(0.3) end end)
            local canceller = plan.cancelled and sc:go(function()
                bg.sleep(plan.cancel_at)
                list[plan.cancelled]:cancel()
            end)
            call()
            ticker:cancel()
            if canceller then canceller:cancel() end
        end)
    else
        call()
    end
    for _, session in ipairs(sessions) do session:close() end
    return got, at
end

local function describe(name, plan, in_scope)
    local fails, where = {}, in_scope and ' in a scope' or ''
    for i, failing in ipairs(plan.fails) do fails[i] = failing and 'fails' or 'ok' end
    return string.format('bg.%s%s, times %s, %s, timeout %s, cancel of %s at %s', name, where,
        table.concat(plan.times, ' '), table.concat(fails, ' '), plan.timeout, plan.cancelled, plan.cancel_at)
end

local function check(name, plan, in_scope)
    core.time = 0
    local value, ends_at = MODELS[name](ends_of(plan), plan.timeout or math.huge)
    local got, at = perform(name, plan, in_scope)
    if got == value and at == ends_at and not core.cooperative and not next(core.sessions) then return end
    lu.fail(string.format('%s: %s at %s, not %s at %s', describe(name, plan, in_scope), got, at, value, ends_at))
end

TestWaits = {}

function TestWaits:test_every_order_of_ends_errors_timeouts_and_cancels()
    local cases = 0
    local function try(plan)
        for name in pairs(CALLS) do
            for _, in_scope in ipairs{false, true} do
                if in_scope or not plan.cancelled then
                    check(name, plan, in_scope)
                    cases = cases + 1
                end
            end
        end
    end
    for n = 1, 4 do
        choices(n, function(fails)
            permutations(n, function(times)
                try{times = times, fails = fails}
                for moment = 0.5, n do
                    try{times = times, fails = fails, timeout = moment}
                    for i = 1, n do try{times = times, fails = fails, cancelled = i, cancel_at = moment} end
                end
            end)
        end)
    end
    lu.assertEquals(cases, 54450)
end

-- Tasks in the place of futures: one that fails would end the scope with all who wait.
function TestWaits:test_tasks_that_are_waited_for_together()
    for n = 1, 4 do
        permutations(n, function(times)
            for moment = 0.5, n + 1 do
                for name in pairs(CALLS) do
                    core.time = 0
                    local plan = {times = times, fails = {}}
                    local timeout = moment < n and moment or nil
                    local got = bg.scope(function(sc)
                        local list = {}
                        for i, at in ipairs(times) do
                            list[i] = sc:go(function()
                                bg.sleep(at)
                                return {value = tostring(i)}
                            end)
                        end
                        return CALLS[name](list, timeout)
                    end)
                    local value = MODELS[name](ends_of(plan), timeout or math.huge)
                    lu.assertEquals(got, value, describe(name, plan, true))
                end
            end
        end)
    end
end

-- When so many workers are done with the items, each of which takes the next one when it is free; and when the first
-- one fails.
local function foretell_map(times, fails, workers)
    local free, last, failed_at = {}, 0, math.huge
    for i = 1, workers do free[i] = 0 end
    for i, time in ipairs(times) do
        table.sort(free)
        local at = free[1] + time
        free[1] = at
        last = math.max(last, at)
        if fails[i] then failed_at = math.min(failed_at, at) end
    end
    return last, failed_at
end

local function script(times, fails, i)
    return string.format('%s %d after %d', fails[i] and 'fail' or 'ok', i, times[i])
end

local function check_map(case)
    core.time = 0
    local times, fails = case.times, case.fails
    local items = {}
    for i in ipairs(times) do items[i] = i end
    local work = 'statement'
    if case.by_function then
        work = function(s, i) return s:exec(script(times, fails, i)) end
    else
        core.answer = function(_, i) return i and script(times, fails, i) end
    end
    local ok, results, errors = pcall(bg.map, items, work, {workers = case.workers, errors = case.errors,
        timeout = case.timeout})
    core.answer = nil
    local last, failed_at = foretell_map(times, fails, case.workers)
    if case.errors == 'collect' then failed_at = math.huge end
    local ends_at, timeout = math.min(last, failed_at), case.timeout or math.huge
    if timeout < ends_at then
        lu.assertEquals({ok, results, errors, core.time}, {true, nil, 'timeout', timeout})
    elseif failed_at < math.huge then
        lu.assertEquals({ok, core.time}, {false, failed_at})
        lu.assertTrue(fails[tonumber(results.message)])
    else
        lu.assertEquals({ok, core.time, results.n}, {true, last, #items})
        for i in ipairs(items) do
            if fails[i] then
                lu.assertEquals({results[i], errors[i].message}, {nil, tostring(i)})
            else
                lu.assertEquals(results[i].value, tostring(i))
            end
        end
    end
    lu.assertNil(next(core.sessions))
    lu.assertNil(core.cooperative)
end

function TestWaits:test_every_order_of_a_map()
    for n = 1, 4 do
        choices(n, function(fails)
            permutations(n, function(times)
                for workers = 1, 3 do
                    for _, errors in ipairs{'raise', 'collect'} do
                        for _, by_function in ipairs{true, false} do
                            local case = {times = times, fails = fails, workers = workers, errors = errors,
                                by_function = by_function}
                            check_map(case)
                            for moment = 0.5, n do
                                case.timeout = moment
                                check_map(case)
                            end
                        end
                    end
                end
            end)
        end)
    end
end

-- An attempt takes a second, and so does the pause after it.
function TestWaits:test_every_end_of_a_retry()
    for attempts = 1, 4 do
        for failing = 0, 4 do
            for moment = 0.5, 9.5 do
                for _, how in ipairs{'none', 'timeout', 'cancel'} do
                    core.time = 0
                    local made = 0
                    local function work(s)
                        return bg.retry(function(attempt)
                            made = attempt
                            return s:exec((attempt <= failing and 'fail' or 'ok') .. ' x after 1').value
                        end, {attempts = attempts, backoff = 1, on = {'P0001'}})
                    end
                    local ended
                    local ok, got = pcall(bg.scope, function(sc)
                        local task = sc:go(function()
                            local s <close> = bg.launch()
                            local value = work(s)
                            ended = core.time
                            return value
                        end)
                        if how == 'cancel' then
                            bg.sleep(moment)
                            task:cancel()
                        end
                        return (task:get())
                    end, how == 'timeout' and {timeout = moment} or nil)
                    local needed = math.min(failing + 1, attempts)
                    local fails, ends_at = failing >= attempts, 2 * needed - 1
                    local disturbed = how ~= 'none' and moment < ends_at
                    local text = string.format('%d attempts, %d fail, %s at %s', attempts, failing, how, moment)
                    lu.assertEquals(made, disturbed and moment // 2 + 1 or needed, text)
                    lu.assertEquals(ended, not disturbed and not fails and ends_at or nil, text)
                    lu.assertEquals(ok, disturbed or not fails, text)
                    lu.assertEquals(ok and got or nil, not disturbed and not fails and 'x' or nil, text)
                    lu.assertNil(next(core.sessions), text)
                end
            end
        end
    end
end

os.exit(lu.LuaUnit.run())
