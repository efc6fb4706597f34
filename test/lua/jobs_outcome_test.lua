-- What follows when jobs fail, and which of one key stays.
local lu = require 'luaunit'
require 'fake_core'
local keys = require 'bg.jobs.keys'
local outcome = require 'bg.jobs.outcome'

TestOutcome = {}

function TestOutcome:test_backoff()
    local delays = {}
    for failed = 1, 14 do delays[failed] = outcome.backoff('exp', failed, 0.5) end
    lu.assertEquals(delays, {10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240, 20480, 21600, 21600})
    lu.assertAlmostEquals(outcome.backoff(nil, 1, 0), 8.7, 1e-9)
    lu.assertAlmostEquals(outcome.backoff(nil, 1, 1), 11.3, 1e-9)
    lu.assertEquals(outcome.backoff('linear', 3, 0), 30)
    lu.assertEquals(outcome.backoff('linear', 30000, 0), 21600)
    lu.assertEquals(outcome.backoff('0.5', 7, 0), 0.5)
    lu.assertEquals(outcome.backoff('exp', 3000, 0.5), 21600)
end

-- attempt, conflicts, sqlstate, attempts given; what is decided.
local DECISIONS = {
    {0, nil, 'P0001', nil, 'retry'},
    {23, nil, 'P0001', nil, 'retry'},
    {24, nil, 'P0001', nil, 'fail'},
    {0, nil, 'P0001', 1, 'fail'},
    {0, nil, 'P0001', 2, 'retry'},
    {0, nil, '40001', 1, 'again'},
    {0, 2, '40P01', 1, 'again'},
    {0, 3, '40001', 1, 'fail'},
    {0, 3, '40001', nil, 'retry'},
    {0, nil, '42P01', nil, 'fail'},
    {0, nil, '42501', nil, 'fail'},
    {0, nil, '25001', nil, 'fail'},
    {0, nil, '0A000', nil, 'fail'},
    {0, nil, '25006', nil, 'retry'},
    {0, nil, '42P01', 3, 'retry'},
    {0, nil, '08006', nil, 'retry'},
    {0, nil, '57014', nil, 'retry'},
    {0, nil, nil, nil, 'retry'},
}

function TestOutcome:test_decisions()
    for i, case in ipairs(DECISIONS) do
        local action = outcome.decide({attempt = case[1], conflicts = case[2]}, {sqlstate = case[3]},
            {attempts = case[4]}, 0.5)
        lu.assertEquals(i .. ' ' .. action, i .. ' ' .. case[5])
    end
    local _, delay = outcome.decide({attempt = 2}, {sqlstate = 'P0001'}, {backoff = 'linear'}, 0.5)
    lu.assertEquals(delay, 30)
end

function TestOutcome:test_entry()
    local entry = outcome.entry({attempt = 2}, {sqlstate = 'P0001', message = 'no', hint = 'try',
        context = ('x'):rep(9000)})
    lu.assertEquals(entry.attempt, 3)
    lu.assertEquals(entry.sqlstate, 'P0001')
    lu.assertEquals(entry.message, 'no')
    lu.assertEquals(entry.hint, 'try')
    lu.assertNil(entry.detail)
    lu.assertEquals(#entry.context, 4000)
    lu.assertEquals(outcome.entry({attempt = 0}, 'bad'), {attempt = 1, sqlstate = '38000', message = 'bad'})
end

TestKeys = {}

-- Jobs as 'id mode state' in one text; what is superseded as 'id<by'.
local function resolve(text)
    local jobs, list = {}, {}
    for id, mode, state in text:gmatch('(%d+)(%a)(%a)') do
        jobs[#jobs + 1] = {id = tonumber(id), mode = mode, running = state == 'r'}
    end
    for i, made_way in ipairs(keys.resolve(jobs)) do list[i] = made_way.id .. '<' .. made_way.by end
    return table.concat(list, ' ')
end

local KEYS = {
    {'', ''}, {'1rw', ''}, {'1rr', ''}, {'1uw', ''},
    {'1rw 2rw', '1<2'}, {'1rw 2rw 3rw', '1<2 2<3'}, {'1rw 2kw', '2<1'}, {'1kw 2rw', '1<2'}, {'1kw 2kw 3kw', '2<1 3<1'},
    {'1rw 2uw', '2<1'}, {'1rw 2kw 3rw', '2<1 1<3'},
    {'1rr 2rw', ''}, {'1rr 2kw', ''}, {'1rr 2uw', '2<1'}, {'1rr 2rw 3rw', '2<3'}, {'1rr 2kw 3kw', '3<2'},
    {'1rr 2rw 3uw', '3<2'}, {'1rw 2rr', ''}, {'1uw 2rr', '1<2'}, {'1rw 2rr 3rw', '1<3'},
}

function TestKeys:test_all()
    for _, case in ipairs(KEYS) do
        lu.assertEquals(case[1] .. ': ' .. resolve(case[1]), case[1] .. ': ' .. case[2])
    end
end

os.exit(lu.LuaUnit.run())
