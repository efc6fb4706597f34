-- Channels between tasks, against the fake primitives.
local lu = require 'luaunit'
local core = require 'fake_core'
local bg = require 'bg'

TestChannel = {}

function TestChannel:setUp()
    for number in pairs(core.sessions) do core.sessions[number] = nil end
    core.time = 0
end

local function error_of(fn, ...)
    local ok, err = pcall(fn, ...)
    lu.assertFalse(ok)
    return err.sqlstate, err.message, err.hint
end

function TestChannel:test_a_sender_waits_until_its_value_is_taken()
    local order = {}
    bg.scope(function(sc)
        local ch = bg.channel()
        sc:go(function()
            for i = 1, 2 do
                ch:send(i)
                order[#order + 1] = 'sent ' .. i .. ' at ' .. bg.now()
            end
        end)
        for _ = 1, 2 do
            bg.sleep(1)
            order[#order + 1] = 'received ' .. ch:receive() .. ' at ' .. bg.now()
        end
    end)
    lu.assertEquals(order, {'received 1 at 1.0', 'sent 1 at 1.0', 'received 2 at 2.0', 'sent 2 at 2.0'})
end

function TestChannel:test_so_many_values_wait_in_it()
    bg.scope(function(sc)
        local ch, sent = bg.channel(2), 0
        sc:go(function()
            for i = 1, 4 do
                ch:send(i)
                sent = i
            end
            ch:close()
        end)
        bg.sleep(1)
        lu.assertEquals({sent, #ch}, {2, 3}) -- one is the sender's
        lu.assertEquals(ch:receive(), 1)
        bg.sleep(1)
        lu.assertEquals(sent, 3)
        local left = {}
        for v in ch:values() do left[#left + 1] = v end
        lu.assertEquals(left, {2, 3, 4})
    end)
end

function TestChannel:test_closed_when_empty()
    local ch = bg.channel(2)
    lu.assertTrue(ch:send(false))
    lu.assertTrue(ch:send('last'))
    lu.assertEquals({ch:close(), ch:close()}, {true, false})
    lu.assertEquals({ch:send(1)}, {nil, 'closed'})
    lu.assertEquals({ch:receive(), ch:receive(5)}, {false, 'last'})
    lu.assertEquals({ch:receive()}, {nil, 'closed'})
    do local block <close> = bg.channel() ch = block end
    lu.assertEquals({ch:receive()}, {nil, 'closed'})
    lu.assertEquals(tostring(ch), 'bg.channel (closed)')
end

function TestChannel:test_close_ends_all_waits()
    local heard = {}
    bg.scope(function(sc)
        local full, empty = bg.channel(), bg.channel(1)
        sc:go(function() heard.sender = {full:send(1)} end)
        sc:go(function() heard.receiver = {empty:receive()} end)
        sc:go(function() heard.watcher = select(2, bg.wait{bg.timer(100), empty}) end)
        bg.sleep(1)
        full:close()
        empty:close()
    end)
    lu.assertEquals(heard, {sender = {nil, 'closed'}, receiver = {nil, 'closed'}, watcher = 2})
    lu.assertEquals(core.time, 1)
end

function TestChannel:test_timeouts()
    bg.scope(function(sc)
        local ch = bg.channel(1)
        lu.assertEquals({ch:receive(2)}, {nil, 'timeout'})
        lu.assertEquals(core.time, 2)
        ch:send(1)
        lu.assertEquals({ch:send(2, 3)}, {nil, 'timeout'})
        lu.assertEquals(core.time, 5)
        lu.assertEquals({#ch, ch:receive(0)}, {1, 1})
        lu.assertEquals({ch:receive(0)}, {nil, 'timeout'})
        -- who has given up is not in the way of the others
        sc:go(function() ch:send('late') end)
        lu.assertEquals(ch:receive(1), 'late')
    end)
end

function TestChannel:test_first_come_first_served()
    local order = {}
    bg.scope(function(sc)
        local ch = bg.channel()
        for i = 1, 3 do
            sc:go(function()
                local v = ch:receive()
                order[#order + 1] = i .. v
            end)
        end
        bg.sleep(1)
        for _, v in ipairs{'a', 'b', 'c'} do ch:send(v) end
        bg.sleep(1)
        for i = 1, 3 do sc:go(function() ch:send(i) end) end
        bg.sleep(1)
        for v in ch:values() do
            order[#order + 1] = v
            if v == 3 then break end
        end
    end)
    lu.assertEquals(order, {'1a', '2b', '3c', 1, 2, 3})
end

function TestChannel:test_waits_together_with_others()
    bg.scope(function(sc)
        local s <close> = bg.launch()
        local ch = bg.channel()
        sc:go(function() bg.sleep(2) ch:send('value') end)
        local slow, quick = s:run('ok 1 after 10'), bg.timer(1)
        lu.assertEquals(select(2, bg.wait{slow, ch, quick}), 3)
        lu.assertEquals(select(2, bg.wait{slow, ch}), 2)
        lu.assertEquals({core.time, ch:receive(0)}, {2, 'value'})
        lu.assertEquals({bg.wait({ch}, 1)}, {nil, 'timeout'})
        lu.assertIs(bg.any{slow, bg.timer(100)}, slow:get())
    end)
end

function TestChannel:test_two_that_wait_for_one_value()
    local got = {}
    bg.scope(function(sc)
        local ch = bg.channel()
        for i = 1, 2 do
            sc:go(function()
                bg.wait{ch}
                got[#got + 1] = {i, ch:receive()}
            end)
        end
        bg.sleep(1)
        ch:send('a')
        bg.sleep(1)
        lu.assertEquals(#got, 1)
        ch:send('b')
    end)
    lu.assertEquals(got, {{1, 'a'}, {2, 'b'}})
end

-- The consumer is in a scope of its own, in another task.
function TestChannel:test_between_scopes()
    local got = {}
    bg.scope(function(sc)
        local ch, back = bg.channel(), bg.channel()
        sc:go(function()
            bg.scope(function(inner)
                inner:go(function() for v in ch:values() do got[#got + 1] = v back:send(v) end end)
                inner:go(bg.sleep, 1000)
            end, {timeout = 50})
        end)
        for i = 1, 3 do
            bg.sleep(1)
            ch:send(i)
            lu.assertEquals({back:receive(), core.time}, {i, i})
        end
        ch:close()
    end)
    lu.assertEquals(got, {1, 2, 3})
    lu.assertEquals(core.time, 50)
end

-- A scope in a task learns of what others do to its tasks.
function TestChannel:test_tasks_of_an_inner_scope_are_cancelled_and_started_by_others()
    bg.scope(function(sc)
        local inner_scope, inner_task, ran
        sc:go(function()
            bg.scope(function(inner)
                inner_scope, inner_task = inner, inner:go(bg.sleep, 1000)
            end)
            lu.assertEquals({core.time, ran}, {2, 1})
        end)
        bg.sleep(1)
        inner_scope:go(function() ran = bg.now() end)
        bg.sleep(1)
        inner_task:cancel()
    end)
    lu.assertEquals(core.time, 2)
end

-- It is found at once, and in the scope whose tasks they are, whatever was waited for before.
function TestChannel:test_tasks_that_wait_for_each_other_in_an_inner_scope()
    local state, at
    bg.scope(function(sc)
        local ch = bg.channel()
        local other = sc:go(function() ch:send(1) end)
        sc:go(function()
            state = error_of(bg.scope, function(inner)
                ch:receive()
                other:get()
                local slow = inner:go(bg.sleep, 500)
                bg.sleep(1)
                slow:cancel()
                local a, b
                a = inner:go(function() b:get() end)
                b = inner:go(function() a:get() end)
            end)
            at = core.time
        end)
        bg.sleep(1000)
    end)
    lu.assertEquals({state, at}, {'40P01', 1})
end

function TestChannel:test_nobody_can_end_the_wait()
    lu.assertEquals(error_of(bg.scope, function() bg.channel():receive() end), '40P01')
    lu.assertEquals(error_of(bg.scope, function(sc)
        sc:go(function() bg.scope(function() bg.channel():send(1) end) end)
    end), '40P01')
    lu.assertEquals(error_of(bg.scope, function(sc)
        sc:go(function() bg.wait{bg.channel()} end)
    end), '40P01')
    local state, message, hint = error_of(bg.channel().receive, bg.channel())
    lu.assertEquals({state, message}, {'55000', 'there is no task that could end this wait'})
    lu.assertStrContains(hint, 'bg.scope')
    lu.assertEquals(error_of(bg.channel().send, bg.channel(), 1, 5), '55000')
    lu.assertEquals(error_of(bg.wait, {bg.channel(), bg.timer(1)}), '55000')
    -- and what has failed to wait is not in the queue
    local ch = bg.channel(1)
    error_of(ch.receive, ch)
    ch:send(1)
    error_of(ch.send, ch, 2)
    lu.assertEquals({#ch, ch:receive(0), #ch}, {1, 1, 0})
    lu.assertEquals({ch:receive(0)}, {nil, 'timeout'})
    -- in a scope, in a coroutine of the user's own
    lu.assertEquals(error_of(bg.scope, function() coroutine.wrap(ch.receive)(ch) end), '0A000')
end

function TestChannel:test_misuse()
    local ch = bg.channel(1)
    for _, bad in ipairs{-1, 1.5, 'x', {}} do lu.assertEquals(error_of(bg.channel, bad), '22023') end
    lu.assertEquals(error_of(ch.send, ch, nil), '22023')
    lu.assertEquals(error_of(ch.send, {}, 1), '22023')
    lu.assertEquals(error_of(ch.receive, ch, 'soon'), '22023')
    lu.assertEquals(error_of(ch.values, nil), '22023')
end

-- A value that says of itself that it is equal to none, or to all, is a value as others.
function TestChannel:test_values_of_any_kind()
    local strange = setmetatable({}, {__eq = error, __len = error})
    local ch = bg.channel(3)
    for _, v in ipairs{0 / 0, strange, false} do ch:send(v) end
    local nan = ch:receive()
    lu.assertTrue(nan ~= nan)
    lu.assertTrue(rawequal(ch:receive(), strange))
    lu.assertEquals({ch:receive(), #ch}, {false, 0})
end

-- Neither time nor memory grows with the square of the number of tasks. The bounds are those of a slow machine.
function TestChannel:test_ten_thousand_tasks()
    local n = 10000
    collectgarbage()
    local before, start = collectgarbage('count'), os.clock()
    local s <close> = bg.launch()
    bg.scope(function(sc)
        local first = bg.channel()
        local last = first
        for i = 1, n // 2 do
            local from, to = last, bg.channel()
            last = to
            sc:go(function() to:send(from:receive() + 1) end)
            sc:go(function() bg.sleep(i) s:exec('ok 1 after 0.1') end)
        end
        sc:go(function()
            bg.sleep(1)
            lu.assertTrue(collectgarbage('count') - before < 100 * 1024)
            first:send(0)
        end)
        lu.assertEquals(last:receive(), n // 2)
    end)
    lu.assertTrue(os.clock() - start < 10)
end

os.exit(lu.LuaUnit.run())
