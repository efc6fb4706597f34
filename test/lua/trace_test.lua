-- bg.trace on a clock that stands still: rows, chart, JSON, limits, and what is left of it when it has ended.
local lu = require 'luaunit'
local core = require 'fake_core'
local bg = require 'bg'

TestTrace = {}

function TestTrace:setUp()
    for number in pairs(core.sessions) do core.sessions[number] = nil end
    core.time, core.log = 0, {}
end

-- The fields of a row, without those that are nil.
local function text_of(row)
    local parts = {}
    for _, name in ipairs{'kind', 'task', 'scope', 'name', 'sql', 'state', 'sqlstate', 'error', 'waited', 'started',
        'elapsed'} do
        local value = row[name]
        if math.type(value) == 'float' then value = string.format('%.1f', value) end
        if value ~= nil then parts[#parts + 1] = string.format('%s=%s', name, value) end
    end
    return table.concat(parts, ' ')
end

local function lines_of(trace)
    local lines = {}
    for i, row in ipairs(trace) do lines[i] = text_of(row) end
    return table.concat(lines, '\n')
end

local function two_tasks()
    local a <close> = bg.launch{name = 'a'}
    local b <close> = bg.launch()
    return bg.scope(function(sc)
        sc:go(function()
            b:exec('ok 1 after 2')
            b:run('ok 2 after 1')
            b:exec('ok 3 after 1')
        end)
        a:exec('ok 4 after 1')
        return 'x', nil, 3
    end)
end

function TestTrace:test_rows()
    core.time = 10
    local trace, x, y, z = bg.trace(two_tasks)
    lu.assertEquals({x, y, z}, {'x', nil, 3})
    lu.assertEquals(lines_of(trace), [[
kind=scope task=1 scope=1 name=test/lua/trace_test.lua:34 state=ok waited=0.0 started=0.0 elapsed=1.0
kind=task task=2 scope=1 name=test/lua/trace_test.lua:35 state=ok waited=0.0 started=0.0 elapsed=4.0
kind=command task=1 name=a sql=ok 4 after 1 state=ok waited=0.0 started=0.0 elapsed=1.0
kind=command task=2 sql=ok 1 after 2 state=ok waited=0.0 started=0.0 elapsed=2.0
kind=command task=2 sql=ok 2 after 1 state=ok waited=0.0 started=2.0 elapsed=1.0
kind=command task=2 sql=ok 3 after 1 state=ok waited=1.0 started=3.0 elapsed=1.0]])
    lu.assertEquals({trace.n, trace.dropped, trace.elapsed, trace.started_at}, {6, 0, 4.0, '2000-01-01 00:00:10+00'})
    lu.assertEquals(trace[6].started_at, '2000-01-01 00:00:13+00')
    lu.assertIs(bg.last_trace(), trace)
end

function TestTrace:test_chart()
    local trace = bg.trace(two_tasks)
    local pids = {}
    for _, row in ipairs(trace) do pids[row.name or 'b'] = row.pid end
    local chart = trace:gantt{width = 80}
    chart = chart:gsub(pids.a .. ' a', 'A'):gsub(tostring(pids.b), 'B'):gsub(' +|', '|'):gsub('test/lua/', '')
    lu.assertEquals(chart, [[
|0                                  4.00 s|
scope 1|##########| 1.00 s
  A ok 4 after 1|##########| 1.00 s
task 2 trace_...|#########################################| 4.00 s
  B ok 1 after 2|####################| 2.00 s
  B ok 2 after 1|                    ##########| 1.00 s
  B ok 3 after 1|                    ..........###########| 1.00 s]])
    local short = trace:gantt{width = 60, lines = 2}
    lu.assertStrContains(short, '\nand 4 more')
    for line in short:gmatch('[^\n]+') do lu.assertTrue(#line <= 60, line) end
end

function TestTrace:test_json()
    local trace = bg.trace(function()
        local s <close> = bg.launch{name = 'q"\\\n\1'}
        s:exec('ok "1"\n after 0.5')
    end)
    local pid = trace[1].pid
    lu.assertEquals(trace:json(), ([[
{"displayTimeUnit":"ms","traceEvents":[
{"name":"process_name","ph":"M","pid":1,"tid":0,"args":{"name":"sessions"}},
{"name":"process_name","ph":"M","pid":2,"tid":0,"args":{"name":"tasks"}},
{"name":"thread_name","ph":"M","pid":1,"tid":PID,"args":{"name":"PID q\u0022\u005c\u000a\u0001"}},
{"name":"ok \u00221\u0022 after 0.5","cat":"command","ph":"X","ts":0.000,"dur":500000.000,"pid":1,"tid":PID,]] ..
        [["args":{"sql":"ok \u00221\u0022\u000a after 0.5","state":"ok","waited_ms":0.000,]] ..
        [["started_at":"2000-01-01 00:00:00+00"}}
]}]]):gsub('PID', pid))
end

function TestTrace:test_an_error_is_raised_and_the_trace_is_kept()
    local ok, err = pcall(bg.trace, function()
        local a <close> = bg.launch()
        local b <close> = bg.launch()
        bg.scope(function(sc)
            sc:go(function() a:exec('ok 1 after 100') end)
            sc:go(function() bg.sleep(100) end)
            sc:go(function()
                bg.sleep(1)
                b:exec('fail no after 1')
            end)
            bg.sleep(100)
        end, {limit = 3})
    end)
    lu.assertEquals({ok, err.message}, {false, 'no'})
    lu.assertNil(core.cooperative)
    local trace = bg.last_trace()
    lu.assertEquals(lines_of(trace):gsub(' name=test%S+', ''), [[
kind=scope task=1 scope=1 state=cancelled waited=0.0 started=0.0 elapsed=2.0
kind=task task=2 scope=1 state=cancelled waited=0.0 started=0.0 elapsed=2.0
kind=task task=3 scope=1 state=cancelled waited=0.0 started=0.0 elapsed=2.0
kind=task task=4 scope=1 state=failed sqlstate=P0001 error=no waited=0.0 started=0.0 elapsed=2.0
kind=command task=2 sql=ok 1 after 100 state=failed sqlstate=57014 error=canceled waited=0.0 started=0.0 elapsed=2.0
kind=command task=4 sql=fail no after 1 state=failed sqlstate=P0001 error=no waited=0.0 started=1.0 elapsed=1.0]])
    lu.assertIs(bg.last_trace(), trace)
end

function TestTrace:test_what_has_not_ended_and_what_has_not_begun()
    local s = bg.launch()
    local trace
    bg.scope(function(sc)
        local sleeper
        trace = bg.trace(function()
            sleeper = sc:go(function() bg.sleep(100) end)
            local waiting = sc:go(function() end)
            s:run('ok 1 after 5')
            s:run('ok 2 after 5')
            bg.sleep(1)
            waiting:cancel()
        end)
        sleeper:cancel()
    end, {limit = 1})
    lu.assertEquals(lines_of(trace):gsub(' name=test%S+', ''), [[
kind=scope task=1 scope=1 state=pending waited=0.0 started=0.0 elapsed=1.0
kind=task task=2 scope=1 state=pending waited=0.0 started=0.0 elapsed=1.0
kind=task task=3 scope=1 state=cancelled waited=1.0
kind=command task=1 sql=ok 1 after 5 state=pending waited=0.0 started=0.0 elapsed=1.0
kind=command task=1 sql=ok 2 after 5 state=pending waited=1.0]])
    trace:gantt()
    trace:json()
end

function TestTrace:test_traces_in_a_trace()
    local s <close> = bg.launch()
    local inner
    local outer = bg.trace(function()
        s:exec('ok 1 after 1')
        inner = bg.trace(function() s:exec('ok 2 after 1') end)
        s:exec('ok 3 after 1')
    end)
    lu.assertEquals(lines_of(inner), 'kind=command sql=ok 2 after 1 state=ok waited=0.0 started=0.0 elapsed=1.0')
    lu.assertEquals(outer.n, 3)
    lu.assertIs(bg.last_trace(), outer)
    lu.assertEquals(next(core.traces), nil)
    s:exec('ok 4')
    lu.assertEquals({outer.n, inner.n}, {3, 1})
end

-- A trace in one task and in another, that overlap; and one whose coroutine is forgotten.
function TestTrace:test_traces_that_overlap()
    local a, b = bg.launch(), bg.launch()
    local first, second
    bg.scope(function(sc)
        sc:go(function()
            first = bg.trace(function()
                a:exec('ok 1 after 2')
                a:exec('ok 2 after 2')
            end)
        end)
        sc:go(function()
            second = bg.trace(function()
                bg.sleep(1)
                b:exec('ok 3 after 4')
            end)
        end)
    end)
    local function sql_of(trace)
        local list = {}
        for _, row in ipairs(trace) do list[#list + 1] = row.sql end
        return table.concat(list, ', ')
    end
    lu.assertEquals({sql_of(first), sql_of(second)},
        {'ok 1 after 2, ok 3 after 4, ok 2 after 2', 'ok 3 after 4, ok 2 after 2'})
    local co = coroutine.create(function() bg.trace(function() coroutine.yield() end) end)
    coroutine.resume(co)
    lu.assertNotNil(next(core.traces))
    coroutine.close(co)
    lu.assertNil(next(core.traces))
end

function TestTrace:test_no_more_than_the_limit()
    local s <close> = bg.launch()
    local trace = bg.trace(function()
        for i = 1, 5 do s:run('ok ' .. i) end
        bg.scope(function(sc)
            for _ = 1, 4 do sc:go(function() bg.sleep(1) end) end
        end)
    end, {limit = 3})
    lu.assertEquals({trace.n, trace.dropped}, {6, 4})
    lu.assertStrContains(trace:gantt(), 'and 4 that were not kept')
    for _, bad in ipairs{0, -1, 1.5, 'x', 1000001} do
        local ok, err = pcall(bg.trace, print, {limit = bad})
        lu.assertEquals({ok, err.sqlstate}, {false, '22023'})
    end
    lu.assertNil(next(core.traces))
end

function TestTrace:test_wrong_arguments()
    local trace = bg.trace(function() end)
    lu.assertEquals({trace.n, trace.elapsed, #trace:gantt() > 0}, {0, 0.0, true})
    for _, call in ipairs{
        function() bg.trace() end, function() bg.trace('x') end, function() bg.trace(print, 1) end,
        function() bg.trace(print, {depth = 1}) end, function() trace.gantt() end, function() trace.json({}) end,
        function() trace:gantt{width = 10} end,
        function() trace:gantt{width = 1e9} end, function() trace:gantt{lines = 0} end,
        function() trace:gantt(80) end,
    } do
        local ok, err = pcall(call)
        lu.assertEquals({ok, type(err) == 'table' and err.sqlstate or err}, {false, '22023'})
    end
end

function TestTrace:test_nobody_observes_for_a_trace_that_was_collected()
    local scheduler = require 'bg.scheduler'
    local observe, observer = scheduler.observe, nil
    scheduler.observe = function(with)
        observer = with
        observe(with)
    end
    coroutine.wrap(bg.trace)(coroutine.yield)
    lu.assertNotNil(observer)
    bg.trace(function() end) -- the other one goes on
    lu.assertNotNil(observer)
    collectgarbage()
    scheduler.observe = observe
    core.traces = {} -- the real core's are collected, too
    lu.assertNil(observer)
end

os.exit(lu.LuaUnit.run())
