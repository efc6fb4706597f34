-- Waiting for several, against the fake primitives.
local lu = require 'luaunit'
local core = require 'fake_core'
local bg = require 'bg'

local function sessions(n)
    local list = {}
    for i = 1, n do list[i] = bg.launch() end
    return table.unpack(list)
end

local function values(results)
    local list = {}
    for i = 1, results.n do list[i] = results[i].value end
    return list
end

TestCombinators = {}

function TestCombinators:setUp()
    for number in pairs(core.sessions) do core.sessions[number] = nil end
    core.time = 0
end

function TestCombinators:test_wait_gives_the_first_to_settle()
    local a, b = sessions(2)
    local slow, fast = a:run('ok slow after 3'), b:run('ok fast after 1')
    local f, i = bg.wait({slow, fast})
    lu.assertIs(f, fast)
    lu.assertEquals(i, 2)
    lu.assertEquals(core.time, 1)
    lu.assertEquals({bg.wait({slow}, 1)}, {nil, 'timeout'})
end

function TestCombinators:test_wait_for_sessions_and_timers()
    local a, b = sessions(2)
    a:run('ok 1 after 3')
    b:run('ok 1 after 5')
    lu.assertIs(bg.wait({b, a}), a)
    local timer = bg.timer(1)
    lu.assertIs(bg.wait({b, timer}), timer)
    lu.assertEquals(core.time, 4)
    lu.assertEquals({bg.wait({bg.timer(10)}, 1)}, {nil, 'timeout'})
end

function TestCombinators:test_sleep()
    bg.sleep(2.5)
    lu.assertEquals(core.time, 2.5)
    lu.assertErrorMsgContains('number of seconds', bg.sleep, 'x')
end

function TestCombinators:test_all_keeps_the_order_of_the_list()
    local a, b, c = sessions(3)
    local results = bg.all {a:run('ok 1 after 3'), b:run('ok 2 after 1'), c:run('ok 3 after 2')}
    lu.assertEquals(values(results), {'1', '2', '3'})
    lu.assertEquals(core.time, 3)
end

function TestCombinators:test_all_cancels_the_rest_on_error()
    local a, b = sessions(2)
    local slow = a:run('ok 1 after 30')
    local ok, err = pcall(bg.all, {slow, b:run('fail now after 1')})
    lu.assertFalse(ok)
    lu.assertEquals(err.message, 'now')
    lu.assertEquals(select(2, slow:try()).sqlstate, '57014')
    lu.assertEquals(core.time, 1)
end

function TestCombinators:test_all_timeout_and_empty()
    local a = sessions(1)
    lu.assertEquals({bg.all({a:run('ok 1 after 30')}, 2)}, {nil, 'timeout'})
    lu.assertEquals(bg.all({}).n, 0)
end

function TestCombinators:test_any()
    local a, b, c = sessions(3)
    local value, i = bg.any {a:run('ok 1 after 9'), b:run('fail early'), c:run('ok 3 after 2')}
    lu.assertEquals(value.value, '3')
    lu.assertEquals(i, 3)
    local ok, err = pcall(bg.any, {a:run('fail second after 9'), b:run('fail first')})
    lu.assertFalse(ok)
    lu.assertEquals(err.message, 'first')
end

function TestCombinators:test_settled()
    local a, b, c = sessions(3)
    local outcomes = bg.settled({a:run('ok 1'), b:run('fail x'), c:run('ok 1 after 9')}, 1)
    lu.assertTrue(outcomes[1].ok)
    lu.assertEquals(outcomes[1].value.value, '1')
    lu.assertFalse(outcomes[2].ok)
    lu.assertEquals(outcomes[2].error.message, 'x')
    lu.assertEquals(outcomes[3].error, 'timeout')
end

function TestCombinators:test_completed()
    local a, b = sessions(2)
    local order = {}
    for f, r, err in bg.completed {a:run('ok 1 after 3'), b:run('fail 2 after 1')} do
        order[#order + 1] = r and r.value or err.message
        lu.assertTrue(f:done())
    end
    lu.assertEquals(order, {'2', '1'})
end

function TestCombinators:test_misuse()
    lu.assertErrorMsgContains('takes a list of futures', bg.all, 7)
    lu.assertErrorMsgContains('element 1 cannot be waited for', bg.wait, {7})
    lu.assertErrorMsgContains('the list is empty', bg.wait, {})
    lu.assertErrorMsgContains('the list is empty', bg.any, {})
end

function TestCombinators:test_cancel()
    local a = sessions(1)
    local f = a:run('ok 1 after 9')
    lu.assertTrue(f:cancel())
    lu.assertFalse(f:cancel())
    lu.assertEquals(select(2, f:try()).sqlstate, '57014')
end

os.exit(lu.LuaUnit.run())
